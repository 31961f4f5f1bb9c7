"""Ports: large MTUs, TAP interfaces, multicast, MACs that change, VLAN interfaces, IPv6 gateways."""

import socket
import time

from lab.netns import run
from lab.scenario import Skip, eventually, expect, scenario
from lab.topology import HUB_ADDRESS, VXLAN_OVERHEAD
from lab.traffic import HttpServer, http_get, ping

JUMBO = 9216
JUMBO_INNER = JUMBO - VXLAN_OVERHEAD
IP4, IP6 = 28, 48  # of an echo request, from the IP header to its payload


def interface(namespace, name):
    """(exists, MTU, MAC) of an interface."""
    said = namespace.run("ip", "-o", "link", "show", "dev", name, check=False).stdout
    words = said.split()
    if not words:
        return False, 0, ""
    return True, int(words[words.index("mtu") + 1]), words[words.index("link/ether") + 1]


def widen(world, spokes, mtu, switch=9500):
    """The underlay of these spokes takes packets of `mtu` bytes, and their tunnels what is left of that."""
    world.topology.switch.ip(f"link set sw-hub mtu {switch}")
    for spoke in spokes:
        world.topology.switch.ip(f"link set sw-{spoke.name} mtu {switch}")
        spoke.namespace.ip(f"link set u0 mtu {mtu}", f"link set vx0 mtu {mtu - VXLAN_OVERHEAD}")


def build_jumbo(world, peers_mtu):
    """An af_packet port of the largest MTU, and spokes a and b whose underlay takes `peers_mtu`."""
    world.build(driver="af_packet")
    world.topology.hub.ip("addr flush dev u0")
    world.config.port[0]["mtu"] = JUMBO
    widen(world, (world.a, world.b), peers_mtu)
    return world.a, world.b


@scenario("port.jumbo", "MTU 9,216 on af_packet: pings of exactly that pass unfragmented, one byte more is told, HTTP too")
def jumbo(world):
    a, b = build_jumbo(world, JUMBO + 100)
    world.start()
    expect(interface(world.topology.hub, "u0")[1] == JUMBO, "the hub has not set the interface's MTU")
    mtus = {row["name"]: row["mtu"] for row in world.hub.ctl_json("status")["attachments"]}
    expect(mtus["b"] == JUMBO_INNER, f"MTUs are {mtus}")
    for target, headers in ((b.address, IP4), (b.address6, IP6)):
        got, said = ping(a.namespace, target, count=5, size=JUMBO_INNER - headers, dont_fragment=True)
        expect(got == 5, f"{got} of 5 to {target}\n{said}\n{world.hub.drops()}")
        got, said = ping(a.namespace, target, count=2, size=JUMBO_INNER - headers + 1, dont_fragment=True)
        expect(got == 0 and f"mtu = {JUMBO_INNER}" in said.replace("mtu=", "mtu = "), f"{got} of 2\n{said}")
    expect(not any("fragment" in reason for reason in world.hub.drops()), f"{world.hub.drops()}")
    body = "weir" * 262_144
    HttpServer(world.lab, b.namespace, b.address, 80, greeting=body)
    answer = http_get(a.namespace, f"http://{b.address}/x", timeout=10)
    expect(answer.exit == 0 and len(answer.body) > len(body), f"exit {answer.exit}, {len(answer.body)} bytes")
    code, _ = world.hub.stop()
    expect(code == 0 and interface(world.topology.hub, "u0")[1] == 1500, "the interface's MTU is not put back")


@scenario("port.jumbo-outer-fragments", "tunnel packets of 9,216 bytes that the peer's underlay cut up are put together")
def jumbo_outer_fragments(world):
    a, b = build_jumbo(world, JUMBO)
    a.namespace.ip(f"route add {HUB_ADDRESS}/32 dev u0 src {a.underlay} mtu lock 1500")
    world.start()
    # Few packets wait while a next hop is resolved, and all five come at once.
    got, said = ping(a.namespace, b.address, count=1)
    expect(got == 1, f"{got} of 1\n{said}\n{world.hub.drops()}")
    got, said = ping(a.namespace, b.address, count=5, size=JUMBO_INNER - IP4)
    expect(got == 5, f"{got} of 5\n{said}\n{world.hub.drops()}")


