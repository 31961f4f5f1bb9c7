#!/usr/bin/python3
"""Writes a capture of VXLAN packets for the hub's `pcap` port: so many flows, so large, every checksum right.

    pktgen-scripts/make_vxlan_pcap.py --out in.pcap --flows 1024 --size 200

Outer and inner destination MACs have to be those that the configuration gives the port (`mac` of [[port]]) and the
attachment (`mac` of [[attachment]]); the defaults here fit pktgen-scripts/pcap-port.toml.
"""

import argparse
import ipaddress

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scapy.utils import PcapWriter

FIRST_SOURCE_PORT = 1024
SOURCE_PORTS = 60_000  # of one source address, before the next one is taken


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="file to write")
    parser.add_argument("--flows", type=int, default=1, help="different inner 5-tuples")
    parser.add_argument("--packets", type=int, help="packets in all; default: one of each flow")
    parser.add_argument("--size", type=int, default=64, help="inner IP packet, bytes")
    parser.add_argument("--protocol", choices=("udp", "tcp-syn"), default="udp")
    parser.add_argument("--vni", type=int, default=10)
    parser.add_argument("--outer", default="198.18.0.10,198.18.0.1", metavar="FROM,TO")
    parser.add_argument("--inner", default="10.1.0.10,10.2.0.10", metavar="FROM,TO", help="IPv4 or IPv6")
    parser.add_argument("--port", type=int, default=80, help="inner destination port")
    parser.add_argument("--outer-mac", default="02:00:00:00:00:01", help="the hub's port")
    parser.add_argument("--inner-mac", default="02:57:00:00:00:01", help="the hub inside the attachment")
    return parser.parse_args()


def inner_packet(options, flow):
    """The inner frame of flow number `flow`: source ports first, then source addresses count up."""
    source, target = (ipaddress.ip_address(text) for text in options.inner.split(","))
    source += flow // SOURCE_PORTS
    network = (IPv6 if source.version == 6 else IP)(src=str(source), dst=str(target))
    ports = {"sport": FIRST_SOURCE_PORT + flow % SOURCE_PORTS, "dport": options.port}
    transport = UDP(**ports) if options.protocol == "udp" else TCP(**ports, flags="S", seq=flow + 1)
    room = options.size - len(network / transport)
    if room < 0:
        raise SystemExit(f"--size: the headers alone are {len(network / transport)} bytes")
    return Ether(src="02:00:00:00:10:10", dst=options.inner_mac) / network / transport / Raw(b"W" * room)


def packet(options, flow):
    source, target = options.outer.split(",")
    # As kernels do, the flow shows in the outer source port, so that NICs spread flows over queues.
    entropy = 49152 + flow % 16384
    return (Ether(src="02:00:00:00:00:10", dst=options.outer_mac) / IP(src=source, dst=target) /
            UDP(sport=entropy, dport=4789) / VXLAN(vni=options.vni, flags=0x08) / inner_packet(options, flow))


def main():
    options = arguments()
    flows = [bytes(packet(options, flow)) for flow in range(options.flows)]
    total = options.packets or options.flows
    with PcapWriter(options.out, linktype=1) as writer:
        writer.write_header(None)
        for number in range(total):
            writer.write_packet(flows[number % options.flows], sec=number // 1_000_000, usec=number % 1_000_000)
    print(f"{options.out}: {total} packets of {options.flows} flows, {len(flows[0])} bytes each on the wire")


if __name__ == "__main__":
    main()
