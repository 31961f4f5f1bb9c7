"""The machine that a run is made on: its facts for the record, and what disturbed a round.

Everything is read through Sources, so that tests put other files and clocks in their place.
"""

import contextlib
import dataclasses
import glob
import os
import re
import subprocess
import time
from collections.abc import Callable

WORKER_CORE = 1  # what is measured runs there; core 0 keeps house
FLAGS = ("aes", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vbmi", "avx512_vpopcntdq", "bmi2", "constant_tsc",
         "hypervisor", "ibpb", "nonstop_tsc", "pclmulqdq", "popcnt", "rdtscp", "sse4_2", "vpclmulqdq")

# /proc/stat counts in ticks of 10 ms. One tick may be what was left of an earlier moment, so in a round of a second it
# means nothing; two are 2 %, which is more than a contender may differ by and less than is called noisy.
HOUSE_CORE = 0
STEAL_SHARE = 0.01
SWITCHES_PER_SECOND = 20
DRIFT_SHARE = 0.001
CLOCK_READ_SECONDS = 50e-6  # two clocks cannot be read at the same moment; what they differ by below this says nothing


def _output(*command):
    """What a command prints; empty if it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where facts come from."""
    proc: str = "/proc"
    sys: str = "/sys"
    monotonic: Callable[[], float] = time.monotonic  # seconds; slewed by NTP
    raw: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_MONOTONIC_RAW)  # seconds; not slewed
    ticks_per_second: int = os.sysconf("SC_CLK_TCK")
    output: Callable[..., str] = _output


def _read(path):
    """The text of a file of the kernel's, stripped; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def keeping_house():
    """The caller, and what it starts meanwhile, stays off the worker's core. What a contender starts before may have
    all cores."""
    before = os.sched_getaffinity(0)
    if {HOUSE_CORE, WORKER_CORE} <= before:
        os.sched_setaffinity(0, {HOUSE_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- facts


def cpu(sources=Sources()):
    text = _read(f"{sources.proc}/cpuinfo")
    values = dict(re.findall(r"^([^\t:]+?)\s*: (.*)$", text.split("\n\n")[0], re.MULTILINE))
    flags = values.get("flags", "").split()
    return {
        "model": values.get("model name", "unknown"),
        "stepping": "/".join(values.get(key, "?") for key in ("cpu family", "model", "stepping")),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": len(re.findall(r"^processor\s*:", text, re.MULTILINE)),
        "caches": caches(sources),
        "governor": _read(f"{sources.sys}/devices/system/cpu/cpu{WORKER_CORE}/cpufreq/scaling_governor") or None,
        "isolated": _read(f"{sources.sys}/devices/system/cpu/isolated") or None,
    }


def caches(sources=Sources()):
    """Of the worker's core: {"L1 data": "32K", ...}"""
    found = {}
    for folder in sorted(glob.glob(f"{sources.sys}/devices/system/cpu/cpu{WORKER_CORE}/cache/index*")):
        kind = _read(f"{folder}/type").lower()
        level = _read(f"{folder}/level")
        found[f"L{level}" if kind == "unified" else f"L{level} {kind}"] = _read(f"{folder}/size")
    return found


def memory(sources=Sources()):
    values = dict(re.findall(r"^(\w+):\s+(\d+)", _read(f"{sources.proc}/meminfo"), re.MULTILINE))
    return {
        "mib": int(values.get("MemTotal", 0)) // 1024,
        "hugepages": int(values.get("HugePages_Total", 0)),
        "hugepage_kib": int(values.get("Hugepagesize", 0)),
        "transparent_hugepages": _chosen(_read(f"{sources.sys}/kernel/mm/transparent_hugepage/enabled")),
    }


