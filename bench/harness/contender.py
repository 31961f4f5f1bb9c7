"""What a contender is to the harness: something that is started once, proves that it does the work, and is then
measured in rounds that take turns with the others'.

A contender owns its processes and namespaces and leaves nothing behind after stop(), whatever happened.
"""

import dataclasses


class Missing(Exception):
    """What the contender needs is not on this machine; the message is one sentence that says what."""


class Failed(Exception):
    """The contender did not start, or ended, or did something that makes its row void; one sentence."""


def moved(before, after):
    """The counters that moved, by how much, of two readings: name -> number."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


@dataclasses.dataclass
class Sample:
    """One round of one contender."""
    packets: int  # taken from the feed
    sent: int  # that left again
    drops: dict  # the contender's own drop counters: reason -> packets, only those that moved
    cycles: float  # of the worker's core, all of them: gross cycles per packet = cycles / packets
    seconds: float
    value: float | None = None  # in the row's unit, where that is not cycles per packet
    extra: dict = dataclasses.field(default_factory=dict)  # printed beneath the row: name -> number

    @property
    def cycles_per_packet(self):
        return self.cycles / self.packets


class Contender:
    """Called in this order: start, verify, (resume, measure, pause) in rounds, stop. Any of them may raise Failed;
    start may raise Missing."""

    name = ""  # as the table shows it
    in_flight = 0  # packets that may lie between its counters when they are read

    def start(self):
        """Brings it up, with the feed at rest."""
        raise NotImplementedError

    def verify(self):
        """Every flow once, output captured and judged by tshark or scapy. Returns what was checked, one line;
        raises Failed, naming the first packets that are missing or wrong."""
        raise NotImplementedError

    def resume(self):
        """Its turn begins: it may use the worker's core again."""

    def pause(self):
        """Its turn ends: it uses no core until resume()."""

    def measure(self, seconds):
        """Runs the feed for about so long, after a warm-up of its own; returns a Sample."""
        raise NotImplementedError

    def polling_thread(self):
        """(pid, tid) of the thread that is measured, or None if there is none that the kernel could switch."""
        return None

    def stop(self):
        """Ends it. Called once, also after a failure; must not raise."""
