"""A template feed as its driver sees it: the plan it plays and the page it shares (pktgen-scripts/feed/control.h)."""

import ctypes
import mmap
import os
import time

from .contender import Failed

CLASSES, TX_QUEUES, STAY_BUCKETS = 8, 8, 16 * 40
MAGIC, VERSION = 0x4c525443, 1
WAITING, READY, FAILED = range(3)
NO_BOUND = 2**63


class _TxCount(ctypes.Structure):
    _fields_ = [("sent", ctypes.c_uint64), ("other", ctypes.c_uint64)]


class _Control(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32), ("version", ctypes.c_uint32),
        ("budget", ctypes.c_uint64), ("interval", ctypes.c_uint64), ("queue", ctypes.c_uint64),
        ("capture", ctypes.c_uint32), ("capturing", ctypes.c_uint32),
        ("state", ctypes.c_uint32), ("thread", ctypes.c_uint32), ("tsc_hz", ctypes.c_uint64),
        ("message", ctypes.c_char * 256),
        ("tsc", ctypes.c_uint64), ("given", ctypes.c_uint64),
        ("polls", ctypes.c_uint64), ("bursts", ctypes.c_uint64), ("missed", ctypes.c_uint64),
        ("no_buffer", ctypes.c_uint64), ("answers", ctypes.c_uint64), ("sampled_packets", ctypes.c_uint64),
        ("sampled_cycles", ctypes.c_uint64),
        ("runs", ctypes.c_uint64), ("run_begin", ctypes.c_uint64), ("run_end", ctypes.c_uint64),
        ("run_packets", ctypes.c_uint64), ("run_polls", ctypes.c_uint64),
        ("given_of", ctypes.c_uint64 * CLASSES), ("tx", _TxCount * TX_QUEUES), ("sent_of", ctypes.c_uint64 * CLASSES),
        ("stay", ctypes.c_uint64 * STAY_BUCKETS * CLASSES)]


def stay_of_bucket(bucket):
    """The largest number of cycles that falls into a bucket of the histogram."""
    if bucket < 16:
        return bucket
    log, part = bucket // 16 + 3, bucket % 16
    return ((16 + part + 1) << (log - 4)) - 1


def percentile(histogram, share):
    """The stay, in cycles, that `share` (0 to 1) of the packets did not exceed; None without packets."""
    total = sum(histogram)
    seen = 0
    for bucket, count in enumerate(histogram):
        seen += count
        if total and seen >= share * total:
            return stay_of_bucket(bucket)
    return None


class Feed:
    """Makes the files in `folder` and maps the page. `plugin`: the shared object."""

    def __init__(self, plan, folder, plugin):
        self.plan, self.plugin = plan, plugin
        self.capture_path = os.path.join(folder, "sent.pcap")
        self._plan_path, control_path = os.path.join(folder, "plan"), os.path.join(folder, "control")
        plan.save(self._plan_path)
        with open(control_path, "w+b") as file:
            file.truncate(ctypes.sizeof(_Control))
            self._memory = mmap.mmap(file.fileno(), ctypes.sizeof(_Control))
        self._control_path = control_path
        self.page = _Control.from_buffer(self._memory)
        self.page.magic, self.page.version = MAGIC, VERSION
        self.page.queue = 1024

    def environment(self):
        """What the contender's process has to find in its environment."""
        return {"WEIR_FEED_PLAN": self._plan_path, "WEIR_FEED_CONTROL": self._control_path,
                "WEIR_FEED_CAPTURE": self.capture_path}

    def wait_ready(self, alive, timeout=30):
        """Until the feed hangs on its port. `alive()` says whether the contender still runs."""
        end = time.monotonic() + timeout
        while self.page.state == WAITING:
            if not alive():
                raise Failed("it ended before its port was up")
            if time.monotonic() > end:
                raise Failed(f"no net_null port was up after {timeout} s")
            time.sleep(0.02)
        if self.page.state == FAILED:
            raise Failed("the feed: " + self.page.message.decode(errors="replace"))

    @property
    def sent(self):
        """Packets of the plan that the contender sent."""
        return sum(queue.sent for queue in self.page.tx)

    def run_packets(self, count, alive, timeout=60):
        """Gives `count` packets and waits until they are taken."""
        if count <= 0:
            return
        before = self.page.runs
        self.page.budget = self.page.given + count
        self._wait(lambda: self.page.runs != before, alive, timeout)

    def run_seconds(self, seconds, alive, timeout=60):
        """Gives packets for so long, as many as are asked for (or arrive, with an interval), and waits for the end."""
        before, given = self.page.runs, self.page.given
        self.page.budget = NO_BOUND
        # A core that others want, too, may not poll for a while; a run that it never saw would never end.
        self._wait(lambda: self.page.given != given, alive, timeout)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            if not alive():
                raise Failed("it ended while it was fed")
        self.page.budget = 0
        self._wait(lambda: self.page.runs != before, alive, timeout)

    def _wait(self, done, alive, timeout):
        end = time.monotonic() + timeout
        while not done():
            if not alive():
                raise Failed("it ended while it was fed")
            if time.monotonic() > end:
                self.page.budget = 0
                raise Failed(f"it took only {self.page.given} packets from the feed in {timeout} s")
            time.sleep(0.002)

    def capture(self, wanted, alive):
        """Begins or ends a capture of what is sent."""
        self.page.capture = int(wanted)
        end = time.monotonic() + 10
        while self.page.capturing != int(wanted):
            if not alive() or time.monotonic() > end:
                raise Failed("the capture could not be " + ("begun" if wanted else "ended"))
            time.sleep(0.005)

    @property
    def arrived(self):
        """Packets of the plan that have come, whether there was room for them or not."""
        return self.page.given + self.page.missed

    def pace(self, packets_per_second):
        """Packets arrive at this rate from the next run on; None: whenever they are asked for."""
        self.page.interval = 0 if packets_per_second is None else \
            int(self.page.tsc_hz / packets_per_second * 65536)

    @property
    def cost(self):
        """Cycles per packet that the feed itself takes."""
        return self.page.sampled_cycles / self.page.sampled_packets if self.page.sampled_packets else None

    def close(self):
        """The mapping goes with the last reference; a traceback that is being handled may still hold one."""
        self.page = self._memory = None
