"""Sessions as packets of a capture."""

import struct

LINK_ETHERNET = 1
MOST_BYTES = 1400
SYN, ACK, PSH, FIN = 0x02, 0x10, 0x08, 0x01


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def address(text):
    return bytes(int(part) for part in text.split("."))


class Capture:
    """A pcap file; a millisecond between two packets."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, LINK_ETHERNET))
        self.at = 1_700_000_000_000

    def packet(self, source, destination, protocol, transport):
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0x4000, 64, protocol, 0) + source + destination
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + head + transport
        self.at += 1
        self.file.write(struct.pack("<IIII", self.at // 1000, self.at % 1000 * 1000, len(frame), len(frame)) + frame)

    def udp(self, source, destination, ports, payload):
        pseudo = source + destination + struct.pack("!HH", 17, 8 + len(payload))
        head = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
        head = head[:6] + struct.pack("!H", checksum(pseudo + head + payload) or 0xffff)
        self.packet(source, destination, 17, head + payload)

    def tcp(self, source, destination, ports, numbers, flags, payload=b""):
        head = struct.pack("!HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 0xffff, 0, 0)
        pseudo = source + destination + struct.pack("!HH", 6, len(head) + len(payload))
        head = head[:16] + struct.pack("!H", checksum(pseudo + head + payload)) + head[18:]
        self.packet(source, destination, 6, head + payload)

    def close(self):
        self.file.close()


class Conversation:
    """TCP between a client and a server, from handshake to end."""

    def __init__(self, capture, client, server, client_port, server_port):
        self.capture = capture
        self.ends = (client, server)
        self.ports = (client_port, server_port)
        self.next = [1000, 2000]
        self.send(0, SYN)
        self.send(1, SYN | ACK)
        self.send(0, ACK)

    def send(self, side, flags, payload=b""):
        other = 1 - side
        numbers = (self.next[side], self.next[other] if flags & ACK else 0)
        self.capture.tcp(self.ends[side], self.ends[other], (self.ports[side], self.ports[other]), numbers, flags, payload)
        self.next[side] += len(payload) + bool(flags & (SYN | FIN))

    def say(self, side, data, segment=MOST_BYTES):
        for at in range(0, len(data), segment):
            self.send(side, PSH | ACK, data[at:at + segment])
            self.send(1 - side, ACK)

    def end(self):
        for side in (0, 1):
            self.send(side, FIN | ACK)
        self.send(0, ACK)


def dns_answer():
    """That there is no such name."""
    query = dns_query(b"example.org")
    return query[:2] + b"\x81\x83" + query[4:]


def dns_query(name):
    """None: it is no name."""
    labels = name.split(b".")
    if any(not 0 < len(label) < 64 for label in labels):
        return None
    return (struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) +
            b"".join(bytes([len(label)]) + label for label in labels) + struct.pack("!BHH", 0, 1, 1))


def client_hello(name):
    def vector(size, data):
        return len(data).to_bytes(size, "big") + data
    server_name = struct.pack("!H", 0) + vector(2, vector(2, b"\0" + vector(2, name)))
    groups = struct.pack("!H", 10) + vector(2, vector(2, b"\0\x1d\0\x17"))
    hello = (b"\x03\x03" + bytes(range(32)) + vector(1, b"") + vector(2, b"\xc0\x2f\xc0\x30\0\x9c") + vector(1, b"\0") +
             vector(2, server_name + groups))
    return b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, hello))
