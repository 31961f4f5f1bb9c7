"""Attacks stopped inline, and what is told about them."""

import gzip
import os
import socket
import time

from lab.hub import LOCATION
from lab.raw import Device
from lab.scenario import eventually, expect, scenario
from lab.segments import RawConnection, RawHost, Reader
from lab.traffic import (EchoServer, HttpServer, NumberedLoad, TcpService, can_connect, echo_works, http_get,
                         received, tcp_connect)

RULES = """\
drop http any any -> any any (msg:"path traversal in a request"; flow:established,to_server; \
http.uri; content:"/etc/passwd"; nocase; classtype:web-application-attack; sid:1000001; rev:2;)
alert tcp any any -> any any (msg:"a word of note"; flow:established,to_server; content:"noteworthy"; \
sid:1000002; rev:1; priority:2;)
drop tcp any any -> any any (msg:"a word in two segments"; flow:established,to_server; \
content:"forbidden-word"; sid:1000003; rev:1;)
"""


def build(world, rules=RULES):
    """Port 80 and 7 from red to blue are inspected."""
    world.build()
    with open(world.lab.path("test.rules"), "w") as handle:
        handle.write(rules)
    world.config.profile.append({"name": "default", "rules": ["test.rules"], "on_drop": "reset"})
    world.config.policy.insert(0, {"id": "inspected", "action": "inspect", "protocol": "tcp", "ports": [7, 80],
                                   "from": {"domains": ["red"]}, "to": {"domains": ["blue"]},
                                   "profile": "default"})
    return world


@scenario("inspect.drop", "an attack in a URI: reset at once, alert and drop in EVE, the server never sees it")
def drop(world):
    build(world).start()
    hub, a, b = world.hub, world.a, world.b
    server = HttpServer(world.lab, b.namespace, b.address, 80)
    expect(http_get(a.namespace, f"http://{b.address}/index").exit == 0, "a harmless request fails")
    before = hub.drops()
    begin = time.monotonic()
    answer = http_get(a.namespace, f"http://{b.address}/../../etc/passwd", timeout=5)
    seconds = time.monotonic() - begin
    expect(answer.exit == 56 and seconds < 2, f"no quick reset: {answer}, {seconds:.1f} s")
    expect(not any("passwd" in path for path in server.requests), f"the server saw it: {server.requests}")
    alert = hub.wait_event("alert", signature_id=1000001)
    expect(alert["alert"]["action"] == "blocked" and alert["alert"]["rev"] == 2, str(alert))
    expect((alert["src_ip"], alert["dest_ip"], alert["dest_port"], alert["proto"]) ==
           (a.address, b.address, 80, "TCP"), str(alert))
    dropped = hub.wait_event("drop")
    expect(dropped["flow_id"] == alert["flow_id"], f"{dropped} is of another flow than {alert}")
    expect(hub.drops().get("inspect_drop", 0) == before.get("inspect_drop", 0) + 1, f"drops: {hub.drops()}")
    expect(http_get(a.namespace, f"http://{b.address}/after").exit == 0, "the next request of the client fails")
    world.note(f"reset after {seconds * 1000:.0f} ms")


@scenario("inspect.others", "the attacker's session is dead; another client of the same server goes on")
def others(world):
    build(world)
    world.a.namespace.ip("addr add 10.1.0.77/24 dev vx0")
    world.start()
    a, b = world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)
    good = tcp_connect(a.namespace, b.address, 7)
    bad = tcp_connect(a.namespace, b.address, 7)
    expect(echo_works(good) and echo_works(bad), "echo does not work to begin with")
    bad.sendall(b"now a forbidden-word comes")
    try:
        after = received(bad)
    except TimeoutError:
        after = b"nothing"
    expect(after == b"reset", f"the attacker's socket got {after}, not a reset")
    expect(all(echo_works(good) for _ in range(20)), "the other client's session suffers")
    expect(can_connect(a.namespace, b.address, 7), "a new session is refused")


@scenario("inspect.split", "a pattern split over two segments is found, and the second segment does not arrive")
def split(world):
    build(world).start()
    a, b = world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)
    with tcp_connect(a.namespace, b.address, 7) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        expect(echo_works(client, b"one forbidden-"), "the first half is harmless and does not come back")
        client.sendall(b"word two")
        got = received(client)
        expect(got == b"reset", f"the second half got through: {got}")
    world.hub.wait_event("alert", signature_id=1000003)


