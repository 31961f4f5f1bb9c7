"""What inspection tells: events of transactions, of files, in alerts; who reads them, and who is too slow."""

import json
import os
import signal
import socket
import subprocess
import time

from lab import eve
from lab.scenario import eventually, expect, scenario
from lab.traffic import DnsServer, HttpServer, dns_query, http_get, tcp_connect

RULES = """\
alert http any any -> any any (msg:"a marked path"; flow:established,to_server; http.uri; content:"/marked"; \
metadata:created_at 2026_01_01, confidence High; sid:1000021; rev:3;)
"""
NGINX = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi; uwsgi_temp_path {folder}/nginx-uwsgi; scgi_temp_path {folder}/nginx-scgi;
  default_type text/html;
  server {{ listen {address}:80; root {folder}/www; }}
  server {{ listen {address}:443 ssl; root {folder}/www; ssl_protocols TLSv1.2;
            ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; }}
}}
"""


def build(world, **events):
    """TCP 80 and 443 and UDP 53 from red to blue are inspected."""
    world.build()
    with open(world.lab.path("test.rules"), "w") as handle:
        handle.write(RULES)
    world.config.sections["events"].update(events)
    world.config.profile.append({"name": "default", "rules": ["test.rules"]})
    ends = {"from": {"domains": ["red"]}, "to": {"domains": ["blue"]}, "profile": "default"}
    world.config.policy.insert(0, {"id": "web", "action": "inspect", "protocol": "tcp", "ports": [80, 443], **ends})
    world.config.policy.insert(0, {"id": "names", "action": "inspect", "protocol": "udp", "ports": [53], **ends})
    return world


def nginx(world):
    """A real server of HTTP and HTTPS in b."""
    folder, b = world.lab.folder, world.b
    os.makedirs(f"{folder}/www", exist_ok=True)
    for name, size in (("index.html", 20), ("marked.bin", 70_000)):
        with open(f"{folder}/www/{name}", "wb") as handle:
            handle.write(b"x" * size)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/key.pem", "-out",
                    f"{folder}/cert.pem", "-days", "2", "-subj", "/O=Example/CN=web.example.org", "-addext",
                    "subjectAltName=DNS:web.example.org,DNS:alt.example.org"], check=True, capture_output=True)
    with open(f"{folder}/nginx.conf", "w") as handle:
        handle.write(NGINX.format(folder=folder, address=b.address))
    b.namespace.start("nginx", "-c", f"{folder}/nginx.conf", log="nginx.log")
    eventually(lambda: http_get(b.namespace, f"http://{b.address}/").exit == 0, "nginx does not come up")


def many(spoke, urls):
    """All of what curl makes of `urls`, on one connection, is answered."""
    done = spoke.namespace.run("curl", "-s", "-f", "-o", "/dev/null", urls, check=False, timeout=40)
    return done.returncode == 0


def pipelined(spoke, address, paths):
    """Asks for all of them on one connection, a few at a time so that no packet has more alerts than are told."""
    with tcp_connect(spoke.namespace, address, 80) as client:
        client.settimeout(10)
        for at in range(0, len(paths), 10):
            some = paths[at:at + 10]
            client.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n" for path in some).encode())
            answers = b""
            while answers.count(b"hello ") < len(some):
                answers += client.recv(65536)


def wait_for(hub, kind, fits, timeout=10):
    found = []
    eventually(lambda: found.extend(e for e in hub.events(kind) if fits(e)) or found, f"no such {kind} event", timeout)
    return found[0]


@scenario("events.transactions", "http, fileinfo, tls and dns events of nginx, curl, openssl and a name server")
def transactions(world):
    build(world, community_id=True, stats_interval=1).start()
    hub, a, b = world.hub, world.a, world.b
    nginx(world)
    DnsServer(world.lab, b.namespace, b.address, {"www.example.org": "10.2.0.99"})
    expect(http_get(a.namespace, f"http://{b.address}/marked.bin?q=1",
                    headers=("User-Agent: probe/1", "Host: web.example.org", "X-Forwarded-For: 203.0.113.9")).exit == 0,
           "the request fails")
    http = wait_for(hub, "http", lambda e: e["http"].get("url") == "/marked.bin?q=1")
    said = {key: http["http"].get(key) for key in ("hostname", "http_user_agent", "http_method", "protocol", "status",
                                                   "length", "xff")}
    expect(said == {"hostname": "web.example.org", "http_user_agent": "probe/1", "http_method": "GET",
                    "protocol": "HTTP/1.1", "status": 200, "length": 70000, "xff": "203.0.113.9"}, str(http))
    expect((http["src_ip"], http["dest_ip"], http["dest_port"]) == (a.address, b.address, 80), str(http))
    expect(http["weir"]["from_domain"] == "red" and http["weir"]["policy_rule"] == "web", str(http))
    info = wait_for(hub, "fileinfo", lambda e: e["fileinfo"]["filename"] == "/marked.bin")
    expect(info["fileinfo"]["size"] == 70000 and info["fileinfo"]["state"] == "CLOSED" and
           info["src_ip"] == b.address, str(info))

    alert = hub.wait_event("alert", signature_id=1000021)
    expect(alert["http"]["url"] == "/marked.bin?q=1" and alert["tx_id"] == 0 and alert["app_proto"] == "http",
           str(alert))
    expect(alert["alert"]["metadata"] == {"created_at": ["2026_01_01"], "confidence": ["High"]}, str(alert))
    expect(alert["community_id"] == http["community_id"] and alert["flow_id"] == http["flow_id"], f"{alert} {http}")

    a.namespace.run("openssl", "s_client", "-connect", f"{b.address}:443", "-servername", "web.example.org",
                    stdin="", check=False)
    tls = wait_for(hub, "tls", lambda e: e["tls"].get("sni") == "web.example.org")
    expect("CN=web.example.org" in tls["tls"]["subject"] and tls["tls"]["version"] == "TLS 1.2" and
           "alt.example.org" in tls["tls"]["subjectaltname"], str(tls))

    expect(dns_query(a.namespace, b.address, "www.example.org") == "10.2.0.99", "the name is not answered")
    wait_for(hub, "dns", lambda e: e["dns"]["type"] == "request" and
             e["dns"]["queries"][0]["rrname"] == "www.example.org")
    answer = wait_for(hub, "dns", lambda e: e["dns"]["type"] == "response")
    expect(answer["dns"]["answers"][0]["rdata"] == "10.2.0.99", str(answer))
    stats = wait_for(hub, "stats", lambda e: e["stats"]["detect"]["alert"] >= 1)
    expect(stats["weir"]["workers"]["alerts"] >= 1 and stats["stats"]["decoder"]["pkts"] > 0, str(stats))
    world.note("by " + ("the schema and " if eve.SCHEMA is not None else "") + "our own check")


@scenario("events.cut-off", "a request that is never answered has its event when its session ends")
def cut_off(world):
    build(world)
    world.config.sections["timeouts"] = {"tcp_closing": 1}
    world.start()
    a, b = world.a, world.b
    listener = b.namespace.socket()
    listener.bind((b.address, 80))
    listener.listen()
    client = a.namespace.socket()
    client.settimeout(3)
    client.connect((b.address, 80))
    client.sendall(b"GET /unanswered HTTP/1.1\r\nHost: h\r\n\r\n")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    time.sleep(0.2)
    client.close()
    event = wait_for(world.hub, "http", lambda e: e["http"].get("url") == "/unanswered")
    expect("status" not in event["http"], str(event))
    flow = wait_for(world.hub, "flow", lambda e: e["flow_id"] == event["flow_id"])
    expect(flow["app_proto"] == "http", str(flow))
    listener.close()


@scenario("events.types", "only the types that are asked for are written, payloads where they are asked for")
def types(world):
    build(world, types=["alert"], payload=True, payload_printable=True, xff="overwrite", flow=False,
          stats_interval=0).start()
    HttpServer(world.lab, world.b.namespace, world.b.address, 80)
    expect(http_get(world.a.namespace, f"http://{world.b.address}/marked",
                    headers=("X-Forwarded-For: 10.9.9.9, 203.0.113.9",)).exit == 0, "the request fails")
    alert = world.hub.wait_event("alert", signature_id=1000021)
    expect(alert["src_ip"] == "203.0.113.9" and "GET /marked" in alert["payload_printable"] and alert["payload"],
           str(alert))
    time.sleep(0.3)
    kinds = {event["event_type"] for event in world.hub.events()}
    expect(kinds == {"alert"}, f"there are {kinds}")


@scenario("events.drops", "with drops = all each packet of a dropped session has its event")
def drops(world):
    build(world, drops="all", types=["alert", "drop"], flow=False)
    with open(world.lab.path("test.rules"), "a") as handle:
        handle.write('drop http any any -> any any (msg:"refused"; flow:established,to_server; http.uri; '
                     'content:"/refused"; sid:1000022;)\n')
    world.config.profile[-1]["on_drop"] = "silent"
    world.start()
    a, b, hub = world.a, world.b, world.hub
    HttpServer(world.lab, b.namespace, b.address, 80)
    expect(http_get(a.namespace, f"http://{b.address}/refused", timeout=2).exit != 0, "it was answered")
    told = hub.events("drop")
    expect(told and told[0]["drop"]["reason"] == "rules" and told[0]["alert"]["signature_id"] == 1000022, str(told))
    eventually(lambda: [e for e in hub.events("drop") if e["drop"]["reason"] == "flow drop"],
               "what is sent again has no event")
    again = [e for e in hub.events("drop") if e["drop"]["reason"] == "flow drop"][0]
    expect(again["flow_id"] == told[0]["flow_id"], f"{again} beside {told[0]}")


@scenario("events.slow-reader", "a reader that stands still loses events, counted; no packet is lost for it")
def slow_reader(world):
    build(world)
    world.config.sections["limits"]["event_queue"] = 64
    pipe = world.lab.path("eve.pipe")
    os.mkfifo(pipe)
    world.config.sections["events"]["eve"] = pipe
    reader = os.open(pipe, os.O_RDWR)  # there is a reader, which does not read
    world.start()
    hub, a, b = world.hub, world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)

    def drops():  # the kernel's own multicast is none of this
        return {reason: count for reason, count in hub.drops().items() if reason != "inner_multicast"}

    before = drops()
    url = f"http://{b.address}/marked/" + "u" * 500

    def lost():
        expect(many(a, url + "[1-400]"), "a request fails because nobody reads events")
        return hub.ctl_json("status")["events_lost"] > 0

    eventually(lost, "no event is lost", timeout=40)
    expect(drops() == before, f"drops: {drops()}, before {before}")
    os.set_blocking(reader, False)
    for _ in range(10_000):
        try:
            os.read(reader, 1 << 20)
        except BlockingIOError:
            break
    os.close(reader)
    world.config.sections["events"]["eve"] = ""  # nothing that could be read again


@scenario("events.follow", "several followers of alerts; one that stood still is told how many it has lost")
def follow(world):
    build(world).start()
    hub, a, b = world.hub, world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    command = [hub.binaries.weirctl, "--socket", hub.config.socket]
    followers = [subprocess.Popen([*command, *words, "alerts", "--follow"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for words in ([], ["--json"], ["--json"])]
    try:
        expect(http_get(a.namespace, f"http://{b.address}/marked/one").exit == 0, "the request fails")
        line = followers[0].stdout.readline()
        expect("[1:1000021:3] a marked path" in line and f"-> {b.address}:80" in line and "/marked/one" in line, line)
        for one in followers[1:]:
            event = json.loads(one.stdout.readline())
            expect(event["http"]["url"] == "/marked/one", str(event))
        followers[2].send_signal(signal.SIGSTOP)
        # Each is an alert; the hub keeps 1,024 of them.
        pipelined(a, b.address, [f"/marked/{i}" for i in range(1, 1501)])
        eventually(lambda: hub.ctl_json("status")["workers"][0]["alerts"] >= 1501, "not all alerts are counted", 15)
        time.sleep(0.5)
        followers[2].send_signal(signal.SIGCONT)
        told = followers[2].stderr.readline()
        expect("alerts are lost" in told and int(told.split()[1]) >= 1500 - 1024, told)
        latest = hub.ctl_json("alerts", "--max", "3")["alerts"]
        expect([event["http"]["url"] for event in latest] == [f"/marked/{i}" for i in (1498, 1499, 1500)], str(latest))
        expect("a marked path" in hub.ctl("alerts").stdout, "no alerts are printed")
    finally:
        for one in followers:
            one.kill()
            one.wait()


@scenario("events.rules", "weirctl rules: what is loaded and refused; the rules alone are read again, or nothing of them")
def rules(world):
    build(world).start()
    hub, a, b = world.hub, world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    before = hub.ctl_json("rules", "status")["profiles"][0]
    expect((before["name"], before["rules_loaded"], before["rules_refused"]) == ("default", 1, 0), str(before))
    path = world.lab.path("test.rules")
    with open(path, "a") as handle:
        handle.write('alert http any any -> any any (msg:"new"; http.uri; content:"/new"; sid:1000022; rev:1;)\n'
                     'alert tcp any any -> any any (nosuchkeyword:1; sid:1000023;)\n')
    world.config.sections["timeouts"] = {"udp": 7}  # not read
    hub.config.write(hub.config_path)
    answer = hub.ctl_json("rules", "reload")
    expect(any("nosuchkeyword" in note for note in answer["notes"]), str(answer))
    expect(hub.ctl_json("status")["config"]["reloads"] == 0, "the configuration was read, too")
    after = hub.ctl_json("rules", "status")["profiles"][0]
    expect((after["rules_loaded"], after["rules_refused"]) == (2, 1) and after["digest"] != before["digest"],
           f"{after}, before {before}")
    expect("nosuchkeyword" in after["refused"][0] and after["files"] == [path], str(after))
    expect("nosuchkeyword" in hub.ctl("rules", "status").stdout, "status does not list it")
    expect(http_get(a.namespace, f"http://{b.address}/new").exit == 0, "the request fails")
    hub.wait_event("alert", signature_id=1000022)
    os.rename(path, path + ".gone")
    refused = hub.ctl("rules", "reload", check=False)
    expect(refused.returncode == 1 and "test.rules" in refused.stderr, f"a missing file: {refused}")
    expect(hub.ctl_json("rules", "status")["profiles"][0]["digest"] == after["digest"], "something was changed")


@scenario("events.rotation", "SIGUSR1 opens the file anew, without a line lost")
def rotation(world):
    build(world).start()
    hub, a, b = world.hub, world.a, world.b
    HttpServer(world.lab, b.namespace, b.address, 80)
    http_get(a.namespace, f"http://{b.address}/before")
    wait_for(hub, "http", lambda e: e["http"]["url"] == "/before")
    os.rename(hub.config.eve, hub.config.eve + ".1")
    hub.process.signal(signal.SIGUSR1)
    eventually(lambda: os.path.exists(hub.config.eve), "the file is not opened anew")
    http_get(a.namespace, f"http://{b.address}/after")
    wait_for(hub, "http", lambda e: e["http"]["url"] == "/after")
    with open(hub.config.eve + ".1") as old:
        expect("/after" not in old.read(), "the old file is still written")
