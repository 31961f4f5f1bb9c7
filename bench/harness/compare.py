"""What changed between two runs, and what cannot be told."""

import dataclasses
import math
import textwrap

from . import results, stats, table

SAME, FASTER, SLOWER = "same", "faster", "slower"
NOT_COMPARABLE = "not comparable"


@dataclasses.dataclass(frozen=True)
class Line:
    """One contender of one row."""
    row: str
    contender: str
    measure: str  # what the two numbers are
    old: float | None
    new: float | None
    percent: float | None
    verdict: str  # faster | slower | same | not comparable
    reason: str = ""  # of not comparable


def machine_differences(old, new):
    """[(what, old, new)] that keep values of the two from being compared."""
    def facts(run):
        cpu = run.machine.get("cpu", {})
        return {"CPU": cpu.get("model"), "stepping": cpu.get("stepping"), "flags": " ".join(cpu.get("flags", [])),
                "kernel": run.machine.get("kernel"), "hypervisor": run.machine.get("hypervisor")}

    before, after = facts(old), facts(new)
    return [(what, before[what], after[what]) for what in before if before[what] != after[what]]


def lines(old, new):
    """A Line for each contender of each row of either run, in the new one's order."""
    same_machine = not machine_differences(old, new)
    before = {row.id: row for row in old.rows}
    found = []
    for row in new.rows:
        found += _row(before.pop(row.id, None), row, same_machine)
    for row in before.values():
        found += [_not(row.id, one.name, "not in the new run") for one in row.results]
    return found


def _row(old, new, same_machine):
    if old is None:
        return [_not(new.id, one.name, "not in the old run") for one in new.results]
    if (old.unit, old.higher_is_better) != (new.unit, new.higher_is_better):
        return [_not(new.id, one.name, f"the unit was {old.unit} and is {new.unit}") for one in new.results]
    gone = [one.name for one in old.results if new.named(one.name) is None]
    return ([_contender(old, new, one, same_machine) for one in new.results]
            + [_not(new.id, name, "not in the new run") for name in gone])


def _not(row, name, reason):
    return Line(row, name, "", None, None, None, NOT_COMPARABLE, reason)


def _contender(old_row, row, new, same_machine):
    old = old_row.named(new.name)
    if old is None:
        return _not(row.id, new.name, "not in the old run")
    for when, one in (("old", old), ("new", new)):
        if one.status != results.OK:
            return _not(row.id, new.name, f"{when} is {one.status}")
    if same_machine:
        both_net = old.net is not None and new.net is not None
        if not both_net and (old.net or new.net):
            return _not(row.id, new.name, "only one of them has a limit")
        values = (old.net, new.net) if both_net else (old.gross, new.gross)
        return _line(row, new.name, "net" if both_net else "gross", *values)
    return _by_ratio(old_row, row, old, new)


def _by_ratio(old_row, row, old, new):
    """Each contender in units of its limit, or of the first other contender that both runs have."""
    names = [new.limit] if new.limit else [one.name for one in row.results if one is not new and not one.only_limit]
    for name in names:
        beside = old_row.named(name), row.named(name)
        if all(one is not None and one.status == results.OK for one in beside):
            ratios = stats.ratio(old.gross, beside[0].gross), stats.ratio(new.gross, beside[1].gross)
            if all(ratios):
                return _line(row, new.name, f"x {name}", *ratios)
    return _not(row.id, new.name, "another machine, and nobody beside it to compare with")


def _line(row, name, measure, old, new):
    change = stats.compare(old, new, row.higher_is_better)
    values = [one.value if isinstance(one, stats.Ratio) else one.median for one in (old, new)]
    return Line(row.id, name, measure, *values, change.percent, change.verdict)


def report(old, new, everything=False):
    """The text of bench/compare. Lines that say `same` are only counted unless `everything`."""
    text = [f"old: {table.headline(old)}", f"new: {table.headline(new)}"]
    differences = machine_differences(old, new)
    if differences:
        text += ["", *textwrap.wrap(
            "The machines differ (" + "; ".join(f"{what}: {a} / {b}" for what, a, b in differences) + "): values are "
            "not compared, only how contenders of one run relate to each other.", table.WIDTH)]
    all_lines = lines(old, new)
    show = [one for one in all_lines if everything or one.verdict != SAME]
    if show:
        text += ["", f"{'row':26} {'contender':24} {'measure':16} {'old':>11} {'new':>11} {'change':>9}  verdict"]
    for one in show:
        text.append(_text(one))
    counts = {verdict: sum(1 for one in all_lines if one.verdict == verdict)
              for verdict in (FASTER, SLOWER, SAME, NOT_COMPARABLE)}
    text += ["", ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
             + " (same: within three standard deviations of the noise, or 2 %)"]
    return "\n".join(line.rstrip() for line in text) + "\n"


def _text(one):
    numbers = [table.NONE if value is None else table.number(value) for value in (one.old, one.new)]
    change = table.NONE if one.percent is None or math.isnan(one.percent) else f"{one.percent:+.1f} %"
    verdict = f"{one.verdict}: {one.reason}" if one.reason else one.verdict
    return (f"{one.row:26} {one.contender:24} {one.measure:16} {numbers[0]:>11} {numbers[1]:>11} {change:>9}  "
            f"{verdict}")
