"""Start and end: what the hub leaves behind, and what it finds."""

import json
import os
import signal

from lab.scenario import Skip, eventually, expect, scenario
from lab.traffic import ping

NR_HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
FREE_HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"


def read_number(path):
    with open(path) as handle:
        return int(handle.read())


def xdp_program(namespace):
    """The id of the XDP program on the hub's device, None without one."""
    link = json.loads(namespace.run("ip", "-j", "link", "show", "dev", "u0").stdout)[0]
    return link.get("xdp", {}).get("prog", {}).get("id")


def mounts():
    """What is mounted; the namespaces that `ip netns` mounts come and go with other programs' work."""
    with open("/proc/self/mounts") as handle:
        return sorted(line for line in handle if " /run/netns" not in line)


@scenario("life.sigterm", "SIGTERM ends the hub within a second; NIC, XDP, hugepages, mounts and socket as before")
def sigterm(world):
    pages_before, mounts_before = read_number(NR_HUGEPAGES), mounts()
    world.build()
    link_before = world.topology.hub.run("ip", "-d", "link", "show", "dev", "u0").stdout
    world.start()
    expect(xdp_program(world.topology.hub), "no XDP program while the hub runs")
    expect(ping(world.a.namespace, world.b.address)[0] == 2, "the hub does not forward")
    code, seconds = world.hub.stop()
    expect(code == 0, f"exit code {code}\n{world.hub.process.tail()}")
    expect(seconds < 1.0, f"took {seconds:.2f} s to end")
    expect(xdp_program(world.topology.hub) is None, "an XDP program is left on the device")
    link_after = world.topology.hub.run("ip", "-d", "link", "show", "dev", "u0").stdout
    expect(link_after == link_before, f"the device is not as before:\n{link_before}{link_after}")
    expect(not os.path.exists(world.config.socket), "the API socket is left")
    eventually(lambda: read_number(NR_HUGEPAGES) == pages_before, "the number of hugepages changed")
    expect(mounts() == mounts_before, "something is left mounted")
    world.note(f"ended in {seconds * 1000:.0f} ms")


@scenario("life.kill9", "after kill -9 the next start replaces the stale XDP program and socket, and forwards")
def kill9(world):
    world.start()
    expect(ping(world.a.namespace, world.b.address)[0] == 2, "the hub does not forward")
    world.hub.kill()
    stale = xdp_program(world.topology.hub)
    expect(stale, "kill -9 left no XDP program: this scenario shows nothing")
    world.start()
    expect(xdp_program(world.topology.hub) not in (None, stale), "the stale XDP program is still there")
    got, said = ping(world.a.namespace, world.b.address, count=5)
    expect(got == 5, f"after the restart {got} of 5 pings\n{said}")
    world.hub.stop()
    expect(xdp_program(world.topology.hub) is None, "an XDP program is left after the clean end")


@scenario("life.two-hubs", "a second hub on the NIC of a living one is refused, and the living one is not hurt")
def two_hubs(world):
    world.start()
    mine = xdp_program(world.topology.hub)
    second_config = world.lab.path("second.toml")
    world.config.sections["api"]["socket"] = world.lab.path("second.sock")
    world.config.write(second_config)
    world.config.sections["api"]["socket"] = world.lab.path("weir.sock")
    second = world.topology.hub.start(world.binaries.weir, "run", "-c", second_config, log="second.log")
    expect(second.wait(20) > 0, "a second hub started on the NIC of a living one")
    expect("u0" in second.output(), f"the refusal does not name the device:\n{second.output()}")
    expect(xdp_program(world.topology.hub) == mine, "the living hub lost its XDP program")
    expect(ping(world.a.namespace, world.b.address)[0] == 2, "the living hub does not forward any more")


@scenario("life.hugepages", "with free hugepages the hub takes them, needs no mount, and gives them all back")
def hugepages(world):
    before = read_number(NR_HUGEPAGES)
    with open(NR_HUGEPAGES, "w") as handle:
        handle.write(str(before + 256))
    try:
        free = read_number(FREE_HUGEPAGES)
        if free < 256:
            raise Skip(f"this machine gives {free} of 256 hugepages")
        world.start()
        expect(read_number(FREE_HUGEPAGES) < free, "the hub took no hugepages")
        expect(ping(world.a.namespace, world.b.address)[0] == 2, "the hub does not forward")
        world.hub.stop()
        # Other programs of this machine may hold some for a moment.
        eventually(lambda: read_number(FREE_HUGEPAGES) == free, "not all hugepages came back")
    finally:
        with open(NR_HUGEPAGES, "w") as handle:
            handle.write(str(before))


@scenario("life.top", "weirctl top shows the packets that worker 0 forwards now, and where their cycles go")
def top(world):
    world.start()
    a, b = world.a, world.b
    flood = a.namespace.start("ping", "-n", "-q", "-i", "0.005", b.address)
    world.lab.on_close(lambda: flood.signal(signal.SIGINT))
    eventually(lambda: world.hub.ctl_json("status")["workers"][0]["forwarded"] > 100, "the hub does not forward")
    table = world.hub.ctl("top", "--count", "1", "--interval", "1").stdout
    expect("\033" not in table, f"control sequences without a terminal:\n{table!r}")
    head, worker = [line.split() for line in table.splitlines() if line][1:3]
    expect(head[:4] == ["worker", "core", "busy", "packets/s"] and worker[:2] == ["0", "1"], table)
    packets = float(worker[worker.index("%") + 1])
    expect(50 < packets < 2_000, f"{packets} packets a second of about 400\n{table}")
    stages = {line.split()[0] for line in table.splitlines() if line}
    expect({"rx", "outer", "session_lookup", "tx"} <= stages, f"stages are missing\n{table}")

    before = world.hub.ctl_json("top")
    eventually(lambda: world.hub.ctl_json("top")["workers"][0]["rx"] > before["workers"][0]["rx"] + 100,
               "no packets are counted while ping runs")
    flood.signal(signal.SIGINT)
    flood.wait(5)
    after = world.hub.ctl_json("top")["workers"][0]
    rx = {stage["stage"]: stage for stage in after["stages"]}["rx"]
    expect(0 < rx["packets"] <= after["rx"], f"{rx} of {after['rx']} packets")
    expect(rx["packets"] > 100, f"only {rx['packets']} packets were sampled while somebody looked")
    world.note(table.splitlines()[3])