def _chosen(text):
    """The word in brackets of "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]", text)
    return found.group(1) if found else None


def hypervisor(sources=Sources()):
    """Its name as far as it can be told; None on bare metal."""
    if "hypervisor" not in cpu(sources)["flags"]:
        return None
    return (sources.output("systemd-detect-virt", "--vm").strip() or _read(f"{sources.sys}/hypervisor/type")
            or _read(f"{sources.sys}/class/dmi/id/sys_vendor") or "unknown")


def packages(names, sources=Sources()):
    """Debian package -> version, None for those that are not installed."""
    versions = {name: None for name in names}
    for name in names:  # one by one: dpkg-query fails as a whole if it does not know one
        said = sources.output("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name)
        status, _, version = said.partition(" ")
        if status == "installed":
            versions[name] = version.strip()
    return versions


def commit(root, sources=Sources()):
    """(12 digits or "unknown", whether the tree has changes that the commit does not have)"""
    digits = sources.output("git", "-C", root, "rev-parse", "--short=12", "HEAD").strip()
    if not digits:
        return "unknown", False
    return digits, bool(sources.output("git", "-C", root, "status", "--porcelain").strip())


def facts(package_names=(), sources=Sources()):
    """For Run.machine."""
    return {
        "cpu": cpu(sources),
        "memory": memory(sources),
        "kernel": _read(f"{sources.proc}/sys/kernel/osrelease") or "unknown",
        "kernel_build": _read(f"{sources.proc}/sys/kernel/version"),
        "clocksource": _read(f"{sources.sys}/devices/system/clocksource/clocksource0/current_clocksource") or None,
        "hypervisor": hypervisor(sources),
        "packages": packages(package_names, sources),
    }


# --- disturbance of one round


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the meters show at one moment."""
    monotonic: float  # seconds
    raw: float  # seconds
    steal: int  # ticks of the worker's core
    switches: int | None  # involuntary ones of the polling thread; None without one, or if it cannot be read
    thread: tuple | None  # (pid, tid)


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """Between two readings."""
    steal_share: float  # of the time
    switches_per_second: float | None  # None: there is no thread to be switched
    drift_share: float  # by how much the clocks are apart, the worst of those that there are
    causes: tuple  # for which the round is discarded; empty if it is good

    def as_dict(self):
        return {"steal_share": self.steal_share, "switches_per_second": self.switches_per_second,
                "drift_share": self.drift_share}


def steal_ticks(core, sources=Sources()):
    """Raises ValueError if the machine has no such core."""
    found = re.search(rf"^cpu{core} (.*)$", _read(f"{sources.proc}/stat"), re.MULTILINE)
    if not found:
        raise ValueError(f"this machine has no core {core}; the bench needs one to keep house and one to measure")
    return int(found.group(1).split()[7])


def involuntary_switches(thread, sources=Sources()):
    """Of (pid, tid); None if it is gone."""
    pid, tid = thread
    found = re.search(r"^nonvoluntary_ctxt_switches:\s*(\d+)", _read(f"{sources.proc}/{pid}/task/{tid}/status"),
                      re.MULTILINE)
    return int(found.group(1)) if found else None


def both_clocks(sources=Sources()):
    """(monotonic, raw) of the same moment: we may be switched away between the two, so the closest of a few tries."""
    best = None
    for _ in range(5):
        before, raw, after = sources.monotonic(), sources.raw(), sources.monotonic()
        if best is None or after - before < best[0]:
            best = after - before, (before + after) / 2, raw
        if best[0] < 20e-6:
            break
    return best[1], best[2]


class Meter:
    """Reads what may disturb a round, before and after it."""

    def __init__(self, core=WORKER_CORE, sources=Sources()):
        """Raises ValueError if the machine has no such core."""
        self.core = core
        self.sources = sources
        steal_ticks(core, sources)

    def read(self, thread):
        """`thread`: (pid, tid) of the polling thread, or None."""
        monotonic, raw = both_clocks(self.sources)
        switches = None if thread is None else involuntary_switches(thread, self.sources)
        return Reading(monotonic, raw, steal_ticks(self.core, self.sources), switches, thread)

    def judge(self, before, after, sample):
        """`sample.extra["tsc_seconds"]`, if there, is what the time-stamp counter made of `sample.seconds`."""
        seconds = after.monotonic - before.monotonic
        steal = (after.steal - before.steal) / self.sources.ticks_per_second / seconds
        apart = abs(after.raw - before.raw - seconds)
        drift = max(apart - CLOCK_READ_SECONDS, 0) / seconds
        if "tsc_seconds" in sample.extra:
            drift = max(drift, abs(sample.extra["tsc_seconds"] / sample.seconds - 1))
        causes = [cause for cause, disturbed in (("steal", steal > STEAL_SHARE), ("drift", drift > DRIFT_SHARE))
                  if disturbed]
        rate = None
        if before.thread is not None:
            if before.switches is None or after.switches is None:
                causes.append("unreadable")
            else:
                rate = (after.switches - before.switches) / seconds
                if rate > SWITCHES_PER_SECOND:
                    causes.append("switches")
        return Disturbance(steal, rate, drift, tuple(causes))
