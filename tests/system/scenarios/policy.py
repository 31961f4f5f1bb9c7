"""Who may reach whom: domains, connections, rules; and that the path verb says the same as packets."""

from lab.scenario import eventually, expect, scenario
from lab.traffic import EchoServer, HttpServer, can_connect, echo_works, http_get, ping, tcp_connect


def grown(hub, before, reason):
    return hub.drops().get(reason, 0) - before.get(reason, 0)


@scenario("policy.isolation", "a domain without a connection is unreachable; with connection and rule it is reached")
def isolation(world):
    world.start()
    hub, a, c = world.hub, world.a, world.c
    HttpServer(world.lab, c.namespace, c.address, 80)
    before = hub.drops()
    got, said = ping(a.namespace, c.address, count=5, wait=0.3)
    expect(got == 0, f"{got} pings crossed to a domain without a connection\n{said}")
    expect(not can_connect(a.namespace, c.address, 80), "TCP crossed to a domain without a connection")
    expect(grown(hub, before, "no_connection") >= 6, f"no_connection does not count them: {hub.drops()}")
    expect(hub.path("red/" + a.address, c.address, "--tcp", "80")["reason"] == "no_connection",
           "the path verb gives another reason")

    world.config.connect("red", "green")
    hub.reload()
    got, said = ping(a.namespace, c.address, count=5)
    expect(got == 5, f"after the connection {got} of 5 pings\n{said}")
    answer = http_get(a.namespace, f"http://{c.address}/now")
    expect(answer.body == "hello /now\n", f"after the connection: {answer}")

    world.config.connection.pop()
    before = hub.drops()
    hub.reload()
    got, _ = ping(a.namespace, c.address, count=3, wait=0.3)
    expect(got == 0, f"after the connection was taken away {got} of 3 pings pass")
    expect(grown(hub, before, "no_connection") >= 3, f"drops: {hub.drops()}")


@scenario("policy.ports", "a rule lets its ports through; other ports fall to the default deny, counted")
def ports(world):
    world.start()
    hub, a, b = world.hub, world.a, world.b
    for port in (80, 81):
        HttpServer(world.lab, b.namespace, b.address, port)
    expect(can_connect(a.namespace, b.address, 80), "port 80 is allowed and does not connect")
    before = hub.drops()
    expect(not can_connect(a.namespace, b.address, 81), "port 81 is in no rule and connects")
    expect(grown(hub, before, "policy_default_deny") >= 1, f"drops: {hub.drops()}")
    world.config.rule("more", "allow", protocol="tcp", ports=["81-90"])
    hub.reload()
    expect(can_connect(a.namespace, b.address, 81), "port 81 is in a rule now and does not connect")


@scenario("policy.order", "the first rule that matches decides: a deny for one prefix before the allow")
def order(world):
    world.build()
    world.a.inner.insert(1, "10.1.0.66/24")
    world.a.namespace.ip("addr add 10.1.0.66/24 dev vx0")
    world.config.policy.insert(0, {"id": "not-him", "action": "deny", "from": {"prefixes": ["10.1.0.66/32"]},
                                   "to": {"domains": ["blue"]}})
    world.start()
    hub, a, b = world.hub, world.a, world.b
    before = hub.drops()
    got, _ = ping(a.namespace, b.address, count=3, source="10.1.0.66", wait=0.3)
    expect(got == 0, f"{got} of 3 denied pings pass")
    expect(grown(hub, before, "policy_deny") >= 3, f"drops: {hub.drops()}")
    got, said = ping(a.namespace, b.address, count=3, source=a.address)
    expect(got == 3, f"the neighbour at {a.address}: {got} of 3\n{said}")


@scenario("policy.reverse", "replies of an allowed session pass though no rule allows their direction")
def reverse(world):
    world.build()
    world.config.policy.clear()
    world.config.rule("one-way", "allow", from_domains=["red"], to={"domains": ["blue"]}, protocol="tcp", ports=[80])
    world.start()
    a, b = world.a, world.b
    for spoke in (a, b):
        HttpServer(world.lab, spoke.namespace, spoke.address, 80)
    expect(http_get(a.namespace, f"http://{b.address}/").exit == 0, "red to blue is allowed and does not pass")
    expect(not can_connect(b.namespace, a.address, 80), "blue to red is not allowed and passes")


