"""Did a contender do the work? tshark reads every packet that it sent and says what is in it; here that is held
against what the plan asked for. The contender's own parsers have no say."""

import collections
import ipaddress
import itertools
import subprocess

from . import plan as plans
from .contender import Failed

FIELDS = ("frame.len", "eth.dst", "eth.src", "ip.src", "ip.dst", "ip.ttl", "ip.checksum.status", "ipv6.src", "ipv6.dst",
          "ipv6.hlim", "udp.srcport", "udp.dstport", "udp.checksum.status", "vxlan.vni", "tcp.srcport", "tcp.dstport",
          "tcp.checksum.status")
NOT_WANTED = ("http", "quic", "tls", "dtls", "stun", "rtp", "rtcp")  # no business of theirs, and slow
GOOD, ABSENT = "1", "3"  # tshark's words for a checksum
TTL = 64
ROUTER, SWITCH, MIRROR = "router", "switch", "mirror"


def _tshark(path):
    """One tuple of FIELDS per packet; a field that occurs twice (outer, inner) is a list."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
    for name in NOT_WANTED:
        command += ["--disable-protocol", name]
    for preference in ("ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"):
        command += ["-o", f"{preference}:TRUE"]
    for preference in ("ip.defragment", "tcp.analyze_sequence_numbers", "tcp.desegment_tcp_streams",
                       "tcp.relative_sequence_numbers"):
        command += ["-o", f"{preference}:FALSE"]
    for name in FIELDS:
        command += ["-e", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield dict(zip(FIELDS, (cell.split(",") if cell else [] for cell in line.rstrip("\n").split("\t"))))
        error = process.stderr.read()
    if process.returncode != 0:
        raise Failed(f"tshark cannot read what was sent: {_last_line(error)}")


def _last_line(error):
    lines = [line for line in error.splitlines() if line.startswith("tshark:")]
    return lines[-1].removeprefix("tshark: ") if lines else "it does not say why"


class Expectation:
    """What has to come out of a pass of `plan`. `work` says what the contender is: ROUTER, whose TTL is one less and
    whose inner MACs are those of the next link; SWITCH, which leaves the inner frame as it is; MIRROR, which sends
    back what it gets."""

    def __init__(self, plan, work):
        self.plan, self.work = plan, work
        self.servers = {(one.family, one.port): number for number, one in enumerate(plan.classes)}

    def client(self, number, address, port):
        """The session's number in class `number`, or None if no session has such a client."""
        traffic = self.plan.classes[number]
        base = int(ipaddress.ip_address(plans.CLIENT_NET[traffic.family])) >> 32 << 32 if traffic.family == 6 else 0
        offset = int(ipaddress.ip_address(address)) - base - traffic.client_base()
        if not 0 <= offset < 1 << 16 or not 0x4000 <= port < 0xc000:
            return None
        return (offset & 0xff) | (port - 0x4000) << 8 | (offset >> 8) << 23


def _fault(packet, expectation):
    """(what is wrong, None) or (None, (class, session, direction))."""
    ethernet = packet["eth.dst"]
    if len(ethernet) != 2 or packet["vxlan.vni"] == []:
        return "is no VXLAN packet with an Ethernet frame inside", None
    family = 6 if packet["ipv6.src"] else 4
    protocol = "tcp" if packet["tcp.srcport"] else "udp"
    inner = {"src": packet["ipv6.src"][-1], "dst": packet["ipv6.dst"][-1], "ttl": packet["ipv6.hlim"][-1]} \
        if family == 6 else \
        {"src": packet["ip.src"][-1], "dst": packet["ip.dst"][-1], "ttl": packet["ip.ttl"][-1]}
    ports = tuple(int(packet[f"{protocol}.{end}port"][-1]) for end in ("src", "dst"))
    server = plans.SERVER[family]
    if inner["dst"] == server:
        direction, client, port, service = plans.FORWARD, inner["src"], ports[0], ports[1]
    elif inner["src"] == server:
        direction, client, port, service = plans.REVERSE, inner["dst"], ports[1], ports[0]
    else:
        return f"goes from {inner['src']} to {inner['dst']} inside", None
    if (family, service) not in expectation.servers:
        return f"is to or from port {service} over IPv{family}, which no class has", None
    number = expectation.servers[family, service]
    session = expectation.client(number, client, port)
    fault = _header_fault(packet, expectation, number, direction, family, protocol, inner["ttl"])
    if fault is None and session is None:
        fault = f"belongs to {client}:{port}, which is no client of the plan"
    return (fault, None) if fault else (None, (number, session, direction))


