#!/usr/bin/python3
"""Judges captures of what the hub sent, by programs that share nothing with it.

judge.py DIRECTORY            every frame has to be well formed, with right checksums and without an expert warning, by
                              tshark; outer headers are read by scapy, which is slow: of the first SAMPLE frames of
                              each kind in each capture; packets of NAT64 may be cut on their way as RFC 7915 says
judge.py --self-test DIRECTORY  frames of the captures are spoilt on purpose; each has to be found wrong
judge.py --capture FILE       the same for one capture of a running hub; the last line says as JSON how many frames of
                              each kind there were: {"VXLAN over IPv4, IPv6 inside": 7}
"""

import collections
import json
import os
import struct
import subprocess
import sys
import tempfile

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

HUB_ADDRESSES = ("198.18.0.1", "2001:db8:f::1")
POOL_OF_NAT64 = "10.2.0.100"  # as which hosts of IPv6 are seen in nat64_test.cpp
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
PCAP_MAGICS = (PCAP_HEADER[:4], struct.pack("<I", 0xA1B2C3D4))  # stamps in nano- and in microseconds

# The ports of the tests mean nothing: what is behind them is data, not what tshark knows by that port.
DECODE_AS = ["udp.port==1-4788,data", "udp.port==4790-6080,data", "udp.port==6082-49151,data",
             "tcp.port==1-65535,data"]
WARNING = 0x00600000  # tshark's severity
# Warnings about a conversation, of which a capture sees a part, or about what a peer wrote and the hub passed on: one
# in 65,536 checksums that the kernel computes is 0xffff where 0 is meant (skb_checksum_help), which is right as well.
NOT_ABOUT_THE_FRAME = ("No response seen to ICMP request", "Connection reset (RST)", "D-SACK Sequence",
                       "Duplicate IP address configured", "Wrong Sequence Number for SPI",
                       "TCP Checksum 0xffff instead of 0x0000 (see RFC 1624)")
SAMPLE = 200

# What tshark itself has a warning about, or worse, and each checksum that it found to be wrong.
WRONG = " || ".join(
    ["_ws.malformed", f"_ws.expert.severity >= {WARNING}"]
    + [f'{p}.checksum.status == "Bad"' for p in ("ip", "tcp", "udp", "icmp", "icmpv6", "gre")]
)


def read_pcap(path):
    """The frames of a classic little-endian capture."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] not in PCAP_MAGICS:
        sys.exit(f"judge: {path} is no capture of the tests")
    frames, at = [], len(PCAP_HEADER)
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return frames


def found_wrong(frames):
    """{index: why} of the frames that tshark complains about."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(PCAP_HEADER)
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
        file.flush()
        fields = ["frame.number", "_ws.expert.severity", "_ws.expert.message", "_ws.col.Info"]
        command = ["tshark", "-n", "-r", file.name, "-Y", WRONG, "-T", "fields",
                   "-E", "aggregator=|"]
        for name in ("ip", "tcp", "udp"):
            command += ["-o", f"{name}.check_checksum:TRUE"]
        for rule in DECODE_AS:
            command += ["-d", rule]
        # TCP's state is not followed: the frames are of many tests.
        command += ["-o", "tcp.analyze_sequence_numbers:FALSE"]
        for field in fields:
            command += ["-e", field]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"judge: tshark failed: {run.stderr}")
    wrong = {}
    for line in run.stdout.splitlines():
        number, severities, messages, info = line.split("\t")
        said = list(zip(severities.split("|"), messages.split("|")))
        if not messages or any(int(severity) >= WARNING and not one.startswith(NOT_ABOUT_THE_FRAME)
                               for severity, one in said):
            wrong[int(number) - 1] = f"{messages} {info}"
    return wrong


