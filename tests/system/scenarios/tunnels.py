"""Tunnels that this kernel has no device for: the other end is scapy's, or a program's with a TUN device."""

import itertools
import json
import os
from dataclasses import dataclass

from lab.capture import Capture
from lab.scenario import Skip, eventually, expect, scenario
from lab.topology import BOTH_FAMILIES, HUB_ADDRESS, HUB_ADDRESS6, NumberedTunnel
from lab.traffic import HttpServer, http_get, ping, time_exceeded_by

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools")
TOOL = os.path.join(TOOLS, "tunnel_peer.py")
TUN_PEER = os.path.join(TOOLS, "tun_peer.py")
# Kind, the table of the attachment, and the VNI or key.
KINDS = [
    ("geneve", "geneve", {"vni": 71}, 71),
    ("geneve-ip", "geneve", {"vni": 72, "port": 6082, "ethernet": False}, 72),
    ("gre", "gre", {}, 0),
    ("gre-key", "gre", {"key": 74}, 74),
    ("ipip", "ipip", {}, 0),
]


@scenario("tunnel.scapy", "GENEVE, GRE and IP in IP: pings to the gateway and on to a VXLAN spoke, past XDP, both ways")
def tunnels(world):
    world.build()
    a, b = world.a, world.b
    plan = []
    for number, (kind, table, keys, identifier) in enumerate(KINDS, 70):
        world.config.attachment.append({
            "name": kind, "domain": a.domain, "gateway": [f"10.{number}.0.1/24"],
            table: {"local": HUB_ADDRESS, "remote": a.underlay, **keys}})
        plan.append({"kind": kind, "id": identifier, "host": f"10.{number}.0.10", "gateway": f"10.{number}.0.1"})
    world.start()
    mac = world.hub.ctl_json("status")["ports"][0]["mac"]
    said = a.namespace.run("/usr/bin/python3", TOOL, "u0", a.underlay, HUB_ADDRESS, mac, b.address, json.dumps(plan),
                           timeout=50)
    counts = json.loads(said.stdout.splitlines()[-1])
    drops = world.hub.drops()
    for kind, *_ in KINDS:
        expect(counts[kind]["gateway"] == 3, f"{kind}: the gateway answered {counts[kind]} of 3 pings; drops {drops}")
        # The first ping may wait until b's host is found.
        expect(counts[kind]["target"] >= 2, f"{kind}: {counts[kind]} of 3 pings came back from b; drops {drops}")
    expect("tunnel_unknown" not in drops and "outer_protocol" not in drops, f"drops {drops}")


@dataclass
class PointToPoint(NumberedTunnel):
    """A tunnel that carries IP, as both ends see it; `number` makes its addresses."""
    name: str
    number: int
    kind: str       # tun_peer.py's
    table: dict     # of the attachment, without its ends
    overhead: int   # without the outer IP header
    six: bool
    namespace: object = None
    process: object = None

    @property
    def ends(self):
        return (HUB_ADDRESS6, f"2001:db8:f::{self.number}") if self.six else (HUB_ADDRESS, f"198.18.0.{self.number}")

    def attachment(self, domain, **keys):
        kind, = self.table
        return {**self.attachment_of(domain, kind, **self.table[kind]), **keys}

    def open(self, world):
        """A namespace with a TUN device that comes up by and by: see address()."""
        local, remote = self.ends
        if not os.path.exists("/dev/net/tun"):
            raise Skip("this machine has no TUN devices")
        self.namespace = world.lab.namespace(self.name)
        world.topology.plug(self.namespace, self.name, [remote + ("/64" if self.six else "/24")])
        identifier = [value for table in self.table.values() for key, value in table.items() if key in ("vni", "key")]
        self.process = self.namespace.start("/usr/bin/python3", TUN_PEER, "tun0", self.mtu, self.kind, remote, local,
                                            *identifier, log=f"{self.name}.log")

    def address(self):
        """Gives the device its addresses and default routes."""
        self.process.wait_for("ready", 10)
        self.namespace.ip(f"addr add {self.hosts[0]}/24 dev tun0", f"addr add {self.hosts[1]}/64 dev tun0 nodad",
                          "route add default dev tun0", "route add ::/0 dev tun0")


def point_to_points():
    kinds = [("ipip", "ipip", {"ipip": {}}, 0), ("gre", "gre", {"gre": {"key": 7}}, 8),
             ("geneve", "geneve", {"geneve": {"vni": 7, "ethernet": False}}, 16)]
    return [PointToPoint(f"{name}{6 if six else 4}", number + (10 if six else 0), kind, table, overhead, six)
            for six in (False, True) for number, (name, kind, table, overhead) in enumerate(kinds, 71)]


@scenario("tunnel.ip", "IP in IP (all four), GRE, GENEVE with IP: full-size and larger pings, HTTP, traceroute; "
          "tshark warns of no packet", time_limit=90)
