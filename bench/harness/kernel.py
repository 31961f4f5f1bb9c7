"""The Linux kernel as a contender: VXLAN to VXLAN on one core, with or without nftables and conntrack.

It is fed by weir_kernel_feed (pktgen-scripts/kernel): live frames of bpf_prog_test_run, in batches of 64, enter the
stack as if a driver with a page pool had received them. Left out, in the kernel's favour: the NIC's ring, its
interrupt, and at the other end its transmission (see kernel_hub.py). The limit is the same feed with XDP_DROP.
"""

import json
import os
import select
import shutil
import subprocess
import time

from . import judge
from .contender import Contender, Failed, Missing, Sample, moved
from .dpdk import JUDGED_PACKETS, PREFIX, WORKER_CORE, passes_to_verify
from .kernel_hub import INGRESS, ROOT, Capture, ConntrackTable, KernelHub
from .plan import Plan

from lab.netns import Lab, LabError

STATELESS, CONNTRACK, SESSIONS = "stateless", "conntrack", "sessions"
WARM_SECONDS = 0.3  # of every turn, before anything counts
PATIENCE = 60  # seconds that one run may take beyond what it was asked for
LONG_TIMEOUT, SHORT_TIMEOUT = 3600, 1  # seconds, of conntrack
# A session is gone when its time is over and its chain is next walked. The table's size is the kernel's own choice for
# this machine; the entries that it allows are more, since early eviction is not expiry.
CHURN_ENTRIES = 1 << 20
STEADY_SHARE = 0.05  # by which creation and expiry may differ
STEADY_TRIES = 10  # runs; some seconds go by until the table is as full as it gets


