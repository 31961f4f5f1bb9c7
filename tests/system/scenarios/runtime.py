"""Change without the file: weirctl while packets flow, and what becomes of it."""

import json
import os
import re
import signal
import socket
import threading
import time

from lab.scenario import eventually, expect, scenario
from lab.topology import HUB_ADDRESS, number_spoke
from lab.traffic import ping


def attach(hub, spoke):
    """The commands that an operator gives for a new spoke."""
    hub.ctl("domain", "add", spoke.domain)
    hub.ctl("attachment", "add", spoke.name, "--domain", spoke.domain, "--gateway", ",".join(spoke.gateway),
            "--vxlan-vni", str(spoke.vni), "--vxlan-local", HUB_ADDRESS, "--vxlan-remote", spoke.underlay)
    hub.ctl("connection", "add", "red", spoke.domain)
    hub.wait_ready_tunnels()


def origins(hub, kind):
    return {row["name"]: row["origin"] for row in hub.ctl_json(kind)[kind]}


def reached(world, spoke, message):
    got, said = ping(world.a.namespace, spoke.address, count=3)
    expect(got == 3, f"{message}: {got} of 3\n{said}")


@scenario("runtime.spoke", "a spoke added by weirctl is reached, a reload leaves it alone, removed it is gone")
def spoke(world):
    world.start()
    hub = world.hub
    new = world.topology.add_spoke(number_spoke("new", "edge", 5))
    attach(hub, new)
    reached(world, new, "the new spoke")
    expect(origins(hub, "attachments") == {"a": "file", "b": "file", "c": "file", "new": "api"},
           f"{origins(hub, 'attachments')}")
    expect("+ attachment new" in hub.ctl("config", "diff").stdout, hub.ctl("config", "diff").stdout)
    hub.reload()
    reached(world, new, "after a reload")
    world.config.rule("extra", "allow", protocol="tcp", ports=[9000])
    hub.reload()
    reached(world, new, "after a reload that changed something else")
    hub.ctl("connection", "remove", "edge", "red")
    hub.ctl("attachment", "remove", "new")
    hub.ctl("domain", "remove", "edge")
    expect(ping(world.a.namespace, new.address, count=1, wait=0.3)[0] == 0, "it is reached after its removal")
    expect("new" not in origins(hub, "attachments"), "it is still listed")
    reached(world, world.b, "another spoke")


@scenario("runtime.save", "what was made at run time is lost by a restart, and kept by one after config save")
def save(world):
    world.start()
    hub = world.hub
    new = world.topology.add_spoke(number_spoke("new", "edge", 5))
    attach(hub, new)
    copy = world.lab.path("copy.toml")
    hub.ctl("config", "save", "--to", copy)
    expect("[[attachment]]\nname = \"new\"" in open(copy).read(), open(copy).read())
    hub.stop()
    hub.start(hub.config_path)
    expect("new" not in origins(hub, "attachments"), "nobody saved it")
    attach(hub, new)
    before = open(hub.config_path).read()
    os.chmod(hub.config_path, 0o640)
    said = hub.ctl("config", "save").stdout
    expect(hub.config_path in said, said)
    expect(open(hub.config_path + ".bak").read() == before, "the old file was not kept")
    expect(os.stat(hub.config_path).st_mode & 0o777 == 0o640, "the mode was not kept")
    expect("say the same" in hub.ctl("config", "diff").stdout, hub.ctl("config", "diff").stdout)
    expect(set(origins(hub, "attachments").values()) == {"file"}, f"{origins(hub, 'attachments')}")
    hub.stop()
    hub.start(hub.config_path)
    hub.wait_ready_tunnels()
    reached(world, new, "after save and restart")


