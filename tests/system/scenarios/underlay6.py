"""Tunnels over IPv6 to kernel peers, and routers of the underlay that cannot carry what the hub sends."""

from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from lab.capture import Capture
from lab.raw import Device, mac_of
from lab.scenario import eventually, expect, scenario
from lab.topology import BOTH_FAMILIES, HUB_ADDRESS6, INNER_MTU6, Spoke, number_spoke
from lab.traffic import HttpServer, NumberedLoad, http_get, ping, time_exceeded_by

BODY = "weir" * 65_536
SERVICE = "10.77.0.1"  # behind two spokes


def expect_transfer(world, client, server, address):
    """A body of many segments over HTTP from `address` of `server`."""
    HttpServer(world.lab, server.namespace, address, 80, greeting=BODY)
    answer = http_get(client.namespace, f"http://{f'[{address}]' if ':' in address else address}/x", timeout=20)
    expect(answer.exit == 0 and len(answer.body) > len(BODY),
           f"{client.name} from {address}: HTTP {answer.exit}, {len(answer.body)} bytes, drops {world.hub.drops()}")


def expect_no_drops(world, *prefixes):
    found = {name: count for name, count in world.hub.drops().items() if name.startswith(prefixes)}
    expect(not found, f"dropped: {found}")


def with_spoke6(world, **keys):
    """The usual topology and e, in blue, whose tunnel runs over IPv6; `keys` are of its attachment."""
    world.build(hub_addresses=BOTH_FAMILIES)
    e = world.topology.add_spoke(number_spoke("e", "blue", 5, six=True))
    world.config.attach(e, **keys)
    return e


def expect_pings(world, source, target, **options):
    got, said = ping(source.namespace, target, count=3, **options)
    expect(got == 3, f"{source.name} to {target}: {got} of 3 {options}\n{said}{world.hub.drops()}")


@scenario("six.vxlan", "kernel VXLAN over IPv6, both families inside: full-size pings, HTTP, traceroute, \"too big\"")
def vxlan(world):
    e = with_spoke6(world)
    world.config.rule("traceroute", "allow", protocol="udp", ports=["33434-33534"])
    capture = Capture(world.topology)
    world.start()
    a = world.a
    for one, other in ((a, e), (e, a)):
        for target, gateway, headers in ((other.address, one.gateway_address, 28),
                                         (other.address6, one.gateway_address6, 48)):
            expect_pings(world, one, gateway)
            expect_pings(world, one, target, size=INNER_MTU6 - headers, dont_fragment=True)
            for protocol in ("udp", "icmp"):
                hop = time_exceeded_by(one.namespace, target, protocol)
                expect(hop == gateway, f"{protocol} from {one.name} to {target}: the first hop is {hop}, not {gateway}")
    for target in (e.address, e.address6):
        expect_transfer(world, a, e, target)
    # a's link takes 20 bytes more than e's tunnel.
    for target, gateway, headers in ((e.address, a.gateway_address, 28), (e.address6, a.gateway_address6, 48)):
        got, said = ping(a.namespace, target, count=2, size=INNER_MTU6 + 20 - headers, dont_fragment=True)
        route = a.namespace.run("ip", "route", "get", target).stdout
        expect(got == 0 and f"mtu {INNER_MTU6}" in route, f"{gateway} did not say what fits: {route}\n{said}")
    kinds, complaints = capture.judge()
    expect(not complaints, "\n".join(complaints))
    for inner in ("IPv4", "IPv6"):
        expect(kinds.get(f"VXLAN over IPv6, {inner} inside", 0) > 30, f"judged: {kinds}")
    expect_no_drops(world, "outer", "tunnel", "vxlan")


