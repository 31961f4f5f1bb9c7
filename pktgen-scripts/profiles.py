#!/usr/bin/python3
"""Writes profiles for two packet generators that need a NIC, from the scenarios of the bench: for Pktgen-DPDK a Lua
script and a capture for each port, for TRex (stateless) a Python file.

    pktgen-scripts/profiles.py --out profiles --sessions 65536

Frames, addresses and the numbering of sessions are those of the template feed (bench/harness/plan.py, feed/step.h):
inner UDP over IPv4 in VXLAN, both ways, N sessions of 256 client addresses times as many ports as it takes. Port 0 of
the generator plays network A with the clients, port 1 network B with the server. None of the files was ever run by
this project's tests: there is no NIC where they run.
"""

import argparse
import dataclasses
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "bench"))
sys.dont_write_bytecode = True

from harness import plan
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.utils import PcapWriter

WARNING = "Not run by this project's tests: no NIC here."
SIZES = ("64", "128", "512", "1500", "imix")  # of the inner Ethernet frame without FCS
CLIENTS = 256  # addresses, before the port counts up
PORTS = 0x8000  # that step.h uses with one address
FIRST_PORT = plan.session_client(plan.Traffic(), 0)[1]
OUTER_IP, OUTER_UDP, VXLAN_AT = 14, 34, 42
INNER, INNER_IP, INNER_UDP, PAYLOAD = 50, 64, 84, 92
DIRECTIONS = ((plan.FORWARD, plan.A, plan.B, "clients to server"), (plan.REVERSE, plan.B, plan.A, "server to clients"))


@dataclasses.dataclass
class Scenario:
    """One pair of profiles."""
    size: str
    sessions: int
    hub_mac: bytes

    def __post_init__(self):
        if not 1 <= self.sessions <= CLIENTS * PORTS:
            raise ValueError(f"{self.sessions} sessions; 1 to {CLIENTS * PORTS} are possible")
        self.classes = plan.imix(sessions=self.sessions) if self.size == "imix" else [
            plan.Traffic(size=int(self.size), sessions=self.sessions)]

    @property
    def name(self):
        return f"vxlan_udp4_{self.size}_{self.sessions}"

    @property
    def title(self):
        kind = "an Internet mix of inner frames (64, 570, 1500)" if self.size == "imix" else f"inner frames of {self.size} bytes"
        return f"VXLAN, {kind}, UDP over IPv4, {sum(one.sessions for one in self.classes)} sessions both ways"

    def template(self, traffic, direction):
        """(bytes of the frame of session 0, the plan's description of it)"""
        made = plan.frame(traffic, plan.DATA, direction)
        return self.hub_mac + bytes(made.bytes[len(self.hub_mac):made.length]), made


def hellos(scenario, side):
    """What tells the hub the MACs, since a generator answers no question: an ARP reply of the tunnel's peer, which the
    hub keeps asking for, and an ARP request of the router behind it for the hub's address inside."""
    outer = (Ether(src=side.peer_mac, dst=scenario.hub_mac) /
             ARP(op=2, hwsrc=side.peer_mac, psrc=side.peer, hwdst=scenario.hub_mac, pdst=plan.HUB))
    inner = (Ether(src=side.peer_mac, dst=scenario.hub_mac) / IP(src=side.peer, dst=plan.HUB, flags="DF") /
             UDP(sport=0xc000, dport=4789, chksum=0) / VXLAN(vni=side.vni, flags=0x08) /
             Ether(src=side.router_mac, dst="ff:ff:ff:ff:ff:ff") /
             ARP(op=1, hwsrc=side.router_mac, psrc=side.router, pdst=side.hub_address))
    return [bytes(outer).ljust(60, b"\0"), bytes(inner)]


def needs(scenario):
    """What the files say about the hub, as lines."""
    longest = max(traffic.size for traffic in scenario.classes) - 14 + INNER
    lines = [f"The hub: {plan.HUB} at {scenario.hub_mac.hex(':')}, underlay MTU at least {longest}; attachments:"]
    lines += [f"  VNI {side.vni} to {side.peer}, gateway {side.hub_address} with MAC {side.hub_mac}, "
              f"route {side.prefix4} via {side.router}" for side in (plan.A, plan.B)]
    return lines + ["connected, and UDP allowed. A few ARP packets among each port's tell it the MACs."]


# --- TRex


