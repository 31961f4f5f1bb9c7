"""Open vSwitch's userspace datapath as the peer at the other end of tunnels.

    client namespaces          Open vSwitch's namespace              switch namespace
    eth0 ------------- veth -- bridge NAME -- its tunnel port
                               bridge br-phy (underlay addresses) -- u0 --- br0

It has a database, sockets and a run folder of its own inside the lab's folder, and nothing to do with a service of the
machine. One instance carries any number of tunnels, each in a bridge of its own with one client.
"""

import os
import shutil
import time

from .netns import LabError, run
from .raw import mac_of
from .topology import nodad

DAEMON = "/usr/sbin/ovs-vswitchd"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def missing():
    """One sentence about what this machine lacks; empty if all is there."""
    search = os.environ.get("PATH", "") + ":/usr/sbin"
    if os.access(SCHEMA, os.R_OK) and all(shutil.which(one, path=search)
                                          for one in ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl")):
        return ""
    return "Open vSwitch is not installed; scripts/install-deps installs it"


class Client:
    """A namespace behind one tunnel of Open vSwitch."""

    def __init__(self, name, namespace, mac):
        self.name, self.namespace, self.mac = name, namespace, mac


class OpenVswitch:
    """`namespace` has a device u0 towards the underlay, without addresses; `addresses` become Open vSwitch's."""

    def __init__(self, lab, namespace, addresses):
        self.lab, self.namespace = lab, namespace
        self._env = ["env", *(f"OVS_{kind}DIR={lab.folder}" for kind in ("RUN", "DB", "LOG"))]
        self._database = lab.path("ovs-db.sock")
        run("ovsdb-tool", "create", lab.path("ovs.db"), SCHEMA)
        namespace.start(*self._env, "ovsdb-server", lab.path("ovs.db"), f"--remote=punix:{self._database}",
                        f"--unixctl={lab.path('ovsdb.ctl')}", log="ovsdb.log")
        self._wait_for(lambda: os.path.exists(self._database), "no socket of its database")
        self.vsctl("--no-wait", "init")
        namespace.start(*self._env, DAEMON, f"unix:{self._database}", f"--unixctl={lab.path('ovs.ctl')}",
                        log="ovs-vswitchd.log")
        self.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                   f'other_config:hwaddr="{mac_of(namespace, "u0")}"', "--", "add-port", "br-phy", "u0")
        namespace.ip(*[f"addr add {address} dev br-phy{nodad(address)}" for address in addresses],
                     "link set br-phy up")
        # It hears of the kernel's routes by netlink, a moment later.
        self._wait_for(lambda: self.appctl("ovs/route/show").count("/24 dev br-phy SRC") +
                       self.appctl("ovs/route/show").count("::/64 dev br-phy SRC 2001") >= len(addresses),
                       "it did not take the underlay's routes")

    def add_tunnels(self, tunnels):
        """`tunnels`: {name: (type, {option: value}, inner MTU)}. Returns a Client for each, without addresses yet."""
        words, clients = [], {}
        for name, (kind, options, mtu) in tunnels.items():
            client = self.lab.namespace(name)
            self.namespace.ip(f"link add c-{name} type veth peer name eth0 netns {client.name}",
                              f"link set c-{name} up")
            client.run("ethtool", "-K", "eth0", "tx", "off")  # as for every veth of the lab
            client.ip(f"link set eth0 mtu {mtu} up")
            clients[name] = Client(name, client, mac_of(client, "eth0"))
            words += ["--", "add-br", f"b-{name}", "--", "set", "bridge", f"b-{name}", "datapath_type=netdev",
                      "--", "add-port", f"b-{name}", f"c-{name}", "--", "add-port", f"b-{name}", f"t-{name}",
                      "--", "set", "interface", f"t-{name}", f"type={kind}",
                      *(f"options:{key}={value}" for key, value in options.items())]
        self.vsctl(*words[1:])
        return clients

    def point_to_point(self, client, hub_mac):
        """For a tunnel that carries IP and no Ethernet: what comes out of it gets the client's MAC."""
        self._flows(client, inward=f"set_field:{client.mac}->eth_dst,set_field:{hub_mac}->eth_src,")

    def with_option(self, client):
        """For GENEVE: what the client sends carries an option that nobody knows."""
        self._ofctl(client, "add-tlv-map", "{class=0x7fff,type=0x11,len=8}->tun_metadata0")
        self._flows(client, outward="set_field:0x1122334455667788->tun_metadata0,")

    def _flows(self, client, inward="", outward=""):
        host, tunnel = f"c-{client.name}", f"t-{client.name}"
        self._ofctl(client, "add-flows", "-", stdin=f"in_port={tunnel},actions={inward}output:{host}\n"
                                                    f"in_port={host},actions={outward}output:{tunnel}\n")

    def _ofctl(self, client, verb, *words, stdin=None):
        run(*self._env, "ovs-ofctl", "-O", "OpenFlow13", verb, f"unix:{self.lab.path(f'b-{client.name}.mgmt')}", *words,
            stdin=stdin)

    def vsctl(self, *words):
        return run(*self._env, "ovs-vsctl", f"--db=unix:{self._database}", *words, timeout=20).stdout

    def appctl(self, *words):
        return run(*self._env, "ovs-appctl", "-t", self.lab.path("ovs.ctl"), *words).stdout

    @staticmethod
    def _wait_for(condition, message, timeout=10):
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise LabError(f"Open vSwitch: {message} (waited {timeout} s)")
            time.sleep(0.02)
