"""bench/run, bench/compare and bench/check as processes, with fakes."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from fakes import ROOT
from harness import check, results

HERE = os.path.dirname(os.path.abspath(__file__))


class Process(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.json = os.path.join(self.folder, "result.json")

    def command(self, kind, *words):
        return [sys.executable, os.path.join(HERE, "run_with_fakes.py"), self.folder, kind, "--seconds", "0.01",
                "--json", self.json, *words]

    def run_bench(self, kind, *words):
        return subprocess.run(self.command(kind, *words), capture_output=True, text=True, timeout=60, check=False)

    def stopped(self):
        return sorted(name for name in os.listdir(self.folder) if name.endswith(".stopped"))


class BenchRun(Process):
    def test_good(self):
        picture = os.path.join(self.folder, "a.svg")
        done = self.run_bench("good", "--svg", picture)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^\[ +\d+ s\] row 2 of 2: two: another$")
        self.assertIn("missing: is not installed", done.stdout)
        run = results.load(self.json)
        self.assertTrue(run.complete)
        self.assertEqual([row.id for row in run.rows], ["row-1", "two"])
        self.assertEqual(len(run.rows[0].named("Weir").rounds), 5)
        self.assertTrue(os.path.getsize(picture))
        self.assertEqual(self.stopped(), ["Weir.stopped", "Weir2.stopped", "other.stopped"])

    def test_failed_contender_is_exit_code_one(self):
        done = self.run_bench("broken")
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: ended with 139", done.stdout)

    def test_quick_only_and_list(self):
        done = self.run_bench("good", "--quick")
        self.assertEqual((done.returncode, len(results.load(self.json).rows)), (0, 1))
        self.assertEqual(len(results.load(self.json).rows[0].named("Weir").rounds), 3)
        done = self.run_bench("good", "--list", "--only", "tw")
        self.assertEqual((done.returncode, done.stdout.split()), (0, ["two", "another", "(cycles/packet)"]))
        done = self.run_bench("good", "--only", "nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no row has such a name", done.stderr)

    def test_interrupted(self):
        """Stopped, told, and what is there is kept."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                # Whatever runs the tests may ignore it, as a shell's background does.
                process = subprocess.Popen(self.command("slow"), stdout=subprocess.PIPE, text=True,
                                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
                self.addCleanup(process.stdout.close)
                for line in process.stdout:
                    if line.startswith("measuring Weir"):
                        break
                process.send_signal(number)
                rest = process.stdout.read()
                self.assertEqual(process.wait(30), 130)
                self.assertIn("interrupted", rest)
                self.assertEqual(self.stopped(), ["Weir.stopped", "other.stopped"])
                for name in self.stopped():
                    os.unlink(os.path.join(self.folder, name))


class BenchCompare(Process):
    def compare(self, *words):
        return subprocess.run([os.path.join(ROOT, "bench/compare"), *words], capture_output=True, text=True, timeout=60,
                              check=False)

    def test_a_run_with_itself(self):
        self.run_bench("good")
        done = self.compare(self.json, self.json)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("0 faster, 0 slower", done.stdout)

    def test_what_is_no_result(self):
        done = self.compare(os.path.join(ROOT, "Makefile"), self.json)
        self.assertEqual(done.returncode, 2)
        self.assertIn("it is not a result of bench/run", done.stderr)


class TestAll(unittest.TestCase):
    """scripts/test-all counts these tests by what unittest prints, and a stage beside others by its exit code."""

    @staticmethod
    def load():
        loader = importlib.machinery.SourceFileLoader("test_all", os.path.join(ROOT, "scripts/test-all"))
        test_all = importlib.util.module_from_spec(importlib.util.spec_from_loader("test_all", loader))
        loader.exec_module(test_all)
        return test_all

    def beside(self, script, timeout=30):
        """What a stage of that script comes to, and what is printed."""
        test_all, said = self.load(), io.StringIO()
        with contextlib.redirect_stdout(said):
            totals = test_all.Totals()
            fine = test_all.Beside("a stage", "sh", "-c", script).finish(totals, timeout)
        self.assertEqual([stage[:2] for stage in totals.stages], [("a stage", fine)])
        return fine, totals.failed, said.getvalue()

    def test_beside(self):
        fine, failed, said = self.beside("echo one; echo two >&2")
        self.assertEqual((fine, failed), (True, 0))
        self.assertRegex(said, "one\ntwo\n== a stage: done")
        fine, failed, said = self.beside("echo wrong; exit 3")
        self.assertEqual((fine, failed), (False, 1))
        self.assertRegex(said, "wrong\n== a stage: FAILED")
        fine, failed, said = self.beside("exec sleep 60", timeout=0)
        self.assertEqual((fine, failed), (False, 1))
        self.assertIn("not done after 0 s", said)

    def test_totals(self):
        test_all = self.load()
        for report, totals in (("Ran 1 test in 0.1s\n\nOK\n", (1, 0, 0)),
                               ("Ran 5 tests in 0.1s\n\nOK (skipped=5)\n", (5, 0, 5)),
                               ("Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=3)\n", (9, 3, 3)),
                               ("Ran 3 tests in 1s\n\nFAILED (unexpected successes=2)\n", (3, 2, 0)),
                               ("Traceback (most recent call last):\n", (0, 0, 0))):
            self.assertEqual(test_all.unittest_totals(report), totals)


class Base(unittest.TestCase):
    """Which commit bench/check compares with."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.git("init", "--quiet", "--initial-branch", "main")
        self.first = self.commit("one")

    def git(self, *words):
        return subprocess.run(["git", "-C", self.root, "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
                              capture_output=True, text=True, check=True).stdout.strip()

    def write(self, text):
        with open(os.path.join(self.root, "file"), "w") as file:
            file.write(text)

    def commit(self, text):
        self.write(text)
        self.git("add", "file")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")

    def base(self, named=None):
        return check.choose_base(self.root, named)[0]

    def test_of_a_branch(self):
        self.git("checkout", "--quiet", "-b", "branch")
        self.commit("two")
        self.commit("three")
        self.write("not committed")
        self.assertEqual(self.base(), self.first)

    def test_of_main(self):
        self.commit("two")
        self.assertEqual(self.base(), self.first)

    def test_of_main_with_changes(self):
        second = self.commit("two")
        self.write("not committed")
        self.assertEqual(self.base(), second)

    def test_named(self):
        self.commit("two")
        third = self.commit("three")
        self.assertEqual(self.base("HEAD"), third)
        with self.assertRaisesRegex(check.CannotCheck, "no commit nonsense"):
            self.base("nonsense")

    def test_nothing_to_compare_with(self):
        with self.assertRaisesRegex(check.CannotCheck, "the first commit"):
            self.base()
        with tempfile.TemporaryDirectory() as empty, self.assertRaisesRegex(check.CannotCheck, "no git checkout"):
            check.choose_base(empty)

    def test_worktree_goes_away(self):
        self.commit("two")
        os.makedirs(os.path.join(self.root, check.FOLDER, "left by a run that was killed"))
        with self.assertRaises(KeyboardInterrupt), check.worktree(self.root, self.first) as tree:
            with open(os.path.join(tree, "file")) as file:
                self.assertEqual(file.read(), "one")
            with self.assertRaisesRegex(check.CannotCheck, "another"), check.worktree(self.root, self.first):
                pass
            raise KeyboardInterrupt
        self.assertFalse(os.path.exists(tree))
        self.assertEqual(len(self.git("worktree", "list").splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
