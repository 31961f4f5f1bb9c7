"""The Linux kernel as the hub between the two networks of plan.py: namespaces, tunnels, counters, capture.

    under: in0, where packets seem to arrive; sink, where they leave; the tunnels' sockets
    over:  vx-a and vx-b, the tunnels' inner ends, with the routes between them and, if asked for, nftables

Two namespaces, because conntrack in one would also see each outer packet, twice, even as one that it need not track:
that costs the kernel some 1,100 cycles a packet (measured, 7,140 beside 6,000), and who sets up a router well avoids
it. Without conntrack both ways cost the same.

The sink is a device that counts a packet and frees it in the same call, without a queue, an interrupt or a second
device: dummy where the kernel has it, else ifb, which does the same with all that nobody redirected to it (it counts
them as received and dropped). It costs a free of the packet, which a NIC's driver would do as well on completion; a
doorbell, a DMA mapping and a completion interrupt are left out, in the kernel's favour.
"""

import json
import os
import re
import socket
import struct
import sys
import time

from . import plan as plans
from .contender import Failed, Missing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests/system"))

from lab.netns import LabError

INGRESS, SINK = "in0", "sink"
OUTER_MTU, INNER_MTU = 2000, 1500  # of the underlay, so that no inner packet is too long
SINK_KINDS = (("dummy", "transmitted"), ("ifb", "received"))  # kind of device, under what it counts
NETLINK_NETFILTER, NLM_F_REQUEST, NLM_F_ACK = 12, 1, 4
NFNL_CT_DELETE = 1 << 8 | 2  # of ctnetlink; of no entry in particular: of all
TUNNELS = (("vx-a", plans.A), ("vx-b", plans.B))
# What the kernel counts of packets that it threw away: group of /proc/net/snmp, netstat and snmp6 -> names.
LOST = {
    "Ip": ("InHdrErrors", "InAddrErrors", "InUnknownProtos", "InDiscards", "OutDiscards", "OutNoRoutes", "ReasmFails",
           "FragFails"),
    "IpExt": ("InNoRoutes", "InTruncatedPkts"),
    "Ip6": ("InHdrErrors", "InTooBigErrors", "InNoRoutes", "InAddrErrors", "InUnknownProtos", "InTruncatedPkts",
            "InDiscards", "OutDiscards", "OutNoRoutes", "ReasmFails", "FragFails"),
    "Udp": ("NoPorts", "InErrors"),
}
RULES = """
table inet bench {
  counter refused {}
  counter invalid {}
  counter created {}
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct state invalid counter name invalid drop
    iifname "vx-a" ct state new counter name created accept
    counter name refused drop
  }
}
"""


