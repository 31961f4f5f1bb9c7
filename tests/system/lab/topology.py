"""The underlay (one switch) and the spokes on it, each with a kernel VXLAN device towards the hub.

    spoke namespace            switch namespace          hub namespace
    vx0 (inner addresses)
      u0 ---------------------- bridge br0 ---------------------- u0 (198.18.0.1/24)
"""

from dataclasses import dataclass, field

HUB_ADDRESS = "198.18.0.1"
HUB_ADDRESS6 = "2001:db8:f::1"
BOTH_FAMILIES = (HUB_ADDRESS + "/24", HUB_ADDRESS6 + "/64")
UNDERLAY_MTU = 1500
VXLAN_OVERHEAD = 50  # IPv4, UDP, VXLAN and the inner Ethernet header
INNER_MTU = UNDERLAY_MTU - VXLAN_OVERHEAD
INNER_MTU6 = INNER_MTU - 20  # over IPv6


class NumberedTunnel:
    """Of a tunnel whose peer is no kernel VXLAN device: addresses inside by `number`, MTU and attachment. A subclass
    has `name`, `number`, `six`, `overhead` (without the outer IP header) and `ends`, of which the hub's is first."""

    @property
    def mtu(self):
        return UNDERLAY_MTU - self.overhead - (40 if self.six else 20)

    @property
    def gateways(self):
        return f"10.{self.number}.0.1", f"2001:db8:{self.number}::1"

    @property
    def hosts(self):
        return f"10.{self.number}.0.10", f"2001:db8:{self.number}::10"

    def attachment_of(self, domain, kind, **keys):
        """`kind`: the name of the tunnel's table, and `keys` what it has beside both ends."""
        local, remote = self.ends
        return {"name": self.name, "domain": domain, "gateway": [self.gateways[0] + "/24", self.gateways[1] + "/64"],
                kind: {"local": local, "remote": remote, **keys}}


@dataclass
class Spoke:
    """One spoke, as it and the hub see it."""
    name: str
    domain: str
    vni: int
    underlay: str
    inner: list = field(default_factory=list)    # addresses with prefix length, of hosts in the spoke
    gateway: list = field(default_factory=list)  # the hub's addresses inside, with prefix length
    port: int = 4789
    options: str = ""  # further words for its VXLAN device
    route_options: str = ""  # and for its default routes
    underlay_mtu: int = UNDERLAY_MTU
    namespace: object = None

    @property
    def hub(self):
        """The hub's underlay address, as this spoke sees it."""
        return HUB_ADDRESS6 if ":" in self.underlay else HUB_ADDRESS

    @property
    def mtu(self):
        return self.underlay_mtu - UNDERLAY_MTU + (INNER_MTU6 if ":" in self.underlay else INNER_MTU)

    @property
    def address(self):
        return self.inner[0].split("/")[0]

    @property
    def address6(self):
        return next(a.split("/")[0] for a in self.inner if ":" in a)

    @property
    def gateway_address(self):
        return self.gateway[0].split("/")[0]

    @property
    def gateway_address6(self):
        return next(a.split("/")[0] for a in self.gateway if ":" in a)


def number_spoke(name, domain, number, six=False, options=""):
    """A spoke whose addresses all follow from one number: 10.N.0.10, 2001:db8:N::10, VNI N*10, 198.18.0.N*10, or
    2001:db8:f::N0 where the underlay is IPv6."""
    return Spoke(name=name, domain=domain, vni=number * 10, options=options,
                 underlay=f"2001:db8:f::{number}0" if six else f"198.18.0.{number * 10}",
                 inner=[f"10.{number}.0.10/24", f"2001:db8:{number}::10/64"],
                 gateway=[f"10.{number}.0.1/24", f"2001:db8:{number}::1/64"])


def nodad(address):
    """What `ip address add` needs so that an IPv6 address can be used at once."""
    return " nodad" if ":" in address else ""


class Topology:
    """Builds the namespaces in a Lab; `hub` is the hub's namespace, whose device is u0."""

    def __init__(self, lab, hub_addresses=(HUB_ADDRESS + "/24",)):
        self.lab = lab
        self.spokes = {}
        self.switch = lab.namespace("switch")
        self.switch.ip("link add br0 type bridge stp_state 0 mcast_snooping 0", "link set br0 up")
        self.hub = lab.namespace("hub")
        self.plug(self.hub, "hub", hub_addresses)

    def plug(self, namespace, port_name, addresses):
        """A veth from `namespace` (u0) to the switch. One queue each, so that one XSK sees all packets."""
        namespace.ip(f"link add u0 numrxqueues 1 numtxqueues 1 mtu {UNDERLAY_MTU} type veth "
                     f"peer name sw-{port_name} netns {self.switch.name} numrxqueues 1 numtxqueues 1")
        namespace.sysctl("net.ipv6.conf.u0.disable_ipv6", int(not any(":" in address for address in addresses)))
        # veth leaves checksums to a "NIC" that does not exist; real NICs do not.
        namespace.run("ethtool", "-K", "u0", "tx", "off")
        namespace.ip(*[f"addr add {address} dev u0{nodad(address)}" for address in addresses],
                     "link set u0 up")
        self.switch.ip(f"link set dev sw-{port_name} master br0 up")

    def add_router(self, name, near, links):
        """A router of the underlay with the addresses `near` on the switch, and `links` behind it: {device: (addresses,
        MTU)}, the other end of each yet to be plugged into a spoke (add_spoke's `behind`)."""
        router = self.lab.namespace(name)
        self.plug(router, name, near)
        router.sysctl("net.ipv4.ip_forward", 1)
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        for device, (addresses, mtu) in links.items():
            router.ip(f"link add {device} numrxqueues 1 numtxqueues 1 mtu {mtu} type veth peer name p-{device}",
                      *[f"addr add {address} dev {device}{nodad(address)}" for address in addresses],
                      f"link set {device} up")
            router.run("ethtool", "-K", device, "tx", "off")
        return router

    def _join(self, namespace, behind, spoke):
        """Connects a spoke with the router's link `behind`, (router, device, the router's address)."""
        router, device, gateway = behind
        router.ip(f"link set p-{device} netns {namespace.name} name u0")
        namespace.run("ethtool", "-K", "u0", "tx", "off")
        own = f"{spoke.underlay}/64 dev u0 nodad" if ":" in spoke.underlay else f"{spoke.underlay}/24 dev u0"
        namespace.ip(f"link set u0 mtu {spoke.underlay_mtu}", f"addr add {own}", "link set u0 up",
                     f"route add {spoke.hub} via {gateway}")

    def add_spoke(self, spoke, behind=None):
        namespace = self.lab.namespace(spoke.name)
        spoke.namespace = namespace
        if behind:
            self._join(namespace, behind, spoke)
        else:
            self.plug(namespace, spoke.name, [spoke.underlay + ("/64" if ":" in spoke.underlay else "/24")])
        commands = [f"link add vx0 mtu {spoke.mtu} type vxlan id {spoke.vni} remote {spoke.hub} "
                    f"local {spoke.underlay} dstport {spoke.port} dev u0 {spoke.options}"]
        commands += [f"addr add {address} dev vx0{nodad(address)}" for address in spoke.inner]
        commands += ["link set vx0 up"]
        commands += [f"route add default via {gateway.split('/')[0]} {spoke.route_options}"
                     for gateway in spoke.gateway]
        namespace.ip(*commands)
        self.spokes[spoke.name] = spoke
        return spoke
