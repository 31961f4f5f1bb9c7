"""The live row's contenders: traffic really passes through them, what they say is true, and nothing is left of them."""

import os
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import live
from harness.contender import Failed, Missing
from lab.netns import missing_abilities, namespace_names


def children():
    """(pid, name) of every process that has us among its ancestors."""
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                head, _, rest = stat.read().rpartition(")")
        except OSError:
            continue  # ended meanwhile
        parents[int(pid)] = (int(rest.split()[1]), head.partition("(")[2])

    def ours(pid):
        while pid in parents:
            pid = parents[pid][0]
            if pid == os.getpid():
                return True
        return False

    return [(pid, name) for pid, (_, name) in parents.items() if ours(pid)]


class LiveTest(unittest.TestCase):

    def setUp(self):
        if reason := missing_abilities():
            self.skipTest(reason)

    def started(self, kind):
        contender = kind()
        self.addCleanup(contender.stop)
        try:
            contender.start()
        except Missing as reason:
            self.skipTest(str(reason))
        return contender

    def assert_nothing_left(self):
        prefix = f"{live.PREFIX}{os.getpid()}-"
        self.assertEqual([name for name in namespace_names() if name.startswith(prefix)], [])
        self.assertEqual(children(), [])

    def test_weir(self):
        contender = self.started(live.WeirLive)
        checked = contender.verify()
        self.assertIn("1 MiB over TCP with the same SHA-256", checked)
        text = "\n".join(contender.describe())
        for interface in ("a.vx0", "a.u0", "b.vx0", "b.u0", "switch.sw-a", "switch.sw-b", "switch.sw-hub", "hub.u0"):
            self.assertRegex(text, rf"(?m)^.*\b{interface}\b.*: rx o(n|ff)")
        self.assertRegex(text, r"(?m)^.*\ba\.u0\b.*: .*\btx off\b")
        self.assertRegex(text, "hub.u0 has (native|generic) XDP")

        contender.pause()
        pid, tid = contender.polling_thread()
        self.assertEqual(state(pid, tid), "T")
        contender.resume()
        sample = contender.measure(1)
        self.assertGreater(sample.value, 0.01)
        self.assertGreater(sample.packets, 1000)
        self.assertEqual(sample.packets - sample.sent, sum(sample.drops.values()))
        self.assertTrue(500 < sample.extra["bytes_per_packet"] <= 1514, sample.extra)

        contender.pause()  # a contender may be stopped in the middle of somebody else's turn
        contender.stop()
        self.assert_nothing_left()

    def test_kernel_with_offloads_passes_larger_packets_than_without(self):
        size = {}
        for kind in (live.KernelOffloadsOn, live.KernelOffloadsOff):
            contender = self.started(kind)
            contender.verify()
            self.assertRegex(contender.describe()[0], rf"\btx {kind.offloads}, .*\bgso {kind.offloads}, gro {kind.offloads}\b")
            sample = contender.measure(1)
            self.assertGreater(sample.value, 0.01)
            self.assertEqual(sample.packets - sample.sent, sum(sample.drops.values()))
            size[kind.offloads] = sample.extra["bytes_per_packet"]
            contender.stop()
        self.assertLessEqual(size["off"], 1514)
        self.assertGreater(size["on"], 2 * size["off"])
        self.assert_nothing_left()

    def test_a_hub_that_forwards_nothing_is_found_out(self):
        contender = self.started(live.KernelOffloadsOn)
        contender._topology.hub.sysctl("net.ipv4.ip_forward", 0)
        contender._a.namespace.ip("route del default")
        with self.assertRaisesRegex(Failed, "no ping gets from a to b"):
            contender.PING_SECONDS = 0.5
            contender.verify()
        contender.stop()
        self.assert_nothing_left()

    def test_a_way_around_the_hub_is_found_out(self):
        """The spokes reach each other by a tunnel of their own."""
        contender = self.started(live.KernelOffloadsOn)
        for spoke, other in ((contender._a, contender._b), (contender._b, contender._a)):
            spoke.namespace.ip(f"link add around type vxlan id 77 remote {other.underlay} local {spoke.underlay} "
                               "dstport 4790 dev u0", "link set around up", f"route add {other.address} dev around")
        with self.assertRaisesRegex(Failed, "did not pass one router"):
            contender.verify()
        contender.stop()

    def test_not_built_is_missing(self):
        before = os.environ.get("WEIR_BUILD")
        self.addCleanup(lambda: os.environ.update(WEIR_BUILD=before) if before else os.environ.pop("WEIR_BUILD"))
        os.environ["WEIR_BUILD"] = "/nonexistent"
        contender = live.WeirLive()
        with self.assertRaisesRegex(Missing, "is not built"):
            contender.start()
        contender.stop()


def state(pid, tid):
    """The letter of a thread's state; waits a moment for a stop that is under way."""
    deadline = time.monotonic() + 1
    while True:
        with open(f"/proc/{pid}/task/{tid}/stat") as stat:
            letter = stat.read().rpartition(")")[2].split()[0]
        if letter == "T" or time.monotonic() > deadline:
            return letter
        time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
