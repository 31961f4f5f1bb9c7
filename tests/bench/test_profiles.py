"""Profiles for generators that are not here: the files are what their languages want, and the frames that they would
send are the feed's: every session once, headers right, checksums right."""

import contextlib
import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "pktgen-scripts/profiles.py")
SESSIONS = 300  # one port with all 256 addresses, and one with some

spec = importlib.util.spec_from_file_location("profiles", PROGRAM)
profiles = importlib.util.module_from_spec(spec)
spec.loader.exec_module(profiles)

from harness import plan
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.utils import RawPcapReader

SIDES = (plan.A, plan.B)


class Command:
    """What a TRex class of any name was given."""

    def __init__(self, *arguments, **named):
        self.kind = type(self).__name__
        self.arguments = arguments
        self.__dict__.update(named)


def load_trex(path):
    """A generated module, with classes that only remember in the place of TRex's."""
    api = types.ModuleType("trex_stl_lib.api")
    for name in ("STLPktBuilder", "STLScVmRaw", "STLStream", "STLTXCont", "STLVmFixIpv4", "STLVmTupleGen",
                 "STLVmWrFlowVar", "STLVmWrMaskFlowVar"):
        setattr(api, name, type(name, (Command,), {}))
    sys.modules["trex_stl_lib"], sys.modules["trex_stl_lib.api"] = types.ModuleType("trex_stl_lib"), api
    try:
        module = types.ModuleType("generated")
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), path, "exec"), module.__dict__)
        return module
    finally:
        del sys.modules["trex_stl_lib"], sys.modules["trex_stl_lib.api"]


def number(address):
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


def played(stream):
    """Each packet of one round of a stream's sessions, as TRex documents its field engine: of a tuple generator the
    address counts up first, then the port."""
    commands = stream.packet.vm.arguments[0]
    tuples = next(one for one in commands if one.kind == "STLVmTupleGen")
    pairs = itertools.product(range(tuples.port_min, tuples.port_max + 1),
                              range(number(tuples.ip_min), number(tuples.ip_max) + 1))
    for port, address in itertools.islice(pairs, tuples.limit_flows):
        values = {f"{tuples.name}.ip": (address, 4), f"{tuples.name}.port": (port, 2)}
        frame = bytearray(stream.packet.pkt_buffer)
        for one in commands:
            if one.kind == "STLVmWrFlowVar":
                value, size = values[one.fv_name]
                frame[one.pkt_offset:one.pkt_offset + size] = value.to_bytes(size, "big")
            elif one.kind == "STLVmWrMaskFlowVar":
                assert one.pkt_cast_size == 1
                kept = frame[one.pkt_offset] & ~one.mask & 0xff
                frame[one.pkt_offset] = kept | (values[one.fv_name][0] & one.mask)
            elif one.kind == "STLVmFixIpv4":
                header = frame[one.offset:one.offset + 20]
                header[10:12] = bytes(2)
                frame[one.offset + 10:one.offset + 12] = profiles.folded(plan._sum(bytes(header)))
        yield bytes(frame)


class ProfilesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="weir-profiles-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        done = subprocess.run([PROGRAM, "--out", cls.folder, "--sessions", str(SESSIONS), "--hub-mac", "02:00:00:00:00:77"],
                              capture_output=True, text=True, timeout=60, check=True)
        cls.files = [os.path.basename(line) for line in done.stdout.split()]

    def names(self, ending):
        return [os.path.join(self.folder, name) for name in self.files if name.endswith(ending)]

    def scenario(self, path):
        size = re.search(r"udp4_([0-9a-z]+)_", path).group(1)
        return profiles.Scenario(size, SESSIONS, bytes.fromhex("020000000077"))

    def test_a_pair_for_every_size(self):
        self.assertEqual(len(self.names(".py")), 5)
        self.assertEqual(len(self.names(".lua")), 5)
        self.assertEqual(len(self.names(".pcap")), 10)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(self.files))

    def test_their_first_line_says_that_nobody_ran_them(self):
        for path in self.names(".py") + self.names(".lua"):
            with open(path, encoding="utf-8") as file:
                self.assertIn("Not run by this project's tests: no NIC here.", file.readline())

    def check(self, frame, direction, scenario, with_udp_checksum):
        """A frame is a session's of the scenario. Returns (class, client's address, client's port)."""
        outer = Ether(frame)
        here, there = SIDES[direction], SIDES[1 - direction]
        self.assertEqual((outer.dst, outer.src), ("02:00:00:00:00:77", here.peer_mac))
        self.assertEqual((outer[IP].src, outer[IP].dst, outer[UDP].dport), (here.peer, plan.HUB, 4789))
        self.assertEqual(outer[IP].len, len(frame) - 14)
        self.assertEqual(outer[VXLAN].vni, here.vni)
        self.assertGreaterEqual(outer[UDP].sport, 0xc000)
        inner = outer[VXLAN].payload
        self.assertEqual((inner.src, inner.dst), (here.router_mac, here.hub_mac))
        ip, udp = inner[IP], inner[UDP]
        self.assertEqual(ip.len, len(inner) - 14)
        self.assertEqual(udp.len, ip.len - 20)
        client, server = ((ip.src, udp.sport), (ip.dst, udp.dport))[::1 if direction == plan.FORWARD else -1]
        self.assertEqual(server[0], plan.SERVER[4])
        number_of_class = server[1] - 80 if len(scenario.classes) > 1 else 0
        self.assertEqual(len(inner), scenario.classes[number_of_class].size)
        for header in (outer[IP], ip):
            self.assertEqual(plan._sum(bytes(header)[:20]) % 0xffff, 0, "IPv4 header checksum")
        if with_udp_checksum:
            pseudo = bytes(ip)[12:20] + b"\0\x11" + bytes(ip)[24:26]
            self.assertNotEqual(udp.chksum, 0)
            self.assertEqual(plan._sum(pseudo + bytes(udp)) % 0xffff, 0, "UDP checksum")
        else:
            self.assertEqual(udp.chksum, 0)
        return (number_of_class,) + client

    def expected(self, scenario):
        return sorted((number, *plan.session_client(traffic, session)) for number, traffic in enumerate(scenario.classes)
                      for session in range(traffic.sessions))

    def check_hellos(self, frames, direction):
        side = SIDES[direction]
        underlay, inner = Ether(frames[0]), Ether(frames[1])
        self.assertEqual((underlay[ARP].op, underlay[ARP].psrc, underlay[ARP].hwsrc, underlay[ARP].pdst),
                         (2, side.peer, side.peer_mac, plan.HUB))
        self.assertEqual((underlay.dst, underlay[ARP].hwdst), ("02:00:00:00:00:77", "02:00:00:00:00:77"))
        self.assertEqual((inner[VXLAN].vni, inner[ARP].op, inner[ARP].psrc, inner[ARP].hwsrc, inner[ARP].pdst),
                         (side.vni, 1, side.router, side.router_mac, side.hub_address))

    def test_trex_sends_every_session_both_ways(self):
        for path in self.names(".py"):
            profile, scenario = load_trex(path).register(), self.scenario(path)
            for direction in (plan.FORWARD, plan.REVERSE):
                with self.subTest(os.path.basename(path), direction=direction):
                    streams = profile.get_streams(direction=direction, port_id=direction, tunables=[])
                    stepped = [one for one in streams if hasattr(one.packet, "vm")]
                    self.assertEqual([one.mode.pps for one in stepped],
                                     [1000 * traffic.weight for traffic in scenario.classes])
                    got = [self.check(frame, direction, scenario, False) for one in stepped for frame in played(one)]
                    self.assertEqual(sorted(got), self.expected(scenario))
                    hellos = [one.packet.pkt_buffer for one in streams if not hasattr(one.packet, "vm")]
                    self.check_hellos(hellos, direction)

    def test_captures_have_every_session_both_ways(self):
        for path in self.names(".pcap"):
            scenario, direction = self.scenario(path), int(path[-len("0.pcap")])
            with self.subTest(os.path.basename(path)):
                with contextlib.closing(RawPcapReader(path)) as reader:
                    frames = [frame for frame, _ in reader]
                self.check_hellos(frames[:2], direction)
                got = [self.check(frame, direction, scenario, True) for frame in frames[2:]]
                self.assertEqual(sorted(set(got)), self.expected(scenario))
                self.assertLess(len(got), 1.3 * SESSIONS)

    def test_lua_is_lua(self):
        luac = next(filter(shutil.which, ("luac", "luac5.4", "luac5.3", "texluac")), None)
        for path in self.names(".lua"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for name in re.findall(r"-s \d:(\S+)", text):
                self.assertIn(name, self.files)
            if luac:
                subprocess.run([luac, "-p", path], check=True, timeout=10)
            else:
                self.check_structure(text)

    def check_structure(self, text):
        """Brackets and blocks close in order: not the whole grammar, but what a generator's mistake would break."""
        code = re.sub(r'"[^"\n]*"', '""', text)
        code = re.sub(r"--[^\n]*", "", code)
        self.assertEqual(code.count('"') % 2, 0)
        pairs, open_ones = {")": "(", "}": "{", "]": "[", "end": "do"}, []
        for word in re.findall(r"\bdo\b|\bend\b|[(){}\[\]]", code):
            if word in pairs:
                self.assertTrue(open_ones and open_ones.pop() == pairs[word], word)
            else:
                open_ones.append(word)
        self.assertEqual(open_ones, [])
        for line in filter(None, map(str.strip, code.splitlines())):
            self.assertRegex(line, r"^(local \w+ = |package\.path = |require |pktgen\.\w+\(|print\(|\"\" \.\.|for |end$)")

    def test_more_sessions_than_the_numbering_has_are_refused(self):
        done = subprocess.run([PROGRAM, "--out", self.folder, "--sessions", str(256 * 32768 + 1)], capture_output=True,
                              text=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn("8388608 are possible", done.stderr)


if __name__ == "__main__":
    unittest.main()
