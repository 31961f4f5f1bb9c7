"""Weir as a contender: stateful and policed always, since it knows no other way."""

import os

from . import plan as plans
from .contender import Missing
from .dpdk import HOUSE_CORE, WORKER_CORE, FeedContender

from lab.hub import READY, Binaries, Hub, HubConfig

START_SECONDS = 60


class Weir(FeedContender):
    """`sessions`: of its table; by default a third more than the traffic has. `udp_timeout`: seconds.
    `inspect`: (ports, rule files) of the sessions that are inspected. `feed_build`: where the feed is, if not in
    `build`."""

    pool = "weir_packets"
    profile = {}  # keys of the profile beside its rules
    port = {"driver": "null"}

    def __init__(self, name, traffic, build, sessions=None, udp_timeout=3600, inspect=None, feed_build=None,
                 **options):
        super().__init__(name, traffic, feed_build or build, **options)
        self.weir_build = build
        self.sessions = sessions or max(4096, sum(one.sessions for one in traffic) * 4 // 3)
        self.udp_timeout, self.inspect = udp_timeout, inspect
        self.config = None

    def _config(self):
        config = HubConfig(self.lab.folder, cores=(WORKER_CORE,))
        config.sections["eal"] = {"hugepages": "on", "extra_args": ["-d", self.feed.plugin]}
        config.sections["worker"]["idle"] = "poll"
        config.sections["control"]["core"] = HOUSE_CORE
        config.sections["limits"] = {"sessions": self.sessions, "packet_buffers": self.buffers}
        if self.inspect:
            config.sections["limits"]["inspected_sessions"] = self.sessions
        config.sections["timeouts"] = {"udp": self.udp_timeout}
        config.sections["events"] = {"eve": "", "flow": False}
        config.port = [{"name": "wan0", **self.port, "mac": plans.HUB_MAC, "mtu": plans.UNDERLAY_MTU,
                        "address": [plans.HUB + "/24"]}]
        for name, side in (("a", plans.A), ("b", plans.B)):
            config.domain.append({"name": name})
            config.attachment.append({"name": name, "domain": name, "mac": side.hub_mac,
                                      "vxlan": {"vni": side.vni, "local": plans.HUB, "remote": side.peer},
                                      "gateway": [side.hub_address + "/24", side.hub6 + "/64"]})
            config.route += [{"domain": name, "prefix": side.prefix4, "attachment": name, "via": side.router},
                             {"domain": name, "prefix": side.prefix6, "attachment": name, "via": side.router6}]
        config.connect("a", "b")
        self._policy(config)
        return config

    def _policy(self, config):
        """What the traffic needs is allowed by the last of ten rules; the others are walked and do not match."""
        for number in range(9):
            config.policy.append({"id": f"other-{number}", "action": "deny", "protocol": "tcp",
                                  "ports": [7000 + number],
                                  "from": {"domains": ["a"], "prefixes": [f"10.1.{200 + number}.0/24"]}})
        if self.inspect:
            ports, rules = self.inspect
            config.profile.append({"name": "bench", "rules": rules, **self.profile})
            config.policy.append({"id": "inspected", "action": "inspect", "protocol": "tcp", "ports": list(ports),
                                  "profile": "bench", "from": {"domains": ["a"]}, "to": {"domains": ["b"]}})
        config.policy.append({"id": "traffic", "action": "allow", "from": {"domains": ["a"]},
                              "to": {"domains": ["b"]}})

    def launch(self):
        binaries = Binaries(self.weir_build)
        if not os.access(binaries.weir, os.X_OK):
            raise Missing("Weir is not built; `make build` builds it")
        self.config = self._config()
        path = self.lab.path("weir.toml")
        self.config.write(path)
        self.hub = Hub(self.lab, None, binaries, self.config)  # in no namespace: it touches no interface
        self.process = self.lab.start(*self.environment(), binaries.weir, "run", "-c", path, log="weir.log")

    def ready(self):
        self.process.wait_for(READY, START_SECONDS)
        self.hub.wait_ready_tunnels()

    def drops(self):
        return self.hub.drops()

    def worker_counters(self):
        """The worker's counters by name."""
        return self.hub.ctl_json("status")["workers"][0]
