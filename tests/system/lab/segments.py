"""One end of a TCP connection by hand: its segments are made by scapy, the other end is a kernel.

The address, IPv4 or IPv6, is one that the namespace's kernel does not have, so that the kernel neither answers nor
resets; ARP and neighbour solicitations for it are answered here.
"""

import os
import select
import socket
import time

os.environ.setdefault("SCAPY_USE_LIBPCAP", "no")
from scapy.layers.inet import IP, TCP, fragment  # noqa: E402
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr,  # noqa: E402
                                IPv6, IPv6ExtHdrFragment)
from scapy.layers.l2 import ARP, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402
from scapy.utils6 import in6_getnsma, in6_getnsmac  # noqa: E402

from .raw import ETH_P_ALL, mac_of  # noqa: E402
from .traffic import TcpService  # noqa: E402

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


class RawHost:
    """A host on a device of a namespace, seen by the others at `address`."""

    def __init__(self, namespace, device, address, gateway):
        self.address = address
        self.six = ":" in address
        self.layer = IPv6 if self.six else IP
        self.mac = mac_of(namespace, device)
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((device, ETH_P_ALL))
        namespace.lab.on_close(self._socket.close)
        if self.six:  # what is asked of its solicited-node group
            namespace.ip(f"link set dev {device} allmulticast on")
        self.gateway_mac = self._ask(gateway)

    def send(self, packet):
        """An IP packet, by way of the gateway."""
        self._socket.send(bytes(Ether(src=self.mac, dst=self.gateway_mac) / packet))

    def receive(self, deadline):
        """The next TCP segment to this host; None at `deadline`."""
        while (frame := self._frame(deadline)) is not None:
            if self.layer in frame and TCP in frame and frame[self.layer].dst == self.address:
                return frame[self.layer]
        return None

    def _frame(self, deadline):
        """The next frame; requests for this host's MAC are answered and not given."""
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                return None
            data, (_, _, kind, *_) = self._socket.recvfrom(65535)
            if kind == socket.PACKET_OUTGOING:
                continue
            frame = Ether(data)
            if (answer := self._answer(frame)) is None:
                return frame
            self._socket.send(bytes(Ether(src=self.mac, dst=frame.src) / answer))
        return None

    def _answer(self, frame):
        """To a question for this host's MAC; None: it is none."""
        if self.six and ICMPv6ND_NS in frame and frame[ICMPv6ND_NS].tgt == self.address:
            return (IPv6(src=self.address, dst=frame[IPv6].src, hlim=255) /
                    ICMPv6ND_NA(tgt=self.address, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=self.mac))
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == self.address:
            return ARP(op=2, hwsrc=self.mac, psrc=self.address, hwdst=frame[ARP].hwsrc, pdst=frame[ARP].psrc)
        return None

    def _ask(self, address):
        """The MAC of a neighbour."""
        if self.six:
            group = in6_getnsma(socket.inet_pton(socket.AF_INET6, address))
            question = (Ether(src=self.mac, dst=in6_getnsmac(group)) /
                        IPv6(src=self.address, dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255) /
                        ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=self.mac))
        else:
            question = Ether(src=self.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=self.mac, psrc=self.address,
                                                                          pdst=address)
        self._socket.send(bytes(question))
        deadline = time.monotonic() + 3
        while (frame := self._frame(deadline)) is not None:
            if ARP in frame and frame[ARP].op == 2 and frame[ARP].psrc == address:
                return frame[ARP].hwsrc
            if ICMPv6ND_NA in frame and frame[ICMPv6ND_NA].tgt == address:
                return frame.src
        raise OSError(f"nobody answers for {address}")


