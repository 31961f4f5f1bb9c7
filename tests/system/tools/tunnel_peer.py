#!/usr/bin/python3
"""The other end of tunnels that this kernel does not have, by scapy: pings through each and reports as JSON.

    tunnel_peer.py INTERFACE PEER HUB HUB_MAC TARGET PLAN

PLAN is a JSON list of {"kind", "id", "host", "gateway"}: kind geneve, geneve-ip, gre, gre-key, ipip; `id` a VNI or key;
`host` the address inside that pings `gateway` and TARGET. Prints {kind: {"gateway": n, "target": n}} of 3 pings each.
"""

import json
import sys

from scapy.arch.linux import L2Socket
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, GRE, Ether
from scapy.packet import Raw, bind_layers

GENEVE_IP_PORT = 6082  # the attachment of kind geneve-ip has a port of its own
bind_layers(UDP, GENEVE, dport=GENEVE_IP_PORT)

HOST_MAC = "02:0a:00:00:00:99"
PINGS = 3
PATIENCE = 1.0  # seconds for one answer


class Peer:
    def __init__(self, interface, peer, hub, hub_mac):
        self.socket = L2Socket(iface=interface, filter=f"src host {hub} and dst host {peer}")
        self.peer, self.hub, self.hub_mac = peer, hub, hub_mac

    def wrap(self, tunnel, inside):
        outer = Ether(dst=self.hub_mac) / IP(src=self.peer, dst=self.hub)
        kind = tunnel["kind"]
        if kind == "geneve":
            return outer / UDP(sport=50000, dport=6081) / GENEVE(vni=tunnel["id"], proto=0x6558) / inside
        if kind == "geneve-ip":
            return outer / UDP(sport=50000, dport=GENEVE_IP_PORT) / GENEVE(vni=tunnel["id"], proto=0x0800) / inside
        if kind == "gre":
            return outer / GRE(proto=0x0800) / inside
        if kind == "gre-key":
            return outer / GRE(proto=0x0800, key_present=1, key=tunnel["id"], chksum_present=1) / inside
        return outer / inside  # IP in IP

    def answer(self, tunnel, inside, wanted):
        """Sends `inside` and waits for an inner packet for which `wanted` is true."""
        import time
        self.socket.send(self.wrap(tunnel, inside))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not self.socket.select([self.socket], 0.05):
                continue
            got = self.socket.recv()
            if got is not None and wanted(got):
                return got
        return None

    def resolve(self, tunnel):
        """Inside Ethernet: the hub's MAC, which teaches it this host's too."""
        request = Ether(src=HOST_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=HOST_MAC, psrc=tunnel["host"],
                                                                     pdst=tunnel["gateway"])
        got = self.answer(tunnel, request, lambda p: ARP in p and p[ARP].psrc == tunnel["gateway"])
        return got[ARP].hwsrc if got is not None else None

    def ping(self, tunnel, target, sequence, gateway_mac):
        packet = IP(src=tunnel["host"], dst=target) / ICMP(id=tunnel["id"] & 0xFFFF or 7, seq=sequence) / Raw(b"x" * 64)
        inside = Ether(src=HOST_MAC, dst=gateway_mac) / packet if tunnel["kind"] == "geneve" else packet

        def is_reply(got):
            inner = got.getlayer(IP, 2)
            return inner is not None and inner.src == target and inner.dst == tunnel["host"] and \
                ICMP in inner and inner[ICMP].type == 0 and inner[ICMP].seq == sequence
        return self.answer(tunnel, inside, is_reply) is not None


def main():
    interface, peer, hub, hub_mac, target, plan = sys.argv[1:]
    ends = Peer(interface, peer, hub, hub_mac)
    result = {}
    for tunnel in json.loads(plan):
        mac = ends.resolve(tunnel) if tunnel["kind"] == "geneve" else ""
        counts = {"gateway": 0, "target": 0}
        if mac is not None:
            for sequence in range(1, PINGS + 1):
                counts["gateway"] += ends.ping(tunnel, tunnel["gateway"], sequence, mac)
                counts["target"] += ends.ping(tunnel, target, 100 + sequence, mac)
        result[tunnel["kind"]] = counts
    print(json.dumps(result))


if __name__ == "__main__":
    main()
