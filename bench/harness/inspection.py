"""The inspection row: what a byte of HTTP payload costs Weir's engine, a loop that copies and checksums, and a bare
Hyperscan scan with the frozen reference database; and what its events cost the writer's thread.

All of it is build/.../bench/weir_inspect_bench; the head of bench/inspect_bench.cpp says what each case includes. One
process serves one turn, so that each sets up only what it measures. Without the corpus of real rules the engine and
the scan are missing, and say so.
"""

import json
import os
import subprocess

from .contender import Contender, Failed, Missing, Sample
from .machine import WORKER_CORE
from .rows import Row

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NO_CORPUS = "no corpus"  # how the binary's sentence begins
SETUP_SECONDS = 120  # to read and compile the rules on a slow machine; then it has hung
PROOF_SECONDS = 0.001  # of measuring, where only the proof is wanted
COPY, SCAN, ENGINE = "inspect/copy_checksum", "inspect/hs_scan", "inspect/engine"
EVE_CASE = "inspect/eve"
EVE = "EVE on the writer's thread"


def run_cases(build, cases, seconds):
    """One process of the benchmark, on the worker's core. Returns case -> its JSON object; raises Missing or Failed."""
    binary = os.path.join(build, "bench/weir_inspect_bench")
    if not os.access(binary, os.X_OK):
        raise Missing("bench/weir_inspect_bench is not built")
    command = [binary, "--benchmark_format=json", f"--benchmark_filter=^({'|'.join(cases)})$",
               f"--benchmark_min_time={seconds:.3f}", "--benchmark_repetitions=1",
               "--benchmark_report_aggregates_only=false"]
    if os.cpu_count() > WORKER_CORE:  # the harness itself may keep to the other core
        command = ["taskset", "-c", str(WORKER_CORE), *command]
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False,
                              timeout=SETUP_SECONDS + 10 * seconds * len(cases))
    except subprocess.TimeoutExpired:
        raise Failed(f"the benchmark does not end: {', '.join(cases)}") from None
    return _parse(done, cases)


def _environment():
    """The binary looks for the corpus by itself only where it lies in the repository's own build folder."""
    environment = dict(os.environ)
    beside = os.path.join(os.path.dirname(ROOT), "shared/corpus")
    if not environment.get("WEIR_CORPUS") and os.path.isdir(beside):
        environment["WEIR_CORPUS"] = beside
    return environment


def _parse(done, cases):
    try:
        entries = {entry["run_name"]: entry for entry in json.loads(done.stdout)["benchmarks"]
                   if entry["run_type"] == "iteration"}
    except (ValueError, KeyError, TypeError):
        entries = {}
    for entry in entries.values():
        if entry.get("error_occurred"):
            why = entry.get("error_message", "no reason given")
            raise (Missing if why.startswith(NO_CORPUS) else Failed)(why)
    absent = [case for case in cases if case not in entries]
    if done.returncode != 0 or absent:
        said = done.stderr.strip().splitlines()
        raise Failed(f"the benchmark ended with code {done.returncode}, without {', '.join(absent) or 'an error'}"
                     f"{': ' + said[-1] if said else ''}")
    return entries


def matches_per_kb(entry):
    """Literals of the scan, alerts of the engine; None of a case that looks for nothing."""
    return entry.get("matches_per_kb", entry.get("alerts_per_kb"))


class InspectionContender(Contender):
    """One case of the benchmark. A packet is here a byte of payload."""

    case = ""

    def __init__(self, build):
        self.build = build
        self.proof = {}

    def start(self):
        """Nothing stays up between turns; the proof for verify() is made here."""
        self.proof = run_cases(self.build, dict.fromkeys((COPY, self.case)), PROOF_SECONDS)

    def verify(self):
        """The same bytes as the copying loop in the same process, and what was planted is found."""
        reference, own = self.proof[COPY], self.proof[self.case]
        if (own["proof_bytes"], own["proof_crc"]) != (reference["proof_bytes"], reference["proof_crc"]):
            raise Failed(f"it was given {own['proof_bytes']:.0f} bytes with CRC-32C {int(own['proof_crc']):08x}, the "
                         f"copying loop {reference['proof_bytes']:.0f} with {int(reference['proof_crc']):08x}")
        return f"{own['proof_bytes']:.0f} bytes, CRC-32C {int(own['proof_crc']):08x}{self.verify_found(own)}"

    def verify_found(self, own):
        return ""

    def measure(self, seconds):
        return self.sample(run_cases(self.build, [self.case], seconds)[self.case])

    def sample(self, entry):
        count = int(entry["bytes"])
        extra = {"cycles per byte": entry["cycles_per_byte"]}
        if matches_per_kb(entry) is not None:
            extra["matches per KB"] = matches_per_kb(entry)
        return Sample(count, count, {}, entry["cycles_per_byte"] * count, count / entry["bytes_per_second"],
                      entry["bytes_per_second"], extra)


class CopyChecksum(InspectionContender):
    name, case = "copy and checksum", COPY


class BareScan(InspectionContender):
    name, case = "bare hs_scan, reference literals", SCAN

    def verify_found(self, own):
        if own["planted"] != 1:
            raise Failed("a literal that was put into a block is not found")
        if own["matches_per_kb"] <= 0:
            raise Failed("nothing is found in ordinary traffic, which has literals of one byte in it")
        return f"; a planted literal is found; {own['literals']:.0f} literals"


class WeirEngine(InspectionContender):
    """Its turn measures the writing of its events too."""
    name, case = "Weir's engine", ENGINE
    CASES = (ENGINE, EVE_CASE)

    def verify_found(self, own):
        if own["planted"] != 1:
            raise Failed("the planted request does not alert")
        return (f"; the planted request alerts; {own['rules']:.0f} rules loaded, {own['rules_refused']:.0f} not "
                "supported")

    def measure(self, seconds):
        entries = run_cases(self.build, self.CASES, seconds)
        sample = self.sample(entries[ENGINE])
        sample.extra["alerts per KB"] = sample.extra.pop("matches per KB")
        sample.extra[EVE] = entries[EVE_CASE]["cycles_per_byte"]
        return sample


CONTENDERS = (WeirEngine, CopyChecksum, BareScan)


def rows(build, seconds=0.3):
    """One run of everything: contender -> {cycles_per_byte, bytes_per_second, matches_per_kb, eve}, or the sentence
    why it is not there. `eve` is the engine's alone, in cycles per byte; None of the others."""
    found = {}
    for contender in CONTENDERS:
        cases = contender.CASES if contender is WeirEngine else [contender.case]
        try:
            entries = run_cases(build, cases, seconds)
        except (Missing, Failed) as error:
            found[contender.name] = str(error)
            continue
        entry = entries[contender.case]
        found[contender.name] = {
            "cycles_per_byte": entry["cycles_per_byte"],
            "bytes_per_second": entry["bytes_per_second"],
            "matches_per_kb": matches_per_kb(entry),
            "eve": entries[EVE_CASE]["cycles_per_byte"] if contender is WeirEngine else None,
        }
    return found


def inspection_row(build):
    return Row(
        id="inspection", title="HTTP inspected, both directions, payload bytes per second", group="inspection",
        contenders=[_factory(contender, build) for contender in CONTENDERS], unit="bytes/s", higher_is_better=True,
        note="The scan has the literals of all rules of the corpus, the engine those rules that it supports: see how "
             "many at its verification. The engine reassembles and parses besides.")


def _factory(contender, build):
    def make():
        return contender(build)
    make.name = contender.name
    return make
