"""Address translation between kernel peers: the Internet at the hub, and spokes with overlapping addresses."""

import socket

from lab.scenario import eventually, expect, scenario
from lab.topology import Spoke, number_spoke
from lab.traffic import EchoServer, HttpServer, Iperf, echo_works, http_get, ping, tcp_connect
from scenarios.health import QUICK, silence, speak, state_of

OUTSIDE = "203.0.113.1"
PUBLISHED = "203.0.113.80"


def add_internet(world, driver="af_packet"):
    """A namespace that knows public addresses only, on a port of the hub that is a native attachment."""
    hub, outside = world.topology.hub, world.lab.namespace("outside")
    hub.ip(f"link add u1 numrxqueues 1 numtxqueues 1 type veth peer name eth0 netns {outside.name} "
           "numrxqueues 1 numtxqueues 1")
    hub.sysctl("net.ipv6.conf.u1.disable_ipv6", 1)
    hub.ip("link set u1 up")
    outside.run("ethtool", "-K", "eth0", "tx", "off", "txvlan", "off")
    outside.ip("link set eth0 up", f"addr add {OUTSIDE}/24 dev eth0")
    world.config.port.append({"name": "net0", "driver": driver, "interface": "u1"})
    world.config.domain.append({"name": "internet"})
    world.config.attachment.append({"name": "uplink", "domain": "internet", "native": {"port": "net0"},
                                    "gateway": ["203.0.113.2/24"]})
    for domain in ("red", "blue"):
        world.config.connect(domain, "internet")
    world.config.nat.append({"name": "out", "snat": {"from": ["red", "blue"], "domain": "internet",
                                                     "pool": ["203.0.113.16/29"]}})
    world.config.nat.append({"name": "web", "dnat": {"seen_by": ["internet"], "address": PUBLISHED, "port": 8080,
                                                     "domain": "red", "server": world.a.address, "server_port": 80}})
    return outside


def sessions_to(world, address):
    return [row for row in world.hub.ctl_json("sessions")["sessions"] if row["dst"] == address]


