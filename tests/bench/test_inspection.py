"""The inspection row's contenders over a benchmark that prints what the test says."""

import json
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import inspection
from harness.contender import Failed, Missing

CYCLES = {inspection.COPY: 1.0, inspection.SCAN: 30.0, inspection.ENGINE: 20.0, inspection.EVE_CASE: 2.0}


def entry(case, **changes):
    return {"run_name": case, "run_type": "iteration", "cycles_per_byte": CYCLES[case], "bytes": 4e6,
            "bytes_per_second": 2e9, "proof_bytes": 1000.0, "proof_crc": float(0x1234abcd), "planted": 1.0,
            "rules": 70.0, "rules_refused": 7.0, "literals": 190.0,
            **({"matches_per_kb": 27.0} if case == inspection.SCAN else {}),
            **({"alerts_per_kb": 0.25} if case == inspection.ENGINE else {}), **changes}


class InspectionRow(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = folder.name
        os.mkdir(f"{self.build}/bench")

    def benchmark(self, code=0, text=None, **changes):
        """Puts a program there that prints all cases; `changes`: case's last word -> what is otherwise."""
        entries = [entry(case, **changes.get(case.rsplit("/", 1)[1], {})) for case in CYCLES]
        with open(f"{self.build}/output", "w", encoding="utf-8") as file:
            file.write(json.dumps({"benchmarks": entries}) if text is None else text)
        path = f"{self.build}/bench/weir_inspect_bench"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\necho "$@" >> "{self.build}/calls"\ncat "{self.build}/output"\n'
                       f"echo last words >&2\nexit {code}\n")
        os.chmod(path, 0o755)

    def calls(self):
        with open(f"{self.build}/calls", encoding="utf-8") as file:
            return file.read().splitlines()

    def test_a_benchmark_that_is_not_built_is_missing(self):
        with self.assertRaisesRegex(Missing, "not built"):
            inspection.WeirEngine(self.build).start()

    def test_each_contender_is_verified_and_measured(self):
        self.benchmark()
        for kind, says in ((inspection.WeirEngine, "70 rules loaded, 7 not supported"),
                           (inspection.CopyChecksum, "1234abcd"), (inspection.BareScan, "190 literals")):
            with self.subTest(kind.name):
                contender = kind(self.build)
                contender.start()
                self.assertIn(says, contender.verify())
                sample = contender.measure(2.0)
                self.assertEqual((sample.packets, sample.sent, sample.drops), (4_000_000, 4_000_000, {}))
                self.assertEqual(sample.value, 2e9)
                self.assertEqual(sample.cycles, CYCLES[kind.case] * 4e6)
                self.assertAlmostEqual(sample.seconds, 0.002)
                contender.stop()

    def test_a_turn_is_one_process_that_is_asked_for_no_more_than_it_measures(self):
        self.benchmark()
        inspection.BareScan(self.build).measure(1.5)
        (call,) = self.calls()
        self.assertIn("--benchmark_filter=^(inspect/hs_scan)$", call)
        self.assertIn("--benchmark_min_time=1.500", call)

    def test_the_engine_tells_what_its_events_cost_in_the_same_turn(self):
        self.benchmark()
        extra = inspection.WeirEngine(self.build).measure(2.0).extra
        self.assertEqual(len(self.calls()), 1)
        self.assertEqual(extra, {"cycles per byte": 20.0, "alerts per KB": 0.25, inspection.EVE: 2.0})

    def test_other_bytes_are_no_comparison(self):
        for changed in ({"proof_bytes": 999.0}, {"proof_crc": 1.0}):
            with self.subTest(changed):
                self.benchmark(engine=changed)
                contender = inspection.WeirEngine(self.build)
                contender.start()
                with self.assertRaisesRegex(Failed, "copying loop"):
                    contender.verify()

    def test_what_was_planted_must_be_found(self):
        for kind, changes in ((inspection.WeirEngine, {"engine": {"planted": 0.0}}),
                              (inspection.BareScan, {"hs_scan": {"planted": 0.0}}),
                              (inspection.BareScan, {"hs_scan": {"matches_per_kb": 0.0}})):
            with self.subTest(changes):
                self.benchmark(**changes)
                contender = kind(self.build)
                contender.start()
                self.assertRaises(Failed, contender.verify)

    def test_without_the_corpus_it_is_missing(self):
        self.benchmark(code=1, engine={"error_occurred": True, "error_message": "no corpus: set WEIR_CORPUS"})
        with self.assertRaisesRegex(Missing, "^no corpus: set WEIR_CORPUS$"):
            inspection.WeirEngine(self.build).start()

    def test_other_errors_are_failures(self):
        self.benchmark(code=1, engine={"error_occurred": True, "error_message": "scan_errors 3."})
        with self.assertRaisesRegex(Failed, "scan_errors 3"):
            inspection.WeirEngine(self.build).start()

    def test_a_crash_is_a_failure_with_its_last_words(self):
        for text in ("", "{", '{"benchmarks": []}'):
            with self.subTest(text):
                self.benchmark(code=139, text=text)
                with self.assertRaisesRegex(Failed, "139.*last words"):
                    inspection.CopyChecksum(self.build).measure(0.1)

    def test_rows_has_numbers_or_a_reason(self):
        self.benchmark()
        found = inspection.rows(self.build)
        self.assertEqual(set(found), {kind.name for kind in inspection.CONTENDERS})
        self.assertEqual(found["Weir's engine"]["matches_per_kb"], 0.25)
        self.assertEqual(found["Weir's engine"]["eve"], 2.0)
        self.assertIsNone(found["copy and checksum"]["eve"])
        self.benchmark(code=1, text="")
        self.assertTrue(all(isinstance(reason, str) for reason in inspection.rows(self.build).values()))


if __name__ == "__main__":
    unittest.main()