class RawConnection:
    """A connection that a RawHost opens. `next` is the sequence number of its next byte."""

    ISN = 1_000_000

    def __init__(self, host, port, server, server_port, isn=ISN, timestamps=False):
        self.host, self.port, self.server, self.server_port = host, port, server, server_port
        self.next = (isn + 1) & 0xffffffff
        self.ack = 0
        self.reset = False  # the other end, or somebody between, has closed it
        self._timestamps = timestamps
        self._fragmented = port << 8
        self._clock = 10_000_000
        self._peer_clock = 0

    def options(self, clock=None):
        if not self._timestamps:
            return []
        self._clock += 10
        return [("Timestamp", (self._clock if clock is None else clock, self._peer_clock)), ("NOP", None), ("NOP", None)]

    def _ip(self, ttl=64):
        if self.host.six:
            return IPv6(src=self.host.address, dst=self.server, hlim=ttl)
        return IP(src=self.host.address, dst=self.server, ttl=ttl)

    def packet(self, data=b"", seq=None, ack=None, flags=ACK | PSH, ttl=64, urgent=0, window=60000, clock=None,
               bad_checksum=False):
        """One segment; by default the one that goes on where the last one ended, which stays `next`."""
        tcp = TCP(sport=self.port, dport=self.server_port, seq=self.next if seq is None else seq & 0xffffffff,
                  ack=self.ack if ack is None else ack & 0xffffffff, flags=flags, window=window, urgptr=urgent,
                  options=self.options(clock))
        packet = self._ip(ttl) / tcp / Raw(data)
        if bad_checksum:
            packet = self.host.layer(bytes(packet))
            packet[TCP].chksum ^= 0x5555
        return packet

    def send(self, data=b"", **how):
        """Sends packet(data, ...)."""
        self.host.send(self.packet(data, **how))

    def say(self, data, **how):
        """The stream's next bytes."""
        self.send(data, **how)
        self.next = (self.next + len(data)) & 0xffffffff

    def open(self, data=b"", timeout=2.0):
        """The handshake, with `data` in the SYN; False if nobody answers."""
        options = [("MSS", 1400)] + (self.options() if self._timestamps else [])
        isn = (self.next - 1) & 0xffffffff
        syn = self._ip() / TCP(sport=self.port, dport=self.server_port, seq=isn, flags=SYN, window=60000,
                               options=options) / Raw(data)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.host.send(syn)
            answer = self._of_this(min(deadline, time.monotonic() + 0.5))
            if answer is not None and int(answer[TCP].flags) & (SYN | ACK) == SYN | ACK:
                self.ack = (answer[TCP].seq + 1) & 0xffffffff
                self._peer_clock = next((value[0] for name, value in answer[TCP].options if name == "Timestamp"), 0)
                return True
        return False

    def establish(self, **how):
        if not self.open(**how):
            return False
        self.send(flags=ACK)
        return True

    def _of_this(self, deadline):
        while (packet := self.host.receive(deadline)) is not None:
            if (packet[TCP].dport, packet[TCP].sport) == (self.port, self.server_port):
                return packet
        return None

    def listen(self, seconds):
        """Takes what comes for so long, and says whether a reset was among it."""
        deadline = time.monotonic() + seconds
        while (packet := self._of_this(deadline)) is not None:
            if int(packet[TCP].flags) & RST:
                self.reset = True
                return True
        return self.reset

    def fragments(self, data, size):
        """The next bytes' segment in IP fragments of `size` bytes."""
        packet = self.packet(data)
        if not self.host.six:
            return fragment(packet, fragsize=size)
        segment = bytes(packet)[40:]
        self._fragmented += 1
        return [self._ip() / IPv6ExtHdrFragment(nh=6, offset=at // 8, m=int(at + size < len(segment)),
                                                id=self._fragmented) / Raw(segment[at:at + size])
                for at in range(0, len(segment), size)]


class Reader(TcpService):
    """A kernel's TCP service that remembers what its application read, by the client's port."""

    def __init__(self, lab, namespace, address, port):
        self.read = {}
        super().__init__(lab, namespace, address, port)

    def _serve_client(self, client, port):
        self.read[port] = b""
        while data := client.recv(65536):
            self.read[port] += data
