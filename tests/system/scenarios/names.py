"""Sessions of Kong and Kuma between real ends: what the shipped policy lets through, and who they are told to be."""

import concurrent.futures
import os
import select
import socket
import ssl
import subprocess
import threading
import time
import tomllib

from lab.hub import Hub, HubConfig
from lab.scenario import eventually, expect, scenario
from lab.topology import Topology, number_spoke
from lab.traffic import HttpServer, TcpService, can_connect, http_get, tcp_connect

SHIPPED = os.path.join(os.path.dirname(__file__), "../../../conf/kong-kuma")
TEXT, REVERSED = "weir\n", "riew"  # what `openssl s_server -rev` makes of a line
# The three forms of a server's name in Kuma's mesh, and what the events say of them.
FORMS = (("backend{mesh=demo,version=2}", {"service": "backend", "mesh": "demo", "zone": "west"}),
         ("a0123456789abcdef.redis.kuma-demo.6379.demo.ms", {"service": "redis.kuma-demo", "mesh": "demo", "zone": "west"}),
         ("sni.msvc.demo.east.shop.backend.http",
          {"service": "backend", "mesh": "demo", "zone": "east", "namespace": "shop"}))
LONGEST = "b" * (255 - len("{mesh=demo}")) + "{mesh=demo}"


def shipped():
    with open(os.path.join(SHIPPED, "weir.toml"), "rb") as handle:
        return tomllib.load(handle)


def two_zones(world, policy, profile=(), group=(), service=()):
    """Spoke a is in zone-east, b in zone-west, as in the shipped configuration."""
    world.topology = Topology(world.lab)
    world.config = HubConfig(world.lab.folder)
    world.a = world.topology.add_spoke(number_spoke("a", "zone-east", 1))
    world.b = world.topology.add_spoke(number_spoke("b", "zone-west", 2))
    for spoke in (world.a, world.b):
        world.config.attach(spoke)
    world.config.connect("zone-east", "zone-west")
    world.config.policy, world.config.profile = list(policy), list(profile)
    world.config.group, world.config.service = list(group), list(service)
    world.hub = Hub(world.lab, world.topology.hub, world.binaries, world.config)
    world.start()


def with_shipped(world):
    config = shipped()
    for one in config["profile"]:
        one["rules"] = [os.path.join(SHIPPED, name) for name in one["rules"]]
    two_zones(world, config["policy"], config["profile"], config["group"], config["service"])


def certificate(world, name, *uris):
    """A key and a certificate signed by itself, as options of s_client and s_server."""
    cert, key = world.lab.path(f"{name}.pem"), world.lab.path(f"{name}.key")
    names = ",".join(f"URI:{uri}" for uri in uris) or "DNS:localhost"
    world.b.namespace.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}", "-keyout", key,
                          "-out", cert)
    return cert, key


def server(world, port, identity, *words):
    """`openssl s_server` on spoke b, which turns lines round; it asks for a certificate and takes any."""
    cert, key = identity
    process = world.b.namespace.start("openssl", "s_server", "-accept", f"{world.b.address}:{port}", "-cert", cert,
                                      "-key", key, "-verify", "1", "-rev", *words, log=f"server-{port}.log")
    process.wait_for("ACCEPT", 5)
    return process