@scenario("six.checksum", "UDP without checksum over IPv6 is refused, and passes where it may; over IPv4 with one")
def checksum(world):
    world.build(hub_addresses=BOTH_FAMILIES)
    e = world.topology.add_spoke(number_spoke("e", "blue", 5, six=True, options="udp6zerocsumtx udp6zerocsumrx"))
    world.config.attach(e)
    # And over IPv4 the other way round: there it is the checksum that is asked for.
    f = world.topology.add_spoke(number_spoke("f", "blue", 6, options="udpcsum"))
    world.config.attach(f, udp_checksum=True)
    world.start()
    a = world.a
    for one, other in ((f, a), (a, f)):
        expect_pings(world, one, other.address)
    got, said = ping(e.namespace, a.address, count=2, wait=0.5)
    drops = world.hub.drops()
    expect(got == 0 and drops.get("outer_udp_checksum", 0) >= 1, f"{got} passed: {drops}\n{said}")
    next(row for row in world.config.attachment if row["name"] == "e")["udp_checksum"] = False
    world.hub.reload()
    before = world.hub.drops().get("outer_udp_checksum", 0)
    for one, other in ((e, a), (a, e)):
        for target in (other.address, other.address6):
            expect_pings(world, one, target)
    expect(world.hub.drops().get("outer_udp_checksum", 0) == before, f"drops: {world.hub.drops()}")


@scenario("six.ecmp", "two kernel peers over IPv6 share the flows to one prefix; one goes, all flows reach the other")
def ecmp(world):
    world.build(hub_addresses=BOTH_FAMILIES)
    a, hub = world.a, world.hub
    spokes = [world.topology.add_spoke(number_spoke(name, "blue", number, six=True))
              for name, number in (("e", 5), ("f", 6))]
    for spoke in spokes:
        spoke.namespace.ip(f"addr add {SERVICE}/32 dev lo")
        world.config.attach(spoke, health={"probe": "icmp", "address": spoke.address, "interval_ms": 500, "up_after": 1,
                                           "down_after": 2, "flap_half_life": 0})
        world.config.route.append({"domain": "blue", "prefix": "10.77.0.0/16", "attachment": spoke.name,
                                   "via": spoke.address, "ecmp": True})
    world.start()

    def row(spoke):
        return next(row for row in hub.ctl_json("status")["attachments"] if row["name"] == spoke.name)

    for spoke in spokes:
        eventually(lambda: row(spoke)["state"] == "up", f"{spoke.name} does not come up")
    sent = {spoke.name: row(spoke)["tx_packets"] for spoke in spokes}
    survivor, lost = spokes
    load = NumberedLoad(world.binaries, a.namespace, survivor.namespace, SERVICE, pps=2000, seconds=2.5, flows=32)
    eventually(lambda: all(row(spoke)["tx_packets"] - sent[spoke.name] > 200 for spoke in spokes),
               "not both get a share of 32 flows")
    lost.namespace.ip("link set vx0 down")
    eventually(lambda: row(lost)["state"] == "down", "it is not down", interval=0.02)
    account = load.finish()
    # The receiver sits behind the survivor: it had its own flows from the first packet on, and has all at the end. Of
    # a flow that it has once nothing is missing any more: flows that were not moved lose nothing.
    expect(account["flows"] == 32 and account["reordered"] == 0 and account["duplicated"] == 0 and
           account["holes"] == 0, f"{account}, {hub.drops()}")
    world.note(f"{account['received']} of {account['sent']} arrived behind the survivor")


@scenario("six.af-packet", "a port that DPDK owns, over IPv6: the hub finds its peers, is found, hears what is too big")
def af_packet(world):
    world.build(driver="af_packet", hub_addresses=BOTH_FAMILIES)
    world.config.port[0]["address"] = list(BOTH_FAMILIES)
    e = world.topology.add_spoke(number_spoke("e", "blue", 5, six=True))
    world.config.attach(e)
    hub_mac = mac_of(world.topology.hub, "u0")
    # AF_PACKET only copies: the kernel must not answer for the addresses that are the hub's now.
    world.topology.hub.ip("addr flush dev u0")
    world.topology.hub.sysctl("net.ipv6.conf.u0.disable_ipv6", 1)
    world.start()
    a = world.a
    for one, other in ((a, e), (e, a)):
        for target, headers in ((other.address, 28), (other.address6, 48)):
            expect_pings(world, one, target, size=INNER_MTU6 - headers, dont_fragment=True)
    for spoke in (a, e):
        expect_pings(world, spoke, spoke.hub)
    before = mtus(world)
    wire = Device(e.namespace, "u0")
    wire.send(too_big_message(e, e, hub_mac, 1300, vni=e.vni + 1), too_big_message(e, e, hub_mac, 1400))
    eventually(lambda: mtus(world)["e"] == before["e"] - 100, f"it is not lowered: {mtus(world)}")
    expect(mtus(world)["a"] == before["a"], f"a's MTU moved: {mtus(world)}")
    expect_no_drops(world, "tunnel")


