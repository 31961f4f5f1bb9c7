"""Rulesets that somebody else wrote: lists, suricata-update, an existing suricata.yaml, what rules cost, the fuse."""

import concurrent.futures
import io
import json
import os
import shutil
import tarfile
import time

from lab.netns import run
from lab.scenario import Skip, eventually, expect, scenario
from lab.traffic import EchoServer, HttpServer, http_get, received, tcp_connect

from .inspection import build


def echo(world, text):
    """What comes back of a text, sent in a session of its own."""
    with tcp_connect(world.a.namespace, world.b.address, 7) as client:
        client.sendall(text)
        return received(client)


def passes(world, text):
    return echo(world, text) == text


def rule(action, word, sid, options=""):
    return (f'{action} tcp any any -> any any (msg:"{word}"; flow:established,to_server; content:"{word}"; {options}'
            f'sid:{sid}; rev:1;)\n')


@scenario("ruleset.lists", "a profile's lists: rules off, on, with another action, silent; what no file has is a note")
def lists(world):
    build(world, rule("drop", "tolerable", 1) + "# " + rule("drop", "forgotten", 2) + rule("alert", "grave", 3) +
          rule("drop", "hushed", 4) + rule("alert", "marking", 5, "flowbits:set,x; flowbits:noalert; "))
    world.config.profile[0] |= {"disable": [1], "enable": ["2"], "to_drop": ["re:grave", "5"],
                                "suppress": ["1:4"], "to_alert": [77]}
    checked = run(world.binaries.weir, "check", "-c", _written(world), check=False)
    expect(checked.returncode == 0, checked.stderr)
    expect("profile[].to_alert: no file has a rule 77 (note)" in checked.stderr, checked.stderr)
    expect("4 rules loaded, 0 refused, 1 enabled, 1 disabled, 1 with another action, 1 suppressed" in checked.stdout,
           checked.stdout)
    rules = run(world.binaries.weir, "rules", "check", "-c", _written(world), "--profile", "default").stdout
    expect("profile[].to_alert: no file has a rule 77" in rules and "1 are suppressed" in rules, rules)
    world.start()
    EchoServer(world.lab, world.b.namespace, world.b.address, 7)
    expect(passes(world, b"a tolerable thing"), "a rule that is off drops")
    expect(passes(world, b"a marking thing"), "a rule with noalert drops")
    for word in (b"forgotten", b"grave", b"hushed"):
        expect(echo(world, word) == b"reset", f"{word} passes")
    world.hub.wait_event("alert", signature_id=3)
    world.hub.wait_event("alert", signature_id=2)
    expect(not [e for e in world.hub.events("alert") if e["alert"]["signature_id"] == 4], "a silent rule alerts")
    world.config.profile[0] |= {"disable": [], "enable": [], "to_drop": []}
    world.hub.reload()
    expect(passes(world, b"forgotten") and passes(world, b"grave"), "the lists hold after they went")
    expect(echo(world, b"tolerable") == b"reset", "a rule is off after its list went")


def _written(world):
    world.config.write(world.hub.config_path)
    return world.hub.config_path


