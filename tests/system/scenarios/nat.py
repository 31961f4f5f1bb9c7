"""Address translation between kernel peers: the Internet at the hub, and spokes with overlapping addresses."""

import socket

from lab.scenario import eventually, expect, scenario
from lab.topology import Spoke
from lab.traffic import EchoServer, HttpServer, Iperf, echo_works, http_get, ping, tcp_connect

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
        with client.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(2)
            probe.connect((seen, 5000))

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
