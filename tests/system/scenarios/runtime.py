"""Change without the file: weirctl while packets flow, and what becomes of it."""

import json
import os
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
    """Spokes and routes beside the usual ones, as many as WEIR_SPOKES and WEIR_ROUTES say."""
    spokes = int(os.environ.get("WEIR_SPOKES", "500"))
    routes = int(os.environ.get("WEIR_ROUTES", "20000"))
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
    return spokes, routes


@scenario("runtime.large", "a hub of many spokes and routes forwards soon after its start, and changes as a small one",
          time_limit=240)
def large(world):
    spokes, routes = many(world)
    hub = world.hub
    begin = time.monotonic()
    hub.launch()
    while ping(world.a.namespace, world.b.address, count=1, wait=0.1)[0] == 0:
        expect(time.monotonic() - begin < 60, "nothing is forwarded a minute after the start")
    world.note(f"{spokes} spokes, {routes} routes: first packet {time.monotonic() - begin:.2f} s after exec")
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
