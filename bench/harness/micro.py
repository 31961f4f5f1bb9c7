"""Contenders that are one case of a Google Benchmark binary of bench/, and the rows that consist of them.

The binary stays for all rounds (--rounds, bench/run_cases.h): what it builds before it measures is built once, and
between rounds it waits for its input and uses no core. A binary verifies its own results; what it finds wrong it
reports in place of a measurement.
"""

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
import tempfile
import time

from .contender import Contender, Failed, Missing, Sample
from .machine import HOUSE_CORE, WORKER_CORE
from .rows import Row

END_OF_ROUND = b"-- end of round\n"
BUILD_SECONDS = 900  # until a case has filled its tables; rte_lpm takes minutes for a million routes
STOP_SECONDS = 10
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
# What Google Benchmark itself writes about a run; the rest are the case's counters.
OWN_KEYS = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
            "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second",
            "bytes_per_second", "label", "error_occurred", "error_message"}


class MicroContender(Contender):
    """`case`: the whole name of one case of the binary weir_`bench`_bench in the build folder. Its counter `counter`
    is the sample's value, the other counters are extra. `checked` says what the binary verifies before it measures.
    `cores`: that it may use; where one of them is not ours, all that are."""

    def __init__(self, name, build, bench, case, counter="cycles", checked="", cores=(WORKER_CORE,)):
        self.name, self.case, self.counter, self.checked, self.cores = name, case, counter, checked, cores
        self.path = os.path.join(build, "bench", f"weir_{bench}_bench")
        self.process = self.errors = None
        self.unread = b""

    def start(self):
        if not os.access(self.path, os.X_OK):
            raise Missing(f"{os.path.basename(self.path)} is not built; `make build` builds it")
        listed = ",".join(map(str, self.cores))
        pinned = ["taskset", "-c", listed] if os.sched_getaffinity(0).issuperset(self.cores) else []
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*pinned, self.path, f"--benchmark_filter=^{self.case}$", "--benchmark_repetitions=1", "--rounds"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def verify(self):
        """The shortest of rounds, for which the tables are built and checked."""
        self._round(0.01, BUILD_SECONDS)
        return self.checked

    def measure(self, seconds):
        return self._sample(self._round(seconds, 60 + 10 * seconds))

    def polling_thread(self):
        """None where it is no time that is measured: nothing disturbs a number of bytes."""
        if self.process is None or self.counter != "cycles":
            return None
        return self.process.pid, self.process.pid

    def stop(self):
        """The end of its input is the end of the process."""
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None
        if self.errors is not None:
            self.errors.close()
            self.errors = None

    def _round(self, seconds, timeout):
        """Google Benchmark's record of one run of the case."""
        try:
            self.process.stdin.write(f"{seconds:g}\n".encode())
            self.process.stdin.flush()
        except OSError:
            raise Failed(self._end()) from None
        report = self._report(timeout)
        try:
            runs = json.loads(report)["benchmarks"] if report.strip() else []
        except (ValueError, KeyError, TypeError):
            raise Failed(f"what {os.path.basename(self.path)} reports is not Google Benchmark's JSON") from None
        runs = [run for run in runs if run.get("run_type") == "iteration"]
        if len(runs) != 1:
            raise Failed(f"{os.path.basename(self.path)} has {len(runs) or 'no'} cases named {self.case}")
        if runs[0].get("error_occurred"):
            raise Failed(runs[0].get("error_message") or "the case gave up and does not say why")
        return runs[0]

    def _report(self, timeout):
        """What it writes until the end of the round."""
        deadline = time.monotonic() + timeout
        output = self.process.stdout.fileno()
        while END_OF_ROUND not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise Failed(f"{self.case} was not done after {timeout:.0f} s")
            read = os.read(output, 1 << 16)
            if not read:
                raise Failed(self._end())
            self.unread += read
        report, _, self.unread = self.unread.partition(END_OF_ROUND)
        return report

    def _end(self):
        """How it ended, and its last words."""
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{os.path.basename(self.path)} closed its output and did not end"
        how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        self.errors.seek(0)
        words = self.errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(words) if line.strip()), "")
        return f"{os.path.basename(self.path)} ended {how}" + (f": {last}" if last else "")

    def _sample(self, run):
        counters = {key: value for key, value in run.items() if key not in OWN_KEYS}
        if self.counter not in counters:
            raise Failed(f"{self.case} has no counter {self.counter}")
        unit = UNITS[run["time_unit"]]
        iterations = run["iterations"]
        items = iterations
        if "items_per_second" in run:  # of CPU time
            items = round(run["items_per_second"] * run["cpu_time"] * unit * iterations)
        value = counters.pop(self.counter)
        cycles = value if self.counter == "cycles" else counters.pop("cycles", 0)
        return Sample(packets=items, sent=items, drops={}, cycles=cycles * items,
                      seconds=run["real_time"] * unit * iterations, value=value, extra=counters)


# --- rows

