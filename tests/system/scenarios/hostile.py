"""Scanners and floods by the tools that people use: nmap and hping3, through policy and address translation."""

import re

from lab.scenario import eventually, expect, scenario
from lab.traffic import EchoServer, HttpServer, Iperf, echo_works, http_get, tcp_connect
from .nat import OUTSIDE, PUBLISHED, add_internet


def scan(namespace, target, *how, timeout=40):
    """{(protocol, port): state} of what nmap finds, and what it said."""
    done = namespace.run("nmap", "-n", "-Pn", "--max-retries", "1", "-T4", "-oG", "-", *how, target, timeout=timeout)
    ports = re.search(r"Ports: ([^\t\n]*)", done.stdout)
    found = {}
    for entry in ports.group(1).split(", ") if ports else ():
        port, state, protocol = entry.split("/")[:3]
        found[protocol, int(port)] = state
    return found, done.stdout


def flood(namespace, target, *how, count, gap_us):
    """hping3 in the background: so many packets, one each `gap_us`."""
    return namespace.start("hping3", "-q", "-n", "-c", count, "-i", f"u{gap_us}", *how, target)


@scenario("hostile.scan", "nmap finds what policy and published services let through, and nothing else", time_limit=120)
def scanned(world):
    world.build()
    outside = add_internet(world)
    world.start()
    hub, a, b = world.hub, world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    HttpServer(world.lab, a.namespace, a.address, 80, greeting="a")
    HttpServer(world.lab, outside, OUTSIDE, 80, greeting="outside")

    found, said = scan(a.namespace, b.address, "-sS", "-p", "20-120,5201")
    expect(found.pop(("tcp", 80), "") == "open", said)
    expect(found.pop(("tcp", 5201), "") == "closed", f"nobody listens there, and it is allowed\n{said}")
    expect(not any(state in ("open", "closed") for state in found.values()), f"more is to be seen\n{said}")
    found, said = scan(a.namespace, b.address, "-sU", "-p", "5000-5003")
    expect(found.pop(("udp", 5000), "") == "closed", f"the error about it came back\n{said}")
    expect(not any(state in ("open", "closed") for state in found.values()), f"more is to be seen\n{said}")

    found, said = scan(a.namespace, OUTSIDE, "-sS", "-p", "79-82")
    expect(found.pop(("tcp", 80), "") == "open", f"through the pool\n{said}")
    expect(not any(state in ("open", "closed") for state in found.values()), said)
    found, said = scan(outside, PUBLISHED, "-sS", "-p", "79-82,8079-8081")
    expect(found.pop(("tcp", 8080), "") == "open", f"the published service\n{said}")
    expect(not any(state in ("open", "closed") for state in found.values()), said)
    expect(hub.drops().get("nat_closed", 0) >= 6, f"drops: {hub.drops()}")

    # Timestamp requests are answered like echo requests.
    done = a.namespace.run("nmap", "-n", "-sn", "-PP", "--max-retries", "1", b.address, timeout=20)
    expect("1 host up" in done.stdout, done.stdout)
    answer = http_get(a.namespace, f"http://{b.address}/after")
    expect(answer.body == "hello /after\n", f"after all that: {answer}")


@scenario("hostile.flood", "hping3 floods at ten times the budget: established connections lose nothing, others get in",
          time_limit=120)
def flooded(world):
    world.build()
    world.config.sections["limits"].update({"new_sessions_per_source": 500, "half_open_per_source": 300})
    world.config.connect("green", "blue")
    world.start()
    hub, a, b, c = world.hub, world.a, world.b, world.c
    EchoServer(world.lab, b.namespace, b.address, 5201)
    HttpServer(world.lab, b.namespace, b.address, 80)
    with tcp_connect(a.namespace, b.address, 5201) as own, tcp_connect(c.namespace, b.address, 5201) as other:
        storm = flood(a.namespace, b.address, "-S", "-p", 80, count=15000, gap_us=200)
        asked = 0
        while storm.running():
            expect(echo_works(own), "the flooder's host lost its connection")
            expect(echo_works(other), "another host lost its connection")
            answer = http_get(c.namespace, f"http://{b.address}/new")
            expect(answer.body == "hello /new\n", f"a new session during the flood: {answer}, drops {hub.drops()}")
            asked += 1
        expect(asked > 3, f"only {asked} rounds")
        world.note(f"{asked} rounds during the flood")
        drops = hub.drops()
        expect(drops.get("session_budget", 0) + drops.get("half_open_limit", 0) > 5000, f"drops: {drops}")

        # Resets by somebody who does not know the numbers.
        port = own.getsockname()[1]
        storm = flood(b.namespace, a.address, "-R", "-s", 5201, "-k", "-p", port, count=3000, gap_us=200)
        storm.wait(20)
        expect(echo_works(own), "a reset closed the connection")
        expect(hub.drops().get("tcp_outside_window", 0) > 1000, f"drops: {hub.drops()}")


@scenario("hostile.pool", "hping3 uses up a pool: who has a port of it keeps it, and it is given back", time_limit=120)
def exhausted(world):
    world.build()
    outside = add_internet(world)
    world.config.nat[0]["snat"].update({"pool": ["203.0.113.16"], "ports": "1024-1535"})
    world.config.sections["timeouts"] = {"tcp_handshake": 3, "tcp_closing": 2}
    world.start()
    hub, a, b = world.hub, world.a, world.b
    EchoServer(world.lab, outside, OUTSIDE, 5201)
    with tcp_connect(b.namespace, OUTSIDE, 5201) as own:
        # Nobody listens there, and each keeps its port for some time after the reset.
        storm = flood(a.namespace, OUTSIDE, "-S", "-p", 80, count=3000, gap_us=300)
        storm.wait(30)
        expect(echo_works(own), "who had a port lost it")
        pool = hub.ctl_json("status")["nat"][0]
        expect(pool["exhausted"] > 0, f"{pool}")
        expect(hub.drops().get("nat_exhausted", 0) > 0, f"drops: {hub.drops()}")
    eventually(lambda: hub.ctl_json("status")["nat"][0]["taken"] < 10, "the ports are not given back", timeout=15)
    result = Iperf(a.namespace, outside, OUTSIDE, port=80, seconds=2).finish()
    world.note(f"iperf3 out afterwards: {result}")