def _header_fault(packet, expectation, number, direction, family, protocol, ttl):
    """The first header field that is not as it should be, as a sentence; None if all are."""
    here, there = (plans.A, plans.B) if direction == plans.FORWARD else (plans.B, plans.A)
    routed = expectation.work == ROUTER
    traffic = expectation.plan.classes[number]
    statuses = packet["ip.checksum.status"]
    source, target = ((plans.HUB_MAC, plans.HUB), (there.peer_mac, there.peer))
    if expectation.work == MIRROR:
        source, target, there = (here.peer_mac, here.peer), (plans.HUB_MAC, plans.HUB), here
    wanted = [
        ("outer destination MAC", packet["eth.dst"][0], target[0]),
        ("outer source MAC", packet["eth.src"][0], source[0]),
        ("outer source", packet["ip.src"][0], source[1]),
        ("outer destination", packet["ip.dst"][0], target[1]),
        ("outer UDP port", packet["udp.dstport"][0], "4789"),
        ("VNI", packet["vxlan.vni"][0], str(there.vni)),
        ("inner destination MAC", packet["eth.dst"][1], there.next_hop_mac(family) if routed else here.hub_mac),
        ("inner source MAC", packet["eth.src"][1], there.hub_mac if routed else here.next_hop_mac(family)),
        ("inner TTL", ttl, str(TTL - 1 if routed else TTL)),
        ("outer IPv4 checksum", statuses[0], GOOD),
        ("protocol", protocol, traffic.protocol),
    ]
    if family == 4:
        wanted.append(("inner IPv4 checksum", statuses[-1] if len(statuses) == 2 else "absent", GOOD))
    l4 = packet["tcp.checksum.status"] if protocol == "tcp" else packet["udp.checksum.status"][1:]
    wanted.append((f"inner {protocol.upper()} checksum", l4[-1] if l4 else "absent", GOOD))
    if packet["udp.checksum.status"][0] not in (GOOD, ABSENT):
        return "the outer UDP checksum is wrong"
    if traffic.payload is None and protocol == "udp":
        wanted.append(("length", packet["frame.len"][0], str(max(traffic.size, 60) + plans.INNER_OVERHEAD)))
    for what, is_, should in wanted:
        if is_ != should:
            return f"the {what} is {is_}, not {should}"
    return None


def judge_capture(path, plan, work=ROUTER, first=0, packets=None, expected=None):
    """Judges the capture of what came out for the plan's packets `first` and on, `packets` of them (None: those of one
    pass), or those that `expected` counts. Returns one line about what was checked; raises Failed with the first
    packets that are wrong, missing or there too often."""
    if expected is None:
        packets = plan.packets_of_passes(1) - first if packets is None else packets
        expected = collections.Counter(itertools.islice(plan.walk(), first, first + packets))
    expectation = Expectation(plan, work)
    seen = collections.Counter()
    faults, count = [], 0
    for count, packet in enumerate(_tshark(path), start=1):
        try:
            fault, key = _fault(packet, expectation)
        except (IndexError, ValueError):
            fault, key = "lacks headers that every packet of the plan has", None
        if fault:
            faults.append(f"packet {count}: {fault}")
        else:
            seen[key] += 1
    if faults:
        raise Failed(f"{len(faults)} of {count} packets sent are wrong; {'; '.join(faults[:3])}")
    for difference, what in ((expected - seen, "missing"), (seen - expected, "too many")):
        if difference:
            words = "; ".join(_words(plan, key) for key in list(difference)[:3])
            raise Failed(f"{difference.total()} packets are {what}; first: {words}")
    return f"{count} packets of {len(expected)} flows read by tshark: none wrong, none missing"


def _words(plan, key):
    number, session, direction = key
    address, port = plans.session_client(plan.classes[number], session)
    ends = f"{address}:{port}", f"{plans.SERVER[plan.classes[number].family]}:{plan.classes[number].port}"
    return " to ".join(ends if direction == plans.FORWARD else ends[::-1])
