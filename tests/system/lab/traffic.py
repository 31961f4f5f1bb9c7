"""Clients and servers in namespaces: ping, HTTP, TCP, numbered UDP, iperf3."""

import http.server
import json
import re
import signal
import socket
import socketserver
import threading
import time
from dataclasses import dataclass

from .netns import LabError


def ping(namespace, target, count=2, ttl=None, size=None, dont_fragment=False, source=None, wait=3.0):
    """How many of `count` echo requests were answered within `wait` seconds, and what ping said."""
    # All at once: after the last one ping waits for one interval only, if anything was answered before.
    command = ["ping", "-n", "-c", count, "-l", count, "-i", wait, "-W", wait]
    if ttl:
        command += ["-t", ttl]
    if size:
        command += ["-s", size]
    if dont_fragment:
        command += ["-M", "do"]
    if source:
        command += ["-I", source]
    done = namespace.run(*command, target, check=False, timeout=count * wait + 10)
    answered = re.search(r"(\d+) received", done.stdout)
    return int(answered.group(1)) if answered else 0, done.stdout + done.stderr


def time_exceeded_by(namespace, target, protocol, ttl=1, wait=3.0):
    """Sends a "udp", "tcp" or "icmp" probe as traceroute does; the address that says time exceeded, or None."""
    six = ":" in target
    family = socket.AF_INET6 if six else socket.AF_INET
    hops = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL)
    listener = namespace.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    probe = None
    with listener:
        if protocol == "icmp":
            ping(namespace, target, count=1, ttl=ttl, wait=0.3)
        else:
            kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
            probe = namespace.socket(family, kind)
            probe.setblocking(False)
            probe.setsockopt(*hops, ttl)
            probe.connect_ex((target, 33434 if protocol == "udp" else 80))
            if protocol == "udp":
                probe.send(b"probe")
        deadline = time.monotonic() + wait
        try:
            while (left := deadline - time.monotonic()) > 0:
                listener.settimeout(left)
                try:
                    packet, sender = listener.recvfrom(2048)
                except TimeoutError:
                    return None
                message = packet if six else packet[(packet[0] & 15) * 4:]
                if message[0] == (3 if six else 11):
                    return sender[0]
            return None
        finally:
            if probe:
                probe.close()


@dataclass
class Answer:
    """What curl saw. `exit` 0: a whole HTTP answer came; 28: timed out; 56: reset."""
    exit: int
    status: int
    body: str
    seconds: float


def http_get(namespace, url, timeout=3.0, source=None, headers=()):
    command = ["curl", "-s", "-g", "--path-as-is", "--max-time", timeout, "-w", "\n%{http_code} %{time_total}"]
    if source:
        command += ["--interface", source]
    for header in headers:
        command += ["-H", header]
    done = namespace.run(*command, url, check=False, timeout=timeout + 5)
    body, _, last = done.stdout.rpartition("\n")
    status, seconds = last.split()
    return Answer(done.returncode, int(status), body, float(seconds))


def tcp_connect(namespace, address, port, timeout=2.0):
    """A connected socket, or OSError."""
    client = namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    client.settimeout(timeout)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def received(client, size=100):
    """What a socket gets next; b"reset" if its connection is."""
    try:
        return client.recv(size)
    except ConnectionResetError:
        return b"reset"


def can_connect(namespace, address, port, timeout=1.5):
    try:
        tcp_connect(namespace, address, port, timeout).close()
    except OSError:
        return False
    return True


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the body waits for the peer to acknowledge the head

    def do_GET(self):
        self.server.requests.append(self.path)
        body = f"{self.server.greeting} {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class HttpServer(http.server.ThreadingHTTPServer):
    """Answers every GET with its greeting and the path, and remembers the paths."""

    daemon_threads = True

    def __init__(self, lab, namespace, address, port, greeting="hello"):
        self.greeting = greeting
        self.requests = []
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with namespace.entered():
            super().__init__((address, port), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()
        lab.on_close(self._end)

    def server_bind(self):
        # HTTPServer would look up a name for the address, where no name server can be reached.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request, client_address):
        """A connection that the hub reset is what some scenarios want."""

    def _end(self):
        self.shutdown()
        self.server_close()


class TcpService:
    """A TCP service with a thread for each client; what it does there is _serve_client()."""

    def __init__(self, lab, namespace, address, port):
        self._listener = namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        lab.on_close(self._listener.close)

    def _accept(self):
        while True:
            try:
                client, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(client, peer[1]), daemon=True).start()

    def _run(self, client, port):
        with client:
            try:
                self._serve_client(client, port)
            except OSError:
                return


