"""What is demanded of the data plane's speed, and whether a run shows it. All are ratios or differences of net cycles
within one run; a gate whose rows were not run, or support no claim, is not judged."""

import dataclasses
from collections.abc import Callable

from . import results

HOLDS, MISSED, OPEN = "holds", "missed", "not measured"


@dataclasses.dataclass(frozen=True)
class Gate:
    """`value` of a run, None if it does not tell; at least `demanded`, or at most if `at_most`."""
    id: str
    title: str
    value: Callable
    demanded: float
    at_most: bool = False


def _row(run, row_id):
    return next((row for row in run.rows if row.id == row_id), None)


def _cost(run, row_id, name, exactly):
    """The lowest median, net where the row has a limit, of the contenders that have this name, or whose names begin
    so, and that support a claim."""
    row = _row(run, row_id)
    if row is None:
        return None
    found = []
    for one in row.results:
        named = one.name == name if exactly else one.name.startswith(name)
        if one.only_limit or one.status != results.OK or not named:
            continue
        summary = one.net if one.limit else one.gross
        if summary:
            found.append(summary.median)
    return min(found) if found else None


def _quotient(top, bottom):
    """What the two functions of a run give, divided; None if either gives none."""
    def value(run):
        above, below = top(run), bottom(run)
        return above / below if above is not None and below else None
    return value


def _of(row_id, name="Weir", exactly=False):
    return lambda run: _cost(run, row_id, name, exactly)


def _ahead_of(row_id, other, demanded):
    return Gate(f"{row_id}: {other}", f"{other} / Weir, {row_id}", _quotient(_of(row_id, other), _of(row_id)), demanded)


def _beside(row_id, demanded):
    return Gate(f"{row_id}: Weir", f"{row_id} / vxlan-1k", _quotient(_of(row_id), _of("vxlan-1k")), demanded,
                at_most=True)


def _tunnel(name):
    return Gate(f"tunnels: {name}", f"{name} / VXLAN, both ways, rx and tx included",
                _quotient(_of("tunnels", f"Weir, {name}", True), _of("tunnels", "Weir, VXLAN", True)), 1.15,
                at_most=True)


TUNNELS = ("GENEVE", "GENEVE with IP", "GRE", "IP in IP", "VXLAN over IPv6", "GRE over IPv6")

GATES = (
    _ahead_of("vxlan-1k", "Open vSwitch", 3),
    _ahead_of("vxlan-64k", "Open vSwitch", 5),
    _ahead_of("vxlan-1M", "Open vSwitch", 3),
    _ahead_of("stateful-1k", "Open vSwitch conntrack", 10),
    _ahead_of("stateful-64k", "Open vSwitch conntrack", 10),
    _ahead_of("stateful-1M", "Open vSwitch conntrack", 10),
    _beside("vxlan-1k-imix", 1.25),
    _beside("vxlan-1k-ipv6", 1.25),
    *(_tunnel(name) for name in TUNNELS),
    Gate("handoff", "cycles per handed-over packet, both cores", _of("handoff"), 80, at_most=True),
)


def judge(run):
    """[results.Judged] of the gates that a row of the run is about."""
    rows = {row.id for row in run.rows}
    judged = []
    for gate in GATES:
        if gate.id.split(":")[0] not in rows:
            continue
        value = gate.value(run)
        good = value is not None and (value <= gate.demanded if gate.at_most else value >= gate.demanded)
        status = OPEN if value is None else HOLDS if good else MISSED
        judged.append(results.Judged(gate.id, gate.title, gate.demanded, gate.at_most, value, status))
    return judged