class Runner:
    """weir_kernel_feed, told by lines what to do. It ends when this end of its pipe is gone."""

    def __init__(self, lab, namespace, plan, build, core):
        binary = os.path.join(build, "pktgen-scripts/kernel/weir_kernel_feed")
        if not os.path.exists(binary):
            raise Missing(f"the kernel's feed is not built ({os.path.relpath(binary, ROOT)}); `make build` builds it")
        path = lab.path("plan")
        plan.save(path)
        self._errors_path = lab.path("kernel-feed.log")
        with open(self._errors_path, "wb") as errors:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", namespace.name, binary, "--plan", path, "--ifindex-name", INGRESS,
                 "--core", str(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0)
        self.pid = self._process.pid
        self._begun = b""
        try:
            self._answer("start", PATIENCE)
        except Failed:
            self.close()
            raise

    def ask(self, line, timeout):
        """Its answer as a dictionary. Raises Failed."""
        try:
            self._process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise Failed(self._last_words()) from None
        return self._answer(line, timeout)

    def _answer(self, line, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self._begun:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Failed(f"the kernel's feed has not done '{line}' after {timeout:.0f} s")
            data = self._process.stdout.read(1 << 16)
            if not data:
                raise Failed(self._last_words())
            self._begun += data
        answer, _, self._begun = self._begun.partition(b"\n")
        answer = json.loads(answer)
        if "error" in answer:
            raise Failed(f"the kernel's feed: {answer['error']}")
        return answer

    def run_seconds(self, seconds, drop=False):
        return self.ask(f"{'drop' if drop else 'run'} {seconds}", seconds + PATIENCE)

    def run_packets(self, packets):
        return self.ask(f"run-packets {packets}", PATIENCE)

    def _last_words(self):
        self._process.wait(2)
        with open(self._errors_path, encoding="utf-8", errors="replace") as file:
            said = " ".join(file.read().split())
        return said.removeprefix("weir_kernel_feed: ") or f"the kernel's feed ended with {self._process.returncode}"

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class KernelContender(Contender):
    """`kind`: STATELESS, routes alone; CONNTRACK, sessions that last; SESSIONS, sessions that end after a second of
    rest, so that as many expire as are created, and which the sample's value counts per second (give it traffic with
    life=1)."""

    def __init__(self, name, traffic, build, kind=STATELESS, core=WORKER_CORE):
        self.name, self.traffic, self.build, self.kind, self.core = name, traffic, build, kind, core
        self.lab = self.hub = self.runner = self.plan = None
        self._table = None

    # --- the protocol

    def start(self):
        stateful = self.kind != STATELESS
        if os.geteuid() != 0:
            raise Missing("network namespaces need root")
        for tool in ("ip", "ethtool", *(("nft",) if stateful else ())):
            if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                raise Missing(f"{tool} is not installed; scripts/install-deps installs it")
        self.plan = Plan(self.traffic)
        try:
            self.lab = Lab(f"{PREFIX}{os.getpid()}-{id(self):x}")
            self.hub = KernelHub(self.lab, stateful)
            if self.kind == CONNTRACK:
                # As many buckets as entries, as the kernel's own default has it.
                self._table = ConntrackTable(self.plan.sessions * 5 // 4, buckets=self.plan.sessions)
                self.hub.set_timeouts(LONG_TIMEOUT)
            elif self.kind == SESSIONS:
                self._table = ConntrackTable(CHURN_ENTRIES)
                self.hub.set_timeouts(LONG_TIMEOUT)  # until it is verified, which may take its time
            self.runner = Runner(self.lab, self.hub.under, self.plan, self.build, self.core)
        except LabError as error:
            raise Failed(str(error)) from error

    def verify(self):
        packets = self.plan.packets_of_passes(passes_to_verify(self.plan))
        uncaptured = max(0, packets - JUDGED_PACKETS)
        if uncaptured:
            self._run_and_settle(uncaptured)
        path = self.capture(packets - uncaptured)
        said = judge.judge_capture(path, self.plan, judge.ROUTER, uncaptured, packets - uncaptured)
        os.unlink(path)
        if self.kind == SESSIONS:
            self.hub.forget_sessions()
            self.hub.set_timeouts(SHORT_TIMEOUT)
        return f"{packets} packets sent; " + ("of the last of them " if uncaptured else "") + said

    def capture(self, packets):
        """Runs so many packets of the plan and returns the path of the capture of what came out."""
        path = self.lab.path("sent.pcap")
        capture = self.hub.capture(path)
        try:
            for begin in range(0, packets, Capture.BURST):
                count = min(Capture.BURST, packets - begin)
                self._run_and_settle(count)
                capture.read(begin + count)
            if capture.packets != packets:
                raise Failed(f"{packets} packets came out, and {capture.packets} of them could be captured")
        finally:
            capture.close()
        return path

    def _run_and_settle(self, packets):
        sent, drops = self.hub.sent, self.hub.drops()
        self.runner.run_packets(packets)
        if (out := self._settled(sent, drops, packets)) != packets:
            dropped = moved(drops, self.hub.drops())
            raise Failed(f"{packets - out} of {packets} packets did not come out; the kernel's drop counters: "
                         f"{dropped or 'none moved'}")

    def _settled(self, sent, drops, packets):
        """Packets that came out since `sent` was read, when all are counted or half a second has passed."""
        end = time.monotonic() + 0.5
        while True:
            out = self.hub.sent - sent
            if out + sum(moved(drops, self.hub.drops()).values()) >= packets or time.monotonic() > end:
                return out
            time.sleep(0.01)

    def measure(self, seconds):
        """Of SESSIONS: the first run in which as many sessions ended as were created."""
        self.runner.run_seconds(WARM_SECONDS)
        for _ in range(STEADY_TRIES if self.kind == SESSIONS else 1):
            sample, grown = self._run(seconds)
            if self.kind != SESSIONS or abs(grown) <= STEADY_SHARE * sample.extra["created"]:
                return sample
        raise Failed(f"creation and expiry did not come within {100 * STEADY_SHARE:.0f} % of each other: in the last "
                     f"{sample.seconds:.1f} s {sample.extra['created']} sessions were created, and the table of "
                     f"{sample.extra['sessions in the table']} changed by {grown}")

    def _run(self, seconds):
        """(sample, by how many sessions the table has grown)"""
        sent, drops, before = self.hub.sent, self.hub.drops(), self._sessions()
        report = self.runner.run_seconds(seconds)
        after = self._sessions()  # before anything waits, and sessions end meanwhile
        out = self._settled(sent, drops, report["packets"])
        sample = Sample(packets=report["packets"], sent=out, drops=moved(drops, self.hub.drops()),
                        cycles=report["cycles"], seconds=report["seconds"],
                        extra={"Mpps": report["packets"] / report["seconds"] / 1e6})
        created, grown = after[0] - before[0], after[1] - before[1]
        if self.kind != STATELESS:
            sample.extra["sessions in the table"] = after[1]
        if self.kind == SESSIONS:
            sample.value = created / sample.seconds
            sample.extra |= {"created": created, "expired": created - grown,
                             "cycles per session": sample.cycles / max(1, created)}
        return sample, grown

    def _sessions(self):
        """(created since the start, in the table now)"""
        if self.kind == STATELESS:
            return 0, 0
        return self.hub.nft_counters()["created"], self.hub.conntrack_entries()

    def pause(self):
        if self.kind == SESSIONS:
            self.hub.forget_sessions()

    def polling_thread(self):
        """None: much of the kernel's work is done by ksoftirqd on the same core, and each change between that and the
        runner counts as an involuntary switch, some 30 a second."""
        return None

    def stop(self):
        for part in (self.runner, self.lab, self._table):
            if part is not None:
                try:
                    part.close()
                except (OSError, LabError):
                    pass  # the namespaces are taken by their names, and the others must go as well
        self.lab = self.hub = self.runner = self._table = None


class KernelLimit(KernelContender):
    """The feed alone: each packet is dropped as soon as it is made."""

    def __init__(self, name, traffic, build, core=WORKER_CORE):
        super().__init__(name, traffic, build, STATELESS, core)

    def verify(self):
        return "nothing is sent: each packet is made and dropped"

    def measure(self, seconds):
        self.runner.run_seconds(WARM_SECONDS, drop=True)
        report = self.runner.run_seconds(seconds, drop=True)
        return Sample(packets=report["packets"], sent=0, drops={"XDP_DROP": report["packets"]},
                      cycles=report["cycles"], seconds=report["seconds"],
                      extra={"Mpps": report["packets"] / report["seconds"] / 1e6})
