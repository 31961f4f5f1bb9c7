"""What a person gets to read when a hub cannot start: one clear sentence each, with the place in the file."""

import re

from lab.hub import LOCATION, READY
from lab.scenario import eventually, expect, scenario
from lab.traffic import ping


def in_file(change):
    """A row whose mistake `weir check` can see: without root, without EAL."""
    return ("check", change)


def on_machine(change):
    """A row whose mistake only the machine can tell."""
    return ("run", change)


def edit(section, key, value):
    return lambda config: config.sections.setdefault(section, {}).update({key: value})


def same_outer_key(config):
    config.attachment.append({**config.attachment[0], "name": "twin", "gateway": ["10.50.0.1/24"]})


def same_prefix(config):
    row = {"domain": "red", "prefix": "10.60.0.0/16", "attachment": "a"}
    config.route += [dict(row), dict(row)]


def no_rules(config):
    config.profile.append({"name": "default", "rules": ["no-such-file.rules"]})
    config.policy[0] |= {"action": "inspect", "profile": "default"}


def edit_port(key, value):
    return lambda config: config.port[0].update({key: value})


def edit_attachment(key, value):
    return lambda config: config.attachment[0].update({key: value})


# name: (how, what every sentence has to contain)
ROWS = {
    "unknown-key": (in_file(edit("worker", "coers", [1])), "cores"),
    "wrong-type": (in_file(edit("limits", "sessions", "many")), "sessions"),
    "bad-value": (in_file(edit("worker", "idle", "lazy")), "adaptive"),
    "out-of-range": (in_file(edit("limits", "ring_size", 1000)), "power of two"),
    "same-outer-key": (in_file(same_outer_key), 'attachment "a"'),
    "same-prefix": (in_file(same_prefix), "10.60.0.0/16"),
    "no-such-domain": (in_file(edit_attachment("domain", "rde")), "rde"),
    "bad-address": (in_file(edit_attachment("gateway", ["10.1.0.999/24"])), "10.1.0.999"),
    "unreadable-rules": (in_file(no_rules), "no-such-file.rules"),
    "no-such-port": (on_machine(edit_port("interface", "eth99")), "eth99"),
    "no-such-pci": (on_machine(lambda config: config.port.__setitem__(
        0, {"name": "wan0", "driver": "pci", "pci": "0000:ff:1f.7", "address": ["198.18.0.1/24"]})), "0000:ff:1f.7"),
    "no-such-core": (on_machine(edit("worker", "cores", [250])), "250"),
    "too-little-memory": (in_file(edit("eal", "memory_mib", 16)), "memory"),
    "no-such-memory": (on_machine(edit("eal", "memory_mib", 1_000_000)), "memory"),
    "foreign-local": (on_machine(lambda config: config.attachment[0]["vxlan"].update({"local": "198.18.0.77"})),
                      "198.18.0.77"),
}


def one_sentence(said, path, word):
    """Why the output is not one clear sentence with its place; empty if it is."""
    if not LOCATION.search(said) or path not in said:
        return "no file:line:column"
    if word not in said:
        return f"'{word}' is not named"
    if re.search(r"^(EAL|ETHDEV|AF_XDP|PMD).*|terminate called|Segmentation|core dumped|\(\+0x", said, re.MULTILINE):
        return "internals shine through"
    errors = [line for line in said.splitlines() if path + ":" in line]
    return "" if len(errors) == 1 else f"{len(errors)} lines name the file"


def try_row(world, name):
    (verb, change), word = ROWS[name]
    world.build()
    change(world.config)
    path = world.lab.path("weir.toml")
    world.config.write(path)
    done = world.topology.hub.run(world.binaries.weir, verb, "-c", path, check=False, timeout=30)
    said = done.stdout + done.stderr
    expect(done.returncode > 0, f"exit code {done.returncode}\n{said}")
    wrong = one_sentence(said, path, word)
    expect(not wrong, f"{wrong}:\n{said}")


def register(name):
    how = ROWS[name][0][0]
    scenario(f"error.{name}", f"weir {how}: one sentence with file:line:column")(lambda world: try_row(world, name))


for row_name in ROWS:
    register(row_name)


@scenario("error.address-in-use", "a second hub on a socket that a living one serves is refused, the first unhurt")
def address_in_use(world):
    world.start()
    other = world.lab.path("other.toml")
    world.config.port[0] = {"name": "none", "driver": "null", "address": ["198.18.0.1/24"]}
    world.config.write(other)
    done = world.topology.hub.run(world.binaries.weir, "run", "-c", other, check=False, timeout=30)
    said = done.stdout + done.stderr
    expect(done.returncode > 0 and ("in use" in said or "already" in said), f"exit {done.returncode}: {said}")
    expect(world.hub.ctl_json("status")["attachments"], "the first hub does not answer any more")


@scenario("error.queues", "more hardware queues than sockets: the start is refused with the ethtool line, or all bound")
def queues(world):
    world.build()
    hub = world.topology.hub
    hub.ip("link del u0")
    hub.ip("link add u0 numrxqueues 4 numtxqueues 4 type veth peer name sw-hub netns "
           f"{world.topology.switch.name}", "addr add 198.18.0.1/24 dev u0", "link set u0 up")
    world.topology.switch.ip("link set dev sw-hub master br0 up")
    process = world.hub.launch()
    eventually(lambda: READY in process.output() or not process.running(), "neither ready nor refused", timeout=30)
    if process.running():
        world.hub.wait_ready_tunnels()
        for _ in range(8):
            expect(ping(world.a.namespace, world.b.address)[0] == 2, "with 4 queues some flows are lost")
    else:
        expect("ethtool -L" in process.output(), f"no ethtool line:\n{process.output()}")