@scenario("inspect.alert", "an alert rule lets the packet pass and tells about it")
def alert(world):
    build(world).start()
    a, b = world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)
    with tcp_connect(a.namespace, b.address, 7) as client:
        expect(echo_works(client, b"something noteworthy here"), "a packet with an alert does not pass")
        expect(echo_works(client, b"and on it goes"), "the session does not go on after an alert")
    event = world.hub.wait_event("alert", signature_id=1000002)
    expect(event["alert"]["action"] == "allowed" and event["alert"]["severity"] == 2, str(event))
    expect(not world.hub.events("drop"), f"an alert dropped something: {world.hub.events('drop')}")


@scenario("inspect.uninspected", "the same attack passes where policy says allow: only what it names is inspected")
def uninspected(world):
    build(world)
    world.config.rule("back", "allow", protocol="tcp", ports=[7], from_domains=["blue"])
    world.start()
    a, b = world.a, world.b
    EchoServer(world.lab, a.namespace, a.address, 7)
    with tcp_connect(b.namespace, a.address, 7) as client:
        expect(echo_works(client, b"a forbidden-word passes here"), "an uninspected session is cut")


@scenario("inspect.rules-reload", "a new rule holds after a reload, for sessions that were open before too")
def rules_reload(world):
    build(world).start()
    a, b = world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)
    with tcp_connect(a.namespace, b.address, 7) as client:
        expect(echo_works(client, b"yesterday's news"), "the session does not work to begin with")
        with open(world.lab.path("test.rules"), "a") as handle:
            handle.write('drop tcp any any -> any any (msg:"new"; content:"news of today"; sid:1000009; rev:1;)\n')
        world.hub.reload()
        expect(echo_works(client, b"harmless"), "the session did not survive the reload")
        client.sendall(b"news of today")
        got = received(client)
        expect(got == b"reset", f"the new rule does not hold: {got}")


THRESHOLD = ('alert tcp any any -> any any (msg:"knocking"; flow:established,to_server; content:"knock"; '
             'threshold:type threshold,track by_src,count 4,seconds 300; sid:1000021; rev:1;)\n')


LOGIN = ('alert tcp any any -> any any (msg:"login"; flow:established,to_server; content:"please login"; '
         'flowbits:set,logged.in; sid:1000020; rev:1;)\n')


@scenario("inspect.reload-state", "reloads under inspected load: no packet lost, bits and counts go on by name",
          time_limit=90)
def reload_state(world):
    build(world, THRESHOLD + LOGIN)
    world.config.policy.insert(0, {"id": "inspected-load", "action": "inspect", "protocol": "udp",
                                   "from": {"domains": ["red"]}, "to": {"domains": ["blue"]},
                                   "profile": "default"})
    world.start()
    hub, a, b = world.hub, world.a, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)
    with tcp_connect(a.namespace, b.address, 7) as known, tcp_connect(a.namespace, b.address, 7) as stranger:
        expect(echo_works(known, b"please login"), "the session does not work to begin with")
        expect(all(echo_works(known, b"knock") for _ in range(3)), "the session does not go on")
        load = NumberedLoad(world.binaries, a.namespace, b.namespace, b.address, pps=5000, seconds=8, flows=4)
        with open(world.lab.path("test.rules"), "w") as handle:
            for number in range(20):  # these have the numbers that the bit had
                handle.write(f'alert tcp any any -> any any (msg:"bit"; content:"nothing"; flowbits:set,bit{number}; '
                             f'sid:{1000100 + number}; rev:1;)\n')
            for bit, sid in (("logged.in", 1000022), ("bit0", 1000023)):
                handle.write(f'drop tcp any any -> any any (msg:"{bit}"; flow:established,to_server; '
                             f'content:"delete by {bit}"; flowbits:isset,{bit}; sid:{sid}; rev:1;)\n')
            handle.write(THRESHOLD)
        for _ in range(3):
            hub.reload()
            time.sleep(0.5)
        expect(load.running(), "the load ended before the reloads did: this run shows nothing")
        expect(not any(e["alert"]["signature_id"] == 1000021 for e in hub.events("alert")), "three are not four")
        expect(echo_works(known, b"knock"), "the session did not survive the reloads")
        hub.wait_event("alert", signature_id=1000021)
        expect(echo_works(known, b"delete by bit0"), "a bit that nobody set holds")
        expect(echo_works(stranger, b"delete by logged.in"), "another session has the bit")
        known.sendall(b"delete by logged.in")
        got = received(known)
        expect(got == b"reset", f"the bit did not survive: {got}")
    account = load.finish()
    expect(account["lost"] == 0 and account["reordered"] == 0, f"{account}, drops {hub.drops()}")
    world.note(f"{account['sent']} inspected packets sent over three reloads, 0 lost")