def _archive(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo("rules/" + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@scenario("ruleset.update", "Debian's suricata-update fetches, merges, has Weir test and the hub reload; a broken set changes nothing",
          time_limit=120)
def update(world):
    program = shutil.which("suricata-update")
    if program is None:
        raise Skip("suricata-update is not installed")
    build(world)
    lab, hub = world.lab, world.hub
    output, source = lab.path("output"), lab.path("source")
    os.makedirs(output)
    os.makedirs(source)
    merged = os.path.join(output, "suricata.rules")
    with open(merged, "w") as handle:
        handle.write(rule("alert", "at-first", 900))
    for name, text in {"classification.config": "config classification: house-rule,A rule of the house,2\n",
                       "reference.config": "config reference: house http://rules.example/\n",
                       "disable.conf": "group:games.rules\n", "enable.conf": "902\n", "drop.conf": "903\n",
                       "threshold.in": "suppress re:muffled\n"}.items():
        with open(lab.path(name), "w") as handle:
            handle.write(text)
    with open(lab.path("threshold.config"), "w") as handle:
        handle.write("# none yet\n")
    world.config.profile[0] |= {"rules": [merged], "classification": lab.path("classification.config"),
                                "references": lab.path("reference.config"),
                                "thresholds": lab.path("threshold.config")}
    world.start()
    EchoServer(lab, world.b.namespace, world.b.address, 7)
    _archive(os.path.join(source, "house.rules.tar.gz"), {
        "house.rules": rule("alert", "noted", 901, "classtype:house-rule; reference:house,901; ") +
        "# " + rule("drop", "forgotten", 902) + rule("alert", "grave", 903) + rule("drop", "muffled", 905) +
        'alert tcp any any -> any any (msg:"not here"; lua:x.lua; sid:906; rev:1;)\n',
        "games.rules": rule("drop", "tolerable", 904)})
    # A source that is reached by HTTP, inside of the hub's namespace.
    hub.namespace.ip("link set lo up")
    server = hub.namespace.start("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", source, "8080",
                                 log="source.log")
    server.wait_for("Serving HTTP", 10)
    command = [program, "--suricata", world.binaries.weir, "--suricata-version", "8.0.0",
               "--suricata-conf", lab.path("no-such.yaml"), "--data-dir", lab.path("state"), "--output", output,
               "--config", lab.path("no-update.yaml"), "--url", "http://127.0.0.1:8080/house.rules.tar.gz",
               "--disable-conf", lab.path("disable.conf"), "--enable-conf", lab.path("enable.conf"),
               "--drop-conf", lab.path("drop.conf"), "--threshold-in", lab.path("threshold.in"),
               "--threshold-out", lab.path("threshold.config"), "--no-check-certificate",
               "--test-command", "$SURICATA_PATH rules check $OUTPUT_FILENAME",
               "--reload-command", f"{world.binaries.weirctl} --socket {world.config.socket} rules reload"]
    with open(lab.path("no-update.yaml"), "w") as handle:
        handle.write("# nothing\n")
    said = hub.namespace.run(*command, timeout=60, check=False)
    expect(said.returncode == 0, f"suricata-update fails: {said.stdout}{said.stderr}")
    profile = hub.ctl_json("rules", "status")["profiles"][0]
    expect((profile["rules_loaded"], profile["rules_refused"]) == (4, 1), f"{profile}\n{said.stdout}{said.stderr}")
    expect(passes(world, b"a noted thing") and passes(world, b"a tolerable thing"), "an alert, or a rule that is off, drops")
    for word in (b"forgotten", b"grave", b"muffled"):
        expect(echo(world, word) == b"reset", f"{word} passes")
    noted = hub.wait_event("alert", signature_id=901)["alert"]
    expect((noted["category"], noted["severity"]) == ("A rule of the house", 2), str(noted))
    expect(noted["references"] == ["http://rules.example/901"], str(noted))
    hub.wait_event("alert", signature_id=903)
    expect(not [e for e in hub.events("alert") if e["alert"]["signature_id"] == 905], "a suppressed rule alerts")
    # A test that fails puts the files back, and the hub goes on as it was.
    generation = hub.ctl_json("rules", "status")["generation"]
    _archive(os.path.join(source, "house.rules.tar.gz"), {"house.rules": rule("alert", "new", 999)})
    broken = [word.replace("rules check", "rules check --strict --no-such-option") for word in command]
    said = hub.namespace.run(*broken, "--force", timeout=60, check=False)
    expect(said.returncode != 0 and "Restoring previous rules" in said.stdout + said.stderr, f"{said.stdout}{said.stderr}")
    with open(merged) as handle:
        text = handle.read()
    expect("sid:903" in text and "sid:999" not in text, text)
    expect(hub.ctl_json("rules", "status")["generation"] == generation, "a reload after a failed test")


SURICATA_YAML = """\
%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "[{home}]"
    EXTERNAL_NET: "any"
af-packet:
  - interface: eth0
stream:
  inline: yes
  checksum-validation: yes
  reassembly:
    depth: 1mb
classification-file: {folder}/classification.config
default-rule-path: {folder}
rule-files:
  - "imported*.rules"
"""


@scenario("ruleset.import", "weir rules import: a suricata.yaml becomes a profile that the hub runs; the rest is listed by line")
def imported(world):
    build(world)
    lab = world.lab
    with open(lab.path("suricata.yaml"), "w") as handle:
        handle.write(SURICATA_YAML.format(home=world.b.address, folder=lab.folder))
    with open(lab.path("classification.config"), "w") as handle:
        handle.write("config classification: house-rule,A rule of the house,2\n")
    with open(lab.path("imported-1.rules"), "w") as handle:
        handle.write('drop tcp any any -> $HOME_NET 7 (msg:"home"; content:"intrusion"; classtype:house-rule; sid:1;)\n'
                     'drop tcp any any -> !$HOME_NET 7 (msg:"away"; content:"harmless"; sid:2;)\n')
    said = run(world.binaries.weir, "rules", "import", lab.path("suricata.yaml"), "--name", "edge", "-o", lab.folder)
    expect("suricata.yaml:7: af-packet: Packets come by the hub's own ports" in said.stderr, said.stderr)
    again = ("rules", "import", lab.path("suricata.yaml"), "--name", "edge", "-o", lab.folder)
    refused = run(world.binaries.weir, *again, check=False)
    expect(refused.returncode == 1 and "suricata.toml is there already" in refused.stderr, refused.stderr)
    run(world.binaries.weir, *again, "--force")
    world.config.profile = []
    world.config.policy[0]["profile"] = "edge"
    world.config.write(world.hub.config_path)
    with open(world.hub.config_path, "a") as whole, open(lab.path("suricata.toml")) as profile:
        whole.write(profile.read())
    world.hub.start(world.hub.config_path)
    world.hub.wait_ready_tunnels()
    EchoServer(lab, world.b.namespace, world.b.address, 7)
    expect(passes(world, b"harmless"), "the variable is not that of the file")
    expect(echo(world, b"an intrusion") == b"reset", "it passes")
    alert = world.hub.wait_event("alert", signature_id=1)
    expect(alert["alert"]["category"] == "A rule of the house", str(alert))


@scenario("ruleset.top", "weirctl rules top: which rules and buffers cost how much, in an interval and since they were read")
def top(world):
    build(world, rule("alert", "frequent", 1) + rule("alert", "seldom", 2, 'content:"never-there"; ') +
          'alert http any any -> any any (msg:"uri"; http.uri; content:"/secret"; sid:3;)\n')
    world.start()
    hub, b = world.hub, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)
    HttpServer(world.lab, b.namespace, b.address, 80)
    for _ in range(5):
        expect(passes(world, b"frequent and seldom"), "echo does not work")
    expect(http_get(world.a.namespace, f"http://{b.address}/not/secret").exit == 0, "HTTP does not work")
    answer = json.loads(hub.ctl("--json", "rules", "top", "--total").stdout)
    rules = {row["sid"]: row for row in answer["rules"]}
    expect(rules[1]["matched"] == 5 and rules[1]["verified"] >= 5, str(rules[1]))
    expect(rules[1]["work"] > 5 * 256 and rules[1]["profiles"] == ["default"], str(rules[1]))
    expect(2 not in rules or rules[2]["matched"] == 0, str(rules))
    expect((rules[3]["verified"], rules[3]["matched"]) == (1, 1), str(rules[3]))
    buffers = {(row["buffer"], row["direction"]): row for row in answer["buffers"]}
    expect(buffers[("http.uri", "to_server")]["bytes"] == len("/not/secret"), str(buffers))
    expect(buffers[("payload of tcp", "to_server")]["bytes"] >= 5 * len("frequent and seldom"), str(buffers))
    counters = hub.ctl_json("status")["workers"][0]
    expect(counters["candidates"] >= counters["verified"] >= 6 and counters["scanned_bytes"] > 100, str(counters))
    text = hub.ctl("rules", "top", "--total").stdout
    expect("since the rules were read" in text and "1:1" in text and "http.uri" in text, text)
    explained = hub.ctl("rules", "explain", "1:3").stdout
    expect('proposed by  "/secret" in http.uri' in explained and "matched 1" in explained, explained)
    expect(hub.ctl("rules", "explain", "99", check=False).returncode == 1, "a rule that is not there is explained")
    quiet = hub.ctl("rules", "top", "--interval", "0.2", "--count", "1").stdout
    expect("in 0." in quiet and "1:1" not in quiet, f"nothing happened in that time: {quiet}")


@scenario("ruleset.watch", "weirctl rules explain --session: how far a rule gets in a session that lives, while it is watched")
def watch(world):
    build(world, rule("alert", "wanted", 1) + rule("alert", "other", 2))
    world.start()
    hub, b = world.hub, world.b
    EchoServer(world.lab, b.namespace, b.address, 7)

    def watched(client, session, words):
        """What is said of rule 1 while the client sends `words` until it is over."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            said = pool.submit(hub.ctl, "rules", "explain", "1", "--session", session, "--seconds", "1")
            while words and not said.done():
                client.sendall(words)
                expect(client.recv(100) == words, "echo does not work")
                time.sleep(0.05)
            return said.result().stdout

    with tcp_connect(world.a.namespace, b.address, 7) as client, tcp_connect(world.a.namespace, b.address, 7) as another:
        sessions = {row["sport"]: str(row["id"]) for row in hub.ctl_json("sessions")["sessions"]}
        session, beside = (sessions[one.getsockname()[1]] for one in (client, another))
        expect("nothing of it was judged" in watched(another, session, b"wanted"), "another session was watched")
        expect('"wanted" is not in it' in watched(client, session, b"hello"), "it got elsewhere")
        said = watched(client, session, b"so wanted")
        expect(f"session {session}: fired" in said, said)
        expect(f"session {beside}: fired" in watched(another, beside, b"wanted"), "it did not fire in the other one")
        alert = hub.wait_event("alert", signature_id=1)
        expect(str(alert["flow_id"]) in (session, beside), f"{alert['flow_id']} is not the session's id")


def _session(port, request):
    """Packets of one HTTP exchange, by scapy."""
    from scapy.all import IP, TCP, Ether
    there = Ether() / IP(src="10.1.0.10", dst="10.2.0.10") / TCP(sport=port, dport=80)
    back = Ether() / IP(src="10.2.0.10", dst="10.1.0.10") / TCP(sport=80, dport=port)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def packet(way, flags, seq, ack, payload=b""):
        one = way.copy()
        one[TCP].flags, one[TCP].seq, one[TCP].ack = flags, seq, ack
        return one / payload if payload else one

    end, answered = 101 + len(request), 501 + len(answer)
    return [packet(there, "S", 100, 0), packet(back, "SA", 500, 101), packet(there, "A", 101, 501),
            packet(there, "PA", 101, 501, request), packet(back, "PA", 501, end, answer),
            packet(there, "FA", end, answered), packet(back, "FA", answered, end + 1), packet(there, "A", end + 1, answered + 1)]


@scenario("ruleset.explain", "weir rules explain: of each session of a capture the first condition that kept a rule from firing")
def explain(world):
    from scapy.all import wrpcap
    lab = world.lab
    capture, rules = lab.path("x.pcap"), lab.path("x.rules")
    host = b"Host: www.example.com\r\n\r\n"
    wrpcap(capture, _session(4001, b"GET /etc/passwd HTTP/1.1\r\n" + host) +
           _session(4002, b"GET /index HTTP/1.1\r\n" + host) +
           _session(4003, b"GET /etc/passwd HTTP/1.1\r\nHost: other\r\n\r\n") +
           _session(4004, b"hello\r\n\r\n"))
    with open(rules, "w") as handle:
        handle.write('alert http any any -> any any (msg:"x"; http.uri; content:"/etc/passwd"; fast_pattern; '
                     'http.host; content:"example"; sid:7;)\n'
                     'alert http any any -> any any (msg:"y"; lua:x.lua; sid:8;)\n')
    said = run(world.binaries.weir, "rules", "explain", "7", "--rules", rules, "--pcap", capture).stdout
    of = {part.split(": ")[0].split(" -> ")[0].rsplit(":", 1)[-1]: part for part in said.split("\nsession ")[1:]}
    expect('proposed by  "/etc/pas' in said and '" in http.uri' in said, said)
    expect("fired 1 time" in of["4001"], said)
    expect('http.uri came (6 bytes), and "/etc/pas' in of["4002"] and "is not in it" in of["4002"], said)
    expect('content "example" does not hold in http.host (5 bytes)' in of["4003"], said)
    expect("did not fire" in of["4004"], said)
    refused = run(world.binaries.weir, "rules", "explain", "8", "--rules", rules, check=False)
    expect(refused.returncode == 1 and "lua" in refused.stderr, refused.stderr)
    build(world)
    world.config.profile = [{"name": "default", "rules": [rules], "disable": ["7"]}]
    world.config.write(lab.path("off.toml"))
    off = run(world.binaries.weir, "rules", "explain", "7", "-c", lab.path("off.toml"), check=False)
    expect(off.returncode == 1 and "x.rules:1: it stands here; `disable` of the profile takes it out" in off.stderr, off.stderr)


@scenario("ruleset.fuse", "a rule that drops too many sessions becomes an alert, with an event, until its rules are read again")
def fuse(world):
    build(world, rule("drop", "mistaken", 1) + rule("drop", "right", 2))
    world.config.profile[0] |= {"fuse": 3}
    world.start()
    EchoServer(world.lab, world.b.namespace, world.b.address, 7)
    for _ in range(3):
        expect(echo(world, b"mistaken") == b"reset", "a session passes too early")
    expect(passes(world, b"mistaken") and passes(world, b"mistaken"), "the fuse does not blow")
    expect(echo(world, b"right") == b"reset", "the fuse of one rule is that of another")
    eventually(lambda: len(world.hub.events("fuse")) == 1, "there is not one event")
    event = world.hub.events("fuse")[0]["fuse"]
    expect((event["signature_id"], event["sessions_per_minute"]) == (1, 3), str(event))
    eventually(lambda: len([e for e in world.hub.events("alert") if e["alert"]["signature_id"] == 1]) == 5,
               "each match alerts")
    actions = [e["alert"]["action"] for e in world.hub.events("alert") if e["alert"]["signature_id"] == 1]
    expect(actions == ["blocked"] * 3 + ["allowed"] * 2, str(actions))
    expect(world.hub.ctl_json("status")["workers"][0]["fuses_blown"] == 1, "it is not counted")
    expect("[fuse out: default]" in world.hub.ctl("rules", "top", "--total").stdout, "it is not shown")
    world.hub.ctl("rules", "reload")
    expect(echo(world, b"mistaken") == b"reset", "a reload puts in no new fuse")
