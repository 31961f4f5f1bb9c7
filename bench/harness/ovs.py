"""Open vSwitch with DPDK as a contender: one PMD core, VXLAN to VXLAN as a cross-connect of two tunnels, or the same
with conntrack. It has a namespace, a database and a run folder of its own."""

import os
import re
import signal
import time

from . import judge
from . import plan as plans
from .contender import Failed, Missing
from .dpdk import HOUSE_CORE, WORKER_CORE, FeedContender, Hugepages

from lab.netns import run

DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
MEMORY_MIB = 1024
CACHES = {  # Open vSwitch's caches in front of its classifier
    "EMC": {},
    "EMC+SMC": {"smc-enable": "true"},
    "SMC": {"smc-enable": "true", "emc-insert-inv-prob": "0"},
}
CROSS_CONNECT = """
table=0,in_port=vx10,actions=output:vx20
table=0,in_port=vx20,actions=output:vx10
"""
# The policy of Weir's row: whoever is behind A may open sessions to B, and B may answer.
CONNTRACK = """
table=0,ip,actions=ct(table=1)
table=0,ipv6,actions=ct(table=1)
table=1,in_port=vx10,ct_state=+trk+new,ip,actions=ct(commit),output:vx20
table=1,in_port=vx10,ct_state=+trk+new,ipv6,actions=ct(commit),output:vx20
table=1,in_port=vx10,ct_state=+trk+est,actions=output:vx20
table=1,in_port=vx20,ct_state=+trk+est,actions=output:vx10
"""


class Ovs(FeedContender):
    """`cache`: one of CACHES. `sessions`: what its connection table may hold. `udp_timeout`: of its entries, seconds;
    None: its own default."""

    work = judge.SWITCH
    pool = "ovs"
    settle_seconds = 2.5  # its threads hand in their coverage counters once a second

    def __init__(self, name, traffic, build, cache="EMC", conntrack=False, sessions=None, udp_timeout=3600,
                 **options):
        super().__init__(name, traffic, build, **options)
        self.cache, self.conntrack, self.udp_timeout = cache, conntrack, udp_timeout
        self.sessions = sessions or max(200_000, 2 * sum(one.sessions for one in traffic))
        self.namespace = self.database = None

    def start(self):
        if not os.access(DAEMON, os.X_OK):
            raise Missing("Open vSwitch with DPDK is not installed (Debian's package openvswitch-switch-dpdk)")
        super().start()

    # --- bringing it up
    def launch(self):
        lab = self.lab
        self.hugepages = Hugepages(MEMORY_MIB + 64)
        self.namespace = lab.namespace("ovs")
        for which in ("all", "default"):  # else the kernel's end of br-phy announces itself through the feed's port
            self.namespace.sysctl(f"net.ipv6.conf.{which}.disable_ipv6", 1)
        self._env = [*self.environment(), f"OVS_RUNDIR={lab.folder}", f"OVS_DBDIR={lab.folder}",
                     f"OVS_LOGDIR={lab.folder}"]
        run("ovsdb-tool", "create", lab.path("conf.db"), SCHEMA)
        self.database = self.namespace.start(
            *self._env, "taskset", "-c", HOUSE_CORE, "ovsdb-server", lab.path("conf.db"),
            f"--remote=punix:{lab.path('db.sock')}", f"--unixctl={lab.path('db.ctl')}", log="ovsdb.log")
        self._vsctl("--retry", "--no-wait", "init")
        settings = {"dpdk-init": "true", "pmd-cpu-mask": hex(1 << WORKER_CORE), "dpdk-lcore-mask": hex(1 << HOUSE_CORE),
                    "dpdk-socket-mem": str(MEMORY_MIB), "max-idle": "3600000",
                    "dpdk-extra": f"--no-pci --in-memory --no-telemetry -d {self.feed.plugin}", **CACHES[self.cache]}
        self._vsctl("--no-wait", "set", "Open_vSwitch", ".",
                    *(f'other_config:{key}="{value}"' for key, value in settings.items()))
        self.process = self.namespace.start(*self._env, DAEMON, f"unix:{lab.path('db.sock')}",
                                            f"--unixctl={lab.path('ovs.ctl')}", log="ovs-vswitchd.log")
        self._bridges()

    def _bridges(self):
        words = ["add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                 f'other_config:hwaddr="{plans.HUB_MAC}"',
                 "--", "add-port", "br-phy", "p0", "--", "set", "interface", "p0", "type=dpdk",
                 f'options:dpdk-devargs="{self.vdev}"', f"mtu_request={plans.UNDERLAY_MTU}",
                 "--", "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev"]
        for port, side in (("vx10", plans.A), ("vx20", plans.B)):
            words += ["--", "add-port", "br-int", port, "--", "set", "interface", port, "type=vxlan",
                      f"options:remote_ip={side.peer}", f"options:key={side.vni}"]
        if self.conntrack and self.udp_timeout is not None:
            times = [f"{key}={self.udp_timeout}" for key in ("udp_first", "udp_single", "udp_multiple")]
            words += ["--", "--id=@tp", "create", "CT_Timeout_Policy", *(f"timeouts:{time}" for time in times),
                      "--", "--id=@zone", "create", "CT_Zone", "timeout_policy=@tp",
                      "--", "--id=@dp", "create", "Datapath", "datapath_version=0", "ct_zones:0=@zone",
                      "--", "set", "Open_vSwitch", ".", "datapaths:netdev=@dp"]
        self._vsctl(*words, timeout=60)

    def ready(self):
        self.namespace.ip(f"addr add {plans.HUB}/24 dev br-phy", "link set br-phy up")
        self._wait_route()
        for side in (plans.A, plans.B):
            self._appctl("tnl/arp/set", "br-phy", side.peer, side.peer_mac)
        run(*self._env, "ovs-ofctl", "-O", "OpenFlow13", "add-flows", f"unix:{self.lab.path('br-int.mgmt')}", "-",
            stdin=CONNTRACK if self.conntrack else CROSS_CONNECT)
        if self.conntrack:
            self._appctl("dpctl/ct-set-maxconns", str(self.sessions))

    def _wait_route(self):
        """Open vSwitch hears of the kernel's route by netlink, a moment later."""
        end = time.monotonic() + 10
        while f"{plans.HUB.rsplit('.', 1)[0]}.0/24 dev br-phy" not in self._appctl("ovs/route/show"):
            if time.monotonic() > end:
                raise Failed("Open vSwitch did not take the underlay's route")
            time.sleep(0.05)

    def _vsctl(self, *words, timeout=30):
        return run(*self._env, "ovs-vsctl", f"--db=unix:{self.lab.path('db.sock')}", *words, timeout=timeout).stdout

    def _appctl(self, *words):
        return run(*self._env, "ovs-appctl", "-t", self.lab.path("ovs.ctl"), *words, timeout=30).stdout

    # --- while it runs
    def drops(self):
        """Open vSwitch counts drops in coverage counters; what is not counted there is told by the port."""
        found = {}
        for name, total in re.findall(r"^(\w*drop\w*) .*total: (\d+)$", self._appctl("coverage/show"), re.MULTILINE):
            if int(total):
                found[name] = int(total)
        return found

    def connections(self):
        """Entries of its connection table now."""
        return int(re.search(r"\d+", self._appctl("dpctl/ct-get-nconns")).group())

    def stop(self):
        if self.process is not None:
            self.process.signal(signal.SIGCONT)
        super().stop()
        self.namespace = self.database = None
