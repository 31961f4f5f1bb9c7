"""Other ports and other numbers of workers."""

import os

from lab.scenario import Skip, expect, scenario
from lab.topology import number_spoke
from lab.traffic import HttpServer, NumberedLoad, http_get, ping


def two_way_load(world, flows):
    """Numbered packets both ways at once; both accounts."""
    a, b = world.a, world.b
    ping(a.namespace, b.address)
    there = NumberedLoad(world.binaries, a.namespace, b.namespace, b.address, pps=5000, seconds=3, flows=flows)
    back = NumberedLoad(world.binaries, b.namespace, a.namespace, a.address, pps=5000, seconds=3, flows=flows)
    return there.finish(), back.finish()


@scenario("variant.two-workers", "two workers: 64 flows each way, complete and in order, both workers at work")
def two_workers(world):
    if os.cpu_count() < 2:
        raise Skip("this machine has one core")
    world.start(cores=(0, 1))
    for account in two_way_load(world, flows=64):
        expect(account["lost"] == 0 and account["reordered"] == 0 and account["duplicated"] == 0,
               f"{account}, drops {world.hub.drops()}")
    HttpServer(world.lab, world.b.namespace, world.b.address, 80)
    for _ in range(10):
        expect(http_get(world.a.namespace, f"http://{world.b.address}/").exit == 0, "HTTP fails")
    workers = world.hub.ctl_json("status")["workers"]
    expect(len(workers) == 2, f"{workers}")
    # The NIC has one queue: what the second worker has came over a ring, and its sessions are its own.
    expect(all(worker["sessions"] > 10 for worker in workers), f"one worker has all sessions: {workers}")
    expect(sum(worker["handed_over"] for worker in workers) > 1000, f"nothing was handed over: {workers}")


@scenario("variant.af-packet", "the af_packet port, where XDP is not to be had, forwards too")
def af_packet(world):
    world.build(driver="af_packet")
    # AF_PACKET only copies: the kernel must not answer for the address that is the hub's now.
    world.topology.hub.ip("addr flush dev u0")
    world.start()
    a, b = world.a, world.b
    got, said = ping(a.namespace, b.address, count=5)
    expect(got == 5, f"{got} of 5 pings\n{said}")
    got, said = ping(a.namespace, "198.18.0.1", count=2)
    expect(got == 2, f"the hub's underlay address answered {got} of 2 pings\n{said}")
    HttpServer(world.lab, b.namespace, b.address, 80)
    expect(http_get(a.namespace, f"http://{b.address}/").exit == 0, "HTTP fails")
    code, seconds = world.hub.stop()
    expect(code == 0 and seconds < 1.0, f"exit code {code} after {seconds:.2f} s")


@scenario("variant.poll", "idle = poll forwards as adaptive does")
def poll(world):
    world.build()
    world.config.sections["worker"]["idle"] = "poll"
    world.start()
    there, back = two_way_load(world, flows=4)
    for account in (there, back):
        expect(account["lost"] == 0 and account["reordered"] == 0, f"{account}, drops {world.hub.drops()}")


@scenario("variant.udp-port", "an attachment on another UDP port than 4789, added by reload")
def udp_port(world):
    world.start()
    odd = number_spoke("odd", "blue", 6)
    odd.port = 14789
    world.topology.add_spoke(odd)
    world.config.attach(odd)
    world.hub.reload()
    world.hub.wait_ready_tunnels()
    got, said = ping(world.a.namespace, odd.address, count=5)
    expect(got == 5, f"{got} of 5 pings\n{said}")