def expect_unreachable(client, address):
    """A port unreachable comes back from there to a datagram that the client sent, which takes it for the answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with client.namespace.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(2)
        probe.connect((address, 5000))

        def refused():
            try:
                probe.send(b"?")
                probe.recv(16)
            except ConnectionRefusedError:
                return True
            except TimeoutError:
                pass
            return False
        eventually(refused, f"no ICMP error came back to {client.name}", timeout=8)


@scenario("nat.internet", "curl, ping and iperf3 out through a pool, curl in to a published service, private stays private")
def internet(world):
    world.build()
    outside = add_internet(world)
    world.start()
    a, b = world.a, world.b
    HttpServer(world.lab, outside, OUTSIDE, 80, greeting="outside")
    HttpServer(world.lab, a.namespace, a.address, 80, greeting="a")
    for client in (a, b):
        answer = http_get(client.namespace, f"http://{OUTSIDE}/out")
        expect(answer.body == "outside /out\n", f"from {client.name}: {answer}, drops {world.hub.drops()}")
        got, said = ping(client.namespace, OUTSIDE, count=3)
        expect(got == 3, f"from {client.name}: {got} of 3 pings\n{said}")
    rows = sessions_to(world, OUTSIDE)
    expect(rows and all(row["new_src"].startswith("203.0.113.") for row in rows), f"not translated: {rows}")
    pool = world.hub.ctl_json("status")["nat"][0]
    expect(pool["taken"] >= 4 and pool["exhausted"] == 0, f"{pool}")
    expect("out" in world.hub.ctl("nat").stdout, "weirctl nat does not name the pool")

    answer = http_get(outside, f"http://{PUBLISHED}:8080/in")
    expect(answer.body == "a /in\n", f"the published service: {answer}, drops {world.hub.drops()}")
    expect(http_get(outside, f"http://{PUBLISHED}:81/", timeout=1).exit != 0, "a port that is not published answers")
    expect(world.hub.drops().get("nat_closed", 0) > 0, f"drops: {world.hub.drops()}")

    got, said = ping(a.namespace, b.address, count=2)
    expect(got == 2, f"{got} of 2 pings between spokes\n{said}")
    rows = sessions_to(world, b.address)
    expect(rows and all(row["new_src"] == row["src"] == a.address for row in rows), f"private is translated: {rows}")

    result = Iperf(a.namespace, outside, OUTSIDE, seconds=2).finish()
    world.note(f"iperf3 out: {result}")


@scenario("nat.af-xdp", "on an af_xdp port what is sent to pools and published addresses is the hub's, found by ARP or by "
          "a route")
def on_af_xdp(world):
    world.build()
    outside = add_internet(world, "af_xdp")
    world.config.route.append({"domain": "internet", "prefix": "0.0.0.0/0", "attachment": "uplink", "via": OUTSIDE})
    world.config.nat[0]["snat"]["from"] = ["red"]  # its pool is on-link, the next one is routed to the hub
    world.config.nat.append({"name": "far", "snat": {"from": ["blue"], "domain": "internet",
                                                     "pool": ["198.51.100.16/29"]}})
    outside.ip("route add 198.51.100.16/29 via 203.0.113.2")
    world.start()
    HttpServer(world.lab, outside, OUTSIDE, 80, greeting="outside")
    HttpServer(world.lab, world.a.namespace, world.a.address, 80, greeting="a")
    for client, pool in ((world.a, "203.0.113."), (world.b, "198.51.100.")):
        answer = http_get(client.namespace, f"http://{OUTSIDE}/out")
        expect(answer.body == "outside /out\n", f"from {client.name}: {answer}, drops {world.hub.drops()}")
        got, said = ping(client.namespace, OUTSIDE, count=3)
        expect(got == 3, f"from {client.name}: {got} of 3 pings\n{said}")
        rows = [row for row in sessions_to(world, OUTSIDE) if row["src"] == client.address]
        expect(rows and all(row["new_src"].startswith(pool) for row in rows), f"not from {pool}: {rows}")
    answer = http_get(outside, f"http://{PUBLISHED}:8080/in")
    expect(answer.body == "a /in\n", f"the published service: {answer}, drops {world.hub.drops()}")
    known = outside.run("ip", "neigh", "show", "dev", "eth0").stdout
    mac = next(row["mac"] for row in world.hub.ctl_json("status")["ports"] if row["name"] == "net0")
    for address in (PUBLISHED, next(row["new_src"] for row in sessions_to(world, OUTSIDE)
                                    if row["new_src"].startswith("203.0.113."))):
        expect(f"{address} lladdr {mac}" in known, f"outside does not know {address} as the hub's: {known}")


@scenario("nat.overlap", "two spokes with the same addresses talk through mapped prefixes; errors find their way, too")
def overlap(world):
    world.build()
    twins = []
    for number, domain in ((6, "left"), (7, "right")):
        spoke = Spoke(name=domain, domain=domain, vni=number * 10, underlay=f"198.18.0.{number * 10}",
                      inner=["10.9.0.10/24"], gateway=["10.9.0.1/24"])
        world.topology.add_spoke(spoke)
        world.config.attach(spoke)
        twins.append(spoke)
    left, right = twins
    world.config.connect("left", "right")
    for domain, other, seen in (("left", "right", "100.64.1.0/24"), ("right", "left", "100.64.2.0/24")):
        world.config.nat.append({"name": f"{domain}-mapped", "static": {
            "domain": domain, "inside": "10.9.0.0/24", "outside": seen, "seen_by": [other]}})
    world.start()
    for client, server, seen in ((left, right, "100.64.2.10"), (right, left, "100.64.1.10")):
        got, said = ping(client.namespace, seen, count=3)
        expect(got == 3, f"from {client.name}: {got} of 3 pings\n{said}\ndrops {world.hub.drops()}")
        HttpServer(world.lab, server.namespace, server.address, 80, greeting=server.name)
        answer = http_get(client.namespace, f"http://{seen}/twin")
        expect(answer.body == f"{server.name} /twin\n", f"from {client.name}: {answer}")

        # Nobody listens there: the port unreachable that comes back quotes what was sent, as it was sent.
        expect_unreachable(client, seen)


@scenario("nat.runtime", "rules that come, change and go while the hub runs; connections through what stays go on")
def at_run_time(world):
    world.build()
    outside = add_internet(world)
    world.config.nat.clear()
    world.start()
    hub, a = world.hub, world.a
    EchoServer(world.lab, outside, OUTSIDE, 5201)
    HttpServer(world.lab, a.namespace, a.address, 80, greeting="a")
    expect(http_get(outside, f"http://{PUBLISHED}:8080/", timeout=1).exit != 0, "nothing is published yet")
    said = hub.ctl("nat", "add", "out", "--snat-from", "red,blue", "--snat-domain", "internet",
                   "--snat-pool", "203.0.113.16/29").stdout
    expect("+ nat out" in said, said)
    with tcp_connect(a.namespace, OUTSIDE, 5201) as client:
        expect(echo_works(client), "no way out through the pool")
        expect(client.getsockname()[0] == a.address, "it knows its own address only")
        rule = ["--dnat-seen-by", "internet", "--dnat-address", PUBLISHED, "--dnat-port", "8080",
                "--dnat-domain", "red", "--dnat-server", a.address, "--dnat-server-port", "80"]
        hub.ctl("nat", "add", "web", *rule)
        answer = http_get(outside, f"http://{PUBLISHED}:8080/in")
        expect(answer.body == "a /in\n", f"the published service: {answer}, drops {hub.drops()}")
        expect(echo_works(client), "another rule has cut the connection")
        refused = hub.ctl("nat", "replace", "out", "--snat-from", "red", "--snat-domain", "internet",
                          "--snat-pool", "198.51.100.0/29", check=False)
        expect(refused.returncode == 1 and "is in no subnet and no route" in refused.stdout + refused.stderr,
               f"{refused.stdout}{refused.stderr}")
        expect(echo_works(client), "a refused change has cut the connection")
        hub.ctl("nat", "remove", "web")
        expect(http_get(outside, f"http://{PUBLISHED}:8080/", timeout=1).exit != 0, "it is published still")
        rows = hub.ctl_json("nat")
        expect([row["name"] for row in rows["nat"]] == ["out"] and rows["nat"][0]["origin"] == "api", f"{rows}")
        expect(rows["pools"][0]["taken"] >= 1, f"{rows}")
        hub.ctl("nat", "remove", "out")
        client.settimeout(1)
        try:
            expect(not echo_works(client), "the pool is gone, and its connection goes on")
        except OSError:
            pass
    expect(hub.drops().get("nat_changed", 0) > 0, f"drops: {hub.drops()}")


@scenario("nat.servers", "curl to one published address that two servers share; what a silent one had goes, the rest stays, "
          "and it is given its share again", time_limit=90)
def several_servers(world):
    world.build()
    outside = add_internet(world)
    a = world.a
    d = world.topology.add_spoke(number_spoke("d", "red", 4))
    world.config.attach(d)
    for attachment in world.config.attachment:
        if attachment["name"] in ("a", "d"):
            attachment["health"] = dict(QUICK, address=world.topology.spokes[attachment["name"]].address)
    both = {"seen_by": ["internet"], "address": PUBLISHED, "domain": "red", "servers": [a.address, d.address],
            "weights": [3, 1]}
    world.config.nat[1]["dnat"] = dict(both, port=8080, server_port=80)
    world.config.nat.append({"name": "echo", "dnat": dict(both, port=5201, weights=[1, 1])})
    world.start()
    hub = world.hub
    for server in (a, d):
        eventually(lambda: state_of(hub, server.name)["state"] == "up", f"{server.name} does not come up")
        HttpServer(world.lab, server.namespace, server.address, 80, greeting=server.name)
        EchoServer(world.lab, server.namespace, server.address, 5201)

    def answers(count):
        bodies = [http_get(outside, f"http://{PUBLISHED}:8080/x").body for _ in range(count)]
        return bodies.count("a /x\n"), bodies.count("d /x\n")

    by_a, by_d = answers(40)
    expect(by_a + by_d == 40 and by_a > by_d > 0, f"a {by_a}, d {by_d}, drops {hub.drops()}")
    clients = [tcp_connect(outside, PUBLISHED, 5201) for _ in range(12)]
    where = {row["sport"]: row["new_dst"] for row in sessions_to(world, PUBLISHED) if row["dport"] == 5201}
    stay = [c for c in clients if where[c.getsockname()[1]] == a.address]
    lost = [c for c in clients if where[c.getsockname()[1]] == d.address]
    expect(stay and lost and all(echo_works(c) for c in clients), f"{where}")

    silence(d)
    eventually(lambda: state_of(hub, "d")["state"] == "down", "d is not down")
    rows = {row["server"]: row["up"] for row in hub.ctl_json("nat")["servers"] if row["rule"] == "web"}
    expect(rows == {a.address: True, d.address: False}, f"{rows}")
    expect(answers(20) == (20, 0), f"sessions are given to a server that is down, drops {hub.drops()}")
    expect(all(echo_works(c) for c in stay), "a server that was lost took another one's sessions along")

    speak(d)
    eventually(lambda: state_of(hub, "d")["state"] == "up", "d does not come back", timeout=10)
    eventually(lambda: answers(10)[1] > 0, "d is given nothing", timeout=20)
    expect(all(echo_works(c) for c in stay), "a server that came took another one's sessions")
    for client in clients:
        client.close()
    hub.ctl("nat", "replace", "web", "--dnat-seen-by", "internet", "--dnat-address", PUBLISHED, "--dnat-port", "8080",
            "--dnat-domain", "red", "--dnat-servers", f"{a.address},{d.address}", "--dnat-weights", "0,1",
            "--dnat-server-port", "80")
    expect(answers(10) == (0, 10), f"a is drained, and is given sessions, drops {hub.drops()}")


@scenario("nat.computed", "NPTv6 both ways with curl and ping, a pool with ports by host, and `weirctl nat map` of both")
def computed(world):
    world.build()
    outside = add_internet(world)
    outside6, a = "2001:db8:cafe::1", world.a
    outside.ip(f"addr add {outside6}/64 dev eth0 nodad", "route add 2001:db8:77::/64 via 2001:db8:cafe::2")
    next(x for x in world.config.attachment if x["name"] == "uplink")["gateway"].append("2001:db8:cafe::2/64")
    world.config.nat[0]["snat"].update({"from": ["red"], "sources": ["10.1.0.0/26"], "ports_per_host": 1000})
    world.config.nat.append({"name": "site", "static": {"domain": "red", "inside": "2001:db8:1::/64",
                                                        "outside": "2001:db8:77::/64", "seen_by": ["internet"],
                                                        "nptv6": True}})
    world.start()
    hub = world.hub

    def mapped(*words):
        return hub.ctl_json("nat", "map", *words)["mappings"]

    seen = mapped(a.address6)[0]["outside"]
    expect(seen.startswith("2001:db8:77:0:"), f"{a.address6} as {seen}")
    expect([row["inside"] for row in mapped(seen)] == [a.address6], f"{mapped(seen)}")
    HttpServer(world.lab, outside, outside6, 80, greeting="outside")
    HttpServer(world.lab, a.namespace, a.address6, 80, greeting="a")
    answer = http_get(a.namespace, f"http://[{outside6}]/out")
    expect(answer.body == "outside /out\n", f"{answer}, drops {hub.drops()}")
    answer = http_get(outside, f"http://[{seen}]/in")
    expect(answer.body == "a /in\n", f"{answer}, drops {hub.drops()}")
    for client, target in ((a.namespace, outside6), (outside, seen)):
        got, said = ping(client, target, count=3)
        expect(got == 3, f"{got} of 3 pings to {target}\n{said}\ndrops {hub.drops()}")
    rows = sessions_to(world, outside6)
    expect(rows and all(row["new_src"] == seen for row in rows), f"{rows}")

    HttpServer(world.lab, outside, OUTSIDE, 80, greeting="outside")
    answer = http_get(a.namespace, f"http://{OUTSIDE}/out")
    expect(answer.body == "outside /out\n", f"{answer}, drops {hub.drops()}")
    plan = next(row for row in mapped(a.address) if row["kind"] == "deterministic")
    first, last = map(int, plan["outside_ports"].split("-"))
    rows = sessions_to(world, OUTSIDE)
    expect(rows and all(row["new_src"] == plan["outside"] and first <= row["new_sport"] <= last for row in rows),
           f"{plan}: {rows}")
    for row in rows:
        whose = mapped(row["new_src"], "--port", row["new_sport"])
        expect([w["inside"] for w in whose] == [a.address], f"{row}: {whose}")
    expect(len(mapped(plan["outside"])) == 64, "not all that share the address")
    said = hub.ctl("nat", "map", a.address).stdout
    expect(plan["outside_ports"] in said and "deterministic" in said, said)
    refused = hub.ctl("nat", "map", a.address, "--domain", "nowhere", check=False)
    expect(refused.returncode == 1 and "nowhere" in refused.stderr, f"{refused.returncode}: {refused.stderr}")


@scenario("nat.nat64", "curl, ping and iperf3 from a host of IPv6 to one of IPv4, an error and a packet that is too big on their "
          "way back")
def nat64(world):
    world.build()
    outside, a, far = add_internet(world), world.a, "64:ff9b::cb00:7101"  # OUTSIDE
    world.config.nat.append({"name": "six", "nat64": {"from": ["red"], "domain": "internet", "pool": ["203.0.113.24/31"]}})
    a.namespace.run("ip", "-4", "addr", "flush", "dev", "vx0")
    world.start()
    hub = world.hub
    server = HttpServer(world.lab, outside, OUTSIDE, 80, greeting="four")
    answer = http_get(a.namespace, f"http://[{far}]/six")
    expect(answer.body == "four /six\n", f"{answer}, drops {hub.drops()}")
    expect(server.requests, "nobody asked")
    got, said = ping(a.namespace, far, count=3)
    expect(got == 3, f"{got} of 3 pings\n{said}\ndrops {hub.drops()}")
    rows = sessions_to(world, far)
    expect(rows and all(row["new_dst"] == OUTSIDE and row["new_src"].startswith("203.0.113.2") and
                        row["src"] == a.address6 for row in rows), f"{rows}")
    expect(http_get(a.namespace, "http://[64:ff9b::a02:a]/", timeout=1).exit != 0, "a private address is reached")
    expect(hub.drops().get("nat_unmapped", 0) > 0, f"drops: {hub.drops()}")
    path = hub.ctl("path", "--from", f"red/{a.address6}", "--to", far, "--tcp", "80").stdout
    expect(OUTSIDE in path and "six" in path and "allow" in path, path)

    # Nobody listens there: what comes back quotes what was sent, as it was sent.
    expect_unreachable(a, far)

    # A router beyond has a smaller MTU, and says so by ICMP: the host of IPv6 learns of it, and its data get through.
    behind = world.lab.namespace("behind")
    outside.ip(f"link add b0 type veth peer name eth0 netns {behind.name}", "link set b0 mtu 1300 up",
               "addr add 198.51.100.1/24 dev b0")
    outside.sysctl("net.ipv4.ip_forward", 1)
    behind.run("ethtool", "-K", "eth0", "tx", "off", check=False)
    outside.run("ethtool", "-K", "b0", "tx", "off", check=False)
    behind.ip("link set eth0 up", "addr add 198.51.100.7/24 dev eth0", "route add default via 198.51.100.1")
    hub.ctl("route", "add", "internet", "198.51.100.0/24", "--attachment", "uplink", "--via", OUTSIDE)
    beyond = "64:ff9b::c633:6407"
    eventually(lambda: ping(a.namespace, beyond, count=1)[0] == 1, "what is beyond is not reached", timeout=8)
    ping(a.namespace, beyond, count=1, size=1400, dont_fragment=True)
    known = a.namespace.run("ip", "-6", "route", "get", beyond).stdout
    expect("mtu 1320" in known, f"the host has learnt of no MTU: {known}; drops {hub.drops()}")
    got, said = ping(a.namespace, beyond, count=2, size=1400)
    expect(got == 0 and hub.drops().get("nat64_untranslatable", 0) > 0, f"ICMP in pieces: {got}\n{said}")

    result = Iperf(a.namespace, outside, far, seconds=2, listen=OUTSIDE).finish()
    world.note(f"iperf3 by NAT64: {result}")
