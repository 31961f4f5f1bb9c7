"""What is larger than a packet, or than a way: fragments, path MTU, TCP's segment size, traceroute."""

import socket

from scapy.layers.inet import ICMP
from scapy.packet import Raw

from lab.raw import Device
from lab.scenario import eventually, expect, scenario
from lab.topology import HUB_ADDRESS, INNER_MTU, UNDERLAY_MTU
from lab.traffic import HttpServer, Iperf, http_get, ping, time_exceeded_by


@scenario("fragments.inner", "pings of 8,000 bytes pass in fragments, both families, both directions")
def inner(world):
    world.start()
    for one, other in ((world.a, world.b), (world.b, world.a)):
        for target in (other.address, other.address6):
            # What waits for a host to be found is bounded (limits.held_per_neighbor), and is less than this.
            ping(one.namespace, target, count=1)
            got, said = ping(one.namespace, target, count=5, size=8000)
            expect(got == 5, f"{one.name} to {target}: {got} of 5\n{said}\n{world.hub.drops()}")
    left = {name: count for name, count in world.hub.drops().items() if name.startswith("fragment")}
    expect(not left, f"fragments were dropped: {left}")


RULES = """\
drop icmp any any -> any any (msg:"a word in the fourth piece"; content:"forbidden-word"; sid:1000009; rev:1;)
"""


@scenario("fragments.inspected", "the same inspected: whole or not at all, a word in a later piece is found")
def inspected(world):
    world.build()
    with open(world.lab.path("test.rules"), "w") as handle:
        handle.write(RULES)
    world.config.profile.append({"name": "default", "rules": ["test.rules"], "on_drop": "silent"})
    for rule in world.config.policy:
        if rule["id"].startswith("ping"):
            rule.update(action="inspect", profile="default")
    world.start()
    a, b = world.a, world.b
    for one, other in ((a, b), (b, a)):
        for target in (other.address, other.address6):
            ping(one.namespace, target, count=1)
            got, said = ping(one.namespace, target, count=4, size=8000)
            expect(got == 4, f"{one.name} to {target}: {got} of 4\n{said}\n{world.hub.drops()}")
    drops = world.hub.drops()
    left = {name: count for name, count in drops.items() if name.startswith(("fragment", "inspect"))}
    expect(not left, f"fragments were dropped: {left}")
    with a.namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(bytes(ICMP(id=9, seq=1) / Raw(b"x" * 5000 + b"forbidden-word" + b"x" * 1000)), (b.address, 0))
    world.hub.wait_event("alert", signature_id=1000009)
    eventually(lambda: world.hub.drops().get("inspect_drop", 0) >= 5, f"not all its pieces were dropped: {drops}")


@scenario("fragments.outer", "outer packets that the peer's underlay cut in two are put together by the hub")
def outer(world):
    world.start()
    a, b = world.a, world.b
    # The spoke's tunnel packets do not fit its way to the hub any more, and it cuts them (df unset).
    a.namespace.ip(f"route add {HUB_ADDRESS}/32 dev u0 src {a.underlay} mtu lock 900")
    wire = Device(world.topology.switch, "sw-a")
    got, said = ping(a.namespace, b.address, count=1, size=1200)
    expect(got == 1, f"{got} of 1\n{said}\n{world.hub.drops()}")
    # From then on the kernel knows better and cuts the inner ones.
    cut = wire.count(lambda frame: frame[12:14] == b"\x08\0" and frame[20] & 0x3f | frame[21], 2, timeout=1)
    expect(cut == 2, "no outer packet was cut")


@scenario("fragments.traceroute", "UDP, TCP and ICMP traceroutes name the hub by its gateway address")
def traceroute(world):
    world.build()
    world.config.rule("traceroute", "allow", protocol="udp", ports=["33434-33534"])
    world.start()
    a, b = world.a, world.b
    for target, gateway in ((b.address, a.gateway_address), (b.address6, a.gateway_address6)):
        for protocol in ("udp", "tcp", "icmp"):
            hop = time_exceeded_by(a.namespace, target, protocol)
            expect(hop == gateway, f"{protocol} to {target}: the first hop is {hop}, not {gateway}")


@scenario("fragments.mss", "TCP passes a narrow attachment without one ICMP error: the handshake says what fits")
def mss(world):
    world.build()
    world.config.attachment[1]["mtu"] = 1300
    world.start()
    a, b = world.a, world.b
    rate = Iperf(a.namespace, b.namespace, b.address, seconds=2).finish()
    expect(rate["gbit"] > 0.01 and rate["stall_ms"] < 1000, f"a to b: {rate}")
    body = "weir" * 65_536
    HttpServer(world.lab, b.namespace, b.address, 80, greeting=body)
    answer = http_get(a.namespace, f"http://{b.address}/x", timeout=10)
    expect(answer.exit == 0 and len(answer.body) > len(body), f"exit {answer.exit}, {len(answer.body)} bytes")
    expect(not world.hub.drops().get("mtu_exceeded"), f"segments did not fit: {world.hub.drops()}")


@scenario("fragments.underlay_mtu", "an underlay router's \"fragmentation needed\" lowers that tunnel's MTU; a forged one does not")
def underlay_mtu(world):
    world.start()
    a, b = world.a, world.b
    got, said = ping(a.namespace, b.address, count=2)
    expect(got == 2, said)

    def mtus():
        return {row["name"]: row["mtu"] for row in world.hub.ctl_json("status")["attachments"]}

    def send(vni, mtu):
        code = (
            "from scapy.all import IP, ICMP, UDP, Raw, send, conf\n"
            "from scapy.layers.vxlan import VXLAN\n"
            "conf.verb = 0\n"
            f"q = IP(src='198.18.0.1', dst='{b.underlay}', flags='DF') / UDP(sport=50000, dport=4789, chksum=0)"
            f" / VXLAN(vni={vni}) / Raw(b'x' * 1400)\n"
            f"send(IP(src='198.18.0.20', dst='198.18.0.1') / ICMP(type=3, code=4, nexthopmtu={mtu}) / Raw(bytes(q)[:500]))\n")
        b.namespace.run("/usr/bin/python3", "-c", code, timeout=30)

    before = mtus()
    send(b.vni + 1, 1000)
    send(b.vni, 1400)
    eventually(lambda: mtus()["b"] == 1400 - (UNDERLAY_MTU - INNER_MTU), f"b's MTU is not lowered: {mtus()}")
    expect(mtus()["a"] == before["a"], f"a's MTU moved: {mtus()}")
    got, said = ping(a.namespace, b.address, count=2, size=1400 - 28, dont_fragment=True)
    route = a.namespace.run("ip", "route", "get", b.address).stdout
    expect(got == 0 and "mtu 1350" in route, f"the sender does not learn of it: {route}\n{said}")
