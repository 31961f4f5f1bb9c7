"""Real processes on the real feed: a contender of known rate, one that loses packets, one that corrupts them, one that
crashes, and Weir with a policy that drops. Each has to be reported as what it is. Needs root and a built tree."""

import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import dpdk, judge, mixed, results, rounds
from harness.contender import Failed, Missing
from harness.feed import percentile, stay_of_bucket
from harness.pcap import PcapWeir
from harness.plan import Plan, Traffic, imix, session_client
from harness.rows import Row
from harness.sessions import WeirSessions
from harness.weir import Weir

BUILD = os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build/release"))
SESSIONS = 64
SECONDS = 0.3
ATTEMPTS = 5


class NobodyJudges:
    """A machine without disturbances: these tests say nothing about time."""

    def read(self, thread):
        self.thread = thread
        return self

    def judge(self, *_):
        return self

    causes = ()

    def as_dict(self):
        return {}


def traffic(**options):
    return [Traffic(sessions=SESSIONS, **options)]


def run(*factories, **options):
    row = Row("test", "", "", list(factories), rounds=1, seconds=SECONDS, **options)
    return {one.name: one for one in rounds.run_row(row, meter=NobodyJudges()).results}


class Rated(dpdk.Testpmd):
    """Sends back all that comes, at a rate that the feed sets: its rate is known."""

    PACKETS_PER_SECOND = 200_000

    def __init__(self):
        super().__init__("rated", traffic(), BUILD, rate=self.PACKETS_PER_SECOND)

    def measure(self, seconds):
        sample = super().measure(seconds)
        sample.value = sample.packets / sample.seconds
        return sample


class Mode(dpdk.Testpmd):
    """testpmd in another mode of forwarding."""

    def __init__(self, name, mode, trusted=False):
        super().__init__(name, traffic(), BUILD)
        self.mode, self.trusted = mode, trusted

    def command(self):
        return [word.replace("--forward-mode=io", f"--forward-mode={self.mode}") for word in super().command()]

    def verify(self):
        return "not verified" if self.trusted else super().verify()


class Crashing(dpdk.Testpmd):
    """Is killed in the middle of its round."""

    def __init__(self):
        super().__init__("crashing", traffic(), BUILD)

    def run(self, seconds):
        os.kill(self.process.pid, 9)
        return super().run(seconds)


class Interrupted(dpdk.Testpmd):
    """Somebody presses Ctrl-C in the middle of its round."""

    def __init__(self):
        super().__init__("interrupted", traffic(), BUILD)

    def _rest(self):
        raise KeyboardInterrupt


class Refusing(Weir):
    """Refuses what goes to port 81, and says so in its counters."""

    def __init__(self):
        super().__init__("refusing", [Traffic(sessions=SESSIONS), Traffic(sessions=SESSIONS, port=81)], BUILD)

    def _policy(self, config):
        config.policy.append({"id": "no", "action": "deny", "protocol": "udp", "ports": [81]})
        super()._policy(config)

    def verify(self):
        return "half of it is refused"