_LOOKUPS_CHECKED = "262,144 addresses lead where a plain model says, and so do 1,024 all over the address space"
_UPDATES_CHECKED = f"{_LOOKUPS_CHECKED}; 64 routes are found when added and gone when removed"
_IPV4 = (("Weir", "weir"), ("rte_fib", "rte_fib"), ("rte_lpm", "rte_lpm"))
_IPV6 = (("Weir", "weir"), ("rte_fib6", "rte_fib6"), ("rte_lpm6", "rte_lpm6"))


def routes_rows(build):
    """[Row] Weir's route table beside DPDK's four; `build` is the build folder."""
    def contenders(family, what, count, counter, checked):
        tables = _IPV4 if family == 4 else _IPV6
        return [functools.partial(MicroContender, name, build, "routes", f"routes{family}_{what}/{table}/{count}",
                                  counter, checked) for name, table in tables]

    def lookups(row, title, family, count, note=""):
        return Row(row, title, "routes", contenders(family, "lookup", count, "cycles", _LOOKUPS_CHECKED),
                   unit="cycles/lookup", seconds=1.0, note=note)

    def updates(row, title, family):
        return Row(row, title, "routes", contenders(family, "update", 10_000, "cycles", _UPDATES_CHECKED),
                   unit="cycles/update", seconds=1.0,
                   note="One route added or removed.")

    def sizes(row, title, family, count, note=""):
        return Row(row, title, "routes", contenders(family, "lookup", count, "bytes_per_route", _LOOKUPS_CHECKED),
                   unit="bytes/route", rounds=1, seconds=0.05, note=note)

    return [
        lookups("routes-ipv4-10k", "10,000 IPv4 routes, lookups in bursts", 4, 10_000),
        lookups("routes-ipv4-1m", "1,000,000 IPv4 routes, lookups in bursts", 4, 1_000_000,
                "rte_lpm is filled for a minute or two before its first round: it walks all routes of a length for "
                "each that it takes."),
        lookups("routes-ipv6-250k", "250,000 IPv6 routes, lookups in bursts", 6, 250_000),
        updates("routes-ipv4-updates", "updates of 10,000 IPv4 routes", 4),
        updates("routes-ipv6-updates", "updates of 10,000 IPv6 routes", 6),
        sizes("routes-ipv4-memory", "memory of 10,000 IPv4 routes", 4, 10_000,
              "All that a table takes from the heap, with what DPDK's keep for updates; Weir's control plane keeps "
              "routes elsewhere as well."),
        sizes("routes-ipv6-memory", "memory of 250,000 IPv6 routes", 6, 250_000),
    ]


_TUNNELS = (("VXLAN", "vxlan"), ("GENEVE", "geneve"), ("GENEVE with IP", "geneve_ip"), ("GRE", "gre"),
            ("IP in IP", "ipip"), ("VXLAN over IPv6", "vxlan_v6"), ("GRE over IPv6", "gre_v6"),
            ("VLANs of a port", "native"))
_TRANSLATIONS = (("Weir, source NAT", "ipv4_translated"), ("Weir, no NAT", "ipv4"))


def way_rows(build):
    """[Row] What the feed does not make: other tunnels than VXLAN over IPv4, translated sessions, and packets that are
    handed over. On memory ports, whose rx and tx are included."""
    def case(name, which, checked):
        return functools.partial(MicroContender, name, build, "way", f"{which}/1024/manual_time", "cycles", checked)

    def nat(sessions):
        return [functools.partial(MicroContender, name, build, "way",
                                  f"vxlan_to_vxlan/{which}/sessions:{sessions}/iterations:2000/manual_time", "cycles",
                                  forwarded) for name, which in _TRANSLATIONS]

    forwarded = "each packet was forwarded, by the hub's counters; tests/packet judges the bytes"
    return [
        *(Row(f"nat-{word}", f"64 bytes, {word} sessions, both ways, with and without source NAT to a pool",
              "way of a packet", nat(count), seconds=1.0, subject="Weir, source NAT")
          for word, count in (("1k", 1_024), ("64k", 65_536))),
        Row("tunnels", "64 bytes, 1k sessions, the same tunnel on both sides, or VLANs of the port", "way of a packet",
            [case(f"Weir, {name}", f"tunnels/{which}", forwarded) for name, which in _TUNNELS], seconds=1.0,
            subject="Weir, VXLAN"),
        Row("handoff", "1k sessions, all received by one of two workers", "way of a packet",
            [case("Weir", "handoff", forwarded + "; half of them were handed over")], seconds=1.0,
            unit="cycles/handed-over packet",
            note="Both workers take turns on one core, so their costs are added and no line has to travel between "
                 "cores; less what one worker alone takes for the same packets."),
        Row("together", "1k sessions, two workers at a time, each on a core, beside one of them", "way of a packet",
            [functools.partial(MicroContender, "Weir", build, "way", "together/1024/manual_time", "ratio",
                               forwarded + "; half of them were handed over", cores=(HOUSE_CORE, WORKER_CORE))],
            unit="times one worker", higher_is_better=True, seconds=1.0,
            note="The same packets by one worker alone and by two at once, in turns in one process. `ratio at home`: where "
                 "none is handed over, which is what the machine gives."),
    ]
