"""A machine whose clocks and counters the test moves, and contenders that do what the test says."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import machine
from harness.contender import Contender, Failed, Sample
from harness.rows import Row

THREAD = (70, 71)


class FakeMachine:
    """Time passes only in advance(). Core 1's steal and the switches of THREAD are files, as the kernel has them."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.now = self.raw = 1000.0
        self.steal = self.switches = 5
        self.log = []  # (event, contender's name), in order
        os.makedirs(f"{self.folder}/{THREAD[0]}/task/{THREAD[1]}")
        self.write()

    def write(self):
        with open(f"{self.folder}/stat", "w") as file:
            file.write(f"cpu  9 9 9 9 9 9 9 99 0 0\ncpu0 1 1 1 1 1 1 1 777 0 0\ncpu1 2 2 2 2 2 2 2 {self.steal} 0 0\n")
        with open(f"{self.folder}/{THREAD[0]}/task/{THREAD[1]}/status", "w") as file:
            file.write(f"Name:\tfake\nvoluntary_ctxt_switches:\t44\nnonvoluntary_ctxt_switches:\t{self.switches}\n")

    def advance(self, seconds, steal=0, switches=0, raw_apart=0.0):
        self.now += seconds
        self.raw += seconds + raw_apart
        self.steal += steal
        self.switches += switches
        self.write()

    def meter(self):
        return machine.Meter(sources=machine.Sources(
            proc=self.folder, monotonic=lambda: self.now, raw=lambda: self.raw, ticks_per_second=100))


class Fake(Contender):
    """Takes 1000 packets at so many cycles each and sends them all, unless told otherwise.

    `cycles`: a number, or one for each round, the last one for ever. `rounds`: round (from 1) -> what happens in it: a
    dict for FakeMachine.advance(), or an exception. `start_error`, `verify_error`, `stop_error`: raised there.
    """

    def __init__(self, of, name, cycles=100.0, drops=None, lost=0, rounds=None, start_error=None, verify_error=None,
                 stop_error=None, values=None, extra=None, in_flight=0):
        self.machine, self.name, self.in_flight = of, name, in_flight
        self.cycles = cycles if isinstance(cycles, list) else [cycles]
        self.drops, self.lost, self.rounds, self.extra = drops or {}, lost, rounds or {}, extra or {}
        self.start_error, self.verify_error, self.stop_error = start_error, verify_error, stop_error
        self.values = values
        self.measured = 0

    def __call__(self):
        """It is its own factory."""
        return self

    def happened(self, event, error=None):
        self.machine.log.append((event, self.name))
        if error:
            raise error

    def start(self):
        self.happened("start", self.start_error)

    def verify(self):
        self.happened("verify", self.verify_error)
        return "10 flows"

    def resume(self):
        self.happened("resume")

    def pause(self):
        self.happened("pause")

    def stop(self):
        self.happened("stop", self.stop_error)

    def polling_thread(self):
        return THREAD

    def measure(self, seconds):
        self.happened("measure")
        self.measured += 1
        what = self.rounds.get(self.measured, {})
        if isinstance(what, BaseException):
            raise what
        self.machine.advance(seconds, **what)
        per_packet = self.cycles[min(self.measured, len(self.cycles)) - 1]
        value = self.values[min(self.measured, len(self.values)) - 1] if self.values else None
        sent = 1000 - sum(self.drops.values()) - self.lost
        return Sample(1000, sent, self.drops, 1000 * per_packet, seconds, value, self.extra)


def row(*contenders, **options):
    return Row(**{"id": "row-1", "title": "a row", "group": "group", "contenders": list(contenders), "seconds": 1.0,
                  **options})


__all__ = ["Contender", "Fake", "FakeMachine", "Failed", "ROOT", "Row", "THREAD", "row"]
