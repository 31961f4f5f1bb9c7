"""Contenders that are fed by the template feed on a net_null port, and the smallest of them: testpmd, whose io loop is
the limit of what the feed and the core allow."""

import atexit
import fcntl
import functools
import os
import shutil
import signal
import sys
import tempfile
import time

from . import judge
from .contender import Contender, Failed, Missing, Sample, moved
from .feed import Feed
from .machine import HOUSE_CORE, WORKER_CORE
from .plan import Plan

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests/system"))

from lab.netns import Lab, LabError

PREFIX = "weir-bench"
SAFE_FOLDER = "/run"  # root's alone
CLOCK_READINGS = 50
RING = 1024  # packets that wait for a slow contender, as in a NIC's ring
JUDGED_PACKETS = 140_000  # of a larger pass the last so many are captured and judged; the others are counted
PAGE_KIB = 2048


def plugin(build):
    """Where the feed's shared object is. EAL takes it from no folder that everybody may write to, nor from below one,
    and the tree may lie in /tmp: so it is a copy in a folder of this process's own."""
    built = os.path.join(build, "pktgen-scripts/feed/weir_feed.so")
    if not os.path.exists(built):
        raise Missing(f"the feed is not built ({built}); `make build` builds it")
    try:
        return _copied(os.path.realpath(built), os.stat(built).st_mtime_ns)
    except OSError as error:
        raise Missing(f"the feed cannot be copied to {SAFE_FOLDER}: {error.strerror}") from error


@functools.cache
def _copied(built, _):
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=SAFE_FOLDER)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return shutil.copy(built, folder)


def passes_to_verify(plan):
    """One in which sessions are made, and one on sessions that are there: what is measured. Of many sessions the first
    pass takes long enough."""
    return 2 if plan.sessions <= 65_536 else 1


