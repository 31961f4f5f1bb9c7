"""Frames made by scapy, sent and received on a device of a namespace by the calling process."""

import select
import socket
import time

ETH_P_ALL = 3


class Device:
    """A packet socket on one device; what the kernel does with the same frames is not touched."""

    def __init__(self, namespace, name):
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((name, ETH_P_ALL))
        namespace.lab.on_close(self._socket.close)

    def send(self, *frames):
        for frame in frames:
            self._socket.send(bytes(frame))

    def count(self, wanted, most, timeout=3.0):
        """How many received frames, of at most `most`, `wanted(bytes)` is true for, within `timeout` seconds."""
        found, deadline = 0, time.monotonic() + timeout
        while found < most and (left := deadline - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                frame, (_, _, kind, *_) = self._socket.recvfrom(65535)
                found += bool(kind != socket.PACKET_OUTGOING and wanted(frame))
        return found


def mac_of(namespace, device):
    return namespace.run("cat", f"/sys/class/net/{device}/address").stdout.strip()
