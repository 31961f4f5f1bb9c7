"""The live row: iperf3 over TCP between two namespaces, with Weir over AF_XDP or the kernel as the hub in the middle.

It shows that real kernel peers get through at a plausible rate, and what offloads do to such a figure. It supports no
claim of speed: most of the work in it is the peers', and a kernel that may pass 64 KiB at a time as one packet does
other work than a hub that sees 1,500 bytes. Each contender says, by describe(), how every interface was set.

The topology is that of tests/system/lab, one for each contender, all of them there at the same time:

    a: iperf3 -c, vx0 over u0 --- switch: sw-a, sw-b, sw-hub in br0 --- hub: u0      b: as a, iperf3 -s

iperf3 and the hub's control thread are pinned to core 0, Weir's worker to core 1. Kernel work runs where its softirqs
are raised, which is nobody's choice unless packets are steered: receive packet steering sends what the switch gets
from the hub to core 0 and what the kernel's hub gets to core 1, so that the hub is on core 1 and its peers on core 0.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading
import time

from .contender import Contender, Failed, Missing, Sample
from .rows import Row

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests/system"))

from lab.hub import Binaries, Hub, HubConfig
from lab.netns import Lab, LabError, missing_abilities, remove_leftovers, run
from lab.topology import HUB_ADDRESS, INNER_MTU, Spoke, Topology
from lab.traffic import ping, tcp_connect

PREFIX = "weir-live"
HUB_CORE, PEER_CORE = 1, 0
IPERF_PORT, CHECK_PORT = 5201, 5202
CHECK_BYTES = 1 << 20
# What ethtool calls a setting -> what the record calls it.
OFFLOADS = {
    "rx-checksumming": "rx",
    "tx-checksumming": "tx",
    "scatter-gather": "sg",
    "tcp-segmentation-offload": "tso",
    "generic-segmentation-offload": "gso",
    "generic-receive-offload": "gro",
    "tx-udp_tnl-segmentation": "udp-tnl-seg",
    "tx-udp_tnl-csum-segmentation": "udp-tnl-csum-seg",
}
# What the kernel's contenders switch: as ethtool -K has it -> what the record calls it.
SWITCHED = {name: name for name in ("tx", "sg", "tso", "gso", "gro")} | {
    "tx-udp_tnl-segmentation": "udp-tnl-seg", "tx-udp_tnl-csum-segmentation": "udp-tnl-csum-seg"}
NOTE = ("supports no claim of speed: peers, switch and hub share two cores, and most of the work is the peers' "
        "kernel's; "
        "what each offload was set to is stated with each contender")

_numbers = itertools.count()


@contextlib.contextmanager
def _lab_errors_fail():
    """What goes wrong in the lab makes the contender fail, with the lab's sentence."""
    try:
        yield
    except (LabError, OSError) as error:
        raise Failed(" ".join(str(error).split())) from error


