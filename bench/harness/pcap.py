"""The second feed, as a cross-check of the first: packets of a capture that DPDK's net_pcap driver gives again and
again from memory. The template feed's plug-in only counts here.

The capture is what testpmd sent back of a pass of the plan, so both feeds give the same packets.
"""

import collections
import itertools
import os
import time

from . import judge
from .contender import Failed
from .dpdk import Testpmd
from .ovs import Ovs
from .weir import Weir

PATIENCE = 10  # seconds, until all next hops are known


class Looped:
    """Before a FeedContender in a class's bases."""

    observe = True
    mirror = None

    def start(self):
        self.mirror = Mirror("capture", self.traffic, self.build)
        self.packets = self.mirror.make()
        self.buffers = type(self).buffers + self.packets  # each packet of the capture keeps one
        super().start()

    @property
    def vdev(self):
        return f"net_pcap0,rx_pcap={self.mirror.path},infinite_rx=1"

    def verify(self):
        """The loop is somewhere in the capture whenever the feed looks on: so once round for the sessions to be made,
        and once round that is captured, from any place to the same place."""
        feed, count = self.feed, self.packets
        self._until_nothing_is_lost(count)
        sent = feed.sent
        feed.capture(True, self.alive)
        feed.run_packets(count, self.alive)
        self._settle(sent + count)
        feed.capture(False, self.alive)
        expected = collections.Counter(itertools.islice(feed.plan.walk(), count))
        said = judge.judge_capture(feed.capture_path, feed.plan, self.work, expected=expected)
        os.unlink(feed.capture_path)
        return f"{count} packets sent; {said}"

    def _until_nothing_is_lost(self, count):
        """Next hops are resolved at rest, when there is room for answers; what came before the feed's plug-in looked on
        may have made the contender ask too early, and it asks again after a second or so."""
        end = time.monotonic() + PATIENCE
        while True:
            sent = self.feed.sent
            self.feed.run_packets(2 * count, self.alive)
            self._rest()
            if self.feed.sent - sent == 2 * count:
                return
            if time.monotonic() > end:
                raise Failed(f"it still loses packets after {PATIENCE} s; its drop counters: {self.drops()}")
            time.sleep(0.2)

    def stop(self):
        try:
            super().stop()
        finally:
            if self.mirror is not None:
                self.mirror.stop()
                self.mirror = None


class Mirror(Testpmd):
    """Makes the capture; its folder holds it until stop()."""

    @property
    def path(self):
        return self.feed.capture_path

    def make(self):
        """Returns the packets in the capture."""
        self.start()
        count = self.feed.plan.packets_of_passes(1)
        self.feed.capture(True, self.alive)
        self.feed.run_packets(count, self.alive)
        self._settle(count)
        self.feed.capture(False, self.alive)
        self.process.stop()
        return count


class PcapTestpmd(Looped, Testpmd):
    pass


class PcapWeir(Looped, Weir):
    @property
    def port(self):
        return {"driver": "pcap", "rx_pcap": self.mirror.path, "rx_loop": True}


class PcapOvs(Looped, Ovs):
    pass
