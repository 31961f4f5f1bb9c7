"""Each kind of contender, and each disturbance, is reported as what it is."""

import tempfile
import unittest

from fakes import Failed, Fake, FakeMachine, THREAD, row
from harness import machine, results, rounds
from harness.contender import Missing


class Rounds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.machine = FakeMachine(folder.name)
        self.said = []

    def fake(self, name="Weir", *arguments, **options):
        return Fake(self.machine, name, *arguments, **options)

    def run_row(self, *contenders, **options):
        return rounds.run_row(row(*contenders, **options), meter=self.machine.meter(), say=self.said.append)

    def one(self, **options):
        """The only contender's result."""
        return self.run_row(self.fake(**options)).results[0]

    def events(self, name):
        return [event for event, who in self.machine.log if who == name]

    def assert_no_value(self, result, status, reason):
        self.assertEqual(result.status, status)
        self.assertIn(reason, result.reason)
        self.assertIsNone(result.gross)
        self.assertIsNone(result.net)


class Truth(Rounds):
    def test_known_rate_is_reported_exactly(self):
        result = self.one(cycles=123.25)
        self.assertEqual((result.status, result.gross.median, result.gross.mad), (results.OK, 123.25, 0))
        self.assertEqual(len(result.rounds), 5)
        self.assertEqual(result.checked, "10 flows")

    def test_median_and_mad(self):
        result = self.one(cycles=[100, 101, 99, 102, 500])
        self.assertEqual((result.status, result.gross.median, result.gross.mad), (results.OK, 101, 1))

    def test_value_in_the_rows_unit(self):
        found = self.run_row(self.fake(values=[2e6]), self.fake("other", values=[1e6]), unit="sessions/s",
                             higher_is_better=True)
        self.assertEqual(found.results[0].gross.median, 2e6)
        self.assertEqual(found.ratio(found.results[1]).value, 2)

    def test_losing_packets_uncounted_is_void_with_numbers(self):
        result = self.one(lost=3, drops={"full": 10})
        self.assert_no_value(result, results.VOID, "3 packets are lost: took 1000, sent 987, counted 10 dropped")

    def test_sending_more_than_it_took_is_void(self):
        self.assert_no_value(self.one(lost=-2), results.VOID, "2 packets too many came out: took 1000, sent 1002")

    def test_losing_packets_counted_is_fine_and_shown(self):
        result = self.one(drops={"full": 10, "policy": 5})
        self.assertEqual(result.status, results.OK)
        self.assertEqual(result.drops(), {"full": 50, "policy": 25})

    def test_packets_in_flight_are_allowed_only_if_announced(self):
        self.assertEqual(self.one(lost=32, in_flight=32).status, results.OK)
        self.assert_no_value(self.one(lost=33, in_flight=32), results.VOID, "32 may be in flight")

    def test_corrupting_packets_is_void(self):
        result = self.one(verify_error=Failed("flow 7: the inner checksum is wrong"))
        self.assert_no_value(result, results.VOID, "flow 7: the inner checksum is wrong")
        self.assertEqual(self.events("Weir"), ["start", "verify", "stop"])

    def test_noisy_supports_no_claim(self):
        found = self.run_row(self.fake(cycles=[100, 120, 80, 130, 70]), self.fake("other", 300.0),
                             limit=self.fake("io", 40.0))
        noisy = found.results[0]
        self.assertEqual((noisy.status, noisy.gross.median), (results.NOISY, 100))
        self.assertIn("20.0 %", noisy.reason)
        self.assertIsNone(noisy.net)
        self.assertIsNone(found.ratio(found.results[1]))

    def test_a_value_of_nothing_is_a_failure(self):
        self.assert_no_value(self.one(values=[0.0]), results.FAILED, "reports 0")
        self.assert_no_value(self.one(values=[float("nan")]), results.FAILED, "reports nan")
        self.assert_no_value(self.one(cycles=0.0), results.FAILED, "reports 0")

    def test_no_packets_is_a_failure(self):
        class Idle(Fake):
            def measure(self, seconds):
                sample = super().measure(seconds)
                sample.packets = sample.sent = 0
                return sample
        found = self.run_row(Idle(self.machine, "Weir"))
        self.assert_no_value(found.results[0], results.FAILED, "took no packets")


