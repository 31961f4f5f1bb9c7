"""Health of attachments: a spoke goes silent, its traffic moves, it comes back."""

import time

from lab.scenario import eventually, expect, scenario
from lab.topology import number_spoke
from lab.traffic import ping

SERVICE = "10.77.0.1"  # behind two spokes
QUICK = {"probe": "icmp", "interval_ms": 200, "up_after": 2, "down_after": 3, "flap_half_life": 0}


def state_of(hub, name):
    return next(row for row in hub.ctl_json("status")["attachments"] if row["name"] == name)


def two_ways(world, health):
    """Spokes b and d lead to the same service; both are watched."""
    world.build()
    d = world.topology.add_spoke(number_spoke("d", "blue", 4))
    world.config.attach(d)
    for spoke in (world.b, d):
        spoke.namespace.ip(f"addr add {SERVICE}/32 dev lo")
        world.config.route.append({"domain": "blue", "prefix": "10.77.0.0/16", "attachment": spoke.name,
                                   "via": spoke.address, "ecmp": True})
    for attachment in world.config.attachment:
        spoke = world.topology.spokes[attachment["name"]]
        attachment["health"] = dict(health, address=spoke.address)
    world.start()
    for name in ("a", "b", "c", "d"):
        eventually(lambda: state_of(world.hub, name)["state"] == "up", f"{name} does not come up")
    return d


def silence(spoke):
    spoke.namespace.ip("link set vx0 down")


def speak(spoke):
    spoke.namespace.ip("link set vx0 up")
    for gateway in spoke.gateway:
        spoke.namespace.run("ip", "route", "replace", "default", "via", gateway.split("/")[0], check=False)


@scenario("health.failover", "a spoke that goes silent is down in time, its sessions move, and it comes back up",
          time_limit=90)
def failover(world):
    d = two_ways(world, QUICK)
    hub, a = world.hub, world.a
    expect(ping(a.namespace, SERVICE, count=3)[0] == 3, "the service is not reached")
    rx = {name: state_of(hub, name)["rx_packets"] for name in ("b", "d")}
    stream = a.namespace.start("ping", "-i", "0.1", "-c", "60", SERVICE, log="stream.log")
    time.sleep(1)
    moved = {name: state_of(hub, name)["rx_packets"] - rx[name] for name in rx}
    used, other = (world.b, d) if moved["b"] > moved["d"] else (d, world.b)

    begin = time.monotonic()
    silence(used)
    eventually(lambda: state_of(hub, used.name)["state"] == "down", "it is not down", timeout=5, interval=0.02)
    took = time.monotonic() - begin
    expect(0.4 <= took <= 2.0, f"down after {took:.2f} s, with 3 probes of 200 ms")
    row = state_of(hub, used.name)
    expect(row["reason"] == "probe not answered" and row["flaps"] == 1, f"{row}")
    expect(state_of(hub, other.name)["state"] == "up", "the other one went down too")
    expect(stream.wait(20) == 0, f"the stream did not go on:\n{stream.output()}")
    lost = 60 - stream.output().count("bytes from")
    expect(lost <= 25, f"{lost} of 60 lost, with {took:.2f} s until it was down:\n{stream.output()}")

    speak(used)
    eventually(lambda: state_of(hub, used.name)["state"] == "up", "it does not come back", timeout=10)
    expect(ping(a.namespace, used.address, count=3)[0] >= 2, "it is up, but not reached")
    changes = [(e["attachment"]["name"], e["attachment"]["was"], e["attachment"]["state"])
               for e in hub.events("attachment")]
    eventually(lambda: (used.name, "down", "up") in [(e["attachment"]["name"], e["attachment"]["was"],
                                                       e["attachment"]["state"]) for e in hub.events("attachment")],
               "no event of the return")
    expect((used.name, "up", "down") in changes, f"events: {changes}")
    world.note(f"down after {took * 1000:.0f} ms, {lost} of 60 pings lost on the way")


@scenario("health.neighbor-probe", "ARP probes find a spoke that answers no ping, and one that is gone")
def neighbor_probe(world):
    d = two_ways(world, dict(QUICK, probe="neighbor"))
    world.b.namespace.sysctl("net.ipv4.icmp_echo_ignore_all", 1)
    time.sleep(1.5)
    expect(state_of(world.hub, "b")["state"] == "up", "who answers ARP is up")
    silence(d)
    eventually(lambda: state_of(world.hub, "d")["state"] == "down", "it is not down", timeout=5)
    expect(world.hub.ctl("attachments").stdout.count("down") == 1, world.hub.ctl("attachments").stdout)
