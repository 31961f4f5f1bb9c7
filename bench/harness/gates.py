"""What is demanded of the data plane's speed, and whether a run shows it. All are ratios or differences of net cycles
within one run. Contenders of one row are compared turn by turn, so that what the machine does to all of them for some
seconds cancels: a row may be noisy and its ratio clear. Whatever is closer to its bound than the noise is not judged."""

import dataclasses
import math
from collections.abc import Callable

from . import results, stats

HOLDS, MISSED, UNSURE, OPEN = "holds", "missed", "too noisy to tell", "not measured"
USABLE = (results.OK, results.NOISY)
# The median of n values is off by this many of their standard deviations, divided by the root of n, once in three
# times; noise counts twice that.
ERROR_OF_MEDIAN = 1.2533
BEYOND_ERRORS = 2


@dataclasses.dataclass(frozen=True)
class Gate:
    """`value` of a run: a stats.Summary, None if it does not tell; at least `demanded`, or at most if `at_most`."""
    id: str
    title: str
    value: Callable
    demanded: float
    at_most: bool = False


@dataclasses.dataclass(frozen=True)
class _Costs:
    """Which contenders of which row: those that have this name, or whose names begin so. The cheapest of them counts.
    Of a row that tells rates these are its costs."""
    row_id: str
    name: str = "Weir"
    exactly: bool = False

    def by_turn(self, run):
        """Turn -> the lowest cost of a turn in which each of them, and its limit, has a good round; net of the
        limit, if there is one."""
        row = next((row for row in run.rows if row.id == self.row_id), None)
        found = [self._turns(row, one) for one in row.results if self._is_meant(one)] if row else []
        if not found:
            return {}
        return {turn: min(costs[turn] for costs in found) for turn in set.intersection(*map(set, found))}

    def _is_meant(self, one):
        named = one.name == self.name if self.exactly else one.name.startswith(self.name)
        return named and not one.only_limit and one.status in USABLE

    @staticmethod
    def _turns(row, one):
        costs = {of.turn: of.value for of in one.good}
        if one.limit is None:
            return costs
        limit = row.named(one.limit)
        limits = {of.turn: of.value for of in limit.good} if limit and limit.status in USABLE else {}
        return {turn: cost - limits[turn] for turn, cost in costs.items() if turn in limits}


def _quotient(top, bottom):
    """Of what costs `top` by what costs `bottom`, both _Costs; None if a run does not tell. Of one row turn by turn, of
    two rows by their medians."""
    def value(run):
        above, below = top.by_turn(run), bottom.by_turn(run)
        if top.row_id == bottom.row_id:
            return _summary([above[turn] / below[turn] for turn in above.keys() & below.keys() if below[turn] > 0])
        return _divided(_summary(list(above.values())), _summary(list(below.values())))
    return value


def _summary(values):
    return stats.summarize(values) if values else None


def _divided(above, below):
    if above is None or below is None or below.median <= 0:
        return None
    value = above.median / below.median
    noise = abs(value) * math.hypot(above.mad / above.median, below.mad / below.median) if above.median else below.mad
    return stats.Summary(value, noise, min(above.count, below.count))


def _ahead_of(row_id, other, demanded):
    return Gate(f"{row_id}: {other}", f"{other} / Weir, {row_id}", _quotient(_Costs(row_id, other), _Costs(row_id)),
                demanded)


def _beside(row_id, demanded):
    return Gate(f"{row_id}: Weir", f"{row_id} / vxlan-1k", _quotient(_Costs(row_id), _Costs("vxlan-1k")), demanded,
                at_most=True)


def _tunnel(name):
    return Gate(f"tunnels: {name}", f"{name} / VXLAN, both ways, rx and tx included",
                _quotient(_Costs("tunnels", f"Weir, {name}", True), _Costs("tunnels", "Weir, VXLAN", True)), 1.15,
                at_most=True)


def _translated(row_id):
    return Gate(f"{row_id}: Weir, source NAT", f"source NAT / none, {row_id}, rx and tx included",
                _quotient(_Costs(row_id, "Weir, source NAT", True), _Costs(row_id, "Weir, no NAT", True)), 1.15,
                at_most=True)


def _more_sessions(other):
    return Gate(f"new-sessions: {other}", f"Weir / {other}, new sessions a second",
                _quotient(_Costs("new-sessions", "Weir", True), _Costs("new-sessions", other, True)), 4)


TUNNELS = ("GENEVE", "GENEVE with IP", "GRE", "IP in IP", "VXLAN over IPv6", "GRE over IPv6")

GATES = (
    _ahead_of("vxlan-1k", "Open vSwitch", 3),
    _ahead_of("vxlan-64k", "Open vSwitch", 5),
    _ahead_of("vxlan-1M", "Open vSwitch", 3),
    _ahead_of("stateful-1k", "Open vSwitch conntrack", 10),
    _ahead_of("stateful-64k", "Open vSwitch conntrack", 10),
    _ahead_of("stateful-1M", "Open vSwitch conntrack", 10),
    _more_sessions("Open vSwitch, conntrack"),
    _more_sessions("kernel"),
    _beside("vxlan-1k-imix", 1.25),
    _beside("vxlan-1k-ipv6", 1.25),
    *(_tunnel(name) for name in TUNNELS),
    _translated("nat-1k"),
    _translated("nat-64k"),
    Gate("handoff", "cycles per handed-over packet, both cores", lambda run: _summary(list(_Costs("handoff").by_turn(run).values())), 80,
         at_most=True),
    Gate("together", "two workers / one, half of the packets handed over",
         lambda run: _summary(list(_Costs("together").by_turn(run).values())), 1.6),
)


def judge(run):
    """[results.Judged] of the gates that a row of the run is about."""
    rows = {row.id for row in run.rows}
    judged = []
    for gate in GATES:
        if gate.id.split(":")[0] not in rows:
            continue
        found = gate.value(run)
        value, error = (found.median, _error(found)) if found else (None, None)
        judged.append(results.Judged(gate.id, gate.title, gate.demanded, gate.at_most, value, _status(gate, value, error),
                                     error))
    return judged


def _error(found):
    """How far the median may be off."""
    return BEYOND_ERRORS * ERROR_OF_MEDIAN * stats.SIGMA_PER_MAD * found.mad / math.sqrt(found.count)


def _status(gate, value, error):
    if value is None:
        return OPEN
    if abs(value - gate.demanded) < error:
        return UNSURE
    return HOLDS if (value <= gate.demanded if gate.at_most else value >= gate.demanded) else MISSED