def client(world, port, *words, identity=None, text=TEXT, wants=REVERSED, target=None, timeout=4.0):
    """Whether `openssl s_client` on spoke a gets an answer to `text` that has `wants` in it."""
    command = ["ip", "netns", "exec", world.a.namespace.name, "openssl", "s_client", "-quiet", "-connect",
               target or f"{world.b.address}:{port}", *words]
    if identity:
        command += ["-cert", identity[0], "-key", identity[1]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            process.stdin.write(text.encode())
            process.stdin.flush()
            got, deadline = b"", time.monotonic() + timeout
            while wants.encode() not in got and (left := deadline - time.monotonic()) > 0:
                if not select.select([process.stdout], [], [], left)[0]:
                    break
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    break
                got += piece
            return wants.encode() in got
        except BrokenPipeError:
            return False
        finally:
            process.kill()


def expect_none(world, *attempts):
    """None of these clients, (port, words, options of client()), gets an answer. Ports side by side, but one client of a port after the
    other: `openssl s_server` serves one at a time, and the next would have no answer for that."""
    def of_port(port):
        return [words for at, words, options in attempts
                if at == port and client(world, port, *words, **{"timeout": 3, **options})]

    ports = sorted({port for port, _, _ in attempts})
    with concurrent.futures.ThreadPoolExecutor(len(ports)) as pool:
        for port, passing in zip(ports, pool.map(of_port, ports)):
            expect(not passing, f"to port {port} passes {passing}")


def in_segments(world, port, name, alpn, count):
    """A TLS client of ours, whose hello comes in so many segments: does it get a line back?"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, to_send, server_hostname=name)
    try:
        with tcp_connect(world.a.namespace, world.b.address, port, timeout=4) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for action in (tls.do_handshake, lambda: tls.write(TEXT.encode()), lambda: tls.read(100)):
                done = None
                while done is None:
                    try:
                        done = (action(),)
                    except ssl.SSLWantReadError:
                        pass
                    out = to_send.read()
                    size = max(1, -(-len(out) // count))
                    for at in range(0, len(out), size):
                        connection.sendall(out[at:at + size])
                    count = 1  # the hello was the first
                    if done is None:
                        data = connection.recv(65536)
                        if not data:
                            return False
                        received.write(data)
            return REVERSED.encode() in done[0]
    except OSError:
        return False


class Relay(TcpService):
    """Takes an opening, and carries what follows to a port of its own host."""

    def __init__(self, lab, namespace, address, port, behind):
        self._namespace, self._target = namespace, (address, behind)
        super().__init__(lab, namespace, address, port)

    def _serve_client(self, client_socket, _port):
        head = b""
        while not self.is_whole(head):
            more = client_socket.recv(4096)
            if not more:
                return
            head += more
        with tcp_connect(self._namespace, *self._target) as there:
            self.opened(client_socket, there, head)
            there.settimeout(None)
            threading.Thread(target=self._carry, args=(there, client_socket), daemon=True).start()
            self._carry(client_socket, there)

    @staticmethod
    def _carry(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            return


class ConnectProxy(Relay):
    """Takes CONNECT, whatever is asked for."""

    @staticmethod
    def is_whole(head):
        return b"\r\n\r\n" in head

    @staticmethod
    def opened(client_socket, _there, _head):
        client_socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")


class WholeHeader(Relay):
    """In front of a server that has to read PROXY's header (v1 or v2) with one call, as nginx does: in parts it would close the
    connection, whoever carried them."""

    @staticmethod
    def is_whole(head):
        if not head.startswith(b"\r"):
            return b"\r\n" in head
        return len(head) >= 16 and len(head) >= 16 + int.from_bytes(head[14:16], "big")

    @staticmethod
    def opened(_client_socket, there, head):
        there.sendall(head)


def control_plane(world, identity):
    """nginx as Kong's control plane: TLS on 8005, behind PROXY on 8006 (which a relay takes), in clear on 8080; no ALPN that it
    knows."""
    path = world.lab.path("nginx.conf")
    with open(path, "w") as handle:
        handle.write(f"""daemon off;
master_process off;
pid {world.lab.path("nginx.pid")};
error_log stderr;
events {{}}
http {{
  access_log off;
  server {{
    listen {world.b.address}:8005 ssl;
    listen {world.b.address}:18006 ssl proxy_protocol;
    listen {world.b.address}:8080;
    ssl_certificate {identity[0]};
    ssl_certificate_key {identity[1]};
    ssl_verify_client optional_no_ca;
    location = /v1/outlet {{ return 200 "outlet\\n"; }}
    location / {{ return 200 "else\\n"; }}
  }}
}}
""")
    nginx = world.b.namespace.start("nginx", "-c", path, "-e", "stderr", log="nginx.log")
    eventually(lambda: _listens(world, 8080), "nginx does not listen")
    WholeHeader(world.lab, world.b.namespace, world.b.address, 8006, 18006)
    return nginx


def _listens(world, port):
    with world.b.namespace.socket() as probe:
        return probe.connect_ex((world.b.address, port)) == 0


def outlet(path="/v1/outlet?node_id=1", upgrade="websocket"):
    lines = [f"GET {path} HTTP/1.1", "Host: cp", "Connection: Upgrade", f"Upgrade: {upgrade}"]
    return "\r\n".join(lines) + "\r\n\r\n"


def http_clear(world, port, request, wants):
    try:
        with tcp_connect(world.a.namespace, world.b.address, port, timeout=4) as connection:
            connection.sendall(request.encode())
            return wants.encode() in connection.recv(65536)
    except OSError:
        return False


def tls_event(world, name, port=None, **labels):
    """Waits for the event of the handshake with that server's name, which has these members in `weir`."""
    def found():
        for event in world.hub.events("tls"):
            if event["tls"].get("sni") != name or port not in (None, event["dest_port"]):
                continue
            if all(event["weir"].get(key) == value for key, value in labels.items()):
                return event
        return None
    eventually(found,
               f"no event tls of {name}, {port} with {labels}: "
               f"{[(e['tls'].get('sni'), e['dest_port'], e['weir']) for e in world.hub.events('tls')]}")
    return found()


@scenario("names.kong", "shipped policy: Kong's data plane reaches its control plane in every way, nobody else does",
          time_limit=120)
def kong(world):
    with_shipped(world)
    identity = certificate(world, "kong_clustering")
    control_plane(world, identity)
    server(world, 3129, identity)
    ConnectProxy(world.lab, world.b.namespace, world.b.address, 3128, 3129)
    name = ("-servername", "kong_clustering")
    answer = dict(text=outlet(), wants="outlet")
    expect(client(world, 8005, *name, identity=identity, **answer), "kong_clustering does not reach the control plane")
    tls_event(world, "kong_clustering", app="kong-cluster")
    expect(client(world, 8005, *name, "-tls1_2", identity=identity, **answer), "nor by TLS 1.2")
    expect(http_clear(world, 8080, outlet(), "outlet"), "the WebSocket in clear does not pass")
    # Behind a proxy's header, in one segment with the hello and by itself.
    v1 = b"PROXY TCP4 10.1.0.10 10.2.0.10 1024 8006\r\n"
    v2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton(world.a.address) + socket.inet_aton(world.b.address) +
          b"\x04\0\x1f\x46")
    for before in ([v1], [v2], [v1[:9], v1[9:]], [v2[:14], v2[14:]]):
        expect(proxied_outlet(world, before), f"kong_clustering behind {before} does not pass")
    expect(client(world, 3128, *name, "-proxy", f"{world.b.address}:3128", target="cp.example:8005"),
           "kong_clustering behind CONNECT does not pass")
    for port in (8005, 8006, 3128):
        tls_event(world, "kong_clustering", port, app="kong-cluster")
    # The same ports without the name.
    expect_none(world, (8005, ("-servername", "cp.example"), answer), (8005, ("-noservername",), answer),
                (3128, ("-servername", "cp.example", "-proxy", f"{world.b.address}:3128"), {"target": "cp.example:8005"}))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # nginx serves both at a time
        index = pool.submit(http_clear, world, 8080, outlet("/index"), "else")
        other = pool.submit(http_clear, world, 8080, outlet(upgrade="h2c"), "outlet")
        expect(not index.result(), "another path passes in clear")
        expect(not other.result(), "what is no WebSocket passes")
    expect(world.hub.drops().get("policy_default_deny") == 5, f"five were refused by their names: {world.hub.drops()}")