@unittest.skipUnless(os.geteuid() == 0, "hugepages need root")
class RealContenders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            dpdk.plugin(BUILD)
        except Missing as missing:
            raise unittest.SkipTest(str(missing))

    def test_known_rate(self):
        # A round in which somebody else had the core is slower than the feed; a wrong reckoning is wrong in all of them.
        for _ in range(ATTEMPTS):
            rated = run(Rated)["rated"]
            self.assertEqual(rated.status, results.OK, rated.reason)
            self.assertIn("none wrong, none missing", rated.checked)
            if abs(rated.gross.median / Rated.PACKETS_PER_SECOND - 1) <= 0.02:
                break
        self.assertAlmostEqual(rated.gross.median / Rated.PACKETS_PER_SECOND, 1, delta=0.02)

    def test_others_are_not_touched_by_who_fails(self):
        found = run(lambda: Mode("losing", "rxonly"), lambda: Mode("corrupting", "macswap"), Crashing,
                    lambda: Mode("fine", "io"))
        self.assertEqual(found["losing"].status, results.VOID)
        self.assertRegex(found["losing"].reason, r"1 of 1 packets did not come out; its drop counters: none moved")
        self.assertEqual(found["corrupting"].status, results.VOID)
        self.assertRegex(found["corrupting"].reason, r"packets sent are wrong; packet 1: the outer .* MAC is")
        self.assertEqual(found["crashing"].status, results.FAILED)
        self.assertIn("it ended while it was fed", found["crashing"].reason)
        self.assertEqual(found["fine"].status, results.OK, found["fine"].reason)
        for name in ("losing", "corrupting", "crashing"):
            self.assertIsNone(found[name].gross)

    def test_packets_lost_in_a_round_make_it_void(self):
        losing = run(lambda: Mode("losing", "rxonly", trusted=True))["losing"]
        self.assertEqual(losing.status, results.VOID)
        self.assertRegex(losing.reason, r"^\d+ packets are lost: took \d+, sent 0, counted 0 dropped$")

    def test_packets_that_are_dropped_and_counted_are_shown(self):
        refusing = run(Refusing)["refusing"]
        self.assertEqual(refusing.status, results.OK, refusing.reason)
        one = refusing.rounds[0]
        # Of the refused half the first packets match the rule, and their answers none.
        self.assertEqual(set(one.drops), {"policy_deny", "policy_default_deny"})
        self.assertEqual(one.packets, one.sent + sum(one.drops.values()))
        self.assertAlmostEqual(one.sent / one.packets, 0.5, delta=0.01)

    def test_a_missing_program_is_missing(self):
        nowhere = run(lambda: dpdk.Testpmd("unbuilt", traffic(), "/nonexistent"))["unbuilt"]
        self.assertEqual(nowhere.status, results.MISSING)

    def test_every_kind_of_traffic_comes_through_weir(self):
        kinds = {"imix": imix(sessions=SESSIONS), "ipv6": traffic(family=6), "one way": traffic(one_way=True),
                 "tcp": [Traffic(sessions=256, protocol="tcp", size=200)], "large": traffic(size=1500)}
        for name, classes in kinds.items():
            with self.subTest(name):
                contender = Weir(name, classes, BUILD)
                try:
                    contender.start()
                    self.assertIn("none wrong, none missing", contender.verify())
                    sample = contender.measure(SECONDS)
                    self.assertEqual((sample.packets, sample.drops), (sample.sent, {}))
                finally:
                    contender.stop()

    def test_a_looped_capture_comes_through_weir(self):
        looped = run(lambda: PcapWeir("looped", traffic(), BUILD))["looped"]
        self.assertEqual(looped.status, results.OK, looped.reason)
        self.assertIn("none wrong, none missing", looped.checked)

    def test_new_sessions_end_as_they_begin(self):
        made = run(lambda: WeirSessions("new", BUILD))["new"]
        self.assertEqual(made.status, results.OK, made.reason)
        one = made.rounds[0]
        self.assertAlmostEqual(one.value * one.seconds, min(one.extra["created"], one.extra["expired"]))
        # How steady it is, is the machine's affair; that it neither keeps nor forgets all of them is not.
        self.assertGreater(one.extra["expired"], one.extra["created"] / 2)
        self.assertLess(one.extra["expired"], one.extra["created"] * 2)

    def test_what_is_inspected_is_counted(self):
        pace = mixed.Pace()
        found = run(lambda: mixed.Mixed("whole", BUILD, 0.1, mixed.ordinary(), pace),
                    lambda: mixed.Mixed("alone", BUILD, 0.1, mixed.ordinary(), pace, False), higher_is_better=True)
        for name in ("whole", "alone"):
            self.assertEqual(found[name].status, results.OK, found[name].reason)
        self.assertGreater(found["whole"].rounds[0].extra["inspected Mpps"], 0)

    def test_nothing_stays_behind(self):
        before = dpdk.Hugepages.reserved()
        run(lambda: Mode("fine", "io"), Crashing)
        with self.assertRaises(KeyboardInterrupt):
            run(Interrupted)
        self.assertEqual(dpdk.Hugepages.reserved(), before)
        self.assertEqual([name for name in os.listdir(tempfile.gettempdir())
                          if name.startswith(f"{dpdk.PREFIX}{os.getpid()}-")], [])


