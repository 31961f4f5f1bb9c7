"""Plans for the template feed: which packets a contender is given. pktgen-scripts/feed/plan.h is the format; the
frames are built by scapy here, once, and stepped by the feed.

Every plan plays the same small world: networks A (clients) and B (one server), each behind a VXLAN peer, and the hub
between them.
"""

import collections
import ctypes
import dataclasses
import ipaddress
import math

MAX_FRAMES, MAX_CLASSES, MAX_SCHEDULE, MAX_LENGTH = 32, 8, 256, 1664
MAGIC, VERSION = 0x44454546, 1
OPEN, DATA, CLOSE, LAST = range(4)
PHASES = (OPEN, DATA, CLOSE, LAST)
FORWARD, REVERSE = 0, 1
IMIX = ((64, 7), (570, 4), (1500, 1))  # inner Ethernet frame without FCS, weight
INNER_OVERHEAD = 50  # outer Ethernet, IPv4, UDP, VXLAN


class _Frame(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint16) for name in (
        "length", "client_address", "client_port", "ip_checksum", "l4_checksum", "seq", "ack", "entropy", "number",
        "reserved")] + [(name, ctypes.c_uint32) for name in (
            "ip_sum", "l4_sum", "first_seq", "first_ack", "client_base")] + [("bytes", ctypes.c_uint8 * MAX_LENGTH)]


class _Class(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("sessions", "stride", "life", "tcp", "one_way", "lag")] + [
        ("seq_step", ctypes.c_uint32 * 2), ("frame", ctypes.c_uint16 * 2 * 4)]


class _Plan(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in (
        "magic", "version", "frames", "classes", "schedule_length", "timestamps", "observe")] + [
            ("pool", ctypes.c_char * 32), ("schedule", ctypes.c_uint8 * MAX_SCHEDULE),
            ("classes_", _Class * MAX_CLASSES), ("frames_", _Frame * MAX_FRAMES)]


@dataclasses.dataclass(frozen=True)
class Side:
    """One network behind the hub."""
    vni: int
    peer: str  # its tunnel's outer address
    peer_mac: str
    router: str  # reached through it; the hub's next hop inside
    router_mac: str
    hub_mac: str  # the hub inside this network
    hub_address: str
    prefix4: str
    prefix6: str
    router6: str
    router6_mac: str
    hub6: str

    def next_hop_mac(self, family):
        return self.router6_mac if family == 6 else self.router_mac


UNDERLAY_MTU = 1600  # so that the largest inner frame fits
HUB, HUB_MAC = "198.18.0.1", "02:00:00:00:00:01"
# The MACs are those that the feed answers for these addresses (pktgen-scripts/feed/answers.h).
A = Side(10, "198.18.0.10", "02:00:c6:12:00:0a", "10.255.1.2", "02:00:0a:ff:01:02", "02:57:00:00:00:01",
         "10.255.1.1", "10.1.0.0/16", "2001:db8:1::/48", "2001:db8:ff:1::aff:102",
         "02:06:0a:ff:01:02", "2001:db8:ff:1::1")
B = Side(20, "198.18.0.20", "02:00:c6:12:00:14", "10.255.2.2", "02:00:0a:ff:02:02", "02:57:00:00:00:02",
         "10.255.2.1", "10.2.0.0/16", "2001:db8:2::/48", "2001:db8:ff:2::aff:202",
         "02:06:0a:ff:02:02", "2001:db8:ff:2::1")
SERVER = {4: "10.2.0.10", 6: "2001:db8:2::10"}
CLIENT_NET = {4: "10.1.0.0", 6: "2001:db8:1::"}
ISN = {FORWARD: 0x1000_0000, REVERSE: 0x7000_0000}


@dataclasses.dataclass(frozen=True)
class Traffic:
    """A class of sessions. `size`: the inner Ethernet frame without FCS, bytes. With `payload` (forward, reverse)
    the packets are as long as their payload makes them; `%NUMBER` in one is replaced by eight digits that are new
    in each packet."""
    sessions: int = 1024
    size: int = 64
    family: int = 4
    protocol: str = "udp"
    life: int = 0
    one_way: bool = False
    weight: int = 1  # visits of this class in each round of the schedule
    port: int = 80
    payload: tuple | None = None
    lag: int = 64  # visits by which answers are behind

    def client_base(self):
        return int(ipaddress.ip_address(CLIENT_NET[self.family])) & 0xffffffff

    def phases(self):
        if self.protocol == "udp":
            return (DATA,)
        return PHASES if self.life else (OPEN, DATA)


