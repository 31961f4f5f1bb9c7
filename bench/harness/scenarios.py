"""The rows of the bench. Sizes are of the inner Ethernet frame without FCS; traffic goes both ways unless a title says
otherwise: N sessions are N conversations, half of the packets each way."""

import functools

from . import inspection, live, micro, mixed
from .dpdk import Testpmd
from .kernel import CONNTRACK, SESSIONS, STATELESS, KernelContender, KernelLimit
from .ovs import CACHES, Ovs
from .pcap import PcapOvs, PcapTestpmd, PcapWeir
from .plan import Traffic, imix
from .rows import Row
from .sessions import OvsSessions, WeirSessions, traffic as new_sessions
from .weir import Weir

LIMIT, KERNEL_LIMIT = "testpmd io", "kernel, XDP_DROP"
COUNTS = ((1, "1"), (1_024, "1k"), (65_536, "64k"), (1_048_576, "1M"), (10_000_000, "10M"))
FORWARDING, STATEFUL, SESSION_RATE, INSPECTION = (
    "VXLAN to VXLAN", "stateful, all of them", "new sessions", "inspection")
NO_KERNEL = "The kernel is not in this row: its feed makes packets of one length, and of a million sessions at most."
STATELESS_NOTE = ("Weir is stateful and policed here, as always; Open vSwitch cross-connects two tunnels and the "
                  "kernel routes, both without state.")


def _limits(traffic, build, kernel):
    """The DPDK contenders' limit and the kernel's, on the same traffic."""
    limit = functools.partial(Testpmd, LIMIT, traffic, build)
    own = {"kernel": functools.partial(KernelLimit, KERNEL_LIMIT, traffic, build)} if kernel else {}
    return limit, own


def _stateless(build, row, title, traffic, caches=tuple(CACHES), kernel=True, **options):
    contenders = [functools.partial(Weir, "Weir", traffic, build)]
    contenders += [functools.partial(Ovs, f"Open vSwitch, {cache}", traffic, build, cache) for cache in caches]
    if kernel:
        contenders.append(functools.partial(KernelContender, "kernel", traffic, build, STATELESS))
    limit, own = _limits(traffic, build, kernel)
    return Row(row, title, FORWARDING, contenders, limit, own,
               note=STATELESS_NOTE if kernel else f"{STATELESS_NOTE} {NO_KERNEL}", **options)


def _stateful(build, row, title, traffic, caches=("EMC",), kernel=True, **options):
    contenders = [functools.partial(Weir, "Weir", traffic, build)]
    contenders += [functools.partial(Ovs, f"Open vSwitch conntrack, {cache}", traffic, build, cache, conntrack=True)
                   for cache in caches]
    if kernel:
        contenders.append(functools.partial(KernelContender, "kernel", traffic, build, CONNTRACK))
    limit, own = _limits(traffic, build, kernel)
    note = "The same policy for all: A may open sessions to B, B may answer. The kernel's is nftables."
    return Row(row, title, STATEFUL, contenders, limit, own, note=note if kernel else f"{note} {NO_KERNEL}", **options)


def _forwarding(build):
    limit = functools.partial(Testpmd, LIMIT, [Traffic()], build)
    yield Row("io", "io loop: what the feed and testpmd take, 1k sessions", FORWARDING, [limit], seconds=1.0,
              quick=True)
    for count, word in COUNTS:
        yield _stateless(build, f"vxlan-{word}", f"64 bytes, IPv4, {word} sessions", [Traffic(sessions=count)],
                         quick=word in ("1k", "64k"), kernel=count <= 1_048_576,
                         seconds=1.0 if count <= 65_536 else 2.0,
                         caches=("EMC",) if count == 1 else tuple(CACHES) if count <= 65_536 else ("EMC", "SMC"))
    few = {"caches": ("EMC",), "seconds": 1.0}
    for size in (128, 512, 1500):
        yield _stateless(build, f"vxlan-1k-{size}", f"{size} bytes, IPv4, 1k sessions", [Traffic(size=size)], **few)
    yield _stateless(build, "vxlan-1k-imix", "IMIX (64, 570, 1500 at 7:4:1), IPv4, 1k sessions", imix(), kernel=False,
                     **few)
    yield _stateless(build, "vxlan-1k-ipv6", "IPv6 inside, 64 bytes, 1k sessions", [Traffic(family=6)], **few)
    yield _stateless(build, "vxlan-1k-one-way", "64 bytes, IPv4, 1k sessions, one way", [Traffic(one_way=True)], **few)


