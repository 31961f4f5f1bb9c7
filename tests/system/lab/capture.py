"""What the hub sends, captured on its port of the switch and judged as the packet tests' captures are: by tshark, which
verifies every checksum and may have no warning, and by scapy."""

import json
import os
import re
import signal
import time

from .netns import LabError, run
from .raw import mac_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
END = b"end-of-capture!!"  # in a ping, after everything else
JUDGE = os.path.join(ROOT, "tests/packet/judge.py")


class Capture:
    """Frames from the hub to the underlay, from the moment of its making on."""

    def __init__(self, topology):
        self._hub = topology.hub
        self.path = topology.lab.path("hub.pcap")
        self._process = topology.switch.start("dumpcap", "-q", "-P", "-B", "64", "-i", "sw-hub", "-w", self.path, "-f",
                                              f"ether src {mac_of(topology.hub, 'u0')}", log="dumpcap.log")
        self._process.wait_for("File:", 10)

    def judge(self):
        """Ends it. How many frames there were of each kind ("VXLAN with Ethernet over IPv4, IPv6 inside"), and what is
        wrong with any; LabError if the capture is not whole."""
        self._wait_for_all()
        self._process.signal(signal.SIGINT)
        self._process.wait(10)
        said = re.search(r"received/dropped on interface.*: \d+/(\d+)", self._process.output())
        if not said or int(said.group(1)):
            raise LabError(f"the capture is not whole:\n{self._process.output()}")
        done = run("/usr/bin/python3", JUDGE, "--capture", self.path, timeout=120, check=False)
        *complaints, kinds = done.stdout.splitlines() or [""]
        if done.returncode not in (0, 1) or not kinds.startswith("{"):
            raise LabError(f"judge.py: {done.stdout}{done.stderr}")
        return json.loads(kinds), complaints

    def _wait_for_all(self):
        """dumpcap leaves in the kernel what it has not read when it is told to end."""
        deadline = time.monotonic() + 10
        self._hub.ip("neigh replace 198.18.0.254 lladdr 02:00:00:00:00:fe dev u0")
        self._hub.run("ping", "-c", "1", "-W", "0.1", "-p", END.hex(), "198.18.0.254", check=False)
        while True:
            with open(self.path, "rb") as file:
                file.seek(max(0, os.path.getsize(self.path) - 4096))
                if END in file.read():
                    return
            if time.monotonic() > deadline:
                raise LabError("the capture does not come to its end")
            time.sleep(0.05)