def imix(**arguments):
    """The classes of an Internet mix; sessions are shared out by weight, so that all have as many packets."""
    sessions = arguments.pop("sessions", 1024)
    total = sum(weight for _, weight in IMIX)
    return [Traffic(size=size, weight=weight, sessions=max(1, sessions * weight // total), port=80 + number,
                    **arguments) for number, (size, weight) in enumerate(IMIX)]


def stride(sessions):
    """A step through `sessions` numbers that visits each once and is about the golden section of them, so that no
    prefetcher can guess the next."""
    if sessions < 3:
        return 1
    step = int(sessions * 0.6180339887)
    while math.gcd(step, sessions) != 1:
        step += 1
    return step


def session_client(traffic, number):
    """(address, port) of a session's client, as step.h numbers them."""
    last = traffic.client_base() + ((number & 0xff) | ((number >> 23) << 8))
    high = int(ipaddress.ip_address(CLIENT_NET[traffic.family])) >> 32 << 32
    address = ipaddress.ip_address(high + last) if traffic.family == 6 else ipaddress.ip_address(last)
    return str(address), 0x4000 + ((number >> 8) & 0x7fff)


def _sum(data):
    """The one's complement sum of RFC 1071, not folded."""
    if len(data) % 2:
        data += b"\0"
    return sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))


def _payload(traffic, direction, headers):
    """(bytes, offset of the number in them or None)."""
    if traffic.payload is None:
        return b"W" * max(0, traffic.size - 14 - headers), None
    payload = traffic.payload[direction]
    place = payload.find(b"%NUMBER")
    if place < 0:
        return payload, None
    if place % 2:
        raise ValueError("%NUMBER has to lie at an even offset of its payload")
    return payload.replace(b"%NUMBER", b"00000000", 1), place