@scenario("inspect.bad-rule", "an unsupported keyword refuses that rule alone, with file, line and keyword")
def bad_rule(world):
    rules = RULES + 'alert tcp any any -> any any (msg:"no such"; nosuchkeyword:1; sid:1000010; rev:1;)\n'
    build(world, rules).start()
    log = world.hub.process.output()
    line = next((one for one in log.splitlines() if "nosuchkeyword" in one), "")
    expect(os.path.basename(world.lab.path("test.rules")) + ":4" in line and LOCATION.search(line),
           f"no line of the log names file, line and keyword:\n{log}")
    a, b = world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    expect(http_get(a.namespace, f"http://{b.address}/etc/passwd").exit == 56, "the other rules do not hold")


@scenario("inspect.flow-event", "a session that ended has a flow event with its packets and bytes")
def flow_event(world):
    build(world)
    world.config.sections["timeouts"] = {"tcp_closing": 1}
    world.start()
    a, b = world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    expect(http_get(a.namespace, f"http://{b.address}/f", headers=["Connection: close"]).exit == 0, "no answer")
    event = world.hub.wait_event("flow", timeout=10)
    flow = event["flow"]
    expect(event["dest_port"] == 80 and flow["pkts_toserver"] >= 4 and flow["pkts_toclient"] >= 3 and
           flow["bytes_toserver"] > 100, str(event))


@scenario("inspect.variables", "two profiles over one list of rules: each has its own HOME_NET")
def variables(world):
    rules = ('drop tcp any any -> $HOME_NET any (msg:"to home"; flow:to_server; content:"forbidden-word"; '
             'sid:1000020; rev:1;)\n')
    build(world, rules)
    b = world.b
    world.config.profile[0]["address_groups"] = {"HOME_NET": f"{b.address}/32"}
    world.config.profile.append({"name": "elsewhere", "rules": ["test.rules"],
                                 "address_groups": {"HOME_NET": f"!{b.address}"}})
    world.config.policy.insert(0, {"id": "other", "action": "inspect", "protocol": "tcp", "ports": [8007],
                                   "from": {"domains": ["red"]}, "to": {"domains": ["blue"]},
                                   "profile": "elsewhere"})
    world.start()
    EchoServer(world.lab, b.namespace, b.address, 7)
    EchoServer(world.lab, b.namespace, b.address, 8007)
    with tcp_connect(world.a.namespace, b.address, 8007) as client:
        expect(echo_works(client, b"a forbidden-word"), "a rule holds for a session whose server is not at home")
    with tcp_connect(world.a.namespace, b.address, 7) as client:
        client.sendall(b"a forbidden-word")
        got = received(client)
        expect(got == b"reset", f"the rule does not hold where the server is at home: {got}")


@scenario("inspect.test-mode", "a profile that only tests lets an attack pass and tells what it would have done")
def test_mode(world):
    build(world)
    world.config.profile[0]["mode"] = "test"
    world.start()
    EchoServer(world.lab, world.b.namespace, world.b.address, 7)
    with tcp_connect(world.a.namespace, world.b.address, 7) as client:
        expect(echo_works(client, b"a forbidden-word"), "a profile that only tests stops an attack")
    event = world.hub.wait_event("alert", signature_id=1000003)
    expect(event["alert"]["action"] == "allowed" and event["weir"]["verdict"]["would_drop"], str(event))
    expect(not world.hub.events("drop"), f"dropped: {world.hub.events('drop')}")


class Answer(TcpService):
    """Says the same to whoever asks, and closes."""

    def __init__(self, lab, namespace, address, port, response):
        self._response = response
        super().__init__(lab, namespace, address, port)

    def _serve_client(self, client, _port):
        client.recv(65536)
        client.sendall(self._response)


