"""The kernel as a contender: all that it sends is judged, each packet that it does not send is counted somewhere, and
nothing is left of it. Needs root and a build with weir_kernel_feed."""

import os
import socket
import sys
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import kernel, kernel_hub, plan
from harness.contender import Failed, Missing
from harness.kernel import CONNTRACK, SESSIONS, STATELESS, KernelContender, KernelLimit
from harness.plan import Traffic
from lab.netns import missing_abilities, namespace_names

BUILD = os.environ.get("WEIR_BUILD") or os.path.join(ROOT, "build/release")
SECONDS = 0.2
TABLE = "/proc/sys/net/netfilter/nf_conntrack_max"


class KernelTest(unittest.TestCase):
    def setUp(self):
        if reason := missing_abilities():
            self.skipTest(reason)

    def started(self, kind, *traffic, build=BUILD):
        contender = KernelContender("kernel", traffic, build, kind)
        self.addCleanup(contender.stop)
        try:
            contender.start()
        except Missing as reason:
            self.skipTest(str(reason))
        return contender

    def assert_adds_up(self, sample):
        self.assertGreater(sample.packets, 0)
        self.assertEqual(sample.packets, sample.sent + sum(sample.drops.values()), sample)

    def assert_nothing_left(self):
        prefix = f"{kernel.PREFIX}{os.getpid()}-"
        self.assertEqual([name for name in namespace_names() if name.startswith(prefix)], [])

    def test_all_that_it_sends_is_right(self):
        for kind in (STATELESS, CONNTRACK):
            for family in (4, 6):
                with self.subTest(kind=kind, family=family):
                    contender = self.started(kind, Traffic(sessions=64, family=family))
                    self.assertIn("packets of 128 flows read by tshark: none wrong, none missing", contender.verify())
                    sample = contender.measure(SECONDS)
                    self.assert_adds_up(sample)
                    self.assertEqual(sample.sent, sample.packets)
                    self.assertGreater(sample.cycles_per_packet, 500)
                    if kind == CONNTRACK:
                        self.assertEqual(sample.extra["sessions in the table"], 64)
                    contender.stop()
                    self.assert_nothing_left()

    def test_own_packet_while_counting(self):
        """A packet of the hub's own that comes to the sink between two looks at counters is none of the feed's."""
        contender = self.started(STATELESS, Traffic(sessions=64))
        before, devices, looks = contender.hub.sent, kernel_hub._devices, []

        def behind_an_own_packet():
            if not looks:
                with contender.hub.over.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"own", (plan.A.router, 9))
            looks.append(devices())
            return looks[-1]

        with mock.patch.object(kernel_hub, "_devices", behind_an_own_packet):
            self.assertEqual(contender.hub.sent, before)
        sink = [look[kernel_hub.SINK][contender.hub._sink_counts] for look in looks]
        self.assertGreater(sink[0], before, "it came to the sink")

    def test_tcp_of_one_length(self):
        contender = self.started(CONNTRACK, Traffic(sessions=64, protocol="tcp", size=60))
        self.assertIn("none wrong, none missing", contender.verify())
        sample = contender.measure(SECONDS)
        self.assert_adds_up(sample)
        self.assertEqual(sample.drops, {})

    def test_what_has_no_route_is_counted(self):
        contender = self.started(STATELESS, Traffic(sessions=64))
        contender.hub.over.ip("route del 10.2.0.0/16")
        sample = contender.measure(SECONDS)
        self.assert_adds_up(sample)
        self.assertEqual(list(sample.drops), ["inner: IpExtInNoRoutes"])
        self.assertGreater(sum(sample.drops.values()), sample.packets // 3)
        with self.assertRaisesRegex(Failed, r"\d+ of 256 packets did not come out; .*IpExtInNoRoutes"):
            contender.verify()

    def test_what_the_rules_refuse_is_counted(self):
        contender = self.started(CONNTRACK, Traffic(sessions=64))
        contender.hub.over.run("nft", "insert rule inet bench forward counter name refused drop")
        sample = contender.measure(SECONDS)
        self.assert_adds_up(sample)
        self.assertEqual(sample.drops, {"nftables: refused": sample.packets})

    def test_a_packet_that_comes_out_wrong_is_found_out(self):
        contender = self.started(STATELESS, Traffic(sessions=64))
        contender.hub.over.ip("neigh replace 10.255.2.2 lladdr 02:00:00:00:00:99 dev vx-b nud permanent")
        with self.assertRaisesRegex(Failed, "the inner destination MAC is 02:00:00:00:00:99"):
            contender.verify()

    def test_lengths_that_differ_are_refused(self):
        contender = KernelContender("kernel", [Traffic(size=64), Traffic(size=570, port=81)], BUILD)
        self.addCleanup(contender.stop)
        try:
            with self.assertRaisesRegex(Failed, "frame 0 has 114 bytes and frame 2 has 620; the kernel's feed makes "
                                        "packets of one length only"):
                contender.start()
        except Missing as reason:
            self.skipTest(str(reason))
        contender.stop()
        self.assert_nothing_left()

    def test_sessions_end_as_they_begin(self):
        with open(TABLE, encoding="ascii") as file:
            before = file.read()
        contender = self.started(SESSIONS, Traffic(sessions=256, life=1))
        self.assertIn("none missing", contender.verify())
        with mock.patch.object(kernel, "STEADY_SHARE", 0.5):  # the machine may be busy; that it counts is the point
            sample = contender.measure(1)
        self.assert_adds_up(sample)
        self.assertAlmostEqual(sample.value * sample.seconds, sample.extra["created"])
        self.assertLessEqual(abs(2 * sample.extra["created"] - sample.packets), 2 * 65)  # one packet each way
        self.assertGreater(sample.extra["expired"], sample.extra["created"] / 2)
        contender.stop()
        with open(TABLE, encoding="ascii") as file:
            self.assertEqual(file.read(), before)

    def test_the_limit_sends_nothing(self):
        contender = KernelLimit("limit", [Traffic(sessions=64)], BUILD)
        self.addCleanup(contender.stop)
        try:
            contender.start()
        except Missing as reason:
            self.skipTest(str(reason))
        contender.verify()
        sample = contender.measure(SECONDS)
        self.assert_adds_up(sample)
        self.assertEqual(sample.sent, 0)
        self.assertEqual(contender.hub.sent, 0)

    def test_not_built_is_missing(self):
        contender = KernelContender("kernel", [Traffic()], "/nonexistent")
        self.addCleanup(contender.stop)
        with self.assertRaisesRegex(Missing, "the kernel's feed is not built"):
            contender.start()
        contender.stop()
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