def proxied_outlet(world, before):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        connection = tcp_connect(world.a.namespace, world.b.address, 8006, timeout=4)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in before:
            connection.sendall(part)
        with context.wrap_socket(connection, server_hostname="kong_clustering") as tls:
            tls.sendall(outlet().encode())
            return b"outlet" in tls.recv(65536)
    except OSError:
        return False


@scenario("names.kuma", "shipped policy: Kuma's mesh passes with each form of its names, labelled, also resumed",
          time_limit=120)
def kuma(world):
    with_shipped(world)
    west = certificate(world, "west", "spiffe://demo/backend", "kuma://kuma.io/zone/west")
    east = certificate(world, "east", "spiffe://demo/frontend", "kuma://kuma.io/zone/east")
    server(world, 10001, west, "-alpn", "kuma,h2")
    alpn = ("-alpn", "kuma")
    ids = {"client": ["spiffe://demo/frontend"], "server": ["spiffe://demo/backend"]}
    for name, labels in FORMS + ((LONGEST, {"service": LONGEST.split("{", 1)[0], "mesh": "demo", "zone": "west"}),):
        expect(client(world, 10001, "-servername", name, *alpn, "-tls1_2", identity=east), f"{name} does not pass")
        tls_event(world, name, app="kuma-mesh", kuma=labels, spiffe=ids)
    # The same session again shows no certificates, and is known still.
    name = "resumed{mesh=demo}"
    session = world.lab.path("session.pem")
    expect(client(world, 10001, "-servername", name, *alpn, "-tls1_2", "-sess_out", session, identity=east),
           "the session does not begin")
    expect(client(world, 10001, "-servername", name, *alpn, "-tls1_2", "-sess_in", session, identity=east),
           "the session does not go on")
    eventually(lambda: len([e for e in world.hub.events("tls") if e["tls"].get("sni") == name]) == 2, "no two events")
    first, again = [e for e in world.hub.events("tls") if e["tls"].get("sni") == name]
    expect(not first["tls"].get("session_resumed") and again["tls"].get("session_resumed"), f"not resumed: {again}")
    expect(first["weir"]["spiffe"] == again["weir"]["spiffe"] == ids, f"{first} and {again}")
    # TLS 1.3 shows none either.
    name = "sealed{mesh=demo}"
    expect(client(world, 10001, "-servername", name, *alpn, "-tls1_3", identity=east), "TLS 1.3 does not pass")
    tls_event(world, name, app="kuma-mesh", kuma={"service": "sealed", "mesh": "demo"},
              spiffe={"client": ["unknown"], "server": ["unknown"]})
    expect(in_segments(world, 10001, "sni.msvc.demo.split.http", "kuma", 7), "a hello in 7 segments does not pass")
    tls_event(world, "sni.msvc.demo.split.http", app="kuma-mesh", kuma={"service": "split", "mesh": "demo"})
    # Another mesh, another ALPN, no name.
    server(world, 10002, west, "-alpn", "kuma,h2")
    expect(client(world, 10002, "-servername", FORMS[0][0], *alpn, identity=east), "the other port does not pass")
    expect_none(world, *((port, words, {"identity": east}) for port, words in (
        (10001, ("-servername", "backend{mesh=prod}", *alpn)), (10001, ("-servername", FORMS[0][0], "-alpn", "h2")),
        (10002, ("-servername", FORMS[0][0])), (10002, ("-noservername", *alpn)))))