class LiveContender(Contender):
    """The topology, the traffic and the meters; what the hub is, a subclass says."""

    PING_SECONDS = 8  # in which the way from a to b has to be there
    offloads = None  # "on" or "off" for SWITCHED on every interface; None: as the lab has them, and the hub needs them

    def __init__(self):
        self._lab = self._topology = self._a = self._b = None
        self._described = []

    # --- what a subclass gives

    def start_hub(self):
        raise NotImplementedError

    def hub_devices(self):
        """Names of the hub's interfaces."""
        return ["u0"]

    def accounts(self):
        """(packets that were to be forwarded, packets that left, {drop reason: packets}), since the hub's start."""
        raise NotImplementedError

    def more_extra(self):
        """Counters of the hub whose growth in a round is worth keeping: name -> number."""
        return {}

    # --- life

    def start(self):
        if reason := missing_abilities():
            raise Missing(reason)
        remove_leftovers(PREFIX, "python")
        with _lab_errors_fail():
            self._lab = Lab(f"{PREFIX}{os.getpid()}-{next(_numbers)}")
            self._topology = Topology(self._lab)
            self._a = self._add_spoke("a", 1)
            self._b = self._add_spoke("b", 2)
            self._leave_netfilter_out()
            self.start_hub()
            self._set_offloads()
            self._steer()
            self._start_server()

    def _add_spoke(self, name, number):
        spoke = self._topology.add_spoke(Spoke(
            name=name, domain=name, vni=number * 10, underlay=f"198.18.0.{number * 10}",
            inner=[f"10.{number}.0.10/24"], gateway=[f"10.{number}.0.1/24"]))
        # Router solicitations would be counted among the packets that the hub takes.
        spoke.namespace.sysctl("net.ipv6.conf.vx0.disable_ipv6", 1)
        return spoke

    def interfaces(self):
        """[(name for the record, namespace, device)], along the way."""
        found = [(f"{spoke.name}.{device}", spoke.namespace, device)
                 for spoke in (self._a, self._b) for device in ("vx0", "u0")]
        found += [(f"switch.{device}", self._topology.switch, device) for device in ("sw-a", "sw-b", "sw-hub")]
        return found + [(f"hub.{device}", self._topology.hub, device) for device in self.hub_devices()]

    def _leave_netfilter_out(self):
        """The bridge stands for a switch, which does not offer each packet to iptables."""
        for table in ("iptables", "ip6tables", "arptables"):
            with contextlib.suppress(FileNotFoundError):  # no br_netfilter here
                self._topology.switch.sysctl(f"net.bridge.bridge-nf-call-{table}", 0)

    def _set_offloads(self):
        if self.offloads is None:
            return
        for name, namespace, device in self.interfaces():
            words = [word for feature in SWITCHED for word in (feature, self.offloads)]
            namespace.run("ethtool", "-K", device, *words, check=False)  # fails for what is fixed, and does the rest
            wrong = [feature for feature, value in read_offloads(namespace, device).items()
                     if feature in SWITCHED.values() and value not in (self.offloads, "off [fixed]")]
            if wrong:
                raise Failed(f"{name}: {', '.join(wrong)} cannot be set to {self.offloads}")

    def _steer(self):
        """The hub's work to HUB_CORE, the others' to PEER_CORE, as far as the kernel lets itself be told."""
        for namespace, device, core in self.steering():
            path = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
            namespace.run("sh", "-c", f"echo {1 << core:x} > {path}")  # `ip netns exec` shows that namespace's /sys

    def steering(self):
        """[(namespace, device, core where the stack goes on with what the device receives)]"""
        return [(self._topology.switch, "sw-hub", PEER_CORE)]

    def _start_server(self):
        server = self._b.namespace.start("taskset", "-c", PEER_CORE, "iperf3", "-s", "-B", self._b.address,
                                         "-p", IPERF_PORT)
        deadline = time.monotonic() + 5
        while not listens(self._b.namespace, IPERF_PORT):
            if not server.running() or time.monotonic() > deadline:
                raise Failed(f"iperf3 -s does not listen: {server.tail(3)}")
            time.sleep(0.02)

    def stop(self):
        if self._lab:
            self._lab.close()
            self._lab = None

    # --- proof

    def verify(self):
        with _lab_errors_fail():
            self._wait_for_answer()
            before, taken = read_device(self._topology.hub, "u0"), self.accounts()
            self._transfer()
            after, account = self._settled()
            grown = {key: after[key] - before[key] for key in after}
            if min(grown["rx_bytes"], grown["tx_bytes"]) < CHECK_BYTES:
                raise Failed(f"the transfer did not go through the hub: its u0 took {grown['rx_bytes']} bytes "
                             f"and sent {grown['tx_bytes']}")
            forwarded = account[1] - taken[1]
            if forwarded <= 0:
                raise Failed("the hub's own counters did not move")
            self._described = self._read_settings()
        return (f"a ping with one hop between, {CHECK_BYTES >> 20} MiB over TCP with the same SHA-256, "
                f"{forwarded} packets forwarded for it by the hub's count; {'; '.join(self._described)}")

    def _wait_for_answer(self):
        """Until a ping is answered, with a TTL that tells of exactly one router on the way back."""
        deadline = time.monotonic() + self.PING_SECONDS
        while True:
            answered, said = ping(self._a.namespace, self._b.address, count=1, wait=1)
            if answered:
                break
            if time.monotonic() > deadline:
                raise Failed(f"no ping gets from a to b: {' '.join(said.split())}")
        ttl = re.search(r"ttl=(\d+)", said)
        if not ttl or ttl.group(1) != "63":
            raise Failed(f"the ping did not pass one router: {' '.join(said.split())}")

    def _transfer(self):
        """Random bytes from a to b; b answers with their SHA-256. Raises Failed."""
        data = os.urandom(CHECK_BYTES)
        with self._b.namespace.socket() as listener:
            listener.settimeout(5)
            listener.bind((self._b.address, CHECK_PORT))
            listener.listen()
            server = threading.Thread(target=answer_with_digest, args=(listener,), daemon=True)
            server.start()
            try:
                with tcp_connect(self._a.namespace, self._b.address, CHECK_PORT, timeout=5) as client:
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                    digest = client.makefile("rb").read()
            except OSError as error:
                raise Failed(f"a transfer of {CHECK_BYTES} bytes over TCP: {error}") from error
            server.join(5)
        if digest != hashlib.sha256(data).digest():
            raise Failed(f"{CHECK_BYTES} bytes over TCP did not arrive as they were sent")

    def describe(self):
        """How everything was set while it was verified, in lines of text; empty before."""
        return list(self._described)

    def _read_settings(self):
        groups = {}  # what is set -> interfaces that have it so
        for name, namespace, device in self.interfaces():
            values = read_offloads(namespace, device)
            text = ", ".join(f"{feature} {value}" for feature, value in values.items())
            groups.setdefault(text, []).append(name)
        lines = [f"{' '.join(names)}: {text}" for text, names in groups.items()]
        for namespace, device, core in self.steering():
            lines.append(f"{namespace.short_name}.{device} steers what it receives to core {core}")
        link = json.loads(run("ip", "-n", self._topology.hub.name, "-j", "link", "show", "u0").stdout)[0]
        xdp = {1: "native", 2: "generic"}.get(link.get("xdp", {}).get("mode"), "no")
        return lines + [f"hub.u0 has {xdp} XDP, MTU {link['mtu']}"]

    # --- measuring

    def _settled(self):
        """Device counters and accounts when no packet moves any more: both read twice, and alike."""
        deadline = time.monotonic() + 3
        last = None
        while True:
            now = read_device(self._topology.hub, "u0"), self.accounts()
            if now == last or time.monotonic() > deadline:
                return now
            last = now
            time.sleep(0.03)

    def measure(self, seconds):
        with _lab_errors_fail():
            device, account = self._settled()
            extra, cores, begin = self.more_extra(), core_times(), time.monotonic()
            report = self._run_iperf(max(1, round(seconds)))
            elapsed, cores_after = time.monotonic() - begin, core_times()
            device_after, account_after = self._settled()
            extra = {name: value - extra[name] for name, value in self.more_extra().items()}
        received = report["end"]["sum_received"]
        packets = device_after["rx_packets"] - device["rx_packets"]
        if packets <= 0:
            raise Failed("iperf3 got through, but not by way of the hub's u0")
        extra["retransmits"] = report["end"]["sum_sent"]["retransmits"]
        extra["packets_per_second"] = packets / received["seconds"]
        extra["bytes_per_packet"] = (device_after["rx_bytes"] - device["rx_bytes"]) / packets
        for core, name in ((HUB_CORE, "hub_core"), (PEER_CORE, "peer_core")):
            busy, softirq = core_shares(cores[core], cores_after[core])
            extra[f"{name}_busy"], extra[f"{name}_softirq"] = busy, softirq
        drops = {reason: count - account[2].get(reason, 0) for reason, count in account_after[2].items()}
        return Sample(packets=account_after[0] - account[0], sent=account_after[1] - account[1],
                      drops={reason: count for reason, count in drops.items() if count},
                      cycles=elapsed * core_hertz(HUB_CORE), seconds=elapsed,
                      value=received["bits_per_second"] / 1e9, extra=extra)

    def _run_iperf(self, seconds):
        done = self._a.namespace.run("taskset", "-c", PEER_CORE, "iperf3", "-c", self._b.address, "-p", IPERF_PORT,
                                     "-t", seconds, "-J", check=False, timeout=seconds + 15)
        try:
            report = json.loads(done.stdout)
        except ValueError as error:
            raise Failed(f"iperf3 said no JSON: {(done.stdout + done.stderr).strip()[:200]}") from error
        if "error" in report:
            raise Failed(f"iperf3: {report['error']}")
        return report


