"""Change while packets flow: reload, new spokes, refused configurations."""

import signal
import time

from lab.hub import LOCATION
from lab.scenario import eventually, expect, scenario
from lab.topology import number_spoke
from lab.traffic import HttpServer, Iperf, NumberedLoad, http_get, ping

STALL_GOAL_MS = 200


@scenario("change.under-load", "reloads and a new spoke under 20,000 numbered packets a second: none lost",
          time_limit=90)
def under_load(world):
    world.start()
    hub, a, b = world.hub, world.a, world.b
    ping(a.namespace, b.address)  # neighbours are known before the count begins
    load = NumberedLoad(world.binaries, a.namespace, b.namespace, b.address, pps=20000, seconds=8, flows=4)
    bulk = Iperf(b.namespace, a.namespace, a.address, seconds=8)
    time.sleep(1)
    world.config.rule("extra", "allow", protocol="tcp", ports=[9000])
    hub.reload()
    time.sleep(1)
    new = world.topology.add_spoke(number_spoke("new", "blue", 5))
    world.config.attach(new)
    hub.reload()
    HttpServer(world.lab, new.namespace, new.address, 80, greeting="new")
    answers = []
    eventually(lambda: answers.append(http_get(a.namespace, f"http://{new.address}/")) or answers[-1].exit == 0,
               "the new spoke is not reached", timeout=5)
    time.sleep(1)
    hub.process.signal(signal.SIGHUP)
    expect(load.running(), "the load ended before the changes did: this run shows nothing")
    account, tcp = load.finish(), bulk.finish()
    expect(account["sent"] >= 8 * 20000 * 0.95, f"the sender did not keep its rate: {account}")
    expect(account["lost"] == 0 and account["duplicated"] == 0, f"{account}, drops {hub.drops()}")
    expect(account["reordered"] == 0, f"packets of one flow overtook each other: {account}")
    goal = "" if tcp["stall_ms"] <= STALL_GOAL_MS else f", over the goal of {STALL_GOAL_MS}"
    world.note(f"{account['sent']} sent, 0 lost, longest gap {account['longest_gap_ms']} ms; "
               f"TCP {tcp['gbit']:.2f} Gbit/s, longest stall {tcp['stall_ms']:.0f} ms{goal}")


@scenario("change.sighup", "SIGHUP reads the file again; a route that was taken away is gone")
def sighup(world):
    world.build()
    world.b.namespace.ip("addr add 10.77.0.1/32 dev lo")
    world.config.route.append({"domain": "blue", "prefix": "10.77.0.0/16", "attachment": "b", "via": world.b.address})
    world.start()
    hub, a = world.hub, world.a
    got, said = ping(a.namespace, "10.77.0.1", count=3)
    expect(got == 3, f"over the route: {got} of 3\n{said}")
    world.config.route.clear()
    world.config.write(hub.config_path)
    hub.process.signal(signal.SIGHUP)
    eventually(lambda: ping(a.namespace, "10.77.0.1", count=1, wait=0.3)[0] == 0, "the route is still there")
    eventually(lambda: hub.drops().get("no_route", 0) >= 1, f"drops: {hub.drops()}")
    expect(ping(a.namespace, world.b.address)[0] == 2, "what was not changed does not work")


@scenario("change.longest-prefix", "the longest prefix wins, a blackhole drops, both changed by reload")
def longest_prefix(world):
    world.build()
    world.b.namespace.ip("addr add 10.77.1.1/32 dev lo", "addr add 10.77.2.1/32 dev lo")
    world.config.route += [
        {"domain": "blue", "prefix": "10.77.0.0/16", "attachment": "b", "via": world.b.address},
        {"domain": "red", "prefix": "10.77.2.0/24", "blackhole": True}]
    world.start()
    hub, a = world.hub, world.a
    got, said = ping(a.namespace, "10.77.1.1", count=3)
    expect(got == 3, f"the /16: {got} of 3\n{said}")
    expect(ping(a.namespace, "10.77.2.1", count=2, wait=0.3)[0] == 0, "the blackhole lets through")
    eventually(lambda: hub.drops().get("blackhole", 0) >= 2, f"drops: {hub.drops()}")
    world.config.route.pop()
    hub.reload()
    got, said = ping(a.namespace, "10.77.2.1", count=3)
    expect(got == 3, f"without the blackhole: {got} of 3\n{said}")


@scenario("change.detach", "an attachment taken away is gone at once; put back, it works again")
def detach(world):
    world.start()
    hub, a, b = world.hub, world.a, world.b
    expect(ping(a.namespace, b.address)[0] == 2, "b is not reached to begin with")
    row = next(row for row in world.config.attachment if row["name"] == "b")
    world.config.attachment.remove(row)
    hub.reload()
    expect(ping(a.namespace, b.address, wait=0.3)[0] == 0, "b is reached without its attachment")
    expect("b" not in [one["name"] for one in hub.ctl_json("status")["attachments"]], "status still lists it")
    ping(b.namespace, a.address, count=1, wait=0.3)
    eventually(lambda: hub.drops().get("tunnel_peer", 0) >= 1, f"drops: {hub.drops()}")
    world.config.attachment.append(row)
    hub.reload()
    hub.wait_ready_tunnels()
    got, said = ping(a.namespace, b.address, count=3)
    expect(got == 3, f"after it was put back {got} of 3\n{said}")


@scenario("change.refused", "a wrong file changes nothing, and says file, line and column; nor does a restart key")
def refused(world):
    world.start()
    hub, a, b = world.hub, world.a, world.b
    good = open(hub.config_path).read()
    wrong = good.replace('domain = "blue"', 'domian = "blue"', 1)
    with open(hub.config_path, "w") as handle:
        handle.write(wrong)
    done = hub.ctl("reload", check=False)
    said = done.stdout + done.stderr
    line = wrong[:wrong.index("domian")].count("\n") + 1
    expect(done.returncode != 0 and f"weir.toml:{line}:" in said and LOCATION.search(said), f"said: {said}")
    expect("domain" in said, f"the nearest key is not named: {said}")
    with open(hub.config_path, "w") as handle:
        handle.write(good.replace('idle = "adaptive"', 'idle = "poll"').replace("16384", "12288"))
    done = hub.ctl("reload", check=False)
    said = done.stdout + done.stderr
    expect(done.returncode != 0 and "restart" in said and "worker.idle" in said, f"said: {said}")
    got, text = ping(a.namespace, b.address, count=3)
    expect(got == 3, f"after refused reloads {got} of 3\n{text}")
    expect(hub.ctl_json("status")["attachments"], "no attachments after refused reloads")


@scenario("change.underlay-moves", "a peer's new MAC in the underlay is followed")
def underlay_moves(world):
    world.start()
    a, b = world.a, world.b
    expect(ping(a.namespace, b.address)[0] == 2, "b is not reached to begin with")
    b.namespace.ip("link set u0 down", "link set u0 address 02:00:00:00:be:ef", "link set u0 up")
    b.namespace.run("ping", "-n", "-c", "1", "-W", "2", "198.18.0.1", check=False)
    eventually(lambda: ping(a.namespace, b.address, count=1, wait=0.5)[0] == 1,
               "b is not reached at its new MAC", timeout=15)
