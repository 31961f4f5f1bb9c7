"""Packets between kernel peers: IPv4, IPv6, the gateway itself, TTL and MTU."""

from lab.scenario import expect, scenario
from lab.topology import INNER_MTU
from lab.traffic import HttpServer, http_get, ping

ICMP4_HEADERS = 28  # IPv4 and ICMP echo
ICMP6_HEADERS = 48


@scenario("reach.gateway", "the hub answers ARP, ND and ping on its gateway addresses, and ping in the underlay")
def gateway(world):
    world.start()
    a = world.a
    for address in (a.gateway_address, a.gateway_address6):
        got, said = ping(a.namespace, address, count=3)
        expect(got == 3, f"gateway {address} answered {got} of 3 pings\n{said}")
    neighbours = a.namespace.run("ip", "neigh", "show", "dev", "vx0").stdout
    expect(a.gateway_address in neighbours and "lladdr" in neighbours, f"no ARP entry of the gateway: {neighbours}")
    got, said = ping(a.namespace, "198.18.0.1", count=3)
    expect(got == 3, f"the hub's underlay address answered {got} of 3 pings\n{said}")


@scenario("reach.ipv4", "ping and HTTP between two connected domains, in both directions")
def ipv4(world):
    world.start()
    for client, server in ((world.a, world.b), (world.b, world.a)):
        got, said = ping(client.namespace, server.address, count=5)
        expect(got == 5, f"{client.name} to {server.name}: {got} of 5 pings\n{said}")
        HttpServer(world.lab, server.namespace, server.address, 80, greeting=server.name)
        answer = http_get(client.namespace, f"http://{server.address}/hello")
        expect(answer.body == f"{server.name} /hello\n", f"{client.name} to {server.name}: {answer}")


@scenario("reach.ipv6", "ping and HTTP over IPv6 inside the tunnels, neighbours found by ND")
def ipv6(world):
    world.start()
    a, b = world.a, world.b
    got, said = ping(a.namespace, b.address6, count=5)
    expect(got == 5, f"{got} of 5 pings\n{said}")
    HttpServer(world.lab, b.namespace, b.address6, 80, greeting="six")
    answer = http_get(a.namespace, f"http://[{b.address6}]/v6")
    expect(answer.body == "six /v6\n", str(answer))


@scenario("reach.bulk", "a megabyte of HTTP body arrives whole, in segments as large as the MTU allows")
def bulk(world):
    world.start()
    a, b = world.a, world.b
    body = "weir" * 262_144
    HttpServer(world.lab, b.namespace, b.address, 80, greeting=body)
    answer = http_get(a.namespace, f"http://{b.address}/bulk", timeout=10)
    expect(answer.exit == 0 and answer.body == f"{body} /bulk\n",
           f"exit {answer.exit}, {len(answer.body)} bytes of {len(body) + 7}")


@scenario("reach.ttl", "TTL 1 is answered by the hub's gateway with time exceeded; TTL 2 arrives")
def ttl(world):
    world.start()
    a, b = world.a, world.b
    for target, gateway_address in ((b.address, a.gateway_address), (b.address6, a.gateway_address6)):
        got, said = ping(a.namespace, target, count=1, ttl=1)
        expect(got == 0 and f"From {gateway_address}" in said and "exceeded" in said,
               f"no time exceeded from {gateway_address}:\n{said}")
        got, said = ping(a.namespace, target, count=1, ttl=2)
        expect(got == 1, f"TTL 2 did not arrive at {target}:\n{said}")
    expect(world.hub.drops().get("ttl_exceeded", 0) == 2, f"drops: {world.hub.drops()}")


@scenario("reach.mtu", "a full-size packet passes; a larger one with DF gets fragmentation needed, or too big")
def mtu(world):
    world.start()
    a, b = world.a, world.b
    for target, headers in ((b.address, ICMP4_HEADERS), (b.address6, ICMP6_HEADERS)):
        fits = INNER_MTU - headers
        got, said = ping(a.namespace, target, count=2, size=fits, dont_fragment=True)
        expect(got == 2, f"{fits} bytes to {target}: {got} of 2\n{said}")
    # A smaller MTU towards b makes the hub the one who knows.
    for row in world.config.attachment:
        if row["name"] == "b":
            row["mtu"] = 1300
    world.hub.reload()
    for target, headers in ((b.address, ICMP4_HEADERS), (b.address6, ICMP6_HEADERS)):
        got, said = ping(a.namespace, target, count=2, size=1400 - headers, dont_fragment=True)
        expect(got == 0, f"1400 bytes passed a 1300-byte attachment:\n{said}")
        route = a.namespace.run("ip", "route", "get", target).stdout
        expect("mtu 1300" in route, f"the sender did not learn the MTU of 1300: {route}\n{said}")
        got, said = ping(a.namespace, target, count=2, size=1300 - headers, dont_fragment=True)
        expect(got == 2, f"1300 bytes to {target}: {got} of 2\n{said}")
    expect(world.hub.drops().get("mtu_exceeded", 0) >= 2, f"drops: {world.hub.drops()}")