class Failures(Rounds):
    def beside(self, status, reason, **options):
        """Such a contender is told as such, and the one beside it has all its rounds."""
        found = self.run_row(self.fake("bad", **options), self.fake("good", 80.0))
        self.assert_no_value(found.named("bad"), status, reason)
        self.assertEqual((found.named("good").status, found.named("good").gross.median), (results.OK, 80))
        self.assertEqual(len(found.named("good").good), 5)
        self.assertEqual(self.events("bad").count("stop"), 1)
        self.assertEqual(self.events("good").count("stop"), 1)

    def test_missing(self):
        self.beside(results.MISSING, "ovs-vswitchd is not installed",
                    start_error=Missing("ovs-vswitchd is not installed"))

    def test_crash_in_start(self):
        self.beside(results.FAILED, "ended with 139", start_error=Failed("ended with 139"))

    def test_mistake_in_verify(self):
        self.beside(results.FAILED, "KeyError at fakes.py:", verify_error=KeyError("flow"))

    def test_crash_in_the_first_round(self):
        self.beside(results.FAILED, "ended", rounds={1: Failed("ended")})

    def test_crash_on_the_way(self):
        self.beside(results.FAILED, "ended", rounds={4: Failed("ended")})
        self.assertEqual(self.events("bad")[-3:], ["measure", "pause", "stop"])

    def test_mistake_in_a_round(self):
        self.beside(results.FAILED, "ZeroDivisionError", rounds={2: ZeroDivisionError("by zero")})

    def test_crash_in_stop(self):
        found = self.run_row(self.fake("bad", stop_error=OSError("busy")), self.fake("good"))
        self.assert_no_value(found.named("bad"), results.FAILED, "did not stop: OSError")
        self.assertEqual(self.events("good").count("stop"), 1)

    def test_factory_that_raises(self):
        def ovs():
            raise Missing("no Open vSwitch")
        found = self.run_row(ovs, self.fake())
        self.assert_no_value(found.named("ovs"), results.MISSING, "no Open vSwitch")
        self.assertEqual(found.named("Weir").status, results.OK)

    def test_failed_one_holds_the_core_no_longer(self):
        self.run_row(self.fake("bad", rounds={1: Failed("ended")}), self.fake("good"))
        self.assertLess(self.machine.log.index(("stop", "bad")), self.machine.log.index(("measure", "good")))

    def test_all_are_stopped_on_interrupt(self):
        for interrupt in (KeyboardInterrupt(), SystemExit()):
            self.machine.log.clear()
            with self.assertRaises(type(interrupt)):
                self.run_row(self.fake("a", rounds={2: interrupt}), self.fake("b"), limit=self.fake("io"))
            for name in ("a", "b", "io"):
                self.assertEqual(self.events(name).count("stop"), 1, name)

    def test_all_are_stopped_if_start_is_interrupted(self):
        with self.assertRaises(KeyboardInterrupt):
            self.run_row(self.fake("a"), self.fake("b", start_error=KeyboardInterrupt()), self.fake("c"))
        self.assertEqual([(self.events(name).count("start"), self.events(name).count("stop")) for name in "abc"],
                         [(1, 1), (1, 1), (0, 0)])

    def test_interrupt_while_stopping_stops_the_others_first(self):
        with self.assertRaises(KeyboardInterrupt):
            self.run_row(self.fake("a"), self.fake("b", stop_error=KeyboardInterrupt()))
        self.assertEqual(self.events("a").count("stop"), 1)


class Turns(Rounds):
    def test_order(self):
        self.run_row(self.fake("A"), self.fake("B"), rounds=3)
        measured = [who for event, who in self.machine.log if event == "measure"]
        self.assertEqual(measured, ["A", "B"] * 3)

    def test_one_at_a_time(self):
        """Everybody is paused when another one starts or has its turn."""
        self.run_row(self.fake("A"), self.fake("B"), limit=self.fake("io"), rounds=2)
        active = set()
        for event, who in self.machine.log:
            if event in ("start", "resume"):
                self.assertEqual(active, set())
                active.add(who)
            elif event == "pause":
                active.remove(who)
            elif event == "measure":
                self.assertEqual(active, {who})

    def test_limit_takes_turns_and_is_taken_away(self):
        found = self.run_row(self.fake("Weir", [100, 104, 102]), self.fake("other", 250.0), limit=self.fake("io", 50.0),
                             rounds=3)
        self.assertEqual([who for event, who in self.machine.log if event == "measure"], ["Weir", "other", "io"] * 3)
        self.assertEqual((found.named("Weir").net.median, found.named("Weir").net.mad), (52, 2))
        self.assertEqual(found.named("other").net.median, 200)
        self.assertAlmostEqual(found.ratio(found.named("other")).value, 200 / 52)
        self.assertTrue(found.named("io").only_limit)
        self.assertIsNone(found.ratio(found.named("io")))

    def test_limit_that_is_a_contender_is_there_once(self):
        found = self.run_row(self.fake("io", 50.0), self.fake("Weir", 150.0), limit="io")
        self.assertEqual([one.name for one in found.results], ["io", "Weir"])
        self.assertEqual((found.named("io").net, found.named("Weir").net.median), (None, 100))

    def test_a_contender_may_have_its_own_limit(self):
        found = self.run_row(self.fake("Weir", 150.0), self.fake("kernel", 2000.0), limit=self.fake("io", 50.0),
                             limits={"kernel": self.fake("XDP_DROP", 800.0)})
        self.assertEqual([one.name for one in found.results], ["Weir", "kernel", "io", "XDP_DROP"])
        self.assertEqual((found.named("Weir").net.median, found.named("kernel").net.median), (100, 1200))

    def test_no_net_without_the_limit(self):
        found = self.run_row(self.fake("Weir"), self.fake("other"), limit=self.fake("io", start_error=Failed("ended")))
        self.assertEqual((found.named("Weir").status, found.named("Weir").net), (results.OK, None))
        self.assertIsNone(found.ratio(found.named("other")))

    def test_rows_that_contradict_themselves(self):
        for contenders, options in (([self.fake("A"), self.fake("A")], {}), ([self.fake("A")], {"limit": "nobody"})):
            with self.assertRaises(ValueError):
                self.run_row(*contenders, **options)
        self.assertEqual(self.machine.log, [])