class Hugepages:
    """So many more hugepages of 2 MiB for as long as it is open. Others may reserve theirs meanwhile: the kernel's file
    is locked as Weir locks it."""

    PATH = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    SURPLUS = "/sys/kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages"

    def __init__(self, mib):
        wanted = -(-mib * 1024 // PAGE_KIB)
        try:
            # A larger pool first takes in the surplus pages of others, as ours to give back, and then gets new ones.
            surplus = self._surplus()
            self.pages = self._change(surplus + wanted)
        except OSError as error:
            raise Missing(f"hugepages of 2 MiB cannot be reserved: {error.strerror}") from error
        if self.pages < surplus + wanted:
            self.close()
            raise Missing(f"the machine gives no {mib} MiB of hugepages")

    @classmethod
    def reserved(cls):
        """Pages that somebody has reserved. Surplus ones are not: they go when the process that has them ends."""
        with open(cls.PATH, encoding="ascii") as total:
            return int(total.read()) - cls._surplus()

    @classmethod
    def _surplus(cls):
        with open(cls.SURPLUS, encoding="ascii") as surplus:
            return int(surplus.read())

    def _change(self, pages):
        """Makes the pool so much larger, or as much as the kernel can. Returns by how much."""
        with open(self.PATH, "r+", encoding="ascii") as pool:
            fcntl.flock(pool, fcntl.LOCK_EX)
            before = self.reserved()
            pool.write(str(max(0, before + pages)))
            pool.flush()
            return self.reserved() - before

    def close(self):
        self._change(-self.pages)
        self.pages = 0


class FeedContender(Contender):
    """A process that EAL gives the feed to. A subclass launches it and reads its drop counters."""

    work = judge.ROUTER
    vdev = "net_null0,no-rx=1"
    observe = False  # its port gives packets by itself
    buffers = 16_384  # of its packet pool, where it can be told
    settle_seconds = 0.1  # after which a counter that lags has come up
    pool = ""  # how its packet pool's name begins
    verify_rate = None  # packets a second, of the verification; None: as fast as it goes
    warm_seconds = 0.3  # of every turn, before anything counts: caches, and what slept while others had the core

    def __init__(self, name, traffic, build, rate=None, timestamps=False):
        self.name, self.traffic, self.build = name, traffic, build
        self.rate, self.timestamps = rate, timestamps
        self.lab = self.feed = self.process = self.hugepages = None
        self._at_rest = None

    # --- of the subclass
    def launch(self):
        """Starts self.process with self.feed's environment."""
        raise NotImplementedError

    def ready(self):
        """After its port is up: waits until it can forward."""

    def drops(self):
        """Its own drop counters since its start: reason -> packets."""
        return {}

    # --- the protocol
    def start(self):
        plan = Plan(self.traffic, self.pool, self.timestamps, self.observe)
        shared_object = plugin(self.build)
        try:
            self.lab = Lab(f"{PREFIX}{os.getpid()}-{id(self):x}")
            self.feed = Feed(plan, self.lab.folder, shared_object)
            self.launch()
            self.feed.wait_ready(self.process.running)
            self.ready()
            self._wait_poll()
        except (LabError, Failed) as error:
            raise Failed(f"{error}{self._last_words()}") from error

    def _wait_poll(self):
        end = time.monotonic() + 10
        while self.feed.page.tsc == 0:
            if time.monotonic() > end:
                raise Failed("it does not poll its port")
            time.sleep(0.01)

    def _last_words(self):
        """Why a process that ended did so, as far as it said."""
        if self.process is None or self.process.running():
            return ""
        return ": " + " / ".join(line.strip() for line in self.process.tail(3).splitlines())

    def environment(self):
        """`env` and its words, to be put before a command."""
        return ["env", *(f"{key}={value}" for key, value in self.feed.environment().items())]

    def verify(self):
        plan, feed = self.feed.plan, self.feed
        packets = plan.packets_of_passes(passes_to_verify(plan))
        uncaptured = max(0, packets - JUDGED_PACKETS)
        feed.pace(self.verify_rate)
        if not uncaptured:
            feed.capture(True, self.alive)
        done = self._one_of_each_direction()
        if uncaptured:
            feed.run_packets(uncaptured - done, self.alive, timeout=300)
            self._settle(uncaptured)
            feed.capture(True, self.alive)
            done = uncaptured
        feed.run_packets(packets - done, self.alive, timeout=300)
        self._settle(packets)
        feed.capture(False, self.alive)
        said = judge.judge_capture(feed.capture_path, plan, self.work, uncaptured, packets - uncaptured)
        os.unlink(feed.capture_path)
        return f"{packets} packets sent; " + ("of the last of them " if uncaptured else "") + said

    def _one_of_each_direction(self):
        """Gives packets until the first of each direction is through: next hops are resolved meanwhile. What comes
        between these is given at once, since sessions may be short. Returns how many it gave."""
        count, directions = 0, set()
        wanted = 1 if all(one.one_way for one in self.traffic) else 2
        for number, (_, _, direction) in enumerate(self.feed.plan.walk(), 1):
            if direction in directions:
                continue
            self.feed.run_packets(number - count, self.alive)
            count = number
            directions.add(direction)
            self._settle(count)
            if len(directions) == wanted:
                return count

    def alive(self):
        return self.process.running()

    def _settle(self, expected):
        """Waits until all that it was given has come out."""
        end = time.monotonic() + 5
        while self.feed.sent < expected:
            if not self.alive():
                raise Failed("it ended while it was verified" + self._last_words())
            if time.monotonic() > end:
                drops = self.drops()
                raise Failed(f"{expected - self.feed.sent} of {expected} packets did not come out; its drop counters: "
                             f"{drops or 'none moved'}")
            time.sleep(0.005)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def pause(self):
        self.process.signal(signal.SIGSTOP)

    def polling_thread(self):
        return (self.process.pid, self.feed.page.thread) if self.feed.page.thread else None

    def measure(self, seconds):
        self.prepare()
        self.feed.run_seconds(self.warm_seconds, self.alive)
        self._rest()
        return self.run(seconds)

    def prepare(self):
        """How packets arrive while it is measured."""
        self.feed.pace(self.rate)
        self.feed.page.queue = RING

    def run(self, seconds):
        """One run of the feed, from rest to rest."""
        feed, page = self.feed, self.feed.page
        before, drops_before, missed, starved = self._counts(), self.drops(), page.missed, page.no_buffer
        begin = self._clocks()
        feed.run_seconds(seconds, self.alive)
        end = self._clocks()
        self._rest()
        after, drops = self._counts(), self.drops()
        packets, cycles = page.run_packets, page.run_end - page.run_begin
        duration = cycles / page.tsc_hz
        extra = {"Mpps": packets / duration / 1e6, "mean burst": packets / max(1, page.run_polls),
                 **({"feed's own cycles": feed.cost} if feed.cost else {}),
                 "tsc_seconds": duration * _hertz(begin, end) / page.tsc_hz}
        if page.no_buffer != starved:
            extra["polls without a free buffer"] = page.no_buffer - starved
        if self.rate is not None:
            extra["missed"] = page.missed - missed
        return Sample(packets=after[0] - before[0], sent=after[1] - before[1],
                      drops=moved(drops_before, drops), cycles=cycles, seconds=duration, extra=extra)

    def _clocks(self):
        """(time-stamp counter, seconds) of one moment: the feed reads the counter at every poll, also at rest. Of some
        readings the one that took the least time, since this process may be switched away in the middle."""
        readings = []
        for _ in range(CLOCK_READINGS):
            before = time.monotonic()
            tsc = self.feed.page.tsc
            readings.append((time.monotonic() - before, tsc, before))
        return min(readings)[1:]

    def _counts(self):
        return self.feed.page.given, self.feed.sent

    def _rest(self):
        """After a run: until all is accounted for, or for a while nothing has moved."""
        seen, end = None, time.monotonic() + self.settle_seconds
        while True:
            now = self.feed.sent, sum(self.drops().values())
            if sum(now) >= self.feed.page.given or time.monotonic() > end:
                return
            if now != seen:
                seen, end = now, time.monotonic() + self.settle_seconds
            time.sleep(0.01)

    def stop(self):
        try:
            if self.process is not None:
                self.process.signal(signal.SIGCONT)
            if self.lab is not None:
                self.lab.close()
        finally:
            if self.feed is not None:
                self.feed.close()
            if self.hugepages is not None:
                self.hugepages.close()
            self.lab = self.feed = self.process = self.hugepages = None


def _hertz(begin, end):
    """Of the time-stamp counter between two readings."""
    return (end[0] - begin[0]) / (end[1] - begin[1])


class Testpmd(FeedContender):
    """Takes bursts from the port and sends them back: what is left when nobody does any work."""

    work = judge.MIRROR
    pool = "mb_pool"

    def launch(self):
        self.hugepages = Hugepages(256)
        self.process = self.lab.start(*self.environment(), *self.command(), log="testpmd.log")

    def command(self):
        return ["dpdk-testpmd", "-l", f"{HOUSE_CORE},{WORKER_CORE}", "--main-lcore", f"{HOUSE_CORE}", "--no-pci",
                "--in-memory", "--no-telemetry", "-m", "192", "-d", self.feed.plugin, "--vdev", self.vdev, "--",
                "--forward-mode=io", "--port-topology=loop", f"--total-num-mbufs={self.buffers}", "--auto-start",
                "--stats-period=3600"]

    def start(self):
        if not any(os.access(os.path.join(folder, "dpdk-testpmd"), os.X_OK) for folder in os.get_exec_path()):
            raise Missing("testpmd is not installed (Debian's package dpdk-dev)")
        super().start()