def narrow_way(world, six):
    """r, in blue, lies behind a router of the underlay whose link to it carries 1,400 bytes."""
    world.build(hub_addresses=BOTH_FAMILIES)
    near = ("2001:db8:f::90", "64") if six else ("198.18.0.90", "24")
    far, own, net = ("2001:db8:e::1", "2001:db8:e::10", "2001:db8:e::/64") if six else \
        ("198.19.0.1", "198.19.0.10", "198.19.0.0/24")
    router = world.topology.add_router("router", ["/".join(near)], {"r0": ([f"{far}/{near[1]}"], 1400)})
    # r tells a that it takes as much as a's own link: only the way between is narrow.
    r = number_spoke("r", "blue", 7)
    r.underlay, r.underlay_mtu, r.route_options = own, 1400, "advmss 1400"
    world.topology.add_spoke(r, behind=(router, "r0", far))
    world.topology.hub.ip(f"route add {net} via {near[0]}")
    world.config.attach(r)
    return r


def mtus(world):
    return {row["name"]: row["mtu"] for row in world.hub.ctl_json("status")["attachments"]}


def narrow(world, six):
    r = narrow_way(world, six)
    world.start()
    a = world.a
    before = mtus(world)
    for source in (a.address, a.address6):
        expect_transfer(world, r, a, source)
    now = mtus(world)
    expect(now.pop("r") == r.mtu and before.pop("r") == r.mtu + 100 and now == before, f"from {before} to {now}")
    expect(world.hub.drops().get("mtu_exceeded", 0) > 0, f"nobody was told: {world.hub.drops()}")


@scenario("underlay.narrow4", "an IPv4 router of the underlay says what fits: transfers under way adapt and complete")
def narrow4(world):
    narrow(world, six=False)


@scenario("underlay.narrow6", "the same over IPv6")
def narrow6(world):
    narrow(world, six=True)


def too_big_message(e, sender, mac, mtu, vni=None, peer=None):
    """What `sender`, as a router, says about one of the hub's packets to e; or about one that the hub did not send."""
    quoted = IPv6(src=HUB_ADDRESS6, dst=peer or e.underlay) / UDP(sport=50000, dport=4789, chksum=1) / \
        VXLAN(vni=vni or e.vni, flags=8) / Raw(b"x" * 1400)
    return Ether(dst=mac) / IPv6(src=sender.underlay, dst=HUB_ADDRESS6) / ICMPv6PacketTooBig(mtu=mtu) / \
        Raw(bytes(quoted)[:1200])


@scenario("six.too_big", "\"packet too big\" from the underlay lowers a tunnel's MTU if it quotes one of ours")
def too_big(world):
    e = with_spoke6(world)
    f = world.topology.add_spoke(number_spoke("f", "blue", 6, six=True))
    world.config.attach(f)
    world.start()
    a, mac, wire = world.a, mac_of(world.topology.hub, "u0"), Device(f.namespace, "u0")
    before = mtus(world)

    def refused():
        return world.hub.ctl_json("status")["neighbors"]["path_mtus_refused"]

    wire.send(too_big_message(e, f, mac, 1300, vni=e.vni + 1), too_big_message(e, f, mac, 1300, peer="2001:db8:f::77"))
    eventually(lambda: refused() == 2, "two forged messages were not refused")
    expect(mtus(world) == before, f"a forged message was believed: {mtus(world)}")
    wire.send(too_big_message(e, f, mac, 1400))
    eventually(lambda: mtus(world)["e"] == before["e"] - 100, f"it is not lowered: {mtus(world)}")
    for target, headers in ((e.address, 28), (e.address6, 48)):
        got, said = ping(a.namespace, target, count=2, size=1400 - headers, dont_fragment=True)
        route = a.namespace.run("ip", "route", "get", target).stdout
        expect(got == 0 and "mtu 1330" in route, f"the sender does not learn of it: {route}\n{said}")
        expect_pings(world, a, target, size=1330 - headers, dont_fragment=True)
    wire.send(too_big_message(e, f, mac, 100))  # every router carries 1,280
    eventually(lambda: mtus(world)["e"] == before["e"] - 220, f"it is not lowered to 1,280: {mtus(world)}")
    others = [{name: mtu for name, mtu in one.items() if name != "e"} for one in (before, mtus(world))]
    expect(others[0] == others[1], f"others' MTUs moved: from {others[0]} to {others[1]}")


