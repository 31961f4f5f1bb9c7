#!/usr/bin/python3
"""The other end of a tunnel that carries IP and that this kernel has no device for: a TUN device in its place.

    tun_peer.py DEVICE MTU KIND LOCAL REMOTE [ID]

KIND: ipip (both inner families), gre, geneve; ID: key or VNI. LOCAL and REMOTE are both IPv4 or both IPv6. The kernel
routes, pings and speaks TCP over DEVICE, and writes the outer headers; this program moves packets between the two. Says
"ready" and runs until it is killed.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
IPPROTO_IPIP, IPPROTO_GRE = 4, 47
GENEVE_PORT = 6081
ETHER_TYPE = {4: 0x0800, 6: 0x86DD}


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


class Peer:
    def __init__(self, kind, local, remote, identifier):
        self.kind, self.identifier = kind, identifier
        self.strips_ip = ":" not in local and kind != "geneve"  # raw IPv4 sockets give the outer header too
        # Not connected: the hub's UDP source port is any.
        self.remote = (remote, GENEVE_PORT if kind == "geneve" else 0)
        protocols = {"geneve": {0: 0}, "gre": {0: IPPROTO_GRE}, "ipip": {4: IPPROTO_IPIP, 6: socket.IPPROTO_IPV6}}[kind]
        self.sockets = {}
        for version, protocol in protocols.items():
            one = socket.socket(socket.AF_INET6 if ":" in local else socket.AF_INET,
                                socket.SOCK_DGRAM if kind == "geneve" else socket.SOCK_RAW, protocol)
            one.bind((local, self.remote[1]))
            self.sockets[version] = one

    def send(self, packet):
        version = packet[0] >> 4
        header = b""
        if self.kind == "geneve":
            header = struct.pack(">HHI", 0, ETHER_TYPE[version], self.identifier << 8)
        elif self.kind == "gre":
            key = struct.pack(">I", self.identifier) if self.identifier is not None else b""
            header = struct.pack(">HH", 0x2000 if key else 0, ETHER_TYPE[version]) + key
        try:
            self.sockets[version if self.kind == "ipip" else 0].sendto(header + packet, self.remote)
        except OSError as error:  # an ICMP error of the underlay, or a full queue: the packet is lost, as on any link
            print(error, flush=True)

    def inner(self, packet):
        if self.strips_ip:
            packet = packet[(packet[0] & 15) * 4:]
        if self.kind == "geneve":
            return packet[8 + (packet[0] & 63) * 4:]
        if self.kind == "gre":
            return packet[8 if packet[0] & 0x20 else 4:]
        return packet


def main():
    name, mtu, kind, local, remote, *identifier = sys.argv[1:]
    tun = open_tun(name)
    peer = Peer(kind, local, remote, int(identifier[0]) if identifier else None)
    subprocess.run(["ip", "link", "set", name, "mtu", mtu, "up"], check=True)
    print("ready", flush=True)
    while True:
        for ready in select.select([tun, *peer.sockets.values()], [], [])[0]:
            if ready == tun:
                peer.send(os.read(tun, 65535))
            else:
                try:
                    os.write(tun, peer.inner(ready.recv(65535)))
                except OSError as error:
                    print(error, flush=True)


if __name__ == "__main__":
    main()
