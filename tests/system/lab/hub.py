"""The hub under test: its configuration as values, its process, its command line."""

import json
import os
import re
import signal
import time

from .netns import LabError, run
from .topology import HUB_ADDRESS

READY = "weir is ready"
START_TIMEOUT = 40


def toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value)


class HubConfig:
    """A configuration file in the making. `sections` are tables, the lists are arrays of tables, in file order."""

    ARRAYS = ("port", "domain", "attachment", "route", "connection", "prefix", "group", "service", "policy",
              "profile", "nat")

    def __init__(self, folder, driver="af_xdp", cores=(1,)):
        self.sections = {
            "worker": {"cores": list(cores), "idle": "adaptive"},
            "control": {"core": 0},
            "limits": {"sessions": 16384, "packet_buffers": 16384},
            "api": {"socket": os.path.join(folder, "weir.sock")},
            "events": {"eve": os.path.join(folder, "eve.json")},
        }
        self.port = [{"name": "wan0", "driver": driver, "interface": "u0"}]
        if driver == "af_packet":
            self.port[0]["address"] = [HUB_ADDRESS + "/24"]
        self.domain, self.attachment, self.route = [], [], []
        self.connection, self.policy, self.profile, self.nat = [], [], [], []
        self.prefix, self.group, self.service = [], [], []

    @property
    def socket(self):
        return self.sections["api"]["socket"]

    @property
    def eve(self):
        return self.sections["events"]["eve"]

    def attach(self, spoke, **keys):
        """`keys` are further ones of the attachment; those in `vxlan` are of that table."""
        if spoke.domain not in [domain["name"] for domain in self.domain]:
            self.domain.append({"name": spoke.domain})
        vxlan = {"vni": spoke.vni, "local": spoke.hub, "remote": spoke.underlay, **keys.pop("vxlan", {})}
        if spoke.port != 4789:
            vxlan["port"] = spoke.port
        self.attachment.append({"name": spoke.name, "domain": spoke.domain, "vxlan": vxlan,
                                "gateway": spoke.gateway, **keys})

    def connect(self, one, other):
        self.connection.append({"domains": [one, other]})

    def rule(self, name, action, **keys):
        source = keys.pop("from_domains", None)
        if source:
            keys["from"] = {"domains": source}
        self.policy.append({"id": name, "action": action, **keys})

    def text(self):
        lines = []
        for name, section in self.sections.items():
            lines += [f"[{name}]"] + [f"{key} = {toml_value(value)}" for key, value in section.items()] + [""]
        for name in self.ARRAYS:
            for table in getattr(self, name):
                lines += [f"[[{name}]]"] + [f"{key} = {toml_value(value)}" for key, value in table.items()] + [""]
        return "\n".join(lines)

    def write(self, path):
        with open(path, "w") as handle:
            handle.write(self.text())


class Hub:
    """Starts and stops `weir run` in a namespace."""

    def __init__(self, lab, namespace, binaries, config):
        self.lab = lab
        self.namespace = namespace
        self.binaries = binaries
        self.config = config
        self.config_path = lab.path("weir.toml")
        self.process = None
        self._starts = 0

    def launch(self, config_path=None):
        """Starts the process without waiting for it to be ready."""
        if config_path is None:
            self.config.write(self.config_path)
        self._starts += 1
        self.process = self.namespace.start(self.binaries.weir, "run", "-c", config_path or self.config_path,
                                            log=f"weir-{self._starts}.log")
        return self.process

    def start(self, config_path=None):
        self.launch(config_path).wait_for(READY, START_TIMEOUT)
        return self

    def stop(self):
        """SIGTERM; returns the exit code and the seconds that it took."""
        begin = time.monotonic()
        self.process.signal(signal.SIGTERM)
        code = self.process.wait(10)
        return code, time.monotonic() - begin

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.wait(5)

    def ctl(self, *words, check=True, timeout=10):
        return run(self.binaries.weirctl, "--socket", self.config.socket, *words, check=check, timeout=timeout)

    def ctl_json(self, *words):
        return json.loads(self.ctl("--json", *words).stdout)

    def reload(self, check=True, timeout=20):
        """Writes the configuration as it is now and has the hub read it."""
        self.config.write(self.config_path)
        return self.ctl("reload", check=check, timeout=timeout)

    def drops(self):
        """Drop counters by reason, without those that are zero."""
        return {row["reason"]: row["count"] for row in self.ctl_json("drops")["drops"] if row["count"]}

    def path(self, source, target, *service):
        return self.ctl_json("path", "--from", source, "--to", target, *service)

    def events(self, kind=None):
        """EVE events written so far."""
        if not os.path.exists(self.config.eve):
            return []
        with open(self.config.eve) as lines:
            events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if kind in (None, event["event_type"])]

    def wait_event(self, kind, timeout=5, **fields):
        """The first event of a kind whose alert has the given fields; LabError if none comes."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for event in self.events(kind):
                if all(event.get("alert", {}).get(key) == value for key, value in fields.items()):
                    return event
            time.sleep(0.05)
        raise LabError(f"no {kind} event with {fields} in {timeout} s; there are: {self.events()}")

    def wait_ready_tunnels(self, timeout=10):
        """Waits until the underlay of every attachment is resolved."""
        deadline = time.monotonic() + timeout
        while True:
            states = {row["name"]: row["underlay"] for row in self.ctl_json("status")["attachments"]}
            if all(state == "resolved" for state in states.values()):
                return
            if time.monotonic() > deadline:
                raise LabError(f"underlay not resolved after {timeout} s: {states}")
            time.sleep(0.05)


class Binaries:
    """Where the build left the programs."""

    def __init__(self, build):
        self.weir = os.path.join(build, "mgmt/daemon/weir")
        self.weirctl = os.path.join(build, "mgmt/cli/weirctl")
        self.seqload = os.path.join(build, "tests/system/seqload")

    def missing(self):
        return [path for path in (self.weir, self.weirctl, self.seqload) if not os.access(path, os.X_OK)]


LOCATION = re.compile(r"\S+:\d+:\d+: ")  # file:line:column