def tunnel_complaints(outer, payload):
    """What is wrong with the tunnel header behind the outer IP header `outer`; `payload` is its IP payload."""
    if UDP in outer and outer[UDP].dport in (4789, 6081):
        udp = outer[UDP]
        vxlan = udp.dport == 4789
        yield "dynamic source port", udp.sport >= 49152
        yield "UDP length", udp.len == len(payload)
        yield "a UDP checksum over IPv6", isinstance(outer, IP) or udp.chksum != 0
        if vxlan:
            yield "VXLAN", VXLAN in udp and int(udp[VXLAN].flags) == 0x08 and udp[VXLAN].reserved2 == 0
            yield "an Ethernet frame inside", VXLAN in udp and Ether in udp[VXLAN].payload
        else:
            header = payload[8:16]
            kind = struct.unpack(">H", header[2:4])[0]
            yield "GENEVE without options and flags", header[:2] == b"\0\0" and header[7] == 0
            yield "GENEVE's protocol", kind in CARRIED and CARRIED[kind](payload[16:])
    elif protocol_of(outer) == 47:
        flags, kind = struct.unpack(">HH", payload[:4])
        yield "GRE with a key or nothing", flags in (0, 0x2000)
        yield "GRE's protocol", kind in CARRIED and CARRIED[kind](payload[8 if flags else 4 :])
    elif protocol_of(outer) in (4, 41):
        yield "IP in IP", payload[0] >> 4 == (4 if protocol_of(outer) == 4 else 6)


# EtherType -> whether the bytes are of that kind
CARRIED = {0x6558: lambda b: len(b) >= 14, 0x0800: lambda b: b[0] >> 4 == 4, 0x86DD: lambda b: b[0] >> 4 == 6}


def protocol_of(ip):
    return ip.nh if isinstance(ip, IPv6) else ip.proto


def is_tunnel(ip):
    return protocol_of(ip) in (4, 41, 47) or (UDP in ip and ip[UDP].dport in (4789, 6081))


def link_of(frame):
    """Length of the Ethernet header with its VLAN tags, and the EtherType after it."""
    link = 14
    while (kind := struct.unpack_from(">H", frame, link - 2)[0]) in (0x8100, 0x88A8):
        link += 4
    return link, kind


def kind_of(frame):
    """ "VXLAN over IPv4, IPv6 inside"; None for what is no tunnel packet. No scapy: it is asked for every frame."""
    link, family = link_of(frame)
    if family not in (0x0800, 0x86DD):
        return None
    protocol = frame[link + (9 if family == 0x0800 else 6)]
    at = link + (20 if family == 0x0800 else 40)
    word = lambda offset: struct.unpack_from(">H", frame, at + offset)[0]
    if protocol in (4, 41):
        kind, inside = "IP in IP", 0x0800 if protocol == 4 else 0x86DD
    elif protocol == 47:
        kind, inside, at = "GRE", word(2), at + (8 if word(0) & 0x2000 else 4)
    elif protocol == 17 and word(2) == 4789:
        kind, inside, at = "VXLAN", 0x6558, at + 16
    elif protocol == 17 and word(2) == 6081:
        kind, inside, at = "GENEVE", word(10), at + 16
    else:
        return None
    if inside == 0x6558:
        inside = word(12)
        kind += "" if kind == "VXLAN" else " with Ethernet"
    names = {0x0800: "IPv4", 0x86DD: "IPv6", 0x0806: "ARP"}
    return f"{kind} over {names[family]}, {names.get(inside, 'another')} inside"


def outer_complaint(frame):
    """What is wrong with the outer header of a frame from the hub, or None."""
    link, kind = link_of(frame)
    if kind not in (0x0800, 0x86DD):
        return None
    ip = IP(frame[link:]) if kind == 0x0800 else IPv6(frame[link:])
    if ip.src not in HUB_ADDRESSES or not is_tunnel(ip):
        return None  # a native attachment's packet, or an answer for the hub's own underlay address
    if isinstance(ip, IP):
        checks = {
            "don't fragment": ip.flags == "DF",
            "id 0": ip.id == 0,
            "TTL 64": ip.ttl == 64,
            "no options": ip.ihl == 5,
            "length": ip.len == len(frame) - link,
        }
        payload = frame[link + 20 :]
    else:
        checks = {"hop limit 64": ip.hlim == 64, "length": ip.plen == len(frame) - link - 40}
        payload = frame[link + 40 :]
    checks.update(tunnel_complaints(ip, payload))
    failed = [name for name, holds in checks.items() if not holds]
    return ", ".join(failed) + " does not hold" if failed else None


