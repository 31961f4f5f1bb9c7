#include "mgmt/config/key_table.h"

#include <algorithm>

#include "mgmt/config/choices.h"
#include "mgmt/config/problem.h"

namespace weir::config {

namespace {

constexpr SectionSpec kSections[] = {
    {"hub", Change::restart, false, "The hub itself."},
    {"eal", Change::restart, false, "DPDK's environment layer."},
    {"worker", Change::restart, true, "The poll-mode threads that forward packets."},
    {"control", Change::restart, false, "Every thread that is not a worker."},
    {"limits", Change::restart, false,
     "Ceilings on what remote hosts can make the hub hold or do. Each is counted when it is hit; `weir "
     "check` "
     "prints the memory that they amount to."},
    {"timeouts", Change::live, false, "After how long without a packet a session is forgotten."},
    {"tcp", Change::live, false, "How closely TCP is followed; see sessions.md."},
    {"api", Change::restart, false, "Where weirctl reaches the hub."},
    {"log", Change::live, false, "The hub's own log, on standard error."},
    {"events", Change::restart, false, "Alerts, drops and flows, as EVE JSON."},
    {"port[]", Change::restart, true, "An Ethernet device that DPDK drives."},
    {"domain[]", Change::live, false,
     "A routing and security domain: its own routes and its own address space. Domains are isolated from "
     "each "
     "other unless a connection joins them."},
    {"attachment[]", Change::live, false,
     "One spoke: a tunnel to it, or a port or VLAN in its place, its domain, and the hub's addresses inside. "
     "It "
     "has exactly one of the tables `vxlan`, `geneve`, `gre`, `ipip` and `native`; docs/tunnels.md shows "
     "each."},
    {"attachment[].vxlan", Change::live, false,
     "A VXLAN tunnel (RFC 7348). Its local address, remote address, VNI and port together are unique."},
    {"attachment[].geneve", Change::live, false,
     "A GENEVE tunnel (RFC 8926). Options are checked and passed over; one that is marked critical refuses "
     "the "
     "packet. Its local address, remote address, VNI and port together are unique."},
    {"attachment[].gre", Change::live, false,
     "A GRE tunnel (RFC 2784, RFC 2890). Its local address, remote address and key together are unique. A "
     "checksum is verified where there is one; sequence numbers are passed over; neither is sent."},
    {"attachment[].ipip", Change::live, false,
     "IP packets in IP packets: IPv4 in IPv4 (RFC 2003), IPv6 in IPv4 (6in4, RFC 4213), either in IPv6 "
     "(RFC 2473). Local address, remote address and inner family together are unique."},
    {"attachment[].native", Change::live, false,
     "No tunnel: a port, or a VLAN on it, is the attachment. The hub takes all of its packets, and the hub's "
     "MAC "
     "inside is the port's."},
    {"attachment[].health", Change::live, false,
     "Whether the attachment works, found out by what comes in and, if asked for, by probes to an address "
     "inside. See health.md."},
    {"route[]", Change::live, false,
     "Where a prefix of a domain is reached: through a router inside an attachment, directly inside an "
     "attachment, or "
     "nowhere (blackhole). The subnets of gateway addresses are routes already."},
    {"routes", Change::live, false,
     "Routes that are kept in a file of their own, one a line. They are as good as those in `[[route]]`, and "
     "a million "
     "of them are read in a fraction of a second."},
    {"connection[]", Change::live, false,
     "Two domains that may reach each other, in both directions, as far as policy allows."},
    {"policy[]", Change::live, false,
     "One rule. Rules are tried in the order of the file; the first that matches a session's first packet "
     "decides "
     "for the session, and where none matches it is denied. A rule that allows a session allows its "
     "replies."},
    {"policy[].from", Change::live, false, "Where the session comes from; without it, anywhere."},
    {"policy[].to", Change::live, false, "Where the session goes to; without it, anywhere."},
    {"profile[]", Change::live, false, "How sessions are inspected."},
    {"nat[]", Change::live, false,
     "One rule of address translation. It has exactly one of the tables `static`, `dnat` and `snat`. Policy "
     "sees "
     "the source before and the destination after translation. See nat.md."},
    {"nat[].static", Change::live, false,
     "Addresses of one domain that others see as other ones, one for one and in both directions: one host "
     "(static "
     "1:1) or a whole prefix (mapped), so that spokes with overlapping addresses reach each other."},
    {"nat[].dnat", Change::live, false, "A public address and port that is a server in some domain."},
    {"nat[].snat", Change::live, false,
     "A pool of public addresses, of which sessions from some domains to another one get their source. The "
     "first "
     "rule of the file that fits counts, of at most 64."},
};

constexpr KeySpec kKeys[] = {
    {.path = "hub.name",
     .kind = ValueKind::name,
     .fallback = "\"weir\"",
     .change = Change::restart,
     .help = "The hub's name in its log and events."},

    {.path = "eal.hugepages",
     .kind = ValueKind::choice,
     .fallback = "\"auto\"",
     .choices = kNamesOf<kHugepages>,
     .change = Change::restart,
     .help = "Whether packet memory lies in hugepages: `auto` uses them where they are to be had and "
             "ordinary memory "
             "elsewhere, `on` refuses to start without them, `off` never uses them."},
    {.path = "eal.memory_mib",
     .kind = ValueKind::integer,
     .fallback = "0",
     .min = 0,
     .max = 1'048'576,
     .unit = "MiB",
     .change = Change::restart,
     .help = "Memory that DPDK reserves at the start; 0 computes it from the limits."},
    {.path = "eal.extra_args",
     .kind = ValueKind::text,
     .list = true,
     .fallback = "[]",
     .max_items = 64,
     .change = Change::restart,
     .help = "Handed to DPDK's EAL as they are, after the hub's own arguments."},

    {.path = "worker.cores",
     .kind = ValueKind::integer,
     .list = true,
     .min = 0,
     .max = 1'023,
     .min_items = 1,
     .max_items = 64,
     .required = true,
     .change = Change::restart,
     .help = "The CPU cores; one worker runs on each."},
    {.path = "worker.idle",
     .kind = ValueKind::choice,
     .fallback = "\"adaptive\"",
     .choices = kNamesOf<kIdle>,
     .change = Change::restart,
     .help =
         "What a worker does when there is nothing to do: `poll` keeps its core busy for the least delay, "
         "`adaptive` sleeps for up to 50 microseconds."},
    {.path = "worker.burst",
     .kind = ValueKind::integer,
     .fallback = "32",
     .min = 1,
     .max = 256,
     .unit = "packets",
     .change = Change::restart,
     .help = "At most so many packets are taken from a port at once."},
    {.path = "worker.stall_us",
     .kind = ValueKind::integer,
     .fallback = "1000",
     .min = 0,
     .max = 1'000'000,
     .unit = "microseconds",
     .change = Change::restart,
     .help = "A worker's turn over its packets that takes longer is counted as a stall, which `weirctl top` "
             "shows; 0 counts none."},

    {.path = "control.core",
     .kind = ValueKind::integer,
     .fallback_help = "every core that no worker has",
     .min = 0,
     .max = 1'023,
     .change = Change::restart,
     .help = "The CPU core of the control, builder, writer and API threads."},

    {.path = "limits.sessions",
     .kind = ValueKind::integer,
     .fallback = "65536",
     .min = 64,
     .max = 67'108'864,
     .unit = "sessions",
     .change = Change::restart,
     .help = "Sessions of the whole hub, shared out evenly over the workers."},
    {.path = "limits.packet_buffers",
     .kind = ValueKind::integer,
     .fallback = "16384",
     .min = 1'024,
     .max = 4'194'304,
     .unit = "packets",
     .change = Change::restart,
     .help = "Buffers for packets: 2 KiB each and their headers, or what the largest port.mtu takes. Where "
             "that is more "
             "than a page, af_xdp ports have as many of their own."},
    {.path = "limits.ring_size",
     .kind = ValueKind::integer,
     .fallback = "2048",
     .min = 64,
     .max = 65'536,
     .power_of_two = true,
     .unit = "packets",
     .change = Change::restart,
     .help = "Room in each ring by which a worker hands packets to another one or to control."},
    {.path = "limits.attachments",
     .kind = ValueKind::integer,
     .fallback = "16384",
     .min = 16,
     .max = 1'048'575,
     .unit = "attachments",
     .change = Change::restart,
     .help = "Attachments that there may be at a time."},
    {.path = "limits.adjacencies",
     .kind = ValueKind::integer,
     .fallback = "16384",
     .min = 16,
     .max = 1'048'575,
     .unit = "next hops",
     .change = Change::restart,
     .help = "Hosts and routers inside attachments whose MAC the hub knows."},
    {.path = "limits.neighbors_per_attachment",
     .kind = ValueKind::integer,
     .fallback = "4096",
     .min = 1,
     .max = 1'048'575,
     .unit = "next hops",
     .change = Change::restart,
     .help = "The same for one attachment, hosts that do not answer included."},
    {.path = "limits.routes",
     .kind = ValueKind::integer,
     .fallback = "2000000",
     .min = 1'024,
     .max = 16'777'216,
     .unit = "routes",
     .change = Change::restart,
     .help = "Routes of all domains together; memory is taken as they come."},
    {.path = "limits.held_packets",
     .kind = ValueKind::integer,
     .fallback = "1024",
     .min = 1,
     .max = 1'048'576,
     .unit = "packets",
     .change = Change::restart,
     .help =
         "Packets that wait until a next hop answers ARP or ND; at most a quarter of the packet buffers."},
    {.path = "limits.held_per_neighbor",
     .kind = ValueKind::integer,
     .fallback = "16",
     .min = 1,
     .max = 65'536,
     .unit = "packets",
     .change = Change::restart,
     .help = "The same for one next hop."},
    {.path = "limits.held_fragments",
     .kind = ValueKind::integer,
     .fallback = "2048",
     .min = 2,
     .max = 1'048'576,
     .unit = "packets",
     .change = Change::restart,
     .help = "IP fragments that wait for others of their datagram, one half of them outer ones and the other "
             "inner ones. With limits.held_packets at most a quarter of the packet buffers; one attachment "
             "or peer has at most a quarter of each half."},
    {.path = "limits.fragmented_datagrams",
     .kind = ValueKind::integer,
     .fallback = "4096",
     .min = 2,
     .max = 1'048'576,
     .unit = "datagrams",
     .change = Change::restart,
     .help = "Datagrams of which some fragments came and others did not yet, shared out in the same way."},
    {.path = "limits.fragments_per_datagram",
     .kind = ValueKind::integer,
     .fallback = "64",
     .min = 2,
     .max = 1'024,
     .unit = "fragments",
     .change = Change::restart,
     .help = "A datagram in more pieces is dropped."},
    {.path = "limits.punts_per_second",
     .kind = ValueKind::integer,
     .fallback = "2000",
     .min = 1,
     .max = 10'000'000,
     .unit = "packets per second",
     .change = Change::restart,
     .help = "Packets of one kind (next hop unknown, TTL, MTU, ARP of the underlay) that one worker may hand "
             "to control; as many notes of neighbours."},
    {.path = "limits.punts_per_attachment",
     .kind = ValueKind::integer,
     .fallback = "200",
     .min = 1,
     .max = 10'000'000,
     .unit = "packets per second",
     .change = Change::restart,
     .help = "Of limits.punts_per_second, what one attachment may use."},
    {.path = "limits.icmp_errors_per_second",
     .kind = ValueKind::integer,
     .fallback = "100",
     .min = 1,
     .max = 1'000'000,
     .unit = "packets per second",
     .change = Change::restart,
     .help = "ICMP errors that the hub sends into one attachment: time exceeded, fragmentation needed, "
             "packet too big."},
    {.path = "limits.inspected_sessions",
     .kind = ValueKind::integer,
     .fallback = "8192",
     .min = 1,
     .max = 4'194'304,
     .unit = "sessions",
     .change = Change::restart,
     .help =
         "Sessions under inspection at a time, of the whole hub; beyond that a profile's `fail` decides."},
    {.path = "limits.stream_window",
     .kind = ValueKind::integer,
     .fallback = "4096",
     .min = 256,
     .max = 1'048'576,
     .unit = "bytes",
     .change = Change::restart,
     .help = "Kept of each direction of an inspected TCP session."},
    {.path = "limits.out_of_order_segments",
     .kind = ValueKind::integer,
     .fallback = "16",
     .min = 1,
     .max = 1'024,
     .unit = "segments",
     .change = Change::restart,
     .help = "Recorded in each direction of an inspected TCP session until the gap before them is filled; "
             "one of more "
             "than 2 KiB counts as several."},
    {.path = "limits.nat_bindings",
     .kind = ValueKind::integer,
     .fallback = "65536",
     .min = 64,
     .max = 16'777'216,
     .change = Change::restart,
     .help =
         "Addresses and ports of hosts that have a public one of a pool at a time; shared out evenly over "
         "the workers. 96 bytes each."},
    {.path = "limits.event_queue",
     .kind = ValueKind::integer,
     .fallback = "4096",
     .min = 64,
     .max = 1'048'576,
     .unit = "events",
     .change = Change::restart,
     .help = "Events of each worker that wait to be written; beyond that they are lost and counted."},

    {.path = "timeouts.tcp_handshake",
     .kind = ValueKind::integer,
     .fallback = "10",
     .min = 1,
     .max = 3'600,
     .unit = "seconds",
     .help = "A TCP session whose handshake is not complete."},
    {.path = "timeouts.tcp_established",
     .kind = ValueKind::integer,
     .fallback = "3600",
     .min = 1,
     .max = 604'800,
     .unit = "seconds",
     .help = "An established TCP session."},
    {.path = "timeouts.tcp_closing",
     .kind = ValueKind::integer,
     .fallback = "30",
     .min = 1,
     .max = 3'600,
     .unit = "seconds",
     .help = "A TCP session that both ends have closed, or that was reset."},
    {.path = "timeouts.tcp_half_closed",
     .kind = ValueKind::integer,
     .fallback = "120",
     .min = 1,
     .max = 604'800,
     .unit = "seconds",
     .help = "A TCP session that one end has closed: the other one may go on sending."},
    {.path = "timeouts.tcp_loose",
     .kind = ValueKind::integer,
     .fallback = "120",
     .min = 1,
     .max = 604'800,
     .unit = "seconds",
     .help =
         "A TCP session that was taken up in its midst (tcp.mid_stream, tcp.one_sided), as long as only one "
         "of its ends was seen."},
    {.path = "timeouts.udp",
     .kind = ValueKind::integer,
     .fallback = "60",
     .min = 1,
     .max = 604'800,
     .unit = "seconds",
     .help = "UDP."},
    {.path = "timeouts.udp_unanswered",
     .kind = ValueKind::integer,
     .fallback = "30",
     .min = 1,
     .max = 604'800,
     .unit = "seconds",
     .help = "UDP as long as nothing came back."},
    {.path = "timeouts.icmp",
     .kind = ValueKind::integer,
     .fallback = "15",
     .min = 1,
     .max = 3'600,
     .unit = "seconds",
     .help = "An ICMP or ICMPv6 query."},
    {.path = "timeouts.other",
     .kind = ValueKind::integer,
     .fallback = "120",
     .min = 1,
     .max = 604'800,
     .unit = "seconds",
     .help = "Any other protocol."},
    {.path = "timeouts.fragment",
     .kind = ValueKind::integer,
     .fallback = "2",
     .min = 1,
     .max = 60,
     .unit = "seconds",
     .help = "A datagram of which some fragments came: the others are waited for so long."},

    {.path = "tcp.strict_windows",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether every segment outside of the windows is dropped. Otherwise only those are that would "
             "open, close or reset the session, and the rest passes without moving anything."},
    {.path = "tcp.mid_stream",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether a session may begin with a segment that acknowledges, as after a failover to this hub. "
             "Policy is asked in the direction of that segment."},
    {.path = "tcp.one_sided",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether a session goes on although the answer to its SYN passes elsewhere, or begins with that "
             "answer."},
    {.path = "tcp.reset_idle",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help =
         "Whether both ends get a reset when an open session is forgotten for being idle, so that neither "
         "waits for the other."},

    {.path = "api.socket",
     .kind = ValueKind::file,
     .fallback = "\"/run/weir/weir.sock\"",
     .change = Change::restart,
     .help = "The Unix socket of the API, at most 107 bytes long."},

    {.path = "api.max_request_mib",
     .kind = ValueKind::integer,
     .fallback = "64",
     .min = 1,
     .max = 1'024,
     .unit = "MiB",
     .change = Change::restart,
     .help = "The largest request; larger ones are refused. A batch of a million routes has about 50 MiB."},

    {.path = "log.level",
     .kind = ValueKind::choice,
     .fallback = "\"info\"",
     .choices = kLogLevels,
     .help = "What is written: this and everything more severe."},

    {.path = "events.eve",
     .kind = ValueKind::file,
     .fallback = "\"\"",
     .change = Change::restart,
     .help = "The file that events are appended to, one JSON object a line; `\"-\"` is standard output, "
             "`\"\"` none."},
    {.path = "events.flow",
     .kind = ValueKind::boolean,
     .fallback = "true",
     .change = Change::restart,
     .help = "Whether an event is written for each session when it ends."},

    {.path = "port[].name",
     .kind = ValueKind::name,
     .required = true,
     .change = Change::restart,
     .help = "Its name, unique."},
    {.path = "port[].driver",
     .kind = ValueKind::choice,
     .fallback = "\"af_xdp\"",
     .choices = kNamesOf<kPortDrivers>,
     .change = Change::restart,
     .help = "How it is driven. `af_xdp` shares a kernel interface: the hub gets its tunnels' packets, the "
             "kernel all "
             "others; `af_packet` is the slower way where XDP is not to be had; `pci` takes a NIC or VF for "
             "itself; `tap` makes an interface for the machine that the hub runs on; "
             "`pcap` reads and writes capture files; `null` swallows everything."},
    {.path = "port[].interface",
     .kind = ValueKind::interface,
     .change = Change::restart,
     .help =
         "The kernel's interface; required with `af_xdp`, `af_packet` and `tap`, and only there. With `tap` "
         "it is the name of the interface that the hub makes, and removes when it stops."},
    {.path = "port[].pci",
     .kind = ValueKind::pci,
     .change = Change::restart,
     .help = "The PCI address, as in `0000:03:00.0`; required with `pci`, and only there."},
    {.path = "port[].rx_pcap",
     .kind = ValueKind::file,
     .change = Change::restart,
     .help = "The capture file to read packets from; only with `pcap`."},
    {.path = "port[].rx_loop",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .change = Change::restart,
     .help =
         "Packets of `rx_pcap` come again and again, as fast as the worker takes them, and what is sent is "
         "counted and thrown away: for measuring. Each packet of the capture keeps one packet buffer. Only "
         "with `pcap`, and without `tx_pcap`."},
    {.path = "port[].tx_pcap",
     .kind = ValueKind::file,
     .change = Change::restart,
     .help = "The capture file to write packets to; only with `pcap`."},
    {.path = "port[].address",
     .kind = ValueKind::ip_interface,
     .list = true,
     .fallback_help = "`af_xdp`: the interface's own, elsewhere none",
     .max_items = 64,
     .change = Change::restart,
     .help = "The hub's addresses in the underlay."},
    {.path = "port[].gateway",
     .kind = ValueKind::ip,
     .list = true,
     .max_items = 2,
     .change = Change::restart,
     .help =
         "The underlay's default routes: a router for IPv4, one for IPv6, or both. The one for IPv6 may be a "
         "link-local address. Not with `af_xdp`, where the kernel's routes are used."},
    {.path = "port[].mac",
     .kind = ValueKind::mac,
     .fallback_help = "the device's own",
     .change = Change::restart,
     .help =
         "The port's MAC: given to a `pci` device, answered to on a `pcap`, `null` or `tap` port. Elsewhere "
         "the device's own is used. The hub's end of a `tap` port has one that is made from its name."},
    {.path = "port[].mtu",
     .kind = ValueKind::integer,
     .fallback_help = "the device's own",
     .min = 576,
     .max = 9'216,
     .unit = "bytes",
     .change = Change::restart,
     .help =
         "The largest IP packet of the underlay. Set on the kernel's interface too, and put back at the end. "
         "With `af_xdp` at most 3306. The largest one of all ports decides the size of the packet buffers."},
    {.path = "port[].vlan",
     .kind = ValueKind::integer,
     .fallback_help = "untagged",
     .min = 1,
     .max = 4'094,
     .change = Change::restart,
     .help = "The VLAN (802.1Q) of the underlay on this port: what the hub sends there is tagged with it."},

    {.path = "domain[].name",
     .kind = ValueKind::name,
     .required = true,
     .identity = Identity::required,
     .help = "Its name, unique."},

    {.path = "attachment[].name",
     .kind = ValueKind::name,
     .required = true,
     .identity = Identity::required,
     .help = "Its name, unique."},
    {.path = "attachment[].domain",
     .kind = ValueKind::name,
     .required = true,
     .identity = Identity::optional,
     .help = "The domain that it belongs to."},
    {.path = "attachment[].gateway",
     .kind = ValueKind::ip_interface,
     .list = true,
     .min_items = 1,
     .max_items = 64,
     .required = true,
     .help = "The hub's addresses inside. Their subnets are on-link in the attachment: the domain has a "
             "route to each, and "
             "no two attachments of a domain may overlap in them."},
    {.path = "attachment[].mac",
     .kind = ValueKind::mac,
     .fallback_help = "derived from the name",
     .help = "The hub's MAC inside."},
    {.path = "attachment[].mtu",
     .kind = ValueKind::integer,
     .fallback_help = "the port's less the encapsulation",
     .min = 576,
     .max = 9'216,
     .unit = "bytes",
     .help = "The largest IP packet inside; with an IPv6 gateway at least 1280."},
    {.path = "attachment[].mss_clamp",
     .kind = ValueKind::boolean,
     .fallback = "true",
     .help = "Whether the maximum segment size in TCP handshakes that pass through the attachment is lowered "
             "to what its MTU "
             "carries, so that TCP works where ICMP is filtered."},
    {.path = "attachment[].reverse_path",
     .kind = ValueKind::boolean,
     .fallback = "true",
     .help =
         "Whether a packet is dropped if its source is not reached through the attachment that it came from. "
         "Without the check a spoke can send from addresses of other spokes of its domain."},
    {.path = "attachment[].max_packets_per_second",
     .kind = ValueKind::integer,
     .fallback = "0",
     .min = 0,
     .max = 1'000'000'000,
     .unit = "packets per second",
     .help = "Packets taken from the attachment; 0: no bound. Each worker enforces an equal share, with a "
             "tenth of a second's worth at once."},
    {.path = "attachment[].max_bytes_per_second",
     .kind = ValueKind::integer,
     .fallback = "0",
     .min = 0,
     .max = 4'294'967'295,
     .unit = "bytes per second",
     .help = "The same in bytes of what the tunnel carries."},
    {.path = "attachment[].multicast_to",
     .kind = ValueKind::name,
     .fallback_help = "dropped, and counted as `inner_multicast`",
     .help = "A port with driver `tap`: multicast and broadcast that come in by the attachment are handed on "
             "there, "
             "as frames, within limits.punts_per_second and limits.punts_per_attachment. The hub goes on "
             "answering "
             "ARP and neighbour discovery itself. Only where the attachment carries Ethernet."},
    {.path = "attachment[].ttl",
     .kind = ValueKind::integer,
     .fallback = "64",
     .min = 1,
     .max = 255,
     .help = "TTL or hop limit of outer headers. Not with `native`."},
    {.path = "attachment[].dscp_model",
     .kind = ValueKind::choice,
     .fallback = "\"pipe\"",
     .choices = kNamesOf<kDscpModels>,
     .help =
         "What becomes of DSCP (RFC 2983). `pipe`: outer headers have the `dscp` of the attachment, and "
         "inner "
         "ones stay as they are, so that no spoke chooses its class in the underlay; `uniform`: it is copied "
         "outward and back. ECN always follows RFC 6040. Not with `native`."},
    {.path = "attachment[].dscp",
     .kind = ValueKind::integer,
     .fallback = "0",
     .min = 0,
     .max = 63,
     .help = "DSCP of outer headers; only with `pipe`."},
    {.path = "attachment[].udp_checksum",
     .kind = ValueKind::boolean,
     .fallback_help = "over IPv6 true, over IPv4 false",
     .help =
         "Whether outer UDP headers get a checksum, and over IPv6 have to have one (RFC 6935); computed by "
         "the "
         "port where it can. One that a received packet has is verified in any case. Only with `vxlan` and "
         "`geneve`."},
    {.path = "attachment[].vxlan.vni",
     .kind = ValueKind::integer,
     .min = 0,
     .max = 16'777'215,
     .required = true,
     .help = "The VXLAN network identifier."},
    {.path = "attachment[].vxlan.local",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The hub's end: one of a port's addresses."},
    {.path = "attachment[].vxlan.remote",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The peer's end, of the same family. Packets from anywhere else are dropped."},
    {.path = "attachment[].vxlan.port",
     .kind = ValueKind::integer,
     .fallback = "4789",
     .min = 1,
     .max = 65'535,
     .help =
         "The UDP destination port, in both directions. One port is for one kind of tunnel, and there are at "
         "most 16 different ones."},
    {.path = "attachment[].geneve.vni",
     .kind = ValueKind::integer,
     .min = 0,
     .max = 16'777'215,
     .required = true,
     .help = "The GENEVE network identifier."},
    {.path = "attachment[].geneve.local",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The hub's end: one of a port's addresses."},
    {.path = "attachment[].geneve.remote",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The peer's end, of the same family. Packets from anywhere else are dropped."},
    {.path = "attachment[].geneve.port",
     .kind = ValueKind::integer,
     .fallback = "6081",
     .min = 1,
     .max = 65'535,
     .help =
         "The UDP destination port, in both directions. One port is for one kind of tunnel, and there are at "
         "most 16 different ones."},
    {.path = "attachment[].geneve.ethernet",
     .kind = ValueKind::boolean,
     .fallback = "true",
     .help = "Whether it carries Ethernet frames; else IPv4 and IPv6 packets."},
    {.path = "attachment[].gre.local",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The hub's end: one of a port's addresses."},
    {.path = "attachment[].gre.remote",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The peer's end, of the same family. Packets from anywhere else are dropped."},
    {.path = "attachment[].gre.key",
     .kind = ValueKind::integer,
     .fallback_help = "packets have no key",
     .min = 0,
     .max = 4'294'967'295,
     .help = "The key (RFC 2890). A packet without a key is none with key 0."},
    {.path = "attachment[].gre.ethernet",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether it carries Ethernet frames; else IPv4 and IPv6 packets."},
    {.path = "attachment[].ipip.local",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The hub's end: one of a port's addresses."},
    {.path = "attachment[].ipip.remote",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The peer's end, of the same family. Packets from anywhere else are dropped."},
    {.path = "attachment[].ipip.inner",
     .kind = ValueKind::choice,
     .fallback = "\"any\"",
     .choices = kNamesOf<kInnerFamilies>,
     .help = "The family that it carries; `any`: both."},
    {.path = "attachment[].native.port", .kind = ValueKind::name, .required = true, .help = "The port."},
    {.path = "attachment[].native.vlan",
     .kind = ValueKind::integer,
     .fallback_help = "untagged frames",
     .min = 1,
     .max = 4'094,
     .help = "The VLAN (802.1Q) on it."},
    {.path = "attachment[].native.outer_vlan",
     .kind = ValueKind::integer,
     .fallback_help = "one tag only",
     .min = 1,
     .max = 4'094,
     .help = "The service VLAN (802.1ad, QinQ) that `vlan` lies in."},

    {.path = "attachment[].health.probe",
     .kind = ValueKind::choice,
     .fallback = "\"none\"",
     .choices = kNamesOf<kHealthProbes>,
     .help =
         "What is sent to find out: `icmp` an echo request, `neighbor` an ARP request or a neighbour "
         "solicitation, `none` nothing, so that only what comes in counts and the attachment is never down."},
    {.path = "attachment[].health.address",
     .kind = ValueKind::ip,
     .help =
         "Who is asked: an address in the subnet of one of the gateway addresses. Required with a probe."},
    {.path = "attachment[].health.interval_ms",
     .kind = ValueKind::integer,
     .fallback = "1000",
     .min = 100,
     .max = 3'600'000,
     .unit = "milliseconds",
     .help = "From one probe to the next; an answer that takes longer does not count."},
    {.path = "attachment[].health.jitter",
     .kind = ValueKind::integer,
     .fallback = "20",
     .min = 0,
     .max = 90,
     .unit = "percent",
     .help = "By so much, at random, an interval is shorter, so that probes do not come in bursts."},
    {.path = "attachment[].health.up_after",
     .kind = ValueKind::integer,
     .fallback = "2",
     .min = 1,
     .max = 1'000,
     .unit = "intervals",
     .help = "So many good ones in a row, and it is up."},
    {.path = "attachment[].health.down_after",
     .kind = ValueKind::integer,
     .fallback = "3",
     .min = 1,
     .max = 1'000,
     .unit = "intervals",
     .help = "So many bad ones in a row, and it is down (without a probe: unknown)."},
    {.path = "attachment[].health.flap_half_life",
     .kind = ValueKind::integer,
     .fallback = "60",
     .min = 0,
     .max = 86'400,
     .unit = "seconds",
     .help = "Each way down adds one to a penalty, which halves in this time; 0 switches dampening off."},
    {.path = "attachment[].health.flap_limit",
     .kind = ValueKind::integer,
     .fallback = "4",
     .min = 1,
     .max = 1'000,
     .help = "From this penalty on the attachment stays down until the penalty is under half of it."},
    {.path = "attachment[].health.traffic",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Packets that come in count as an answer. They show that the spoke reaches the hub, not that "
             "the hub "
             "reaches the spoke."},
    {.path = "attachment[].health.withdraw",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "While it is down its routes are withdrawn, so that less specific ones hold. Otherwise they "
             "stay, and "
             "what has no other next hop is dropped."},

    {.path = "route[].domain",
     .kind = ValueKind::name,
     .required = true,
     .identity = Identity::required,
     .help = "The domain that has this route."},
    {.path = "route[].prefix",
     .kind = ValueKind::prefix,
     .required = true,
     .identity = Identity::required,
     .help = "What is reached by it."},
    {.path = "route[].attachment",
     .kind = ValueKind::name,
     .identity = Identity::optional,
     .help = "The attachment, of the same domain, that leads there; required unless `blackhole` is true."},
    {.path = "route[].via",
     .kind = ValueKind::ip,
     .fallback_help = "the prefix is on-link in the attachment",
     .identity = Identity::optional,
     .help = "The router inside the attachment: an address in the subnet of one of its gateway addresses."},
    {.path = "route[].weight",
     .kind = ValueKind::integer,
     .fallback = "1",
     .min = 1,
     .max = 255,
     .help = "Its share among the routes of an equal prefix."},
    {.path = "route[].ecmp",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Needed on each of several routes of an equal prefix, which is a mistake otherwise."},
    {.path = "route[].blackhole",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .identity = Identity::optional,
     .help = "Drops what this prefix matches, instead of an attachment."},

    {.path = "routes.file",
     .kind = ValueKind::file,
     .fallback = "\"\"",
     .help = "The file; `\"\"` is none. A line is `DOMAIN PREFIX attachment NAME [via ADDRESS] [weight N] "
             "[ecmp]` or "
             "`DOMAIN PREFIX blackhole`; a comment begins with `#`."},

    {.path = "connection[].domains",
     .kind = ValueKind::name,
     .list = true,
     .min_items = 2,
     .max_items = 2,
     .required = true,
     .identity = Identity::required,
     .help = "The two domains."},
    {.path = "connection[].expose",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "all routes of both domains",
     .min_items = 1,
     .help = "What each of the two domains exposes to the other: its routes within these prefixes. Without "
             "it, all of them."},

    {.path = "policy[].id",
     .kind = ValueKind::name,
     .required = true,
     .identity = Identity::required,
     .help = "Its name, unique, in events, `weirctl sessions` and `weirctl path`."},
    {.path = "policy[].action",
     .kind = ValueKind::choice,
     .choices = kNamesOf<kPolicyActions>,
     .required = true,
     .help = "`allow` forwards, `deny` drops, `inspect` forwards what inspection by `profile` lets through."},
    {.path = "policy[].from.domains",
     .kind = ValueKind::name,
     .list = true,
     .fallback_help = "any",
     .min_items = 1,
     .help = "In one of these domains."},
    {.path = "policy[].from.prefixes",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "any",
     .min_items = 1,
     .help = "And in one of these prefixes."},
    {.path = "policy[].to.domains",
     .kind = ValueKind::name,
     .list = true,
     .fallback_help = "any",
     .min_items = 1,
     .help = "In one of these domains."},
    {.path = "policy[].to.prefixes",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "any",
     .min_items = 1,
     .help = "And in one of these prefixes."},
    {.path = "policy[].protocol",
     .kind = ValueKind::choice,
     .fallback = "\"any\"",
     .choices = kNamesOf<kProtocols>,
     .help = "The protocol."},
    {.path = "policy[].ports",
     .kind = ValueKind::ports,
     .list = true,
     .fallback_help = "any",
     .min = 1,
     .max = 65'535,
     .min_items = 1,
     .help = "Destination ports and ranges of them; only with `tcp` and `udp`."},
    {.path = "policy[].profile",
     .kind = ValueKind::name,
     .help = "How to inspect; required with `inspect`, and only there."},
    {.path = "policy[].log",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether sessions that it decides are logged."},
    {.path = "policy[].comment", .kind = ValueKind::text, .fallback = "\"\"", .help = "For people."},

    {.path = "profile[].name", .kind = ValueKind::name, .required = true, .help = "Its name, unique."},
    {.path = "profile[].rules",
     .kind = ValueKind::file,
     .list = true,
     .min_items = 1,
     .max_items = 1'024,
     .required = true,
     .help = "Suricata rule files."},
    {.path = "profile[].on_drop",
     .kind = ValueKind::choice,
     .fallback = "\"reset\"",
     .choices = kNamesOf<kOnDrop>,
     .help = "What both ends of a dropped TCP session get: a `reset` at once, or nothing."},
    {.path = "profile[].fail",
     .kind = ValueKind::choice,
     .fallback = "\"closed\"",
     .choices = kNamesOf<kFailModes>,
     .help = "What happens to a session that inspection has no room for: `closed` drops it, `open` lets it "
             "pass unseen."},

    {.path = "nat[].name", .kind = ValueKind::name, .required = true, .help = "Its name, unique."},
    {.path = "nat[].static.domain",
     .kind = ValueKind::name,
     .required = true,
     .help = "The domain whose addresses they are."},
    {.path = "nat[].static.inside",
     .kind = ValueKind::prefix,
     .required = true,
     .help = "The addresses as they are in that domain. Those of one domain may not overlap."},
    {.path = "nat[].static.outside",
     .kind = ValueKind::prefix,
     .required = true,
     .help = "The addresses as others see them: a prefix of the same family and length."},
    {.path = "nat[].static.seen_by",
     .kind = ValueKind::name,
     .list = true,
     .fallback_help = "all domains but its own",
     .min_items = 1,
     .help =
         "The domains that see them so; with its own among them, its hosts reach each other that way, too."},
    {.path = "nat[].dnat.seen_by",
     .kind = ValueKind::name,
     .list = true,
     .min_items = 1,
     .required = true,
     .help =
         "The domains in which the address is published: the Internet's, and those whose hosts use it, too."},
    {.path = "nat[].dnat.address", .kind = ValueKind::ip, .required = true, .help = "The public address."},
    {.path = "nat[].dnat.protocol",
     .kind = ValueKind::choice,
     .fallback = "\"tcp\"",
     .choices = kNamesOf<kDnatProtocols>,
     .help = "The protocol."},
    {.path = "nat[].dnat.port",
     .kind = ValueKind::integer,
     .min = 1,
     .max = 65'535,
     .required = true,
     .help = "The public port."},
    {.path = "nat[].dnat.domain", .kind = ValueKind::name, .required = true, .help = "The server's domain."},
    {.path = "nat[].dnat.server",
     .kind = ValueKind::ip,
     .required = true,
     .help = "The server's address there, of the same family."},
    {.path = "nat[].dnat.server_port",
     .kind = ValueKind::integer,
     .fallback_help = "as `port`",
     .min = 1,
     .max = 65'535,
     .help = "The port that the server listens on."},
    {.path = "nat[].snat.from",
     .kind = ValueKind::name,
     .list = true,
     .min_items = 1,
     .required = true,
     .help = "The domains that sessions come from."},
    {.path = "nat[].snat.domain",
     .kind = ValueKind::name,
     .required = true,
     .help = "The domain that they go to, which has the pool's addresses."},
    {.path = "nat[].snat.pool",
     .kind = ValueKind::prefix,
     .list = true,
     .min_items = 1,
     .max_items = 256,
     .required = true,
     .help = "The addresses, every one of each prefix, of one family and at most 4,096 together; 24 KiB of "
             "memory each."},
    {.path = "nat[].snat.ports",
     .kind = ValueKind::ports,
     .fallback = "\"1024-65535\"",
     .min = 1,
     .max = 65'535,
     .help = "The ports and ICMP identifiers that are given out."},
    {.path = "nat[].snat.sources",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "private addresses (RFC 1918, RFC 6598, RFC 4193)",
     .min_items = 1,
     .help = "Only sources in one of these prefixes are translated."},
    {.path = "nat[].snat.destinations",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "all but private addresses",
     .min_items = 1,
     .help = "Only sessions to one of these prefixes are translated."},
};

constexpr KeySpec kChangeKeys[] = {
    {.path = "policy[].before",
     .kind = ValueKind::name,
     .help = "The rule, by its id, that it goes before. Without `before` and `after` an added rule goes to "
             "the end, and "
             "one that replaces another takes its place."},
    {.path = "policy[].after", .kind = ValueKind::name, .help = "The rule, by its id, that it goes behind."},
};

}  // namespace

std::span<const SectionSpec> sections() { return kSections; }
std::span<const KeySpec> keys() { return kKeys; }
std::span<const KeySpec> change_keys() { return kChangeKeys; }

std::string_view section_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

std::string_view leaf_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string option_name(std::string_view path) {
  std::string name(path.substr(path.find("].") + 2));
  for (const KeySpec& key : keys()) {
    if (key.path != path || key.identity != Identity::required) continue;
    for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return name;
  }
  std::replace(name.begin(), name.end(), '.', '-');
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string element_expectation(const KeySpec& key) {
  switch (key.kind) {
    case ValueKind::boolean:
      return "true or false";
    case ValueKind::integer:
      return std::string(key.power_of_two ? "a power of two" : "a whole number") + " from " +
             std::to_string(key.min) + " to " + std::to_string(key.max);
    case ValueKind::choice: {
      std::string text = "one of ";
      for (size_t i = 0; i < key.choices.size(); ++i) {
        if (i > 0) text += i + 1 == key.choices.size() ? " and " : ", ";
        text += in_quotes(key.choices[i]);
      }
      return text;
    }
    case ValueKind::name:
      return "a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\"";
    case ValueKind::text:
      return "a string without control characters";
    case ValueKind::file:
      return "a file name";
    case ValueKind::interface:
      return "an interface name of 1 to 15 characters such as \"eth1\"";
    case ValueKind::pci:
      return "a PCI address such as \"0000:03:00.0\"";
    case ValueKind::mac:
      return "a unicast MAC such as \"02:00:00:00:00:01\"";
    case ValueKind::ipv4:
      return "an IPv4 address such as \"198.18.0.1\"";
    case ValueKind::ip:
      return "an IP address such as \"10.1.0.2\"";
    case ValueKind::ipv4_interface:
      return "an IPv4 address with its prefix length such as \"198.18.0.1/24\"";
    case ValueKind::ip_interface:
      return "an address with its prefix length such as \"10.1.0.1/24\"";
    case ValueKind::prefix:
      return "a prefix such as \"10.1.0.0/16\"";
    case ValueKind::ports:
      return "a port from 1 to 65535 or a range such as \"8000-8100\"";
  }
  return {};
}

std::string expectation(const KeySpec& key) {
  return key.list ? "a list, each element " + element_expectation(key) : element_expectation(key);
}

}  // namespace weir::config
