"""A row of the bench: one scenario, and who is measured in it side by side. scenarios.py holds the table of them."""

import dataclasses
from collections.abc import Callable

from .contender import Contender

Factory = Callable[[], Contender]  # makes a contender, starts nothing; it may raise Missing


@dataclasses.dataclass
class Row:
    """What rounds.run_row() runs and what the table shows.

    A limit is what the work costs before any of it is done: the same packets taken and thrown away or sent back. It
    takes its turns in the row like a contender, and may be one of the row's contenders, by name. net = gross - limit.
    """
    id: str  # "stateless-1k": what --only picks by its beginning, and compare finds again
    title: str
    group: str  # rows of one group stand together, in the order of the table
    contenders: list[Factory]
    limit: Factory | str | None = None  # of every contender that `limits` does not name
    limits: dict[str, Factory | str | None] = dataclasses.field(default_factory=dict)  # contender's name -> its own
    unit: str = "cycles/packet"
    higher_is_better: bool = False  # then there is no net: a limit is only shown
    rounds: int = 5  # good ones that each contender needs
    seconds: float = 2.0  # of one round
    note: str = ""  # printed beneath the row
    quick: bool = False  # a row of --quick as well
    subject: str = "Weir"  # the others' ratio is to the first contender whose name begins so

    def limit_of(self, name):
        return self.limits.get(name, self.limit)