@scenario("names.admin", "shipped policy: Kong's and Kuma's admin ports are refused, and each try is an alert")
def admin(world):
    with_shipped(world)
    for port, sid in ((8001, 9100001), (8444, 9100001), (8002, 9100001), (8445, 9100001), (5681, 9100002), (5682, 9100002),
                      (5443, 9100002), (9901, 9100003)):
        TcpService(world.lab, world.b.namespace, world.b.address, port)
        expect(not can_connect(world.a.namespace, world.b.address, port), f"port {port} can be reached")
        eventually(lambda: any(event["dest_port"] == port and event["alert"]["signature_id"] == sid
                               for event in world.hub.events("alert")), f"no alert of port {port}")


@scenario("names.spiffe", "a rule by SPIFFE IDs: the handshake passes, then who it is decides; resumed sessions too",
          time_limit=120)
def spiffe(world):
    by_id = {"from": {"prefixes": ["10.1.0.0/24"]}, "protocol": "tcp", "names": {"spiffe": ["spiffe://demo/front*"]}}
    two_zones(world, [{"id": "by-id", "action": "allow", "ports": [10001, 10003], **by_id},
                      {"id": "or-unknown", "action": "allow", "ports": [10002], "unknown": "allow", **by_id},
                      {"id": "web", "action": "allow", "protocol": "tcp", "ports": [80], "unknown": "next",
                       "names": {"http_host": ["*.shop.example"]}},
                      {"id": "rest", "action": "reject", "protocol": "tcp", "ports": [80]}])
    hub = world.hub
    west = certificate(world, "west", "spiffe://demo/backend")
    east = certificate(world, "east", "spiffe://demo/frontend")
    other = certificate(world, "other", "spiffe://demo/other")
    server(world, 10001, west)
    server(world, 10002, west)
    server(world, 10003, west, "-no_ticket")
    for port in (10001, 10003):
        session = world.lab.path(f"session-{port}.pem")
        expect(client(world, port, "-tls1_2", "-sess_out", session, identity=east), f"{port}: its own does not pass")
        expect(client(world, port, "-tls1_2", "-sess_in", session, identity=east), f"{port}: nor when it goes on")
    expect(client(world, 10002, "-tls1_3", identity=east), "unknown = allow does not let TLS 1.3 pass")
    # Another identity, none, and one that nobody can see; and unknown = allow does not let another identity pass.
    expect_none(world, *((port, words, options) for port in (10001, 10003)
                         for words, options in ((("-tls1_2",), {"identity": other}), (("-tls1_2",), {}),
                                                (("-tls1_3",), {"identity": east}))),
                (10002, ("-tls1_2",), {"identity": other}))
    HttpServer(world.lab, world.b.namespace, world.b.address, 80)
    url = f"http://{world.b.address}/"
    expect(http_get(world.a.namespace, url, headers=("Host: a.Shop.example:80",)).exit == 0, "a host that fits is refused")
    answer = http_get(world.a.namespace, url, headers=("Host: shop.example",))
    expect(answer.exit == 56 and answer.seconds < 2, f"another host is not rejected at once: {answer}")
    tester = ["policy", "test", "--from", "10.1.0.10", "--to", "10.2.0.10", "--tcp", "10001"]
    expect(hub.ctl(*tester, "--spiffe", "spiffe://demo/frontend").stdout.startswith("allow (rule by-id"), "policy test")
    expect(hub.ctl(*tester, check=False).stdout.startswith("deny (policy_deny"), "policy test without a name")
    rules = {row["id"]: row["sessions"] for row in hub.ctl_json("policy")["policy"]}
    expect(rules["by-id"] == 8 and rules["or-unknown"] == 1, f"sessions by rule: {rules}")