@scenario("policy.revoked", "a rule taken away stops an established session too")
def revoked(world):
    world.start()
    hub, a, b = world.hub, world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 80)
    with tcp_connect(a.namespace, b.address, 80) as client:
        expect(echo_works(client), "the session does not work to begin with")
        before = hub.drops()
        world.config.policy = [rule for rule in world.config.policy if rule["id"] != "services"]
        hub.reload()
        client.settimeout(1.0)
        client.sendall(b"still there?")
        try:
            answer = client.recv(100)
        except TimeoutError:
            answer = b""
        expect(answer == b"", "the session goes on without its rule")
        expect(grown(hub, before, "policy_default_deny") >= 1, f"drops: {hub.drops()}")


@scenario("policy.spoofed", "a source that does not live in the attachment is dropped as reverse_path")
def spoofed(world):
    world.build()
    world.a.namespace.ip("addr add 10.2.0.99/32 dev lo")
    world.start()
    hub, a, b = world.hub, world.a, world.b
    before = hub.drops()
    got, _ = ping(a.namespace, b.address, count=3, source="10.2.0.99", wait=0.3)
    expect(got == 0, "a spoofed source got an answer")
    expect(grown(hub, before, "reverse_path") >= 3, f"drops: {hub.drops()}")
    got, said = ping(a.namespace, b.address, count=3)
    expect(got == 3, f"its own source: {got} of 3\n{said}")


@scenario("policy.path-verb", "weirctl path says of each conversation what its packets then meet")
def path_verb(world):
    world.start()
    hub, a = world.hub, world.a
    rows = [(world.b, 80, True), (world.b, 8080, False), (world.c, 80, False)]
    for target, port, _ in rows:
        HttpServer(world.lab, target.namespace, target.address, port)
    for target, port, passes in rows:
        said = hub.path(f"red/{a.address}", target.address, "--tcp", str(port))
        met = can_connect(a.namespace, target.address, port)
        expect(met == passes, f"{target.name}:{port}: packets {'pass' if met else 'do not pass'}")
        expect((said["verdict"] == "allow") == passes, f"{target.name}:{port}: path says {said}")
        expect(said["steps"] and all(step["text"] for step in said["steps"]), f"steps: {said}")
        if not passes:
            counted = hub.drops()
            expect(said["reason"] in counted, f"path says {said['reason']}, the counters {counted}")


@scenario("policy.neighbour", "packets to a host that does not answer ARP are dropped and counted, until it does")
def neighbour(world):
    world.start()
    hub, a = world.hub, world.a
    before = hub.drops()
    expect(ping(a.namespace, "10.2.0.200", count=2)[0] == 0, "an address that nobody has answers")
    eventually(lambda: grown(hub, before, "neighbor_unresolved") >= 1, f"drops: {hub.drops()}", timeout=5)
    world.b.namespace.ip("addr add 10.2.0.200/24 dev vx0")
    eventually(lambda: ping(a.namespace, "10.2.0.200", count=1)[0] == 1, "a host that came later is not reached", 10)


@scenario("policy.groups", "groups, services and tags decide as they say, and policy test names the rule and why")
def groups(world):
    world.build()
    world.config.policy.clear()
    world.config.prefix.append({"prefix": world.b.address, "tags": ["web", "prod"], "domain": "blue"})
    world.config.group.append({"name": "servers", "match": "web and not lab"})
    world.config.group.append({"name": "clients", "attachments": [world.a.name]})
    world.config.service.append({"name": "http", "protocol": "tcp", "ports": [80, "8080-8090"]})
    world.config.service.append({"name": "ping", "protocol": "icmp", "icmp_types": [8]})
    world.config.rule("watched", "deny", watch=True)
    world.config.policy.append({"id": "grouped", "action": "allow", "from": {"groups": ["clients"]},
                                "to": {"groups": ["servers"]}, "services": ["http", "ping"]})
    world.start()
    hub, a, b = world.hub, world.a, world.b
    for port in (80, 8085, 81):
        HttpServer(world.lab, b.namespace, b.address, port)
    expect(can_connect(a.namespace, b.address, 80), "port 80 is in the service and does not connect")
    expect(can_connect(a.namespace, b.address, 8085), "port 8085 is in the service and does not connect")
    expect(not can_connect(a.namespace, b.address, 81), "port 81 is in no service and connects")
    got, said = ping(a.namespace, b.address, count=2)
    expect(got == 2, f"{got} of 2 pings\n{said}")
    said = hub.ctl_json("policy", "test", "--from", f"red/{a.address}", "--to", b.address, "--tcp", "8085")
    expect(said["rule"] == "grouped" and said["verdict"] == "allow", f"policy test: {said}")
    expect("group clients" in said["why"]["from"] and "group servers" in said["why"]["to"], f"why: {said}")
    expect(said["watched"] == ["watched"], f"watched: {said}")
    rules = {rule["id"]: rule for rule in hub.ctl_json("policy")["policy"]}
    expect(rules["grouped"]["sessions"] >= 3, f"counts: {rules}")
    expect(rules["grouped"]["last_s"] is not None and rules["grouped"]["last_s"] < 60, f"last: {rules}")
    expect(rules["watched"]["sessions"] > rules["grouped"]["sessions"], f"what watches counts all: {rules}")