class WeirLive(LiveContender):
    """The hub's worker polls; the lab turns tx checksum offload off at its peers, since a veth finishes no checksum
    (a NIC would) and the hub gets packets as they are."""

    name = "Weir, AF_XDP"

    def __init__(self, build=None):
        super().__init__()
        self._build = build or os.environ.get("WEIR_BUILD") or os.path.join(ROOT, "build/release")
        self._hub = None
        self._worker = None

    def start(self):
        self._binaries = Binaries(self._build)
        for path in (self._binaries.weir, self._binaries.weirctl):
            if not os.access(path, os.X_OK):
                raise Missing(f"{os.path.relpath(path, ROOT)} is not built")
        super().start()

    def start_hub(self):
        config = HubConfig(self._lab.folder, cores=(HUB_CORE,))
        config.sections["control"]["core"] = PEER_CORE
        config.sections["events"]["eve"] = ""
        for spoke in (self._a, self._b):
            config.attach(spoke)
        config.connect(self._a.domain, self._b.domain)
        config.rule("all", "allow")
        self._hub = Hub(self._lab, self._topology.hub, self._binaries, config)
        self._hub.start()
        self._hub.wait_ready_tunnels()
        self._worker = worker_thread(self._hub.process.pid, HUB_CORE)

    def polling_thread(self):
        return self._hub.process.pid, self._worker

    def _counters(self):
        return self._hub.ctl_json("status")["workers"][0]

    def accounts(self):
        """What came in and was not kept for another use has to leave or be dropped."""
        c = {name: count for name, count in self._counters().items() if isinstance(count, int)}
        taken = sum(c.get(name, 0) for name in ("rx", "taken_over", "resumed", "generated"))
        taken -= sum(c.get(name, 0) for name in ("punted", "handed_over", "consumed"))
        return taken, c["tx"], self._hub.drops()

    def more_extra(self):
        counters = self._counters()
        return {name: counters[name] for name in ("turns", "idle_turns", "bursts")}

    def pause(self):
        self._hub.process.signal(signal.SIGSTOP)

    def resume(self):
        self._hub.process.signal(signal.SIGCONT)
        with _lab_errors_fail():
            self._wait_for_answer()

    def stop(self):
        if self._hub and self._hub.process:
            with contextlib.suppress(LabError):  # what does not end in order is killed with the lab
                self._hub.process.signal(signal.SIGCONT)
                self._hub.stop()
        super().stop()