class EchoServer(TcpService):
    """Sends back what it gets."""

    def _serve_client(self, client, _port):
        while data := client.recv(65536):
            client.sendall(data)


class DnsServer:
    """Answers A queries for the names that it has; IPv4 only."""

    def __init__(self, lab, namespace, address, names):
        self._names = names
        self._socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()
        lab.on_close(self._socket.close)

    def _serve(self):
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            end = query.index(0, 12)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            address = self._names.get(".".join(labels))
            answer = b"" if address is None else (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address))
            head = query[:2] + (b"\x81\x80" if answer else b"\x81\x83") + b"\0\1" + (b"\0\1" if answer else b"\0\0")
            self._socket.sendto(head + b"\0\0\0\0" + query[12:end + 5] + answer, client)


def dns_query(namespace, server, name, timeout=3.0):
    """The address that an A query is answered with, or None."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question, (server, 53))
        try:
            answer = client.recv(4096)
        except TimeoutError:
            return None
    return socket.inet_ntoa(answer[-4:]) if answer[7] else None


def echo_works(client, text=b"are you there?"):
    """Sends over a connected echo socket and waits for the same bytes."""
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        part = client.recv(len(text) - len(got))
        if not part:
            return False
        got += part
    return got == text


class NumberedLoad:
    """seqload from one namespace to another, in the background."""

    def __init__(self, binaries, source, target, address, port=5000, pps=20000, seconds=5, flows=1, size=200):
        self._receiver = target.start(binaries.seqload, "recv", "--bind", address, "--port", port)
        self._receiver.wait_for("listening", 5)
        self._seconds = seconds
        self._sender = source.start(binaries.seqload, "send", "--to", address, "--port", port, "--pps", pps,
                                    "--seconds", seconds, "--flows", flows, "--size", size)

    def running(self):
        return self._sender.running()

    def finish(self):
        """Waits for the sender to end; the account with `sent`, `received`, `lost` and the like."""
        if self._sender.wait(self._seconds * 3 + 10) != 0:
            raise LabError(f"seqload send: {self._sender.tail()}")
        time.sleep(0.5)  # what is under way arrives
        self._receiver.signal(signal.SIGTERM)
        self._receiver.wait(5)
        account = json.loads(self._sender.output()) | json.loads(self._receiver.output().splitlines()[-1])
        account["lost"] = account["sent"] - account["received"]
        return account


class Iperf:
    """One iperf3 TCP stream in the background, for some seconds or, with `amount`, so many bytes ("1M")."""

    def __init__(self, source, target, address, port=5201, seconds=5, amount=None, listen=None):
        """`listen`: the target's own address, where the source knows it by another."""
        self._server = target.start("iperf3", "-s", "-1", "-J", "-i", "0.1", "-B", listen or address, "-p", port)
        self._wait_listening(target, port)
        length = ("-n", amount) if amount else ("-t", seconds)
        self._client = source.start("iperf3", "-c", address, "-p", port, *length, "-J", "-i", "0.1")
        self._seconds = seconds

    @staticmethod
    def _wait_listening(namespace, port):
        """With -J the server says nothing before its end."""
        deadline = time.monotonic() + 5
        while not namespace.run("ss", "-Hltn", f"sport = :{port}").stdout.strip():
            if time.monotonic() > deadline:
                raise LabError(f"iperf3 does not listen on port {port}")
            time.sleep(0.02)

    def finish(self):
        """Gbit/s at the receiver, retransmissions, and the longest time without a byte there, in ms."""
        self._client.wait(self._seconds + 15)
        self._server.wait(5)
        client, server = json.loads(self._client.output()), json.loads(self._server.output())
        if "error" in client:
            raise LabError(f"iperf3: {client['error']}")
        stall = longest = 0.0
        for interval in server["intervals"]:
            row = interval["sum"]
            stall = stall + row["seconds"] if row["bytes"] == 0 else 0.0
            longest = max(longest, stall)
        return {"gbit": client["end"]["sum_received"]["bits_per_second"] / 1e9,
                "retransmits": client["end"]["sum_sent"]["retransmits"],
                "stall_ms": longest * 1000}