@scenario("port.af-xdp-largest", "MTU 3,306 on af_xdp, a page for each packet; more is refused before anything is changed")
def af_xdp_largest(world):
    world.build()
    a, b = world.a, world.b
    largest = 3306
    world.config.port[0]["mtu"] = largest + 1
    process = world.hub.launch()
    expect(process.wait(40) != 0 and f"carries, {largest}" in process.output(), process.tail())
    expect(interface(world.topology.hub, "u0")[1] == 1500, "the interface was changed")
    world.config.port[0]["mtu"] = largest
    world.topology.switch.ip("link set sw-c mtu 3306")  # the bridge has the least MTU of its ports
    widen(world, (a, b), largest, switch=largest)  # with XDP at its other end, a veth is held to what XDP takes
    world.start()
    for target, headers in ((b.address, IP4), (b.address6, IP6)):
        for size in (largest - VXLAN_OVERHEAD - headers, 1400):
            got, said = ping(a.namespace, target, count=3, size=size, dont_fragment=True)
            expect(got == 3, f"{got} of 3 of {size} bytes to {target}\n{said}\n{world.hub.drops()}")


def add_lan(world, mtu):
    """A host on a second port of the hub, a native attachment of domain blue: (namespace, address)."""
    hub, lan = world.topology.hub, world.lab.namespace("lan")
    hub.ip(f"link add u1 numrxqueues 1 numtxqueues 1 type veth peer name eth0 netns {lan.name} "
           "numrxqueues 1 numtxqueues 1")
    hub.sysctl("net.ipv6.conf.u1.disable_ipv6", 1)
    hub.ip("link set u1 up")
    lan.run("ethtool", "-K", "eth0", "tx", "off")
    lan.ip(f"link set eth0 mtu {mtu} up", "addr add 10.50.0.10/24 dev eth0", "route add default via 10.50.0.1")
    world.config.port.append({"name": "lan0", "driver": "af_packet", "interface": "u1", "mtu": mtu})
    world.config.attachment.append({"name": "lan", "domain": "blue", "native": {"port": "lan0"},
                                    "gateway": ["10.50.0.1/24"]})
    return lan, "10.50.0.10"


@scenario("port.jumbo-beside-af-xdp", "a 9,216 byte LAN and an af_xdp underlay in one hub: each has buffers of its own")
def jumbo_beside_af_xdp(world):
    world.build()
    lan, address = add_lan(world, JUMBO)
    world.start()
    a = world.a
    got, said = ping(a.namespace, address, count=5, size=1450 - IP4, dont_fragment=True)
    expect(got == 5, f"{got} of 5 to the LAN\n{said}\n{world.hub.drops()}")
    got, said = ping(lan, a.address, count=2, size=JUMBO - IP4, dont_fragment=True)
    expect(got == 0 and "mtu" in said, f"{got} of 2 from the LAN\n{said}\n{world.hub.drops()}")
    got, said = ping(lan, a.address, count=5, size=1450 - IP4, dont_fragment=True)
    expect(got == 5, f"{got} of 5 from the LAN, what fits\n{said}\n{world.hub.drops()}")
    got, said = ping(lan, "10.50.0.1", count=3, size=JUMBO - IP4, dont_fragment=True)
    expect(got == 3, f"the gateway answered {got} of 3 large pings\n{said}")
    body = "weir" * 262_144
    HttpServer(world.lab, lan, address, 80, greeting=body)
    answer = http_get(a.namespace, f"http://{address}/x", timeout=10)
    expect(answer.exit == 0 and len(answer.body) > len(body), f"exit {answer.exit}, {len(answer.body)} bytes")


def add_tap(world, attached=True):
    world.config.port.append({"name": "tap0", "driver": "tap", "interface": "weir0"})
    if attached:
        world.config.attachment.append({"name": "here", "domain": "red", "native": {"port": "tap0"},
                                        "gateway": ["10.9.0.1/24"]})


@scenario("port.tap", "a TAP interface that the hub makes: its machine reaches spokes and is reached; it goes with the hub")
def tap(world):
    world.build()
    add_tap(world)
    hub, b = world.topology.hub, world.b
    for ending in ("stopped", "killed"):
        world.hub.start()
        world.hub.wait_ready_tunnels()
        exists, mtu, _ = interface(hub, "weir0")
        expect(exists and mtu == 1500, "no TAP interface")
        hub.ip("addr add 10.9.0.10/24 dev weir0", "route add 10.2.0.0/24 via 10.9.0.1")
        for target in ("10.9.0.1", b.address):
            got, said = ping(hub, target, count=5)
            expect(got == 5, f"{got} of 5 to {target}\n{said}\n{world.hub.drops()}")
        got, said = ping(b.namespace, "10.9.0.10", count=5, size=1422, dont_fragment=True)
        expect(got == 5, f"{got} of 5 from b\n{said}\n{world.hub.drops()}")
        if ending == "stopped":
            body = "weir" * 65_536
            HttpServer(world.lab, hub, "10.9.0.10", 80, greeting=body)
            answer = http_get(b.namespace, "http://10.9.0.10/x", timeout=10)
            expect(answer.exit == 0 and len(answer.body) > len(body), f"exit {answer.exit}, {len(answer.body)} bytes")
            world.hub.stop()
        else:
            world.hub.kill()
        eventually(lambda: not interface(hub, "weir0")[0], f"the interface is still there after the hub was {ending}")