def _reading(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class KernelHub:
    """Builds the namespaces in `lab`. Raises Missing, Failed or LabError."""

    def __init__(self, lab, stateful):
        self.stateful = stateful
        self.under, self.over = lab.namespace("under"), lab.namespace("over")
        for namespace in (self.under, self.over):
            for family, key in (("ipv4", "rp_filter"), ("ipv6", "accept_dad")):
                for which in ("all", "default"):
                    namespace.sysctl(f"net.{family}.conf.{which}.{key}", 0)
        for which in ("all", "default"):
            self.under.sysctl(f"net.ipv6.conf.{which}.disable_ipv6", 1)
        self.over.sysctl("net.ipv4.ip_forward", 1)
        self.over.sysctl("net.ipv6.conf.all.forwarding", 1)
        self._sink_counts = self._add_underlay()
        for name, side in TUNNELS:
            self._add_tunnel(name, side)
        if stateful:
            self.over.run("nft", "-f", "-", stdin=RULES)

    def _add_underlay(self):
        """Returns under what the sink counts."""
        self.under.ip(f"link add {INGRESS} address {plans.HUB_MAC} type veth peer name {INGRESS}-peer",
                      f"link set {INGRESS} up", f"link set {INGRESS}-peer up")
        for kind, counts in SINK_KINDS:
            try:
                self.under.ip(f"link add {SINK} address {plans.HUB_MAC} txqueuelen 0 mtu {OUTER_MTU} type {kind}")
                break
            except LabError:
                continue
        else:
            raise Missing("this kernel has neither dummy nor ifb devices for packets to leave by")
        # What leaves as one packet is counted as one: nothing may be left for a NIC to cut up.
        self.under.run("ethtool", "-K", SINK, "tx", "off", "sg", "off", "tso", "off", "gso", "off")
        self.under.ip(f"link set {SINK} arp on", f"link set {SINK} up", f"addr add {plans.HUB}/24 dev {SINK}",
                      *(f"neigh replace {side.peer} lladdr {side.peer_mac} dev {SINK} nud permanent"
                        for _, side in TUNNELS))
        return counts

    def _add_tunnel(self, name, side):
        """A tunnel's socket stays where the device was made; its inner end moves."""
        self.under.ip(f"link add {name} address {side.hub_mac} mtu {INNER_MTU} type vxlan id {side.vni} "
                      f"local {plans.HUB} remote {side.peer} dstport 4789 noudpcsum nolearning",
                      f"link set {name} netns {self.over.name}")
        self.over.ip(f"link set {name} up",
                     f"addr add {side.hub_address}/24 dev {name}", f"addr add {side.hub6}/64 dev {name} nodad",
                     f"neigh replace {side.router} lladdr {side.router_mac} dev {name} nud permanent",
                     f"neigh replace {side.router6} lladdr {side.router6_mac} dev {name} nud permanent",
                     f"route add {side.prefix4} via {side.router} dev {name}",
                     f"route add {side.prefix6} via {side.router6} dev {name}")

    # --- counters

    @property
    def sent(self):
        """Packets that came to the sink and were not the hub's own, since its creation."""
        own = self._own()
        while True:
            with self.under.entered():
                sink = _devices()[SINK][self._sink_counts]
            before, own = own, self._own()
            if own == before:  # else one of them may have come to the sink, or not
                return sink - own

    def _own(self):
        """Packets that the hub itself sent: MLD, mostly."""
        with self.over.entered():
            return sum(_snmp()[group].get("OutRequests", 0) for group in ("Ip", "Ip6"))

    def drops(self):
        """Every counter of packets thrown away: "where: name" -> packets. The sink's own is none of them."""
        found = {}
        for namespace, where in ((self.under, "outer"), (self.over, "inner")):
            with namespace.entered():
                snmp, devices = _snmp(), _devices()
                conntrack = _conntrack() if self.stateful and namespace is self.over else {}
            for group, names in LOST.items():
                found.update({f"{where}: {group}{name}": snmp[group].get(name, 0) for name in names})
            for device, counters in devices.items():
                kept = ("lost sending",) if device == SINK else ("lost receiving", "lost sending")
                found.update({f"{device}: {name}": counters[name] for name in kept})
            # Of a race between two new packets of one session there are none on one core: a failure loses a packet.
            found.update({f"conntrack: {name}": conntrack.get(name, 0) for name in ("insert_failed", "drop")})
        if self.stateful:
            counters = self.nft_counters()
            found.update({f"nftables: {name}": counters[name] for name in ("refused", "invalid")})
        return found

    def nft_counters(self):
        listed = json.loads(self.over.run("nft", "-j", "list", "counters").stdout)["nftables"]
        return {one["counter"]["name"]: one["counter"]["packets"] for one in listed if "counter" in one}

    def conntrack_entries(self):
        with self.over.entered():
            return int(_reading("/proc/sys/net/netfilter/nf_conntrack_count"))

    def forget_sessions(self):
        """Empties this namespace's connection table: else the kernel goes on looking for what has expired, on whatever
        core it likes, while others are measured."""
        request = struct.pack("=IHHIIBBH", 20, NFNL_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0, 0, 0, 0)
        with self.over.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as link:
            link.settimeout(10)
            link.send(request)
            answer = struct.unpack("=i", link.recv(4096)[16:20])[0]
        if answer != 0:
            raise Failed(f"the connection table cannot be emptied: {os.strerror(-answer)}")

    def set_timeouts(self, seconds):
        """Of UDP, whatever the state; whole seconds, of which 1 is the least: at 0 the reply comes too late."""
        for state in ("udp_timeout", "udp_timeout_stream"):
            self.over.sysctl(f"net.netfilter.nf_conntrack_{state}", seconds)

    def capture(self, path):
        return Capture(self.under, path)


def _snmp():
    """{"Ip": {name: number}, "Udp": ..., "Ip6": ...} of the namespace that the thread is in."""
    found = {}
    for file in ("snmp", "netstat"):
        lines = _reading(f"/proc/thread-self/net/{file}").splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            found[names.split(":")[0]] = dict(zip(names.split()[1:], map(int, values.split()[1:])))
    pairs = re.findall(r"^(Ip6|Udp6)(\S+)\s+(\d+)$", _reading("/proc/thread-self/net/snmp6"), re.MULTILINE)
    for group, name, value in pairs:
        found.setdefault(group, {})[name] = int(value)
    return found


def _devices():
    """Device -> counters, of the namespace that the thread is in."""
    found = {}
    for line in _reading("/proc/thread-self/net/dev").splitlines()[2:]:
        name, numbers = line.split(":")
        values = [int(word) for word in numbers.split()]
        found[name.strip()] = {"received": values[1], "lost receiving": values[2] + values[3], "transmitted": values[9],
                               "lost sending": values[10] + values[11] + values[14]}
    return found


def _conntrack():
    """/proc/net/stat/nf_conntrack of the namespace that the thread is in, summed over the cores."""
    head, *cores = [line.split() for line in _reading("/proc/thread-self/net/stat/nf_conntrack").splitlines()]
    return {name: sum(int(core[at], 16) for core in cores) for at, name in enumerate(head)}


class ConntrackTable:
    """Room for `entries` in conntrack's table, for as long as it is open. The table is the machine's: its size can
    only be set outside of all namespaces, where the harness has to run."""

    PATH = "/proc/sys/net/netfilter/nf_conntrack_"

    def __init__(self, entries, buckets=0):
        """Raises Failed if the machine does not give as much. It never takes any away."""
        self._before = []
        for name, wanted in (("buckets", buckets), ("max", entries)):
            try:
                now = int(_reading(self.PATH + name))
                if now >= wanted:
                    continue
                self._write(name, wanted)
                self._before.append((name, now))
            except OSError as error:
                self.close()
                raise Failed(f"conntrack's table cannot be made large enough for {entries} sessions: "
                             f"nf_conntrack_{name} is not to be set ({error.strerror})") from error

    def _write(self, name, value):
        with open(self.PATH + name, "w", encoding="ascii") as file:
            file.write(str(value))

    def close(self):
        while self._before:
            self._write(*self._before.pop())


class Capture:
    """What comes to the sink, into a file in pcap's format. Nobody reads while packets run: they wait in the socket,
    so not more than BURST of them may be sent between two calls of read()."""

    BURST = 16_384
    BYTES = 512 << 20  # of the socket: a packet holds its whole page
    _ETH_P_ALL, _SO_RCVBUFFORCE = 3, 33
    _INNER_DESTINATION = plans.INNER_OVERHEAD

    def __init__(self, namespace, path):
        self.packets = 0  # written
        self._file = open(path, "wb")
        self._file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, 1))
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, self._SO_RCVBUFFORCE, self.BYTES)
        self._socket.bind((SINK, self._ETH_P_ALL))
        self._socket.settimeout(0.2)

    def read(self, packets, patience=2.0):
        """Writes what is there until so many are written in all, or until nothing has come for `patience` seconds. What
        the hub itself sends, which goes to groups, is left out."""
        end = time.monotonic() + patience
        while self.packets < packets and time.monotonic() < end:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            if len(data) > self._INNER_DESTINATION and data[self._INNER_DESTINATION] & 1:
                continue
            self._file.write(struct.pack("=IIII", self.packets // 1_000_000, self.packets % 1_000_000, len(data),
                                         len(data)))
            self._file.write(data)
            self.packets += 1
            end = time.monotonic() + patience

    def close(self):
        self._socket.close()
        self._file.close()