def literal(frame):
    """A frame as Python source, a line for each header, and the padding behind it as a product."""
    cuts = (0, OUTER_IP, OUTER_UDP, VXLAN_AT, INNER, INNER_IP, INNER_UDP, PAYLOAD)
    names = ("outer Ethernet", "outer IPv4", "outer UDP", "VXLAN", "inner Ethernet", "inner IPv4", "inner UDP")
    lines = [f'"{frame[start:end].hex()}"  # {name}' for start, end, name in zip(cuts, cuts[1:], names)]
    body = frame[PAYLOAD:]
    assert body == body[:1] * len(body)
    indent = "\n" + " " * 12
    return f"bytes.fromhex({indent}{indent.join(lines)}{indent}) + {body[:1]!r} * {len(body)}"


def trex_stream(scenario, traffic, direction):
    """One entry of STREAMS. Neither TRex nor a NIC can finish an inner UDP checksum of a stepped packet, so that it is
    0: none, which IPv4 allows."""
    frame, made = scenario.template(traffic, direction)
    frame = frame[:made.l4_checksum] + bytes(2) + frame[made.l4_checksum + 2:]
    first = plan.session_client(traffic, 0)[0]
    last = plan.session_client(traffic, min(traffic.sessions, CLIENTS) - 1)[0]
    ports = -(-traffic.sessions // CLIENTS)
    return f"""        dict(pps={1000 * traffic.weight}, sessions={traffic.sessions}, clients=("{first}", "{last}"), \
ports=({FIRST_PORT}, {FIRST_PORT + ports - 1}),
             address_at={made.client_address}, port_at={made.client_port}, frame={literal(frame)}),
"""


def trex_text(scenario):
    streams = ""
    for direction, side, _, what in DIRECTIONS:
        streams += f"    (  # port {direction}: {what}, out of VNI {side.vni}\n"
        streams += "".join(trex_stream(scenario, traffic, direction) for traffic in scenario.classes) + "    ),\n"
    hello = "".join("    (" + ", ".join(f'bytes.fromhex("{frame.hex()}")' for frame in hellos(scenario, side)) + "),\n"
                    for _, side, _, _ in DIRECTIONS)
    head = "\n".join("# " + line for line in needs(scenario))
    return f'''# {WARNING} Written by Weir's pktgen-scripts/profiles.py for TRex, stateless.
{head}
"""{scenario.title}.

    start -f {scenario.name}.py -p 0 1 -m 1mpps
"""

from trex_stl_lib.api import (STLPktBuilder, STLScVmRaw, STLStream, STLTXCont, STLVmFixIpv4, STLVmTupleGen,
                              STLVmWrFlowVar, STLVmWrMaskFlowVar)

INNER_IP = {INNER_IP}
OUTER_SOURCE_PORT = {OUTER_UDP}

STREAMS = (
{streams})

HELLOS = (
{hello})


def stream(pps, sessions, clients, ports, address_at, port_at, frame):
    """Client addresses count up first, then ports. The outer source port shows the flow, as a VXLAN sender's does."""
    engine = STLScVmRaw([
        STLVmTupleGen(name="client", ip_min=clients[0], ip_max=clients[1], port_min=ports[0], port_max=ports[1],
                      limit_flows=sessions),
        STLVmWrFlowVar(fv_name="client.ip", pkt_offset=address_at),
        STLVmWrFlowVar(fv_name="client.port", pkt_offset=port_at),
        STLVmWrMaskFlowVar(fv_name="client.ip", pkt_offset=OUTER_SOURCE_PORT + 1, pkt_cast_size=1, mask=0xff),
        STLVmFixIpv4(offset=INNER_IP),
    ])
    return STLStream(packet=STLPktBuilder(pkt_buffer=frame, vm=engine), mode=STLTXCont(pps=pps))


class Profile:
    def get_streams(self, direction=0, **_):
        """`direction`: the generator's port, odd or even."""
        streams = [stream(**one) for one in STREAMS[direction % 2]]
        return streams + [STLStream(packet=STLPktBuilder(pkt_buffer=frame), mode=STLTXCont(pps=1))
                          for frame in HELLOS[direction % 2]]


def register():
    return Profile()
'''


# --- Pktgen-DPDK


def session_frame(template, made, address, port):
    """The frame of one session, every checksum right: what step.h does."""
    frame = bytearray(template)
    last = int.from_bytes(bytes(map(int, address.split("."))), "big")
    halves = (last >> 16) + (last & 0xffff)
    frame[made.client_address:made.client_address + 4] = last.to_bytes(4, "big")
    frame[made.client_port:made.client_port + 2] = port.to_bytes(2, "big")
    frame[made.entropy:made.entropy + 2] = (0xc000 | (last & 0xff)).to_bytes(2, "big")
    frame[made.ip_checksum:made.ip_checksum + 2] = folded(made.ip_sum + halves)
    frame[made.l4_checksum:made.l4_checksum + 2] = folded(made.l4_sum + halves + port, zero=0xffff)
    return bytes(frame)


def folded(total, zero=0):
    """An Internet checksum (RFC 1071) from an unfolded sum; `zero` stands for one that comes out as 0."""
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ((~total & 0xffff) or zero).to_bytes(2, "big")


def capture(scenario, direction, side):
    """Frames of one port: the hellos, then sessions in the order of the bench's schedule until each was there."""
    yield from hellos(scenario, side)
    order = plan.schedule(scenario.classes)
    templates = [scenario.template(traffic, direction) for traffic in scenario.classes]
    strides = [plan.stride(traffic.sessions) for traffic in scenario.classes]
    visits = [0] * len(scenario.classes)
    while any(done < traffic.sessions for done, traffic in zip(visits, scenario.classes)):
        for number in order:
            traffic = scenario.classes[number]
            session = visits[number] * strides[number] % traffic.sessions
            yield session_frame(*templates[number], *plan.session_client(traffic, session))
            visits[number] += 1


def pktgen_text(scenario):
    head = "\n".join("-- " + line for line in needs(scenario))
    return f'''-- {WARNING} Written by Weir's pktgen-scripts/profiles.py for Pktgen-DPDK.
-- {scenario.title}.
{head}
--
-- Pktgen writes no inner headers by itself, so that the packets lie in a capture for each port:
--   pktgen -l 0-4 -- -P -m "[1:2].0" -m "[3:4].1" -s 0:{scenario.name}_0.pcap -s 1:{scenario.name}_1.pcap \\
--     -f {scenario.name}.lua
-- Its versions differ in the longest packet that they take from a capture: look at the sizes that it shows.

package.path = package.path .. ";?.lua;test/?.lua;app/?.lua;../?.lua"
require "Pktgen"

local ports = {{ "0", "1" }}
local both = "0,1"
local seconds = 10
local percent = 100 -- of the line rate

pktgen.set(both, "count", 0) -- without end
pktgen.set(both, "rate", percent)
pktgen.clr()
pktgen.start(both)
pktgen.delay(seconds * 1000)
pktgen.stop(both)
pktgen.delay(1000)

for index, port in ipairs(ports) do
  local other = ports[3 - index]
  local sent = pktgen.portStats(port, "port")[tonumber(port)].opackets
  local came = pktgen.portStats(other, "port")[tonumber(other)].ipackets
  print("port " .. port .. " to " .. other .. ": sent " .. sent .. ", came " .. came ..
        ", in " .. seconds .. " s")
end
'''


# --- files


def write(folder, scenario, pcap=True):
    """Writes a scenario's files and returns their names."""
    texts = {f"{scenario.name}.py": trex_text(scenario), f"{scenario.name}.lua": pktgen_text(scenario)}
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    names = list(texts)
    for direction, side, _, _ in DIRECTIONS if pcap else ():
        names.append(f"{scenario.name}_{direction}.pcap")
        with PcapWriter(os.path.join(folder, names[-1]), linktype=1) as writer:
            writer.write_header(None)
            for number, frame in enumerate(capture(scenario, direction, side)):
                writer.write_packet(frame, sec=0, usec=number % 1_000_000)
    return names


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="made if it is not there")
    parser.add_argument("--sizes", default=",".join(SIZES), help="inner Ethernet frames without FCS, bytes, or imix")
    parser.add_argument("--sessions", type=int, default=1024)
    parser.add_argument("--hub-mac", default=plan.HUB_MAC, help="of the hub's port")
    parser.add_argument("--no-pcap", action="store_true", help="without the captures, which need about 100 bytes and "
                        "the frame for each session")
    options = parser.parse_args()
    try:
        mac = bytes.fromhex(options.hub_mac.replace(":", ""))
        if len(mac) != 6:
            raise ValueError(f"{options.hub_mac} is no MAC")
        scenarios = [Scenario(size, options.sessions, mac) for size in options.sizes.split(",")]
    except ValueError as error:
        parser.error(str(error))
    return options, scenarios


def main():
    options, scenarios = arguments()
    os.makedirs(options.out, exist_ok=True)
    for scenario in scenarios:
        for name in write(options.out, scenario, not options.no_pcap):
            print(os.path.join(options.out, name))


if __name__ == "__main__":
    main()