@scenario("inspect.bomb", "a body that unpacks to a thousand times its size waits for its turns, and arrives")
def bomb(world):
    build(world)
    limits = world.config.sections.setdefault("limits", {})
    limits.update({"inspection_packet_work": 16384, "inspection_turn_work": 16384})
    world.config.profile[0]["limits"] = {"response_body": 0}
    world.start()
    body = gzip.compress(bytes(8 << 20), mtime=0)
    response = (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + str(len(body)).encode() +
                b"\r\nConnection: close\r\n\r\n" + body)
    Answer(world.lab, world.b.namespace, world.b.address, 80, response)
    with tcp_connect(world.a.namespace, world.b.address, 80) as client:
        client.sendall(b"GET /bomb HTTP/1.1\r\nHost: b\r\n\r\n")
        got = b""
        while chunk := client.recv(65536):
            got += chunk
    expect(got == response, f"{len(got)} of {len(response)} bytes arrived")
    waited = sum(worker["inspect_waited"] for worker in world.hub.ctl_json("status")["workers"])
    expect(waited > 0, "nothing had to wait")


def counted(world, name):
    """A counter of all workers."""
    return sum(worker[name] for worker in world.hub.ctl_json("status")["workers"])


def raw_client(world, port=9000):
    """A client by hand whose session is inspected, and what the server's application reads of it."""
    build(world)
    world.config.policy[0]["ports"] = [7, 80, port]
    return port


def connected(world, port):
    a, b = world.a, world.b
    reader = Reader(world.lab, b.namespace, b.address, port)
    client = RawConnection(RawHost(a.namespace, "vx0", "10.1.0.66", a.gateway_address), 20_000, b.address, port)
    expect(client.establish(), "no connection")
    return client, lambda: reader.read.get(20_000, b"")


@scenario("inspect.min-ttl", "a segment whose TTL is below the profile's least does not leave, and hides nothing")
def min_ttl(world):
    port = raw_client(world)
    world.config.profile[0]["min_ttl"] = 10
    world.start()
    client, read = connected(world, port)
    client.send(b"harmless-bytes", ttl=9)
    eventually(lambda: counted(world, "low_ttl") == 1, f"not counted: {world.hub.drops()}")
    expect(world.hub.drops().get("inspect_ttl") == 1, f"drops: {world.hub.drops()}")
    expect(read() == b"", f"the server read {read()}")
    client.say(b"forbidden-", ttl=10)
    eventually(lambda: read() == b"forbidden-", "a segment with the least TTL does not arrive")
    client.send(b"thing", ttl=9)
    client.say(b"word", ttl=64)
    world.hub.wait_event("alert", signature_id=1000003)
    expect(read() == b"forbidden-", f"the server read {read()}")


@scenario("inspect.checksums", "a segment with a wrong checksum: dropped by default; with `ignore` judged and sent")
def checksums(world):
    port = raw_client(world)
    world.start()
    client, read = connected(world, port)
    arrives = Device(world.b.namespace, "vx0")
    client.send(b"first-wrong-sum", bad_checksum=True)
    expect(arrives.count(lambda frame: b"first-wrong-sum" in frame, 1, timeout=1) == 0, "it was sent on")
    expect(world.hub.drops().get("inspect_unsafe") == 1 and counted(world, "bad_checksum") == 1,
           f"drops: {world.hub.drops()}")
    world.config.profile[0]["checksums"] = "ignore"
    world.hub.reload()
    client.send(b"second-wrong-sum", bad_checksum=True)
    expect(arrives.count(lambda frame: b"second-wrong-sum" in frame, 1) == 1, "it was not sent on")
    expect(read() == b"", f"the server's kernel took it: {read()}")
    client.say(b"in-place-of-both")
    eventually(lambda: read() != b"", "the connection is dead")
    expect(world.hub.drops().get("inspect_unsafe") == 1, f"drops: {world.hub.drops()}")