class Disturbances(Rounds):
    def discarded(self, cause, disturbance):
        """One such round in the middle: it is discarded, counted, repeated, and its value does not count."""
        found = self.run_row(self.fake("Weir", [100, 100, 900, 100, 100, 100], rounds={3: disturbance}),
                             self.fake("other"))
        result = found.named("Weir")
        self.assertEqual((result.status, result.gross.median, result.gross.mad), (results.OK, 100, 0))
        self.assertEqual((len(result.good), len(result.rounds), result.discards()), (5, 6, {cause: 1}))
        self.assertNotIn(900, [one.value for one in result.good])
        self.assertEqual(len(found.named("other").rounds), 5)
        self.assertTrue(any(f"discarded: {cause}" in line for line in self.said))

    def test_steal(self):
        self.discarded("steal", {"steal": 2})

    def test_one_tick_of_steal_in_a_second_is_below_the_clock(self):
        self.assertEqual(self.one(rounds={3: {"steal": 1}}).discards(), {})

    def test_switches(self):
        self.discarded("switches", {"switches": 21})

    def test_twenty_switches_a_second_are_allowed(self):
        self.assertEqual(self.one(rounds={3: {"switches": 20}}).discards(), {})

    def test_drift(self):
        self.discarded("drift", {"raw_apart": 0.0012})
        self.discarded("drift", {"raw_apart": -0.0012})

    def test_slewing_is_no_drift(self):
        self.assertEqual(self.one(rounds={3: {"raw_apart": 0.0005}}).discards(), {})

    def test_tsc_drift(self):
        self.assertEqual(self.one(extra={"tsc_seconds": 1.0005}).status, results.OK)
        result = self.one(extra={"tsc_seconds": 1.002})
        self.assertEqual((result.status, result.discards()), (results.DISTURBED, {"drift": 10}))

    def test_tsc_seconds_are_not_shown(self):
        self.assertEqual(self.one(extra={"tsc_seconds": 1.0, "bursts": 3}).extra(), {"bursts": 3})

    def test_several_causes(self):
        result = self.one(rounds={1: {"steal": 9, "switches": 99}, 2: {"steal": 9}})
        self.assertEqual((len(result.good), result.discards()), (5, {"steal": 2, "switches": 1}))

    def test_thread_that_is_gone(self):
        class Gone(Fake):
            def polling_thread(self):
                return 1, 2
        result = self.run_row(Gone(self.machine, "Weir")).results[0]
        self.assertEqual((result.status, result.discards()), (results.DISTURBED, {"unreadable": 10}))

    def test_no_thread(self):
        class Threadless(Fake):
            def polling_thread(self):
                return None
        result = self.run_row(Threadless(self.machine, "Weir", rounds={1: {"switches": 99}})).results[0]
        self.assertEqual((result.status, result.discards()), (results.OK, {}))

    def test_too_few_good_rounds_support_no_claim(self):
        found = self.run_row(self.fake("Weir", rounds={number: {"steal": 50} for number in range(1, 8)}),
                             self.fake("other"), limit=self.fake("io", 40.0))
        result = found.named("Weir")
        self.assertEqual((result.status, len(result.good), len(result.rounds)), (results.DISTURBED, 3, 10))
        self.assertIn("only 3 good rounds of 10, 5 wanted; discarded: 7 steal", result.reason)
        self.assertIsNone(result.net)
        self.assertIsNone(found.ratio(found.named("other")))

    def test_a_long_row_may_lose_some(self):
        result = self.run_row(self.fake(rounds={number: {"steal": 50} for number in range(1, 14)}),
                              rounds=9).results[0]
        self.assertEqual((result.status, len(result.good)), (results.OK, 5))

    def test_packets_of_a_discarded_round_must_add_up_too(self):
        self.assert_no_value(self.one(lost=1, rounds={1: {"steal": 9}}), results.VOID, "1 packets are lost")


class Meters(Rounds):
    def test_reads_the_workers_core_and_the_thread(self):
        reading = self.machine.meter().read(THREAD)
        self.assertEqual((reading.steal, reading.switches), (5, 5))

    def test_a_machine_without_that_core(self):
        with self.assertRaisesRegex(ValueError, "no core 9"):
            machine.Meter(9, self.machine.meter().sources)

    def test_clocks_are_read_as_close_as_can_be(self):
        """The first try is interrupted for a second between the two clocks."""
        times = iter([10.0, 11.0, 11.0, 11.0])
        sources = machine.Sources(monotonic=lambda: next(times), raw=lambda: 500.0)
        self.assertEqual(machine.both_clocks(sources), (11.0, 500.0))


if __name__ == "__main__":
    unittest.main()
