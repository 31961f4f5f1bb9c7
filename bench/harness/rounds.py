"""Runs one row: its contenders are started, verified, and measured in turns (A B A B), so that whatever drifts hits
all of them. What one of them does wrong is recorded with it, and the others go on."""

import contextlib
import math
import os
import traceback

from . import results, stats
from .contender import Failed, Missing
from .machine import Meter, keeping_house
from .results import Result, Round, RowResult

LEAST_ROUNDS = 5  # good ones that a claim needs, unless the row wants fewer (--quick)
TRIES_PER_ROUND = 2  # as many rounds may be discarded as are wanted
NOT_SHOWN = ("tsc_seconds",)  # in Sample.extra for the meters only


class _Entrant:
    """A contender in its row."""

    def __init__(self, factory):
        self.factory = factory
        self.contender = None
        self.running = False
        name = getattr(factory, "name", None) or getattr(factory, "__name__", None) or str(factory)
        self.result = Result(name)

    @property
    def name(self):
        return self.result.name

    @property
    def in_play(self):
        return self.running and self.result.status == results.OK

    def wants(self, rounds):
        return self.in_play and len(self.result.good) < rounds and len(self.result.rounds) < TRIES_PER_ROUND * rounds

    def give_up(self, status, reason):
        """It may still hold the worker's core: it ends now, not after the row."""
        self.result.status, self.result.reason = status, reason
        self.stop()

    def stop(self):
        """Calls the contender's stop() exactly once, if it was ever started."""
        if not self.running:
            return
        self.running = False
        try:
            self.contender.stop()
        except Exception as error:  # whatever it is, the other contenders must still be stopped
            if self.result.status == results.OK:
                self.result.status, self.result.reason = results.FAILED, f"did not stop: {_sentence(error)}"


class _Void(Exception):
    """A measurement that cannot be true."""


def run_row(row, rounds=None, seconds=None, meter=None, say=lambda text: None):
    """Runs `row` and returns its RowResult. `rounds` and `seconds` override the row's; `say` is told each step, one
    line. Whatever happens, KeyboardInterrupt and SystemExit too, every contender that was started is stopped."""
    rounds, seconds, meter = rounds or row.rounds, seconds or row.seconds, meter or Meter()
    entrants = []
    try:
        entrants = _make(row)
        for entrant in entrants:
            _bring_up(entrant, say)
        _take_turns(entrants, rounds, seconds, meter, say)
    finally:
        _stop_all(entrants)
    _conclude(row, entrants, rounds)
    for entrant in entrants:
        if entrant.result.status != results.OK:
            say(f"{entrant.name}: {entrant.result.status}: {entrant.result.reason}")
    return RowResult(row.id, row.title, row.group, row.unit, row.higher_is_better, row.note, row.subject, rounds,
                     seconds, [entrant.result for entrant in entrants])


def _make(row):
    """Contenders, then those that are limits only; a limit that several share is there once."""
    entrants = [_made(factory) for factory in row.contenders]
    by_factory = {}
    for entrant in list(entrants):
        limit = row.limit_of(entrant.name)
        if limit is None or limit == entrant.name:
            continue
        if isinstance(limit, str):
            entrant.result.limit = limit
            continue
        if limit not in by_factory:
            by_factory[limit] = _made(limit)
            by_factory[limit].result.only_limit = True
            entrants.append(by_factory[limit])
        entrant.result.limit = by_factory[limit].name
    names = [entrant.name for entrant in entrants]
    twice = {name for name in names if names.count(name) > 1}
    unknown = {entrant.result.limit for entrant in entrants} - {None, *names}
    if twice or unknown:
        raise ValueError(f"row {row.id}: contenders of one name {sorted(twice)}, unknown limits {sorted(unknown)}")
    return entrants


def _made(factory):
    entrant = _Entrant(factory)
    with _recorded(entrant):
        entrant.contender = factory()
        entrant.result.name = entrant.contender.name or entrant.name
    return entrant


@contextlib.contextmanager
def _recorded(entrant, failed_is=results.FAILED):
    """What goes wrong inside is the entrant's end, and nobody else's."""
    try:
        yield
    except Missing as error:
        entrant.give_up(results.MISSING, _sentence(error))
    except _Void as error:
        entrant.give_up(results.VOID, _sentence(error))
    except Failed as error:
        entrant.give_up(failed_is, _sentence(error))
    except Exception as error:  # a mistake in a contender must not cost the others their rounds
        entrant.give_up(results.FAILED, _sentence(error))