@scenario("port.tap-taken", "a tap port does not take over an interface of somebody else's")
def tap_taken(world):
    world.build()
    add_tap(world)
    world.topology.hub.ip("link add weir0 type bridge")
    process = world.hub.launch()
    expect(process.wait(40) != 0, "the hub runs")
    expect("there is an interface weir0 already" in process.output(), process.tail())
    expect(interface(world.topology.hub, "weir0")[0], "the other's interface is gone")


class Frames:
    """Frames that an interface gets, as its machine sees them."""

    def __init__(self, namespace, name):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.bind((name, 0))

    def wait(self, matches, timeout):
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame = self._socket.recv(16384)
            except TimeoutError:
                break
            if matches(frame):
                return frame
        return None


def broadcast(spoke, text):
    with spoke.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"vx0")
        sender.sendto(text, ("255.255.255.255", 67))


@scenario("port.multicast", "broadcast and multicast of a spoke reach the TAP interface that asked for them, and no other's")
def multicast(world):
    world.build()
    add_tap(world, attached=False)
    a, b = world.a, world.b
    world.config.attachment[0]["multicast_to"] = "tap0"
    world.start()
    frames = Frames(world.topology.hub, "weir0")
    broadcast(b, b"from b")
    broadcast(a, b"from a")
    frame = frames.wait(lambda f: b"from" in f, 5)
    expect(frame is not None and b"from a" in frame and frame[:6] == b"\xff" * 6, f"{frame}, {world.hub.drops()}")
    run("ip", "netns", "exec", a.namespace.name, "ping", "-c", "1", "-W", "1", "-I", "vx0", "224.0.0.5", check=False)
    frame = frames.wait(lambda f: f[:6] == b"\x01\x00\x5e\x00\x00\x05", 5)
    expect(frame is not None, f"no multicast; {world.hub.drops()}")
    eventually(lambda: world.hub.drops().get("inner_multicast", 0) >= 1, f"b's is not counted: {world.hub.drops()}")
    # It is a live key: b's come from now on, and a's do not.
    del world.config.attachment[0]["multicast_to"]
    world.config.attachment[1]["multicast_to"] = "tap0"
    world.hub.reload()
    broadcast(a, b"again a")
    broadcast(b, b"again b")
    frame = frames.wait(lambda f: b"again" in f, 5)
    expect(frame is not None and b"again b" in frame, f"{frame}, {world.hub.drops()}")


@scenario("port.mac", "the hub follows when its interface is given another MAC, on af_xdp")
def mac(world):
    follow_mac(world, "af_xdp")


@scenario("port.mac-af-packet", "the hub follows when its interface is given another MAC, on af_packet")
def mac_af_packet(world):
    follow_mac(world, "af_packet")


def follow_mac(world, driver):
    world.build(driver=driver)
    if driver == "af_packet":
        world.topology.hub.ip("addr flush dev u0")
    world.start()
    a, b = world.a, world.b
    got, said = ping(a.namespace, b.address, count=2)
    expect(got == 2, said)
    new = "02:00:00:00:12:34"
    world.topology.hub.ip(f"link set u0 address {new}")
    eventually(lambda: world.hub.ctl_json("status")["ports"][0]["mac"] == new, "the hub does not notice")
    if driver == "af_xdp":  # the kernel tells nobody
        for spoke in (a, b):
            spoke.namespace.ip("neigh flush dev u0")
    eventually(lambda: ping(a.namespace, b.address, count=1, wait=1.0)[0] == 1, "nothing passes", timeout=10)
    got, said = ping(a.namespace, b.address, count=5)
    expect(got == 5, f"{got} of 5\n{said}\n{world.hub.drops()}")
    known = a.namespace.run("ip", "neigh", "show", HUB_ADDRESS, "dev", "u0").stdout
    expect(new in known, f"a knows the hub as: {known}")