def frame(traffic, phase, direction):
    """The template of one kind of packet, as a filled _Frame."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.layers.vxlan import VXLAN
    from scapy.packet import Raw

    side = A if direction == FORWARD else B
    client = ipaddress.ip_address(CLIENT_NET[traffic.family])
    ends = (str(client), SERVER[traffic.family])
    ports = (0, traffic.port)
    if direction == REVERSE:
        ends, ports = ends[::-1], ports[::-1]
    ip = (IPv6 if traffic.family == 6 else IP)(src=ends[0], dst=ends[1])
    ip_length = 40 if traffic.family == 6 else 20
    if traffic.family == 4:
        ip.flags = "DF"
    if traffic.protocol == "udp":
        l4, l4_length = UDP(sport=ports[0], dport=ports[1]), 8
    else:
        flags = {OPEN: ("S", "SA"), DATA: ("PA", "PA"), CLOSE: ("FA", "FA"), LAST: ("A", "A")}[phase][direction]
        l4, l4_length = TCP(sport=ports[0], dport=ports[1], flags=flags, window=65535), 20
    body, number = b"", None
    if phase == DATA:
        body, number = _payload(traffic, direction, ip_length + l4_length)
    elif traffic.payload is None:  # a SYN's frame is padded as a NIC would pad it, outside of the IP packet
        body = b""
    inner = bytes(Ether(src=side.next_hop_mac(traffic.family), dst=side.hub_mac) / ip / l4 / Raw(body))
    inner += b"\0" * (60 - len(inner))
    data = bytearray(bytes(Ether(src=side.peer_mac, dst=HUB_MAC) / IP(src=side.peer, dst=HUB, flags="DF") /
                           UDP(sport=49152, dport=4789, chksum=0) / VXLAN(vni=side.vni, flags=0x08) / Raw(inner)))
    return _describe(traffic, phase, direction, data, ip_length, l4_length, number)


def _describe(traffic, phase, direction, data, ip_length, l4_length, number):
    """Finds the stepped fields in a built frame, and sums all but them."""
    ip = INNER_OVERHEAD + 14
    l4 = ip + ip_length
    udp = traffic.protocol == "udp"
    out = _Frame(length=len(data))
    source, target = (ip + 12, ip + 16) if traffic.family == 4 else (ip + 20, ip + 36)
    out.client_address = source if direction == FORWARD else target
    out.client_port = l4 if direction == FORWARD else l4 + 2
    out.ip_checksum = ip + 10 if traffic.family == 4 else 0
    out.l4_checksum = l4 + 6 if udp else l4 + 16
    out.entropy = 14 + 20
    if not udp:
        out.seq, out.ack = l4 + 4, l4 + 8
        first = 0 if phase == OPEN else 1
        out.first_seq = ISN[direction] + first
        out.first_ack = 0 if (phase, direction) == (OPEN, FORWARD) else ISN[1 - direction] + 1
    if number is not None:
        out.number = l4 + l4_length + number
    out.client_base = traffic.client_base()
    ctypes.memmove(out.bytes, bytes(data), len(data))

    bare = bytearray(data)
    stepped = [(out.client_address, 4), (out.client_port, 2), (out.l4_checksum, 2)]
    stepped += [(field, size) for field, size in ((out.ip_checksum, 2), (out.seq, 4), (out.ack, 4), (out.number, 8))
                if field]
    for offset, size in stepped:
        bare[offset:offset + size] = bytes(size)
    length = int.from_bytes(data[ip + 2:ip + 4], "big") - 20 if traffic.family == 4 else \
        int.from_bytes(data[ip + 4:ip + 6], "big")
    out.ip_sum = _sum(bytes(bare[ip:ip + 20])) if traffic.family == 4 else 0
    addresses = bytes(bare[source:target + 4] if traffic.family == 4 else bare[ip + 8:ip + 40])
    out.l4_sum = _sum(addresses) + length + (17 if udp else 6) + _sum(bytes(bare[l4:l4 + length]))
    return out


def schedule(classes):
    """Visits of each class spread over the round as evenly as their weights allow."""
    total = sum(one.weight for one in classes)
    if total > MAX_SCHEDULE:
        raise ValueError(f"the weights of a plan add up to {total}; at most {MAX_SCHEDULE} are possible")
    due = [0.0] * len(classes)
    order = []
    for _ in range(total):
        for number, one in enumerate(classes):
            due[number] += one.weight / total
        chosen = max(range(len(classes)), key=lambda n: due[n])
        due[chosen] -= 1
        order.append(chosen)
    return order


class _Cursor:
    """feed_advance() of step.h."""

    def __init__(self, one):
        self.one, self.direction, self.ahead = one, FORWARD, 0
        self.session, self.done, self.passes = [0, 0], [0, 0], [0, 0]

    def next(self):
        one, way = self.one, self.direction
        session = self.session[way]
        life = (self.passes[way] + session % one.life) // one.life if one.life else 0
        self.session[way] = (session + (one.stride if self.passes[way] else 1)) % one.sessions
        self.done[way] += 1
        if self.done[way] == one.sessions:
            self.done[way] = 0
            self.passes[way] += 1
        if one.one_way:
            pass
        elif self.passes[FORWARD] != self.passes[REVERSE]:
            self.direction = REVERSE
        elif way == REVERSE:
            self.direction = FORWARD
            if self.done[REVERSE] == 0:
                self.ahead = 0
        elif self.ahead == one.lag:
            self.direction = REVERSE
        else:
            self.ahead += 1
        return session + life * one.sessions, way


class Plan:
    """What one feed plays. `pool`: the beginning of the name of the contender's packet pool."""

    def __init__(self, classes, pool="", timestamps=False, observe=False):
        self.classes = list(classes)
        self.raw = _Plan(magic=MAGIC, version=VERSION, classes=len(self.classes), timestamps=int(timestamps),
                         observe=int(observe), pool=pool.encode())
        order = schedule(self.classes)
        self.raw.schedule_length = len(order)
        self.raw.schedule[:len(order)] = order
        for number, traffic in enumerate(self.classes):
            self._add_class(self.raw.classes_[number], traffic)

    def _add_class(self, out, traffic):
        out.sessions, out.stride, out.life = traffic.sessions, stride(traffic.sessions), traffic.life
        out.tcp, out.one_way = int(traffic.protocol == "tcp"), int(traffic.one_way)
        out.lag = min(traffic.lag, traffic.sessions // 2) if out.tcp else traffic.lag
        for direction in (FORWARD, REVERSE):
            for phase in traffic.phases():
                if self.raw.frames == MAX_FRAMES:
                    raise ValueError(f"a plan has at most {MAX_FRAMES} kinds of packets")
                made = frame(traffic, phase, direction)
                self.raw.frames_[self.raw.frames] = made
                out.frame[phase][direction] = self.raw.frames
                self.raw.frames += 1
                if phase == DATA and traffic.protocol == "tcp":
                    out.seq_step[direction] = self._tcp_payload(made, traffic)

    @staticmethod
    def _tcp_payload(made, traffic):
        ip = INNER_OVERHEAD + 14
        data = bytes(made.bytes[:made.length])
        if traffic.family == 4:
            return int.from_bytes(data[ip + 2:ip + 4], "big") - 40
        return int.from_bytes(data[ip + 4:ip + 6], "big") - 20

    @property
    def sessions(self):
        return sum(one.sessions for one in self.classes)

    def walk(self):
        """The packets without end: (class, session, direction), where a session that follows another in its place has
        another number. Mirrors step.h."""
        cursors = [_Cursor(one) for one in self.raw.classes_[:len(self.classes)]]
        order = list(self.raw.schedule[:self.raw.schedule_length])
        while True:
            for number in order:
                cursor = cursors[number]
                while True:
                    yield number, *cursor.next()
                    if cursor.direction == FORWARD:
                        break

    def packets_of_passes(self, passes):
        """Packets after which every session of every class has had so many each way."""
        if len(self.classes) == 1:
            one = self.raw.classes_[0]
            return one.sessions * passes * (1 if one.one_way else 2)
        wanted = sum(one.sessions * (1 if one.one_way else 2) * passes for one in self.classes)
        seen, enough = collections.Counter(), 0
        for count, key in enumerate(self.walk(), start=1):
            seen[key] += 1
            enough += seen[key] <= passes
            if enough == wanted:
                return count

    def save(self, path):
        with open(path, "wb") as file:
            file.write(bytes(self.raw))