def _pcap(build):
    traffic = [Traffic()]
    return Row("pcap-1k", "64 bytes, IPv4, 1k sessions from a looped capture (net_pcap)", FORWARDING,
               [functools.partial(PcapWeir, "Weir", traffic, build),
                functools.partial(PcapOvs, "Open vSwitch, EMC", traffic, build)],
               functools.partial(PcapTestpmd, LIMIT, traffic, build), seconds=1.0,
               note="The same packets as in vxlan-1k by another feed, as a cross-check of the template feed.")


def _sessions(build):
    return Row("new-sessions", "new UDP sessions a second, each ends after a second without packets", SESSION_RATE,
               [functools.partial(WeirSessions, "Weir", build),
                functools.partial(OvsSessions, "Open vSwitch, conntrack", build),
                functools.partial(KernelContender, "kernel", new_sessions(), build, SESSIONS)],
               unit="sessions/s", higher_is_better=True, quick=True, seconds=2.0,
               note="Measured while as many end as begin. One packet each way of every session.")


def _mixed(build, percent):
    """Ordinary HTTP finds the rate; bombs, where there are any, come at the same."""
    pace, share = mixed.Pace(), percent / 100
    contender = functools.partial(mixed.Mixed, build=build, share=share, payload=mixed.ordinary(), pace=pace)
    contenders = [functools.partial(contender, "Weir, whole mix"),
                  functools.partial(contender, "Weir, uninspected part alone", whole=False)]
    if percent == 50:
        contenders.append(functools.partial(contender, "Weir, decompression bombs in it", payload=mixed.bomb(), sheds=True))
    return Row(f"mixed-{percent}", f"{percent} % of the packets inspected HTTP: throughput of the others",
               INSPECTION, contenders, unit="Mpps", higher_is_better=True, subject="Weir, uninspected",
               note=f"At {100 * mixed.LOAD:.0f} % of the most that the whole mix is forwarded at; rules: "
                    f"{mixed.rules()[1]}.")


def rows(options):
    """The whole table; `options.build` is the build folder."""
    build = options.build
    yield from _forwarding(build)
    yield _pcap(build)
    for count, word in COUNTS[1:4]:
        yield _stateful(build, f"stateful-{word}", f"64 bytes, IPv4, {word} sessions", [Traffic(sessions=count)],
                        quick=word == "1k", caches=("EMC",) if word == "1k" else ("EMC", "SMC"),
                        seconds=1.0 if count <= 65_536 else 2.0)
    yield _stateful(build, "stateful-1k-tcp", "TCP, 128 bytes, IPv4, 1k sessions",
                    [Traffic(protocol="tcp", size=128)], kernel=False, seconds=1.0)
    yield _sessions(build)
    yield _mixed(build, 10)
    yield _mixed(build, 50)
    yield inspection.inspection_row(build)
    yield from micro.routes_rows(build)
    yield from micro.way_rows(build)
    yield live.live_row(build)


def check_rows(options, base_build, tree_build):
    """What `make bench-check` compares: Weir of two builds on the tree's feed, in turns."""
    del options
    for row, title, traffic in (
            ("vxlan-1k", "64 bytes, IPv4, 1k sessions", [Traffic()]),
            ("vxlan-64k", "64 bytes, IPv4, 64k sessions", [Traffic(sessions=65_536)]),
            ("vxlan-1k-ipv6", "IPv6 inside, 64 bytes, 1k sessions", [Traffic(family=6)]),
            ("stateful-1k-tcp", "TCP, IPv4, 1k sessions", [Traffic(protocol="tcp", size=128)])):
        yield Row(row, title, FORWARDING,
                  [functools.partial(Weir, "Weir, base", traffic, base_build, feed_build=tree_build),
                   functools.partial(Weir, "Weir, tree", traffic, tree_build)],
                  functools.partial(Testpmd, LIMIT, traffic, tree_build), seconds=1.0, subject="Weir, tree")
    yield Row("new-sessions", "new UDP sessions a second", SESSION_RATE,
              [functools.partial(WeirSessions, "Weir, base", base_build, feed_build=tree_build),
               functools.partial(WeirSessions, "Weir, tree", tree_build)],
              unit="sessions/s", higher_is_better=True, subject="Weir, tree")