@scenario("runtime.batch", "a batch is all or nothing, tells file, line and column, and a dry run changes nothing")
def batch(world):
    world.start()
    hub = world.hub
    new = world.topology.add_spoke(number_spoke("new", "edge", 5))
    good = (f'[[add.attachment]]\nname = "new"\ndomain = "edge"\ngateway = {json.dumps(new.gateway)}\n'
            f'vxlan = {{ vni = {new.vni}, local = "{HUB_ADDRESS}", remote = "{new.underlay}" }}\n'
            '[[add.domain]]\nname = "edge"\n[[add.connection]]\ndomains = ["red", "edge"]\n')
    path = world.lab.path("batch.toml")

    def give(text, *words):
        with open(path, "w") as handle:
            handle.write(text)
        done = hub.ctl("attachment", "--batch", path, *words, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = give(good + '[[add.route]]\ndomain = "edge"\nprefix = "10.99.0.1/16"\nattachment = "new"\n')
    expect(code == 1 and "batch.toml:12:10: route[].prefix" in said, f"{code}: {said}")
    code, said = give(good + '[[add.route]]\ndomain = "edge"\nprefix = "10.99.0.0/16"\nattachment = "nwe"\n')
    expect(code == 1 and "nwe" in said, f"{code}: {said}")
    expect("edge" not in origins(hub, "domains"), "a refused batch left something behind")
    code, said = give(good, "--dry-run")
    expect(code == 0 and "would change" in said and "+ attachment new" in said, f"{code}: {said}")
    expect("edge" not in origins(hub, "domains"), "a dry run changed something")
    code, said = give(good)
    expect(code == 0 and "+ attachment new" in said, f"{code}: {said}")
    hub.wait_ready_tunnels()
    eventually(lambda: ping(world.a.namespace, new.address, count=1, wait=0.5)[0] == 1, "the new spoke is not reached")


@scenario("runtime.route-lines", "routes by the thousand as lines, at run time and from the routes file")
def route_lines(world):
    world.start()
    hub = world.hub
    path = world.lab.path("many.routes")
    with open(path, "w") as handle:
        for i in range(5000):
            handle.write(f"blue 10.{100 + i // 256}.{i % 256}.0/24 attachment b via {world.b.address}\n")
    hub.ctl("route", "add", "--batch", path, timeout=30)
    world.b.namespace.ip("addr add 10.110.7.1/32 dev lo")
    got, said = ping(world.a.namespace, "10.110.7.1", count=3)
    expect(got == 3, f"over a route of the batch {got} of 3\n{said}")
    hub.ctl("route", "remove", "--batch", path, timeout=30)
    eventually(lambda: ping(world.a.namespace, "10.110.7.1", count=1, wait=0.3)[0] == 0, "the routes are still there")
    world.config.sections["routes"] = {"file": path}
    hub.reload()
    got, said = ping(world.a.namespace, "10.110.7.1", count=3)
    expect(got == 3, f"over a route of the routes file {got} of 3\n{said}")


def many(world):
    """Spokes, routes and policy rules beside the usual ones, as many as WEIR_SPOKES, WEIR_ROUTES and WEIR_RULES say."""
    spokes = int(os.environ.get("WEIR_SPOKES", "500"))
    routes = int(os.environ.get("WEIR_ROUTES", "20000"))
    rules = int(os.environ.get("WEIR_RULES", "500"))
    domains = min(spokes, 100)
    world.build()
    config = world.config
    config.domain += [{"name": f"d{n}"} for n in range(domains)]
    path = world.lab.path("many.routes")
    with open(path, "w") as handle:
        for n in range(spokes):
            subnet = f"10.{10 + n // 256}.{n % 256}"
            config.attachment.append({
                "name": f"s{n}", "domain": f"d{n % domains}", "gateway": [f"{subnet}.1/24"],
                "vxlan": {"vni": 1000 + n, "local": HUB_ADDRESS, "remote": world.b.underlay}})
            for i in range(routes // spokes):
                number = n * (routes // spokes) + i
                prefix = f"{32 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.0/24"
                handle.write(f"d{n % domains} {prefix} attachment s{n} via {subnet}.2\n")
    config.sections["routes"] = {"file": path}
    # Before the usual ones, so that what is pinged comes behind all of them.
    groups = [{"name": f"g{g}", "prefixes": [f"10.{10 + n // 256}.{n % 256}.0/24" for n in range(g, spokes, 100)]}
              for g in range(min(spokes, 100))]
    config.group += groups
    config.policy[:0] = [{"id": f"r{r}", "action": "allow", "protocol": "tcp", "ports": [1 + r % 1000],
                          "from": {"groups": [groups[r % len(groups)]["name"]]},
                          "to": {"groups": [groups[r // 100 % len(groups)]["name"]]}} for r in range(rules)]
    config.sections["limits"]["policy_rules"] = rules + 1000
    return spokes, routes, rules


@scenario("runtime.large", "a hub of many spokes and routes forwards soon after its start, and changes as a small one",
          time_limit=240)
def large(world):
    spokes, routes, rules = many(world)
    hub = world.hub
    limit = float(os.environ.get("WEIR_START_SECONDS", "60"))
    hub.config.write(hub.config_path)
    begin = time.monotonic()
    hub.launch(hub.config_path)
    while ping(world.a.namespace, world.b.address, count=1, wait=0.1)[0] == 0:
        expect(time.monotonic() - begin < 60, "nothing is forwarded a minute after the start")
    took = time.monotonic() - begin
    world.note(f"{spokes} spokes, {routes} routes, {rules} rules: first packet {took:.2f} s after exec")
    expect(took < limit, f"the first packet came {took:.2f} s after exec")
    new = world.topology.add_spoke(number_spoke("new", "edge", 5))
    begin = time.monotonic()
    attach(hub, new)
    reached(world, new, "the new spoke")
    world.note(f"a spoke more in {time.monotonic() - begin:.2f} s")
    begin = time.monotonic()
    hub.reload(timeout=60)
    world.note(f"reload of the same file {time.monotonic() - begin:.2f} s")
    reached(world, new, "after a reload")
    begin = time.monotonic()
    said = hub.ctl("config", "diff", timeout=60).stdout
    expect("+ attachment new" in said and "route" not in said, said[:2000])
    world.note(f"config diff {time.monotonic() - begin:.2f} s")
    before = hub.ctl_json("status")["control_stalls"]
    world.note(f"control stalls {before}")


class Asker(threading.Thread):
    """Asks control for its status over and over, and keeps how long the longest answer took."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.longest, self.answers, self.problem = path, 0.0, 0, None
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            begin = time.monotonic()
            try:
                self.ask()
            except OSError as problem:
                self.problem = problem
                return
            self.longest = max(self.longest, time.monotonic() - begin)
            self.answers += 1
            self.done.wait(0.01)

    def ask(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(self.path)
            client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
            answer = client.recv(65536)
            while client.recv(65536):
                pass
            if not answer.startswith(b"HTTP/1.1 200"):
                raise OSError(f"not answered but: {answer[:80]}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def resident_mib(process, which):
    with open(f"/proc/{process.pid}/status") as handle:
        return int(re.search(which + r":\s*(\d+) kB", handle.read()).group(1)) / 1024


@scenario("runtime.many-routes", "a batch of very many routes comes and goes while control answers and nobody loses a packet",
          time_limit=240)
def many_routes(world):
    count = int(os.environ.get("WEIR_ROUTES", "20000"))
    world.build()
    for attachment in world.config.attachment:
        attachment["health"] = {"probe": "icmp", "interval_ms": 100, "withdraw": True,
                                "address": world.topology.spokes[attachment["name"]].address}
    world.start()
    hub, a, b = world.hub, world.a, world.b
    for name in ("a", "b", "c"):
        eventually(lambda: next(r for r in hub.ctl_json("status")["attachments"] if r["name"] == name)["state"] == "up",
                   f"{name} does not come up")
    path = world.lab.path("batch.routes")
    with open(path, "w") as handle:
        for n in range(count):
            handle.write(f"blue {32 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24 attachment b via {b.address}\n")
    last = f"{32 + (count - 1 >> 16)}.{count - 1 >> 8 & 255}.{count - 1 & 255}.9"
    b.namespace.ip(f"addr add {last}/32 dev lo")
    expect(ping(a.namespace, last, count=1, wait=0.3)[0] == 0, "it is reached without a route")
    memory = resident_mib(hub.process, "VmRSS")
    stream = a.namespace.start("ping", "-n", "-i", "0.05", b.address, log="stream.log")
    stalls = hub.ctl_json("status")["control_stalls"]

    def change(verb, answered):
        begin = time.monotonic()
        with Asker(world.config.socket) as asker:
            said = hub.ctl("route", verb, "--batch", path, timeout=120).stdout
        took = time.monotonic() - begin
        got, words = ping(a.namespace, last, count=3, wait=3 if answered else 0.3)
        expect(got == answered, f"after {verb} over the last route {got} of {answered}\n{words}")
        expect(asker.problem is None and asker.answers > 0, f"control did not answer meanwhile: {asker.problem}")
        expect(asker.longest < 1.0, f"during {verb} control took {asker.longest:.2f} s for an answer")
        expect(f"and {count - 1000} more" in said, said[-500:])
        world.note(f"{verb} {count} routes in {took:.2f} s, {resident_mib(hub.process, 'VmRSS') - memory:+.0f} MiB; control "
                   f"answered {asker.answers} times meanwhile, within {1000 * asker.longest:.0f} ms")

    change("add", 3)
    change("remove", 0)
    stream.signal(signal.SIGINT)
    stream.wait(5)
    lost = re.search(r"(\d+) packets transmitted, (\d+) received", stream.output())
    expect(lost and int(lost.group(1)) - int(lost.group(2)) <= 1, f"packets of others were lost:\n{stream.tail(4)}")
    status = hub.ctl_json("status")
    expect(all(row["state"] == "up" and row["flaps"] == 0 for row in status["attachments"]), f"{status['attachments']}")
    world.note(f"at most {resident_mib(hub.process, 'VmHWM'):.0f} MiB; turns of control of more than 10 ms: "
               f"{status['control_stalls'] - stalls}")
