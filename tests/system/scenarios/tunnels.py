"""Tunnels that the kernel of the tests has no device for: the other end is scapy's."""

import json
import os

from lab.scenario import expect, scenario
from lab.topology import HUB_ADDRESS

TOOL = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools/tunnel_peer.py")
# Kind, the table of the attachment, and the VNI or key.
KINDS = [
    ("geneve", "geneve", {"vni": 71}, 71),
    ("geneve-ip", "geneve", {"vni": 72, "port": 6082, "ethernet": False}, 72),
    ("gre", "gre", {}, 0),
    ("gre-key", "gre", {"key": 74}, 74),
    ("ipip", "ipip", {}, 0),
]


@scenario("tunnel.scapy", "GENEVE, GRE and IP in IP: pings to the gateway and on to a VXLAN spoke, past XDP, both ways")
def tunnels(world):
    world.build()
    a, b = world.a, world.b
    plan = []
    for number, (kind, table, keys, identifier) in enumerate(KINDS, 70):
        world.config.attachment.append({
            "name": kind, "domain": a.domain, "gateway": [f"10.{number}.0.1/24"],
            table: {"local": HUB_ADDRESS, "remote": a.underlay, **keys}})
        plan.append({"kind": kind, "id": identifier, "host": f"10.{number}.0.10", "gateway": f"10.{number}.0.1"})
    world.start()
    mac = world.hub.ctl_json("status")["ports"][0]["mac"]
    said = a.namespace.run("/usr/bin/python3", TOOL, "u0", a.underlay, HUB_ADDRESS, mac, b.address, json.dumps(plan),
                           timeout=50)
    counts = json.loads(said.stdout.splitlines()[-1])
    drops = world.hub.drops()
    for kind, *_ in KINDS:
        expect(counts[kind]["gateway"] == 3, f"{kind}: the gateway answered {counts[kind]} of 3 pings; drops {drops}")
        # The first ping may wait until b's host is found.
        expect(counts[kind]["target"] >= 2, f"{kind}: {counts[kind]} of 3 pings came back from b; drops {drops}")
    expect("tunnel_unknown" not in drops and "outer_protocol" not in drops, f"drops {drops}")
