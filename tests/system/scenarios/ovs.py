"""Open vSwitch's userspace datapath as the spokes' peer: every tunnel that it and the hub speak, over IPv4 and IPv6."""

import itertools
from dataclasses import dataclass

from lab.capture import Capture
from lab.ovs import OpenVswitch, missing
from lab.scenario import Skip, expect, scenario
from lab.topology import BOTH_FAMILIES, HUB_ADDRESS, HUB_ADDRESS6, NumberedTunnel
from lab.traffic import HttpServer, Iperf, http_get, ping

OVS_ADDRESS, OVS_ADDRESS6 = "198.18.0.80", "2001:db8:f::80"


@dataclass
class Tunnel(NumberedTunnel):
    """One tunnel as both ends see it; `number` makes its addresses: 10.N.0.0/24, 2001:db8:N::/64."""
    name: str
    number: int
    table: str        # of the attachment
    keys: dict        # in it
    kind: str         # Open vSwitch's
    options: dict
    overhead: int     # of what Open vSwitch sends, without the outer IP header
    six: bool

    @property
    def ends(self):
        return (HUB_ADDRESS6, OVS_ADDRESS6) if self.six else (HUB_ADDRESS, OVS_ADDRESS)

    def attachment(self, domain):
        return self.attachment_of(domain, self.table, **self.keys)

    def of_ovs(self):
        local, remote = self.ends
        return self.kind, {"remote_ip": local, "local_ip": remote, **self.options}, self.mtu


def tunnels():
    found = []
    for six in (False, True):
        for number, (name, table, keys, kind, options, overhead) in enumerate([
                ("vxlan", "vxlan", {"vni": 81}, "vxlan", {"key": 81}, 30),
                # With checksums (those of UDP over IPv6 are always there), and a GENEVE option.
                ("geneve", "geneve", {"vni": 82}, "geneve", {"key": 82, "csum": "true"}, 30 + 12),
                ("gre", "gre", {"key": 83, "ethernet": True}, "gre", {"key": 83, "csum": "true"}, 22 + 4),
                ("gre-ip", "gre", {"key": 84}, "gre", {"key": 84, "packet_type": "legacy_l3"}, 8)], 95 if six else 91):
            found.append(Tunnel(f"{name}{6 if six else 4}", number, table, keys, kind, options, overhead, six))
    return found


ANYBODYS_MAC = "02:57:00:00:00:99"  # of the gateway, behind tunnels that carry no Ethernet
BODY = "weir" * 65_536


def address_client(ovs, client, tunnel):
    commands = [f"addr add {tunnel.hosts[0]}/24 dev eth0", f"addr add {tunnel.hosts[1]}/64 dev eth0 nodad"]
    if tunnel.name.startswith("gre-ip"):
        ovs.point_to_point(client, ANYBODYS_MAC)
        commands += [f"neigh add {gateway} lladdr {ANYBODYS_MAC} dev eth0" for gateway in tunnel.gateways]
    if tunnel.table == "geneve":
        ovs.with_option(client)
    client.namespace.ip(*commands, *[f"route add default via {gateway}" for gateway in tunnel.gateways])


def talk(world, client, tunnel):
    """Pings of the gateway, pings of full size and HTTP to a, both families, and pings from a."""
    a = world.a
    for target, gateway, headers in ((a.address, tunnel.gateways[0], 28), (a.address6, tunnel.gateways[1], 48)):
        got, said = ping(client, gateway, count=2)
        expect(got == 2, f"{tunnel.name}: the gateway {gateway} answered {got} of 2\n{said}{world.hub.drops()}")
        size = min(tunnel.mtu, a.mtu) - headers
        got, said = ping(client, target, count=2, size=size, dont_fragment=True)
        expect(got == 2, f"{tunnel.name} to {target}: {got} of 2 pings of {size} bytes\n{said}{world.hub.drops()}")
        answer = http_get(client, f"http://{f'[{target}]' if ':' in target else target}/x", timeout=10)
        expect(answer.exit == 0 and len(answer.body) > len(BODY), f"{tunnel.name} to {target}: HTTP {answer.exit}")
    for host in tunnel.hosts:
        got, said = ping(a.namespace, host, count=2)
        expect(got == 2, f"a to {tunnel.name}, {host}: {got} of 2\n{said}{world.hub.drops()}")


@scenario("ovs.tunnels", "VXLAN, GENEVE, GRE from Open vSwitch over IPv4 and IPv6: full-size pings, HTTP, iperf3 to a "
          "kernel spoke; tshark warns of no packet", time_limit=90)
def ovs_tunnels(world):
    if reason := missing():
        raise Skip(reason)
    world.build(hub_addresses=BOTH_FAMILIES)
    a, all_tunnels = world.a, tunnels()
    for tunnel in all_tunnels:
        world.config.attachment.append(tunnel.attachment("blue"))
    world.config.rule("iperf", "allow", protocol="tcp", ports=["5201-5299"])
    namespace = world.lab.namespace("ovs")
    world.topology.plug(namespace, "ovs", ())
    ovs = OpenVswitch(world.lab, namespace, [OVS_ADDRESS + "/24", OVS_ADDRESS6 + "/64"])
    clients = ovs.add_tunnels({tunnel.name: tunnel.of_ovs() for tunnel in all_tunnels})
    capture = Capture(world.topology)
    world.start()
    for address in (a.address, a.address6):
        HttpServer(world.lab, a.namespace, address, 80, greeting=BODY)
    for tunnel in all_tunnels:
        address_client(ovs, clients[tunnel.name], tunnel)
        talk(world, clients[tunnel.name].namespace, tunnel)
    streams = [Iperf(clients[tunnel.name].namespace, a.namespace, a.address6 if port % 2 else a.address, port=port,
                     amount="1M") for port, tunnel in enumerate(all_tunnels, 5210)]
    for tunnel, stream in zip(all_tunnels, streams):
        rate = stream.finish()
        expect(rate["gbit"] > 0.001, f"{tunnel.name}: iperf3 {rate}")
    kinds, complaints = capture.judge()
    expect(not complaints, "\n".join(complaints))
    for kind in ("VXLAN", "GENEVE with Ethernet", "GRE with Ethernet", "GRE"):
        for outer, inner in itertools.product(("IPv4", "IPv6"), repeat=2):
            judged = kinds.get(f"{kind} over {outer}, {inner} inside", 0)
            expect(judged > 20, f"only {judged} packets {kind} over {outer}, {inner} inside were judged: {kinds}")
    unwanted = {name: count for name, count in world.hub.drops().items()
                if name.startswith(("outer", "tunnel", "vxlan", "geneve", "gre")) or name == "mtu_exceeded"}
    expect(not unwanted, f"dropped: {unwanted}")
    world.note(f"{sum(kinds.values())} packets judged")