@scenario("policy.groups-at-run-time", "a group changed by weirctl lets in and cuts, and config save keeps it")
def groups_at_run_time(world):
    world.build()
    world.config.policy.clear()
    world.config.group.append({"name": "clients", "prefixes": ["10.99.0.0/16"]})
    world.config.policy.append({"id": "grouped", "action": "allow", "from": {"groups": ["clients"]}, "protocol": "tcp"})
    world.start()
    hub, a, b = world.hub, world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 80)
    expect(not can_connect(a.namespace, b.address, 80), "who is not in the group connects")
    refused = hub.ctl("group", "remove", "clients", check=False)
    expect(refused.returncode != 0 and "grouped" in refused.stderr + refused.stdout, f"a group that a rule names: {refused}")
    hub.ctl("group", "add", "spoke-a", "--attachments", a.name)
    hub.ctl("group", "replace", "clients", "--groups", "spoke-a")
    expect("~ group clients" in hub.ctl("config", "diff").stdout, hub.ctl("config", "diff").stdout)
    with tcp_connect(a.namespace, b.address, 80) as client:
        expect(echo_works(client), "who is in the group now does not reach the server")
        hub.ctl("group", "extend", "clients", "--prefixes", "10.99.0.0/16,10.98.0.0/16")
        refused = hub.ctl("group", "reduce", "clients", "--attachments", a.name, check=False)
        expect(refused.returncode != 0 and "has no" in refused.stderr, f"no member of the group leaves it: {refused}")
        expect(echo_works(client), "the session is cut though its end stays in the group")
        hub.ctl("group", "reduce", "clients", "--groups", "spoke-a", "--prefixes", "10.98.0.0/16")
        before = hub.drops()
        client.settimeout(1.0)
        client.sendall(b"still there?")
        try:
            answer = client.recv(100)
        except TimeoutError:
            answer = b""
        expect(answer == b"", "the session goes on though its end left the group")
        expect(grown(hub, before, "policy_default_deny") >= 1, f"drops: {hub.drops()}")
    hub.ctl("group", "replace", "clients", "--attachments", a.name, "--comment", "at run time")
    hub.ctl("config", "save")
    groups = {group["name"]: group for group in hub.ctl_json("groups")["groups"]}
    expect(groups["clients"]["origin"] == "file" and groups["clients"]["attachments"] == [a.name], f"{groups}")
    expect(can_connect(a.namespace, b.address, 80), "after the configuration was saved")


@scenario("policy.reject", "a rejected TCP session is reset at once, and a ping is told that it is prohibited")
def reject(world):
    world.build()
    world.config.policy.insert(0, {"id": "no", "action": "reject", "to": {"domains": ["blue"]}})
    world.start()
    hub, a, b = world.hub, world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    before = hub.drops()
    try:
        with tcp_connect(a.namespace, b.address, 80):
            raise AssertionError("a rejected session connects")
    except ConnectionRefusedError:
        pass
    got, said = ping(a.namespace, b.address, count=2, wait=0.5)
    expect(got == 0 and "Packet filtered" in said, f"the echo request is not told why\n{said}")
    eventually(lambda: grown(hub, before, "policy_reject") >= 3, f"drops: {hub.drops()}", timeout=3)
