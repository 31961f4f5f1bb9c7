"""The table that a run ends with: text of at most 120 columns.

    row, title                                                                            unit
      contender       median   MAD   limit   net   MAD   Weir is better by   status
"""

import textwrap

from . import results

WIDTH = 120
_NAME = 34
_COLUMNS = (("median", 12), ("MAD", 9), ("limit", 10), ("net", 12), ("MAD", 9), ("ratio", 16))
NONE = "-"


def number(value):
    """With as many decimals as its size is worth."""
    size = abs(value)
    if size >= 1e7:
        return f"{value / 1e6:,.1f}M"
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.1f}"
    if size >= 1 or size == 0:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.001 else f"{value:.2g}"


def render(run):
    """The whole table, ending with what its columns mean."""
    lines = [*_wrapped(headline(run), ""), ""]
    lines += _table_head()
    group = None
    for row in run.rows:
        if row.group != group:
            group = row.group
            lines += [group.upper()]
        lines += _row(row)
    lines += _gates(run)
    lines += _legend(run)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def headline(run):
    """One sentence about where and when; also the caption of the SVG."""
    machine = run.machine
    cpu = machine.get("cpu", {})
    parts = [f"{cpu.get('model', 'unknown CPU')}, {cpu.get('cores', '?')} cores", f"Linux {machine.get('kernel', '?')}"]
    if machine.get("hypervisor"):
        parts.append(f"a {machine['hypervisor']} guest")
    parts.append(f"Weir {run.commit}{' with uncommitted changes' if run.dirty else ''}")
    parts.append(run.date.replace("T", " "))
    if run.quick:
        parts.append("quick")
    if not run.complete:
        parts.append("interrupted")
    return ", ".join(parts)


def _table_head():
    columns = "".join(f"{title:>{width}}" for title, width in _COLUMNS)
    head = f"  {'':{_NAME}}{columns}  status"
    return [head, "-" * WIDTH]


def _row(row):
    better = ", higher is better" if row.higher_is_better else ""
    unit = f"{row.unit}{better}; {row.wanted} rounds of {row.seconds:g} s"
    title = f"{row.id}: {row.title}"
    if len(title) + len(unit) + 2 <= WIDTH:
        lines = [f"{title}{unit:>{WIDTH - len(title)}}"]
    else:
        lines = [*_wrapped(title, ""), f"{unit:>{WIDTH}}"]
    limits = {one.limit for one in row.results}
    for one in row.results:
        lines.append(_contender(row, one, one.name in limits))
        for text in beneath(one):
            lines += _wrapped(text, " " * 6)
    if row.note:
        lines += _wrapped(row.note, "  ")
    return [*lines, ""]


def _contender(row, one, is_limit):
    name = f"{one.name} (limit)" if is_limit else one.name
    limit = row.named(one.limit)
    ratio = row.ratio(one)
    cells = [
        number(one.gross.median) if one.gross else NONE,
        number(one.gross.mad) if one.gross else NONE,
        (number(limit.gross.median) if limit.gross else limit.status) if limit else NONE,
        number(one.net.median) if one.net else NONE,
        number(one.net.mad) if one.net else NONE,
        f"{number(ratio.value)}x ±{number(ratio.spread)}" if ratio else NONE,
    ]
    shown = "".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS))
    room = _NAME if len(name) <= _NAME else len(name)
    return f"  {name:{room}}{shown}  {one.status}"[:WIDTH]


def beneath(one):
    """What stands under a contender's line, each a sentence or a list."""
    lines = []
    if one.reason:
        lines.append(f"{one.status}: {one.reason}")
    discards = one.discards()
    if discards and one.status != results.DISTURBED:  # then the reason says it
        count = sum(1 for each in one.rounds if each.discarded)
        causes = ", ".join(f"{cause} {times}" for cause, times in discards.items())
        lines.append(f"rounds discarded: {count} ({causes})")
    if one.gross:
        drops = one.drops()
        if drops:
            share = 100 * sum(drops.values()) / max(one.packets(), 1)
            reasons = ", ".join(f"{reason} {packets:,}" for reason, packets in sorted(drops.items()))
            lines.append(f"dropped {share:.3g} % of {one.packets():,} packets: {reasons}")
        extra = one.extra()
        if extra:
            lines.append(", ".join(f"{name} {number(value)}" for name, value in extra.items()))
    return lines


def _gates(run):
    """What is demanded, where a row of the run is about it."""
    if not run.gates:
        return []
    lines = ["DEMANDED"]
    for gate in run.gates:
        value = number(gate.value) if gate.value is not None else NONE
        error = f"± {number(gate.error)}" if gate.error is not None else ""
        bound = f"{'at most' if gate.at_most else 'at least'} {number(gate.demanded)}"
        lines.append(f"  {gate.title:58}{value:>7} {error:9} {bound:16}{gate.status}"[:WIDTH])
    return [*lines, ""]


def _legend(run):
    subject = next((row.subject for row in run.rows if not row.subject.startswith("(")), "Weir")
    text = (f"net = median - limit. ratio = how much better {subject} is, by net where there is a limit: over 1, "
            f"{subject} is better. MAD = median absolute deviation. noisy (MAD over 5 % of the median), disturbed (too "
            "few rounds without steal time, involuntary switches or drifting clocks), void (wrong or unaccounted "
            "packets), missing and failed support no claim and have no ratio.")
    return textwrap.wrap(text, WIDTH)


def _wrapped(text, indent):
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