class KernelLive(LiveContender):
    """The kernel forwards between two VXLAN devices in the hub's namespace."""

    LATE = ("OutDiscards",)  # counted when the packet is among the forwarded already

    def hub_devices(self):
        return ["u0", "vx-a", "vx-b"]

    def start_hub(self):
        for spoke in (self._a, self._b):
            self._topology.hub.ip(
                f"link add vx-{spoke.name} mtu {INNER_MTU} type vxlan id {spoke.vni} remote {spoke.underlay} "
                f"local {HUB_ADDRESS} dstport {spoke.port} dev u0")
            self._topology.hub.sysctl(f"net.ipv6.conf.vx-{spoke.name}.disable_ipv6", 1)
            self._topology.hub.ip(f"addr add {spoke.gateway[0]} dev vx-{spoke.name}", f"link set vx-{spoke.name} up")
        self._topology.hub.sysctl("net.ipv4.ip_forward", 1)

    def steering(self):
        return [(self._topology.hub, "u0", HUB_CORE)] + super().steering()

    def accounts(self):
        """By the namespace's IP counters: what was received and not delivered (as the outer packets are) is forwarded
        or dropped. Counted behind GRO, so that packets that were merged are one on both sides."""
        ip = read_ip_counters(self._topology.hub)
        late = {reason: ip[reason] for reason in self.LATE}
        for device in self.hub_devices():
            late[f"{device} tx_dropped"] = read_device(self._topology.hub, device)["tx_dropped"]
        drops = late | {reason: ip[reason] for reason in ("InHdrErrors", "InAddrErrors", "InDiscards", "OutNoRoutes")}
        return ip["InReceives"] - ip["InDelivers"], ip["ForwDatagrams"] - sum(late.values()), drops


