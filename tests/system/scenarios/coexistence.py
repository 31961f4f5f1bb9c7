"""On an af_xdp port the hub takes its own tunnel traffic and leaves the rest to the kernel."""

from lab.scenario import expect, scenario
from lab.traffic import EchoServer, echo_works, ping, tcp_connect


@scenario("beside.tcp", "a TCP service of the kernel on the hub's underlay address (as SSH) lives on beside the hub")
def tcp(world):
    world.build()
    EchoServer(world.lab, world.topology.hub, "198.18.0.1", 22)
    with tcp_connect(world.a.namespace, "198.18.0.1", 22) as before:
        expect(echo_works(before), "the service does not work without the hub")
        world.start()
        expect(echo_works(before), "a session from before the hub's start is dead")
        with tcp_connect(world.b.namespace, "198.18.0.1", 22) as during:
            expect(echo_works(during), "no new session while the hub runs")
            expect(ping(world.a.namespace, world.b.address)[0] == 2, "the hub does not forward")
            world.hub.stop()
            expect(echo_works(before) and echo_works(during), "a session is dead after the hub's end")


def kernel_vxlan(world, hub_local, spoke_remote, port, vni, subnet):
    """A VXLAN between the kernel of the hub's machine and spoke a, of which the hub knows nothing."""
    world.topology.hub.ip(
        f"link add kx{vni} type vxlan id {vni} local {hub_local} remote {world.a.underlay} dstport {port}",
        f"addr add {subnet}.1/24 dev kx{vni}", f"link set kx{vni} up")
    world.a.namespace.ip(
        f"link add kx{vni} type vxlan id {vni} local {world.a.underlay} remote {spoke_remote} dstport {port}",
        f"addr add {subnet}.2/24 dev kx{vni}", f"link set kx{vni} up")


@scenario("beside.vxlan", "another VXLAN user on the same NIC, by address or by port, stays with the kernel")
def vxlan(world):
    world.build(hub_addresses=("198.18.0.1/24", "198.18.0.2/24"))
    world.config.port[0]["address"] = ["198.18.0.1/24"]
    kernel_vxlan(world, "198.18.0.2", "198.18.0.2", 4789, 91, "10.91.0")
    kernel_vxlan(world, "198.18.0.1", "198.18.0.1", 8472, 92, "10.92.0")
    world.start()
    for subnet, what in (("10.91.0", "another address"), ("10.92.0", "another port")):
        got, said = ping(world.a.namespace, f"{subnet}.1", count=3)
        expect(got == 3, f"the kernel's VXLAN on {what}: {got} of 3\n{said}")
    got, said = ping(world.a.namespace, world.b.address, count=3)
    expect(got == 3, f"the hub beside it: {got} of 3\n{said}")