@scenario("port.vlan-interface", "an af_xdp port whose underlay the kernel has on a VLAN interface: found without port.vlan")
def vlan_interface(world):
    world.build()
    if world.topology.hub.ip("link add link u0 name u0.7 type vlan id 7", check=False).returncode != 0:
        raise Skip("this kernel has no VLAN interfaces")
    world.topology.hub.ip("link del u0.7")
    for namespace in (world.topology.hub, world.a.namespace, world.b.namespace):
        addresses = [word for word in namespace.run("ip", "-o", "-4", "addr", "show", "dev", "u0").stdout.split()
                     if word.startswith("198.18.")]
        namespace.run("ethtool", "-K", "u0", "txvlan", "off", "rxvlan", "off", check=False)
        namespace.ip("addr flush dev u0", "link add link u0 name u0.7 type vlan id 7")
        namespace.ip(f"addr add {next(w for w in addresses if '/' in w)} dev u0.7", "link set u0.7 up")
    for spoke in (world.a, world.b):
        spoke.namespace.ip("link set vx0 down", "link set vx0 up")
    world.hub.start()
    expect("VLAN 7" in world.hub.process.output(), world.hub.process.tail())

    def states():
        return {row["name"]: row["underlay"] for row in world.hub.ctl_json("status")["attachments"]}
    eventually(lambda: states()["a"] == states()["b"] == "resolved", f"not resolved: {states()}", timeout=10)
    got, said = ping(world.a.namespace, world.b.address, count=5)
    expect(got == 5, f"{got} of 5\n{said}\n{world.hub.drops()}")
    got, said = ping(world.a.namespace, HUB_ADDRESS, count=2)
    expect(got == 2, f"the kernel's ping over the VLAN\n{said}")


@scenario("port.gateway6", "a peer behind routers, IPv4 and IPv6 (link-local), in the underlay of a port that DPDK owns")
def gateway6(world):
    world.build(driver="af_packet")
    topology, lab = world.topology, world.lab
    topology.hub.ip("addr flush dev u0")
    world.config.port[0]["address"] = [HUB_ADDRESS + "/24", "2001:db8:f::1/64"]
    world.config.port[0]["gateway"] = ["198.18.0.254", "fe80::254"]
    router = topology.add_router("router", ["198.18.0.254/24", "fe80::254/64", "2001:db8:f::254/64"], {})
    far = lab.namespace("far")
    router.ip(f"link add r1 type veth peer name u0 netns {far.name}")
    far.run("ethtool", "-K", "u0", "tx", "off")
    router.run("ethtool", "-K", "r1", "tx", "off")
    router.ip("addr add 198.19.0.254/24 dev r1", "addr add 2001:db8:e::254/64 dev r1 nodad", "link set r1 up")
    far.ip("addr add 198.19.0.10/24 dev u0", "addr add 2001:db8:e::10/64 dev u0 nodad", "link set u0 up",
           "route add 198.18.0.0/24 via 198.19.0.254", "route add 2001:db8:f::/64 via 2001:db8:e::254")
    spokes = []
    for number, (local, hub) in enumerate((("198.19.0.10", HUB_ADDRESS), ("2001:db8:e::10", "2001:db8:f::1")), 60):
        far.ip(f"link add vx{number} mtu 1400 type vxlan id {number} remote {hub} local {local} dstport 4789 dev u0",
               f"addr add 10.{number}.0.10/24 dev vx{number}", f"link set vx{number} up",
               f"route add 10.1.0.0/24 via 10.{number}.0.1 dev vx{number} metric {number}")
        world.config.attachment.append({
            "name": f"far{number}", "domain": "blue", "gateway": [f"10.{number}.0.1/24"],
            "vxlan": {"vni": number, "local": hub, "remote": local}})
        spokes.append(f"10.{number}.0.10")
    world.start()
    far.sysctl("net.ipv4.conf.all.rp_filter", 0)
    for number, address in enumerate(spokes, 60):
        got, said = ping(far, f"10.{number}.0.1", count=3)
        expect(got == 3, f"the gateway inside answered {got} of 3 to far{number}\n{said}\n{world.hub.drops()}")
    got, said = ping(world.a.namespace, spokes[0], count=5)
    expect(got == 5, f"{got} of 5 over IPv4\n{said}\n{world.hub.drops()}")
    far.ip("route del 10.1.0.0/24 dev vx60")
    got, said = ping(world.a.namespace, spokes[1], count=5)
    expect(got == 5, f"{got} of 5 over IPv6\n{said}\n{world.hub.drops()}")
