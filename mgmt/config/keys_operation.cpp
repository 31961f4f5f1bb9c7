// Keys: how the hub runs: time-outs, TCP, API, log, events, ports.
#include "mgmt/config/choices.h"
#include "mgmt/config/key_lists.h"

namespace weir::config {

namespace {

constexpr KeySpec kKeys[] = {
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
    {.path = "timeouts.reload_grace",
     .kind = ValueKind::integer,
     .fallback = "10",
     .min = 0,
     .max = 3'600,
     .unit = "seconds",
     .help =
         "After a reload, how long inspected sessions may end the transaction that they are in by the rules "
         "before. Then they go on with the new ones in its midst."},

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

    {.path = "rule_cache.folder",
     .kind = ValueKind::file,
     .fallback = "\"\"",
     .help = "A folder for what is compiled of inspection rules, which is made if it is not there: the next "
             "start "
             "compiles only what has changed. It has to belong to the hub's user, and nobody else may write "
             "to it. "
             "`\"\"`: all is compiled at each start and reload."},
    {.path = "rule_cache.max_mib",
     .kind = ValueKind::integer,
     .fallback = "256",
     .min = 0,
     .max = 1'048'576,
     .unit = "MiB",
     .help =
         "What the files there may take in all. Those that the rules at hand need stay; of the others those "
         "that were used longest ago go first."},

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
    {.path = "events.flow_interval",
     .kind = ValueKind::integer,
     .fallback = "0",
     .min = 0,
     .max = 604'800,
     .unit = "seconds",
     .change = Change::restart,
     .help = "An event is written of a session that lasts each time that it is so much older, with what has "
             "passed until then; 0: only at its end."},
    {.path = "events.rule_events_per_second",
     .kind = ValueKind::integer,
     .fallback = "10",
     .min = 0,
     .max = 1'000'000,
     .change = Change::restart,
     .help =
         "Sessions that a policy rule with `log` refuses, or would decide if it did more than watch: so many "
         "of each "
         "rule are told a second and worker. How many more there were is told with the next one, and counted "
         "(`rule_events_suppressed`). 0: none is told."},

    {.path = "events.default_deny",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .change = Change::restart,
     .help = "Whether sessions that no policy rule matches are told as those that a rule with `log` refuses, "
             "within "
             "`events.rule_events_per_second` for all of them."},

    {.path = "events.types",
     .kind = ValueKind::choice,
     .list = true,
     .fallback = "[\"alert\", \"drop\", \"http\", \"tls\", \"dns\", \"ssh\", \"quic\", \"smtp\", \"ftp\", "
                 "\"ftp_data\", \"fileinfo\", \"anomaly\"]",
     .max_items = kEventTypes.size(),
     .choices = kEventTypes,
     .change = Change::restart,
     .help = "Which events inspection writes. Those of policy rules and of sessions have keys of their own."},
    {.path = "events.payload",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .change = Change::restart,
     .help = "Whether alerts have the first 4096 bytes of what the rule was held against, in base64."},
    {.path = "events.payload_printable",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .change = Change::restart,
     .help = "The same as text, with dots for what cannot be printed."},
    {.path = "events.drops",
     .kind = ValueKind::choice,
     .fallback = "\"start\"",
     .choices = kNamesOf<kDropEvents>,
     .change = Change::restart,
     .help =
         "Which packets that inspection drops have a `drop` event: `start` the first of each direction of a "
         "session, `all` each, those of sessions that were dropped before, too. As Suricata's `flows`."},
    {.path = "events.drop_events_per_second",
     .kind = ValueKind::integer,
     .fallback = "1000",
     .min = 0,
     .max = 1'000'000,
     .unit = "events per second",
     .change = Change::restart,
     .help = "With `drops = \"all\"`, so many a second and worker. How many more there were is told with the "
             "next "
             "one (`weir.suppressed`), and counted (`drop_events_suppressed`)."},
    {.path = "events.xff",
     .kind = ValueKind::choice,
     .fallback = "\"off\"",
     .choices = kNamesOf<kXffModes>,
     .change = Change::restart,
     .help =
         "What becomes of the address that a proxy names in a request: `extra-data` adds it to the alert as "
         "`alert.xff`, `overwrite` puts it in the place of the client's."},
    {.path = "events.xff_deployment",
     .kind = ValueKind::choice,
     .fallback = "\"reverse\"",
     .choices = kNamesOf<kXffDeployments>,
     .change = Change::restart,
     .help = "Which one counts where there are several: a `reverse` proxy has added the last one, a "
             "`forward` proxy "
             "stands behind the first."},
    {.path = "events.xff_header",
     .kind = ValueKind::text,
     .fallback = "\"X-Forwarded-For\"",
     .change = Change::restart,
     .help = "The request's field that has it."},
    {.path = "events.community_id",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .change = Change::restart,
     .help =
         "Whether events have the session's Community ID, by which tools join them with those of others."},
    {.path = "events.community_id_seed",
     .kind = ValueKind::integer,
     .fallback = "0",
     .min = 0,
     .max = 65'535,
     .change = Change::restart,
     .help = "Its seed, the same for all tools."},
    {.path = "events.stats_interval",
     .kind = ValueKind::integer,
     .fallback = "8",
     .min = 0,
     .max = 86'400,
     .unit = "seconds",
     .change = Change::restart,
     .help = "A `stats` event with what the hub counted is written so often; 0: never."},

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
};

}  // namespace

std::span<const KeySpec> operation_keys() { return kKeys; }

}  // namespace weir::config