IDENTIFIER = 0x7377  # of pings that are not the kernel's


def in_pieces(spoke, hub_mac, inside, number):
    """The outer packet around `inside`, cut on its way to the hub; the checksum of UDP is over the whole."""
    payload = UDP(sport=50000, dport=4789) / VXLAN(vni=spoke.vni, flags=8) / inside
    if ":" in spoke.hub:
        pieces = fragment6(IPv6(src=spoke.underlay, dst=spoke.hub) / IPv6ExtHdrFragment(id=number) / payload, 600)
    else:
        pieces = fragment(IP(bytes(IP(src=spoke.underlay, dst=spoke.hub, id=number) / payload)), 600)
    return [Ether(dst=hub_mac) / piece for piece in pieces]


def echo(source, target, sequence):
    if ":" in target:
        return IPv6(src=source, dst=target) / ICMPv6EchoRequest(id=IDENTIFIER, seq=sequence, data=b"w" * 1200)
    return IP(src=source, dst=target) / ICMP(id=IDENTIFIER, seq=sequence) / Raw(b"w" * 1200)


def is_answer(frame):
    reply, at = {0x0800: (0, 34), 0x86DD: (129, 54)}.get(int.from_bytes(frame[12:14], "big"), (None, 0))
    return len(frame) > at + 6 and frame[at] == reply and frame[at + 4:at + 6] == IDENTIFIER.to_bytes(2, "big")


@scenario("six.fragments", "outer packets in pieces, IPv6 and IPv4, in any order, are put together; inner ones pass")
def fragments(world):
    e = with_spoke6(world)
    world.start()
    a = world.a
    for target in (a.address, a.address6):
        # a has to learn first that its answers' pieces are too large.
        eventually(lambda: ping(e.namespace, target, count=1, size=8000, wait=0.2)[0] == 1, f"{target} does not answer")
        expect_pings(world, e, target, size=8000)
    hub_mac, number = mac_of(world.topology.hub, "u0"), 1000
    for one, other in ((e, a), (a, e)):
        wire, inside = Device(one.namespace, "u0"), Device(one.namespace, "vx0")
        own = mac_of(one.namespace, "vx0")
        for source, target, gateway in ((one.address, other.address, one.gateway_address),
                                        (one.address6, other.address6, one.gateway_address6)):
            inner_mac = one.namespace.run("ip", "neigh", "show", gateway).stdout.split("lladdr ")[1].split()[0]
            for order in (1, -1):
                for sequence in range(4):
                    number += 1
                    frame = Ether(src=own, dst=inner_mac) / echo(source, target, sequence)
                    pieces = in_pieces(one, hub_mac, frame, number)
                    expect(len(pieces) >= 2, "it was not cut")
                    wire.send(*pieces[::order])
                answered = inside.count(is_answer, 4)
                expect(answered == 4, f"{one.name} to {target}, order {order}: {answered} of 4, {world.hub.drops()}")
    expect_no_drops(world, "fragment", "outer")


@scenario("six.adapt", "without MSS clamping \"too big\" from the hub's address makes TCP adapt, both families inside")
def adapt(world):
    world.build(hub_addresses=BOTH_FAMILIES)
    e = world.topology.add_spoke(number_spoke("e", "blue", 5, six=True))
    world.config.attach(e, mtu=1300, mss_clamp=False)
    world.config.attachment[0]["mss_clamp"] = False
    world.start()
    a = world.a
    for source in (a.address, a.address6):
        expect_transfer(world, e, a, source)
    for target in (e.address, e.address6):
        route = a.namespace.run("ip", "route", "get", target).stdout
        expect("mtu 1300" in route, f"{route}")
    expect(world.hub.drops().get("mtu_exceeded", 0) >= 2, f"drops: {world.hub.drops()}")