class KernelOffloadsOn(KernelLive):
    name = "kernel, offloads on"
    offloads = "on"


class KernelOffloadsOff(KernelLive):
    name = "kernel, offloads off"
    offloads = "off"


def live_row(build=None):
    """No contender of it is the subject of ratios, since it supports no claim."""
    return Row(id="live", title="iperf3, one TCP stream between namespaces", group="live",
               contenders=[functools.partial(WeirLive, build), KernelOffloadsOn, KernelOffloadsOff], unit="Gbit/s",
               higher_is_better=True, note=NOTE, subject="(nobody)")


# --- reading


def listens(namespace, port):
    """Whether some IPv4 TCP socket of the namespace listens on a port."""
    with namespace.entered(), open("/proc/thread-self/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def answer_with_digest(listener):
    """Takes one connection, reads it to its end and answers with the SHA-256 of what came."""
    with contextlib.suppress(OSError):  # the other side tells what is missing
        client, _ = listener.accept()
        with client:
            client.settimeout(5)
            digest = hashlib.sha256()
            while data := client.recv(65536):
                digest.update(data)
            client.sendall(digest.digest())


def read_offloads(namespace, device):
    """{name as in OFFLOADS: "on", "off", with " [fixed]" where it cannot be changed}"""
    said = dict(line.strip().split(": ", 1) for line in namespace.run("ethtool", "-k", device).stdout.splitlines()
                if ": " in line)
    return {short: said[feature] for feature, short in OFFLOADS.items() if feature in said}


def read_device(namespace, device):
    """Counters of an interface."""
    with namespace.entered(), open("/proc/thread-self/net/dev") as table:
        for line in table:
            name, _, numbers = line.partition(":")
            if name.strip() == device:
                n = [int(number) for number in numbers.split()]
                return {"rx_bytes": n[0], "rx_packets": n[1], "tx_bytes": n[8], "tx_packets": n[9], "tx_dropped": n[11]}
    raise LabError(f"{namespace.name} has no {device}")


def read_ip_counters(namespace):
    """The namespace's IPv4 counters, by their names in /proc/net/snmp."""
    with namespace.entered(), open("/proc/thread-self/net/snmp") as table:
        names, numbers = [line.split()[1:] for line in table if line.startswith("Ip:")]
    return dict(zip(names, map(int, numbers)))


def worker_thread(pid, core):
    """The tid of the DPDK worker on a core; Failed if there is none."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm") as comm:
            if comm.read().strip() == f"rte-worker-{core}":
                return int(tid)
    raise Failed(f"process {pid} has no worker on core {core}")


def core_times():
    """core -> ticks by kind, in the order of /proc/stat."""
    with open("/proc/stat") as stat:
        rows = [line.split() for line in stat if re.match(r"cpu\d", line)]
    return {int(row[0][3:]): [int(ticks) for ticks in row[1:9]] for row in rows}


def core_shares(before, after):
    """Of the time between two readings: what the core was busy with anything, and what with softirqs."""
    spent = [late - early for early, late in zip(before, after)]
    total = sum(spent) or 1
    return 1 - (spent[3] + spent[4]) / total, spent[6] / total


def core_hertz(core):
    with open("/proc/cpuinfo") as info:
        clocks = [float(line.split(":")[1]) for line in info if line.startswith("cpu MHz")]
    return clocks[core] * 1e6
