"""MicroContender, with shell scripts in place of Google Benchmark binaries."""

import json
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import micro
from harness.contender import Failed, Missing

RUN = {"name": "lookup/weir/10", "run_name": "lookup/weir/10", "run_type": "iteration", "family_index": 0,
       "per_family_instance_index": 0, "repetitions": 1, "repetition_index": 0, "threads": 1, "iterations": 1000,
       "real_time": 2000.0, "cpu_time": 1000.0, "time_unit": "ns", "items_per_second": 32e6, "cycles": 70.5,
       "bytes_per_route": 21.0}
ROUNDS = """while read seconds; do
cat <<'END'
{report}
END
echo '-- end of round'
done"""


def rounds_of(*runs):
    """A binary that reports these runs in each of its rounds."""
    return ROUNDS.format(report=json.dumps({"context": {}, "benchmarks": runs}))


class MicroTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = folder.name
        os.mkdir(os.path.join(self.build, "bench"))

    def contender(self, script, **options):
        """Started; stopped when the test ends."""
        path = os.path.join(self.build, "bench/weir_fake_bench")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/bash\n{script}\n")
        os.chmod(path, 0o755)
        one = micro.MicroContender("Fake", self.build, "fake", RUN["name"], **options)
        self.addCleanup(one.stop)
        one.start()
        return one

    def test_a_round_is_a_sample(self):
        one = self.contender(rounds_of(RUN), checked="all of it")
        self.assertEqual(one.verify(), "all of it")
        for _ in range(2):
            sample = one.measure(0.1)
            self.assertEqual(sample.value, 70.5)
            self.assertEqual(sample.packets, 32_000)
            self.assertEqual(sample.sent, 32_000)
            self.assertAlmostEqual(sample.cycles, 70.5 * 32_000)
            self.assertAlmostEqual(sample.seconds, 2e-3)
            self.assertEqual(sample.extra, {"bytes_per_route": 21.0})

    def test_another_counter_is_the_value(self):
        one = self.contender(rounds_of(RUN), counter="bytes_per_route")
        self.assertIsNone(one.polling_thread())
        sample = one.measure(0.1)
        self.assertEqual(sample.value, 21.0)
        self.assertEqual(sample.extra, {})
        self.assertAlmostEqual(sample.cycles, 70.5 * 32_000)

    def test_without_items_an_iteration_is_one(self):
        run = {key: value for key, value in RUN.items() if key != "items_per_second"}
        self.assertEqual(self.contender(rounds_of(run)).measure(0.1).packets, 1000)

    def test_aggregates_are_no_runs(self):
        self.assertEqual(self.contender(rounds_of(RUN, {**RUN, "run_type": "aggregate"})).measure(0.1).value, 70.5)

    def test_it_is_told_case_and_time(self):
        one = self.contender(f'printf "%s\\n" "$@" > {self.build}/options\n'
                             f"tee {self.build}/times | {rounds_of(RUN)}")
        one.measure(0.25)
        one.stop()
        with open(f"{self.build}/options", encoding="utf-8") as file:
            self.assertEqual(file.read().split("\n")[:3],
                             ["--benchmark_filter=^lookup/weir/10$", "--benchmark_repetitions=1", "--rounds"])
        with open(f"{self.build}/times", encoding="utf-8") as file:
            self.assertEqual(file.read(), "0.25\n")

    def test_it_ends_when_stopped(self):
        one = self.contender(rounds_of(RUN))
        one.measure(0.1)
        pid, tid = one.polling_thread()
        self.assertEqual(pid, tid)
        one.stop()
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        one.stop()

    def fails(self, script, pattern, **options):
        one = self.contender(script, **options)
        with self.assertRaisesRegex(Failed, pattern):
            one.measure(0.1)

    def test_what_the_case_says_is_wrong(self):
        run = {**RUN, "error_occurred": True, "error_message": "10.0.0.1 leads to 3, not 4"}
        self.fails(rounds_of(run), "^10.0.0.1 leads to 3, not 4$")
        with self.assertRaisesRegex(Failed, "10.0.0.1"):
            self.contender(rounds_of(run)).verify()

    def test_a_crash_is_told_with_the_last_words(self):
        self.fails("read line; echo EAL: no memory >&2; kill -SEGV $$",
                   "^weir_fake_bench ended by SIGSEGV: EAL: no memory$")

    def test_a_crash_in_the_middle_of_a_report(self):
        self.fails("read line; echo '{\"benchmarks\": ['; exit 3", "^weir_fake_bench ended with code 3$")

    def test_one_that_ends_before_it_is_asked(self):
        one = self.contender("exit 1")
        one.process.wait()
        with self.assertRaisesRegex(Failed, "ended with code 1"):
            one.measure(0.1)

    def test_no_such_case(self):
        self.fails(ROUNDS.format(report=""), "no cases named lookup/weir/10")

    def test_a_case_that_is_several(self):
        self.fails(rounds_of(RUN, RUN), "2 cases")

    def test_no_json(self):
        self.fails(ROUNDS.format(report="Segmentation fault"), "not Google Benchmark's JSON")

    def test_no_such_counter(self):
        self.fails(rounds_of(RUN), "no counter bytes_per_session", counter="bytes_per_session")

    def test_not_built(self):
        one = micro.MicroContender("Fake", self.build, "none", "case")
        with self.assertRaisesRegex(Missing, "weir_none_bench is not built"):
            one.start()
        one.stop()

    def test_the_rows_of_routes(self):
        rows = micro.routes_rows(self.build)
        self.assertEqual(len({row.id for row in rows}), len(rows))
        for row in rows:
            made = [factory() for factory in row.contenders]
            self.assertEqual(made[0].name, row.subject)
            self.assertEqual(len({one.case for one in made}), 3)


if __name__ == "__main__":
    unittest.main()