class Bombs:
    """Connections whose answers all unpack to much more than their size, and that are asked for at once."""

    def __init__(self, world, connections, mebibytes):
        body = gzip.compress(bytes(mebibytes << 20), mtime=0)
        self.response = (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + str(len(body)).encode() +
                         b"\r\nConnection: close\r\n\r\n" + body)
        b = world.b
        Answer(world.lab, b.namespace, b.address, 80, self.response)
        self.clients = [tcp_connect(world.a.namespace, b.address, 80) for _ in range(connections)]

    def ask(self):
        for client in self.clients:
            client.sendall(b"GET /bomb HTTP/1.1\r\nHost: b\r\n\r\n")

    def whole(self, timeout=60):
        """How many answers arrive whole."""
        deadline, whole = time.monotonic() + timeout, 0
        for client in self.clients:
            got = b""
            try:
                while time.monotonic() < deadline:
                    client.settimeout(max(deadline - time.monotonic(), 0.1))
                    if not (chunk := client.recv(65536)):
                        break
                    got += chunk
            except OSError:
                pass
            whole += got == self.response
        return whole


def overloaded(world, **limits):
    """Little work in a turn, and a short queue."""
    build(world)
    world.config.sections.setdefault("limits", {}).update(
        {"inspection_packet_work": 16384, "inspection_turn_work": 16384, "inspection_queue": 64, **limits})
    world.config.profile[0]["limits"] = {"response_body": 0}


@scenario("inspect.queue-full", "a queue that is full costs packets, by default, which are sent again: all arrives",
          time_limit=120)
def queue_full(world):
    overloaded(world, overload_begin=100, overload_end=99)
    world.start()
    bombs = Bombs(world, 30, 8)
    bombs.ask()
    whole = bombs.whole()
    expect(whole == len(bombs.clients), f"{whole} of {len(bombs.clients)} answers arrived whole: {world.hub.drops()}")
    full = counted(world, "inspect_full")
    expect(full > 0 and world.hub.drops().get("inspect_full") == full, f"{full}, drops {world.hub.drops()}")
    expect(counted(world, "inspect_unseen") == 0, "something passed unseen")
    world.note(f"{full} packets found the queue full")


@scenario("inspect.queue-full-bypass", "with `bypass` a session that finds the queue full goes on unseen",
          time_limit=120)
def queue_full_bypass(world):
    overloaded(world, overload_begin=100, overload_end=99)
    world.config.profile[0]["exceptions"] = {"queue_full": "bypass"}
    world.start()
    bombs = Bombs(world, 30, 8)
    bombs.ask()
    whole = bombs.whole()
    expect(whole == len(bombs.clients), f"{whole} of {len(bombs.clients)} answers arrived whole: {world.hub.drops()}")
    expect(counted(world, "inspect_unseen") > 0 and "inspect_full" not in world.hub.drops(), f"{world.hub.drops()}")


@scenario("inspect.overload", "while a worker is overloaded new sessions get the profile's `fail`, until its queue is "
          "nearly empty again", time_limit=120)
def overload(world):
    overloaded(world, overload_begin=50, overload_end=10)
    world.start()
    bombs = Bombs(world, 30, 8)
    bombs.ask()
    world.hub.wait_event("overload", timeout=20)
    a, b = world.a, world.b
    eventually(lambda: not can_connect(a.namespace, b.address, 80, timeout=0.2) or
               counted(world, "overload_refused") > 0, "new sessions are taken while it is overloaded", interval=0)
    refused = counted(world, "overload_refused")
    expect(refused > 0 and world.hub.drops().get("inspect_limit", 0) > 0, f"{refused}, drops {world.hub.drops()}")
    bombs.whole()
    eventually(lambda: len(world.hub.events("overload")) % 2 == 0, "it does not end", timeout=20)
    events = world.hub.events("overload")
    states = [event["overload"]["state"] for event in events]
    expect(states == ["begun", "over"] * (len(states) // 2), f"{states}")
    expect(all(event["overload"]["waiting"] >= 32 for event in events[::2]), f"it begins early: {events}")
    expect(all(event["overload"]["waiting"] <= 6 for event in events[1::2]), f"it ends early: {events}")
    expect(counted(world, "overloads") == len(states) // 2, f"{counted(world, 'overloads')} were counted: {events}")
    expect(can_connect(a.namespace, b.address, 80), "a new session is refused after it was over")
    world.note(f"{len(states) // 2} times overloaded, {refused} sessions refused meanwhile")