def _sentence(error):
    """One line. Of an error that is no sentence for people: its type and where it came from."""
    text = " ".join(str(error).split())
    if isinstance(error, (Missing, Failed, _Void)) and text:
        return text
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {text}".removesuffix(": ")


def _bring_up(entrant, say):
    """Each is paused before the next one starts: two that poll on one core would judge each other's packets."""
    if entrant.contender is None:
        return
    say(f"{entrant.name}: starting")
    entrant.running = True
    with _recorded(entrant):
        entrant.contender.start()
    if entrant.in_play:
        with _recorded(entrant, failed_is=results.VOID):
            entrant.result.checked = entrant.contender.verify() or ""
            say(f"{entrant.name}: verified: {entrant.result.checked}")
    if entrant.in_play:
        with _recorded(entrant):
            entrant.contender.pause()


def _take_turns(entrants, rounds, seconds, meter, say):
    """Until nobody wants another round: later turns are of those whose rounds were discarded."""
    turn = 0
    while waiting := [entrant for entrant in entrants if entrant.wants(rounds)]:
        turn += 1
        for entrant in waiting:
            with _recorded(entrant):
                one = _measure(entrant.contender, turn, seconds, meter)
                entrant.result.rounds.append(one)
                _check(entrant.contender, one)
                verdict = f" (discarded: {', '.join(one.discarded)})" if one.discarded else ""
                say(f"{entrant.name}: round {turn}: {one.value:,.4g}{verdict}")


def _measure(contender, turn, seconds, meter):
    """One round. The contender is paused again when this returns or raises."""
    try:
        contender.resume()
        before = meter.read(contender.polling_thread())
        with keeping_house():
            sample = contender.measure(seconds)
        after = meter.read(before.thread)
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong first is what is told
            contender.pause()
        raise
    contender.pause()
    disturbance = meter.judge(before, after, sample)
    value = sample.value
    if value is None:
        if sample.packets <= 0:
            raise Failed(f"took no packets from the feed in {sample.seconds:.1f} s")
        value = sample.cycles_per_packet
    extra = {name: number for name, number in sample.extra.items() if name not in NOT_SHOWN}
    return Round(turn, value, sample.packets, sample.sent, dict(sample.drops), sample.cycles, sample.seconds, extra,
                 disturbance.as_dict(), list(disturbance.causes))


def _check(contender, one):
    """A disturbed round's packets must add up as well. A contender may have an attribute `in_flight`: packets that
    may lie between its counters at the moment when they are read; 0 unless it says so."""
    if not math.isfinite(one.value) or one.value <= 0:
        raise Failed(f"reports {one.value:g}, which cannot be")
    dropped = sum(one.drops.values())
    lost = one.packets - one.sent - dropped
    tolerance = getattr(contender, "in_flight", 0)
    if abs(lost) > tolerance:
        allowed = f", {tolerance} may be in flight" if tolerance else ""
        raise _Void(f"{abs(lost)} packets {'are lost' if lost > 0 else 'too many came out'}: took {one.packets}, "
                    f"sent {one.sent}, counted {dropped} dropped{allowed}")


def _stop_all(entrants):
    """In the reverse order of their start. An interrupt in the middle comes again when all are stopped."""
    interrupt = None
    for entrant in reversed(entrants):
        try:
            entrant.stop()
        except BaseException as error:
            interrupt = error
    if interrupt:
        raise interrupt


def _conclude(row, entrants, rounds):
    """Medians, statuses and nets from the rounds."""
    for entrant in entrants:
        result = entrant.result
        if result.status != results.OK:
            continue
        good = len(result.good)
        if good:
            result.gross = stats.summarize([one.value for one in result.good])
        if good < min(rounds, LEAST_ROUNDS):
            causes = ", ".join(f"{count} {cause}" for cause, count in result.discards().items())
            result.status = results.DISTURBED
            result.reason = f"only {good} good rounds of {len(result.rounds)}, {rounds} wanted; discarded: {causes}"
        elif result.gross.noisy:
            result.status = results.NOISY
            result.reason = f"the MAD is {100 * result.gross.mad / result.gross.median:.1f} % of the median"
    by_name = {entrant.name: entrant.result for entrant in entrants}
    for result in by_name.values():
        limit = by_name.get(result.limit)
        if limit and not row.higher_is_better and result.status == limit.status == results.OK:
            result.net = stats.net(result.gross, limit.gross)