class Judge(unittest.TestCase):
    """Captures made by scapy out of a plan, spoilt in one place each."""

    def setUp(self):
        self.plan = Plan(traffic())
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def judged(self, spoil=None, leave_out=(), repeat=()):
        """What the judge says of the first packets of the plan as a router would send them on."""
        from scapy.layers.inet import IP, UDP
        from scapy.layers.l2 import Ether
        from scapy.layers.vxlan import VXLAN
        from scapy.packet import Raw
        from scapy.utils import wrpcap
        from harness import plan as plans
        packets = []
        for number, (kind, session, direction) in zip(range(2 * SESSIONS), self.plan.walk()):
            there = plans.B if direction == plans.FORWARD else plans.A
            client, port = session_client(self.plan.classes[kind], session)
            ends, ports = [(client, plans.SERVER[4]), (port, 80)]
            if direction == plans.REVERSE:
                ends, ports = ends[::-1], ports[::-1]
            packet = (Ether(src=plans.HUB_MAC, dst=there.peer_mac) / IP(src=plans.HUB, dst=there.peer) /
                      UDP(sport=50_000, dport=4789, chksum=0) / VXLAN(vni=there.vni, flags=8) /
                      Ether(src=there.hub_mac, dst=there.router_mac) / IP(src=ends[0], dst=ends[1], ttl=63) /
                      UDP(sport=ports[0], dport=ports[1]) / Raw(b"W" * 22))
            if spoil and number == 5:
                packet = spoil(packet)
            if number not in leave_out:
                packets.append(packet)
            if number in repeat:
                packets.append(packet)
        path = os.path.join(self.folder.name, "out.pcap")
        wrpcap(path, packets)
        return judge.judge_capture(path, self.plan, judge.ROUTER, 0, 2 * SESSIONS)

    def assert_fails(self, says, **options):
        with self.assertRaisesRegex(Failed, says):
            self.judged(**options)

    def test_right_packets_are_right(self):
        self.assertRegex(self.judged(), "none wrong, none missing")

    def test_each_fault_is_found(self):
        def changed(**fields):
            def spoil(packet):
                inner = packet["VXLAN"].payload
                for name, value in fields.items():
                    setattr(inner["IP"] if name in ("ttl", "chksum") else inner, name, value)
                return packet
            return spoil

        def inner_udp_checksum(packet):
            packet["VXLAN"].payload["UDP"].chksum = 0x1234
            return packet

        def vni(packet):
            packet["VXLAN"].vni = 11
            return packet

        def outer(packet):
            packet["IP"].dst = "198.18.0.99"
            return packet

        def longer(packet):
            return packet / b"more"

        self.assert_fails("inner TTL is 64, not 63", spoil=changed(ttl=64))
        self.assert_fails("inner IPv4 checksum", spoil=changed(chksum=0x1234))
        self.assert_fails("inner UDP checksum", spoil=inner_udp_checksum)
        self.assert_fails("inner destination MAC is 02:00:00:00:00:99", spoil=changed(dst="02:00:00:00:00:99"))
        self.assert_fails("VNI is 11, not", spoil=vni)
        self.assert_fails("outer destination is 198.18.0.99", spoil=outer)
        self.assert_fails("length is", spoil=longer)
        self.assert_fails("1 packets are missing; first: 10.1.0.7:16384 to 10.2.0.10:80", leave_out=(7,))
        self.assert_fails("1 packets are too many; first: 10.1.0.9:16384 to 10.2.0.10:80", repeat=(9,))


class Histogram(unittest.TestCase):
    def test_percentiles(self):
        self.assertIsNone(percentile([0] * 640, 0.5))
        self.assertEqual(percentile([0, 10] + [0] * 638, 0.999), 1)
        counts = [0] * 640
        counts[3], counts[100] = 999, 1
        self.assertEqual(percentile(counts, 0.5), 3)
        self.assertEqual(percentile(counts, 0.9995), stay_of_bucket(100))

    def test_buckets_are_those_of_the_feed(self):
        # The last value of one bucket and the first of the next, as control.h's stay_bucket() has them.
        self.assertEqual([stay_of_bucket(bucket) for bucket in (15, 16, 31, 32, 47, 48)], [15, 16, 31, 33, 63, 67])


if __name__ == "__main__":
    unittest.main()