def family_complaints(frames):
    """RFC 7915 section 5.1, of the packets that the hub of nat64_test.cpp made of IPv6: up to 1,260 bytes they may be cut,
    and an ICMP error has another identification than the one before it (other packets are each the first of their hub);
    larger ones may not. Its own resets are none of them."""
    before = None
    for index, frame in enumerate(frames):
        if kind_of(frame) != "VXLAN over IPv4, IPv4 inside":
            continue
        ip = IP(frame[link_of(frame)[0] + 50 :])
        if ip.src != POOL_OF_NAT64 or ip.flags.MF or ip.frag or (TCP in ip and ip[TCP].flags.R):
            continue
        if bool(ip.flags.DF) != (ip.len > 1260):
            yield f"frame {index + 1}: {ip.len} bytes that were IPv6 and {'may not' if ip.flags.DF else 'may'} be cut"
        if ICMP in ip and ip[ICMP].type in (3, 11, 12):
            if ip.id == before:
                yield f"frame {index + 1}: identification {ip.id}, as the error before it"
            before = ip.id


def judge(directory):
    frames, origin, complaints = [], [], []
    for name in sorted(os.listdir(directory)):
        if name.endswith(".pcap"):
            here = read_pcap(os.path.join(directory, name))
            frames += here
            origin += [f"{name} frame {index + 1}" for index in range(len(here))]
            complaints += [f"{name} {complaint}" for complaint in outer_complaints(here)[0]]
            if "Nat64" in name:
                complaints += [f"{name} {complaint}" for complaint in family_complaints(here)]
    if len(frames) < 100:
        sys.exit(f"judge: only {len(frames)} frames in {directory}; have the packet tests run?")
    complaints = [f"{origin[i]}: {why}" for i, why in found_wrong(frames).items()] + complaints
    for complaint in complaints:
        print(complaint)
    print(f"judge: {len(frames)} frames, {len(complaints)} complaints")
    return 1 if complaints else 0


def outer_complaints(frames):
    """What scapy finds wrong, and how many frames there are of each kind."""
    complaints, counts = [], collections.Counter()
    for index, frame in enumerate(frames):
        kind = kind_of(frame)
        counts[kind] += 1
        if counts[kind] <= SAMPLE and (why := outer_complaint(frame)):
            complaints.append(f"frame {index + 1}: {why}")
    del counts[None]
    return complaints, counts


def judge_capture(path):
    frames = read_pcap(path)
    complaints, counts = outer_complaints(frames)
    complaints += [f"frame {i + 1}: {why}" for i, why in found_wrong(frames).items()]
    for complaint in complaints[:50]:
        print(complaint)
    print(json.dumps(counts))
    return 1 if complaints else 0


def self_test(directory):
    """One bit or length wrong, each in a frame of its own, next to the unspoilt one."""
    good = read_pcap(os.path.join(directory, "Forward.LargestPacketThatFits.pcap"))[0]

    def flipped(at):
        return good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]

    spoilt = {
        "outer IP checksum": flipped(14 + 10),
        "outer TTL": flipped(14 + 8),
        "inner IP checksum": flipped(50 + 14 + 10),
        "inner source address": flipped(50 + 14 + 15),
        "inner payload": flipped(len(good) - 1),
        "inner UDP length": flipped(50 + 34 + 5),
    }
    wrong = found_wrong([good] + list(spoilt.values()))
    missed = [name for index, name in enumerate(spoilt, 1) if index not in wrong]
    if 0 in wrong:
        missed.append(f"the unspoilt frame is called wrong: {wrong[0]}")
    outer = {"source port": good[:34] + b"\x10\x00" + good[36:], "don't fragment": good[:20] + b"\0" + good[21:]}
    missed += [f"{name} (scapy)" for name, frame in outer.items() if outer_complaint(frame) is None]
    if outer_complaint(good) is not None:
        missed.append("the unspoilt outer header is called wrong")
    family = read_pcap(os.path.join(directory, "Number-Nat64.ErrorsAreToldInTheOtherFamily-0.pcap"))
    if list(family_complaints(family)):
        missed.append("unspoilt packets of NAT64 are called wrong")
    for name, at, put in (("identification of NAT64", 68, b"\0\0"), ("don't fragment of NAT64", 70, b"\x40\0")):
        if not list(family_complaints([frame[:at] + put + frame[at + 2 :] for frame in family])):
            missed.append(f"{name} (scapy)")
    for name in missed:
        print(f"not judged right: {name}")
    print(f"judge: {len(spoilt) + len(outer) + 2} spoilt frames, {len(missed)} not judged right")
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--self-test":
        sys.exit(self_test(sys.argv[2]))
    if len(sys.argv) == 3 and sys.argv[1] == "--capture":
        sys.exit(judge_capture(sys.argv[2]))
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(judge(sys.argv[1]))
