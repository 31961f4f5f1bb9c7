"""What the hub sends, captured on its port of the switch and judged as the packet tests' captures are: by tshark, which
verifies every checksum and may have no warning, and by scapy."""

import json
import os
import re
import signal

from .netns import LabError, run
from .raw import mac_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
JUDGE = os.path.join(ROOT, "tests/packet/judge.py")


class Capture:
    """Frames from the hub to the underlay, from the moment of its making on."""

    def __init__(self, topology):
        self.path = topology.lab.path("hub.pcap")
        self._process = topology.switch.start("dumpcap", "-q", "-P", "-B", "64", "-i", "sw-hub", "-w", self.path, "-f",
                                              f"ether src {mac_of(topology.hub, 'u0')}", log="dumpcap.log")
        self._process.wait_for("File:", 10)

    def judge(self):
        """Ends it. How many frames there were of each kind ("VXLAN with Ethernet over IPv4, IPv6 inside"), and what is
        wrong with any; LabError if the capture is not whole."""
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
