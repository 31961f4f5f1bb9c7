"""What a run found, as values and as a JSON file in bench/results/.

The file is Run as JSON: each dataclass here is an object with the same keys, described at its fields. `schema` is
SCHEMA; it grows when a key changes its meaning or goes, not when one is added. A value that does not exist is null,
never 0.
"""

import dataclasses
import json
import os
import statistics

from . import stats
from .stats import Summary

SCHEMA = 1

# What is said of a contender. Only `ok` supports a claim.
OK = "ok"
NOISY = "noisy"  # the MAD is over 5 % of the median
DISTURBED = "disturbed"  # the machine left too few good rounds
VOID = "void"  # its packets are wrong, or some are neither sent nor counted as dropped
MISSING = "missing"  # not on this machine
FAILED = "failed"  # did not start, or ended, or stopped working


@dataclasses.dataclass
class Round:
    """One measurement of one contender."""
    turn: int  # in which all who still need a round have one, from 1
    value: float  # in the row's unit
    packets: int  # taken from the feed
    sent: int
    drops: dict  # the contender's own counters: reason -> packets
    cycles: float  # of the worker's core
    seconds: float
    extra: dict  # name -> number
    disturbance: dict  # what the meters read: steal_share, switches_per_second, drift_share
    discarded: list  # why the round does not count: steal, switches, drift, unreadable; empty if it does


@dataclasses.dataclass
class Result:
    """One contender of a row."""
    name: str
    status: str = OK
    reason: str = ""  # one sentence, unless the status is ok
    checked: str = ""  # what its verification looked at
    limit: str | None = None  # name of the contender whose cost is taken away
    only_limit: bool = False  # measured as a limit, not a contender of its own
    gross: Summary | None = None  # of the good rounds; null if void, missing or failed
    net: Summary | None = None  # gross - limit, if both are ok and lower is better
    rounds: list = dataclasses.field(default_factory=list)  # of Round, in order, discarded ones too

    @property
    def good(self):
        return [one for one in self.rounds if not one.discarded]

    def discards(self):
        """Cause -> rounds discarded for it. A round may have several causes."""
        causes = [cause for one in self.rounds for cause in one.discarded]
        return {cause: causes.count(cause) for cause in dict.fromkeys(causes)}

    def drops(self):
        """Reason -> packets, over the good rounds."""
        total = {}
        for one in self.good:
            for reason, packets in one.drops.items():
                total[reason] = total.get(reason, 0) + packets
        return total

    def packets(self):
        return sum(one.packets for one in self.good)

    def extra(self):
        """Name -> median over the good rounds that have it."""
        names = dict.fromkeys(name for one in self.good for name in one.extra)
        return {name: statistics.median(one.extra[name] for one in self.good if name in one.extra) for name in names}


@dataclasses.dataclass
class RowResult:
    """One row, as it was run."""
    id: str
    title: str
    group: str
    unit: str
    higher_is_better: bool
    note: str
    subject: str
    wanted: int  # good rounds
    seconds: float  # of one round
    results: list  # of Result: the contenders in the row's order, then those that are limits only

    def named(self, name):
        return next((one for one in self.results if one.name == name), None)

    def subject_result(self):
        return next((one for one in self.results if one.name.startswith(self.subject)), None)

    def ratio(self, result):
        """How much better the subject is than `result`: over 1, it is. Of the nets where both have one, of the gross
        values where neither has a limit; None if they cannot be compared or either supports no claim."""
        subject = self.subject_result()
        if subject is None or subject is result or result.only_limit or {subject.status, result.status} != {OK}:
            return None
        if self.higher_is_better:
            return stats.ratio(subject.gross, result.gross)
        if subject.net and result.net:
            return stats.ratio(result.net, subject.net)
        if subject.limit is None and result.limit is None:
            return stats.ratio(result.gross, subject.gross)
        return None


@dataclasses.dataclass
class Judged:
    """What is demanded, and what the run showed of it (gates.py)."""
    id: str
    title: str
    demanded: float
    at_most: bool  # else at least
    value: float | None
    status: str  # holds, missed, too noisy to tell, not measured
    error: float | None = None  # how far the value may be off; of older files null


@dataclasses.dataclass
class Run:
    """One run of bench/run."""
    date: str  # ISO 8601, UTC, when it began
    commit: str  # as `git describe --always` has it, 12 digits; "unknown" outside a checkout
    dirty: bool  # the tree had changes that the commit does not have
    quick: bool
    complete: bool  # false if it was interrupted: later rows are not there
    seconds: float  # that it took
    machine: dict  # machine.facts()
    rows: list  # of RowResult
    schema: int = SCHEMA
    gates: list = dataclasses.field(default_factory=list)  # of Judged, when it is done

    def failures(self):
        """[(row, result)] that were void or failed."""
        return [(row, one) for row in self.rows for one in row.results if one.status in (VOID, FAILED)]


class Unreadable(Exception):
    """The file is not a result that this version reads; one sentence."""


def to_json(run):
    return json.dumps(dataclasses.asdict(run), indent=1) + "\n"


def from_json(text):
    """Raises Unreadable."""
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise Unreadable(f"its schema is {data['schema']}, and this version reads {SCHEMA}")
        return Run(**{**data, "rows": [_row(one) for one in data["rows"]],
                      "gates": [Judged(**one) for one in data.get("gates", [])]})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"it is not a result of bench/run ({type(error).__name__}: {error})") from error


def _row(data):
    return RowResult(**{**data, "results": [_result(one) for one in data["results"]]})


def _result(data):
    return Result(**{**data, "gross": _summary(data["gross"]), "net": _summary(data["net"]),
                     "rounds": [Round(**one) for one in data["rounds"]]})


def _summary(data):
    return None if data is None else Summary(**data)


def load(path):
    """Raises Unreadable, with the path."""
    try:
        with open(path, encoding="utf-8") as file:
            return from_json(file.read())
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise Unreadable(f"{path}: {error}") from error


def default_path(run, folder):
    """<folder>/<date>-<commit>[-dirty][-quick].json"""
    day = run.date.split("T")[0]
    marks = ("-dirty" if run.dirty else "") + ("-quick" if run.quick else "")
    return os.path.join(folder, f"{day}-{run.commit}{marks}.json")


def save(run, path):
    """Writes the run to `path`, or to the first of path-2, path-3, ... that does not exist. Returns where."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    stem, suffix = os.path.splitext(path)
    number, text = 1, to_json(run)
    while True:
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            return path
        except FileExistsError:
            number += 1
            path = f"{stem}-{number}{suffix}"