def ip_tunnels(world):
    world.build(hub_addresses=BOTH_FAMILIES)
    world.config.rule("traceroute", "allow", protocol="udp", ports=["33434-33534"])
    a, tunnels_ = world.a, point_to_points()
    for tunnel in tunnels_:
        world.config.attachment.append(tunnel.attachment("blue"))
        tunnel.open(world)
    capture = Capture(world.topology)
    world.start()
    for tunnel in tunnels_:
        tunnel.address()
    body = "weir" * 16_384
    for target in (a.address, a.address6):
        HttpServer(world.lab, a.namespace, target, 80, greeting=body)
    for tunnel in tunnels_:
        for target, host, gateway, headers in ((a.address, tunnel.hosts[0], tunnel.gateways[0], 28),
                                               (a.address6, tunnel.hosts[1], tunnel.gateways[1], 48)):
            where = f"{tunnel.name} and {target}"
            # Whoever has the wider link has to learn first what fits.
            eventually(lambda: ping(tunnel.namespace, target, count=1, size=4000, wait=0.2)[0] == 1,
                       f"{where}: no answer to a large ping")
            for space, address, size in ((tunnel.namespace, gateway, 56), (a.namespace, host, 56),
                                         (tunnel.namespace, target, min(tunnel.mtu, a.mtu) - headers),
                                         (tunnel.namespace, target, 4000)):
                got, said = ping(space, address, count=3, size=size)
                expect(got == 3, f"{where}: {got} of 3 pings of {size} bytes to {address}\n{said}{world.hub.drops()}")
            hop = time_exceeded_by(tunnel.namespace, target, "udp")
            expect(hop == gateway, f"{where}: the first hop is {hop}, not {gateway}")
            answer = http_get(tunnel.namespace, f"http://{f'[{target}]' if ':' in target else target}/x", timeout=10)
            expect(answer.exit == 0 and len(answer.body) > len(body), f"{where}: HTTP {answer.exit}")
    kinds, complaints = capture.judge()
    expect(not complaints, "\n".join(complaints))
    for kind in ("IP in IP", "GRE", "GENEVE"):
        for outer, inner in itertools.product(("IPv4", "IPv6"), repeat=2):
            judged = kinds.get(f"{kind} over {outer}, {inner} inside", 0)
            expect(judged > 20, f"only {judged} packets {kind} over {outer}, {inner} inside were judged: {kinds}")
    unwanted = {name: count for name, count in world.hub.drops().items()
                if name.startswith(("outer", "tunnel", "geneve", "gre", "fragment"))}
    expect(not unwanted, f"dropped: {unwanted}")


@scenario("tunnel.health", "without Ethernet: probed by ICMP; what is down is left, also by sessions, and "
          "comes back")
def ip_health(world):
    world.build(hub_addresses=BOTH_FAMILIES)
    a, hub = world.a, world.hub
    service = "10.77.0.1"
    four, six = [one for one in point_to_points() if one.name in ("gre4", "ipip6")]
    for tunnel, family in ((four, 0), (six, 1)):
        tunnel.open(world)
        tunnel.address()
        tunnel.namespace.ip(f"addr add {service}/32 dev lo")
        world.config.attachment.append(tunnel.attachment("blue", health={
            "probe": "icmp", "address": tunnel.hosts[family], "interval_ms": 500, "up_after": 1, "down_after": 3,
            "flap_half_life": 0}))
        world.config.route.append({"domain": "blue", "prefix": "10.77.0.0/16", "attachment": tunnel.name, "ecmp": True})
    world.start()

    def state(tunnel):
        return next(row for row in hub.ctl_json("status")["attachments"] if row["name"] == tunnel.name)

    for tunnel in (four, six):
        eventually(lambda: state(tunnel)["state"] == "up", f"{tunnel.name} does not come up")
    stream = a.namespace.start("ping", "-n", "-i", "0.05", "-W", "1", service, log="stream.log")
    stream.wait_for("bytes from", 5)
    before = {tunnel.name: state(tunnel)["tx_packets"] for tunnel in (four, six)}
    eventually(lambda: sum(state(t)["tx_packets"] - before[t.name] for t in (four, six)) > 15, "no pings leave")
    used, other = sorted((four, six), key=lambda t: before[t.name] - state(t)["tx_packets"])
    used.namespace.ip("link set tun0 down")
    eventually(lambda: state(used)["state"] == "down", "it is not down", timeout=10, interval=0.05)
    eventually(lambda: state(other)["state"] == "up", "the other one went down too")
    seen = stream.output().count("bytes from")
    eventually(lambda: stream.output().count("bytes from") > seen + 10, f"the session did not move: {hub.drops()}")
    used.namespace.ip("link set tun0 up", "route add default dev tun0", "route add ::/0 dev tun0", check=False)
    used.namespace.ip(f"addr add {used.hosts[1]}/64 dev tun0 nodad", check=False)
    eventually(lambda: state(used)["state"] == "up", "it does not come back", timeout=10)
    got, said = ping(a.namespace, used.hosts[0], count=3)
    expect(got == 3, f"it is up, but not reached: {got} of 3\n{said}")
