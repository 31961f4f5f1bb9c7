#include "mgmt/importer/left_out.h"

#include <algorithm>

namespace weir::importer {

namespace {

struct Reason {
  std::string_view path, sentence;
};

constexpr std::string_view kPorts = "Packets come by the hub's own ports: `[[port]]`.";
constexpr std::string_view kEvents = "Events are the whole hub's: `[events]`.";
constexpr std::string_view kMemory =
    "Memory is the whole hub's: `[limits]`; `weir check` prints what it amounts to.";
constexpr std::string_view kThreads = "The hub has its own threads: `[worker]`, `[control]`.";
constexpr std::string_view kParsed =
    "Weir does not parse this protocol; rules that ask for it are refused by name.";
constexpr std::string_view kDecoder = "What lies in the tunnels is the hub's to say: `[[attachment]]`.";
constexpr std::string_view kMatcher = "The matcher has no such choice.";
constexpr std::string_view kContent = "Protocols are told by their first bytes, never by ports.";

constexpr Reason kReasons[] = {
    {"af-packet", kPorts},
    {"af-xdp", kPorts},
    {"dpdk", kPorts},
    {"pcap", kPorts},
    {"pcap-file", "Captures are read by `weir inspect`."},
    {"nfq", kPorts},
    {"nflog", kPorts},
    {"netmap", kPorts},
    {"napatech", kPorts},
    {"ipfw", kPorts},
    {"pfring", kPorts},
    {"capture", kPorts},
    {"interfaces", kPorts},
    {"livedev", kPorts},
    {"outputs", kEvents},
    {"stats", "Statistics are the whole hub's: `events.stats_interval`, `weirctl status`."},
    {"logging", "The log is the whole hub's: `[log]`."},
    {"default-log-dir", kEvents},
    {"heartbeat", kEvents},
    {"unix-command", "The hub is asked by its API: `[api]`, weirctl."},
    {"run-as", "The hub runs as root, as long as it holds its devices."},
    {"security", "The hub has no such restriction of its own; its service manager may have."},
    {"coredump", "Nothing in Weir: the system says it."},
    {"pid-file", "Nothing in Weir: the service manager knows it."},
    {"plugins", "Weir loads no plugins."},
    {"flow-timeouts", "Timeouts are the whole hub's: `[timeouts]`, or a policy rule's `timeouts`."},
    {"flow", kMemory},
    {"host", kMemory},
    {"ippair", kMemory},
    {"defrag", "Fragments are the whole hub's: `[limits]`, `[timeouts]`."},
    {"datasets.limits", "What rules add to data sets has one bound for the hub: `limits.dataset_values`."},
    {"datasets.defaults", "What rules add to data sets has one bound for the hub: `limits.dataset_values`."},
    {"datasets.rules", "Sets are written beside their rule's file alone, and lists are read from there."},
    {"datasets", "A set is described by the rules that use it: `dataset:set,NAME,type TYPE,load FILE`."},
    {"stream.memcap", kMemory},
    {"stream.reassembly.memcap", kMemory},
    {"stream.midstream",
     "Whether sessions are taken up in their midst is the whole hub's: `tcp.mid_stream`."},
    {"stream.prealloc-sessions", kMemory},
    {"stream.reassembly.segment-prealloc", kMemory},
    {"stream.inline", "The profile's `mode` says it."},
    {"stream.drop-invalid", "With mode `ips` what its receiver would discard is never sent."},
    {"stream.bypass", "A session of which nothing later can matter always takes the fast path."},
    {"stream.max-synack-queued", "The session table has its own limits: `[limits]`."},
    {"stream.reassembly.toserver-chunk-size", "Bytes are judged as they come, not in chunks."},
    {"stream.reassembly.toclient-chunk-size", "Bytes are judged as they come, not in chunks."},
    {"stream.reassembly.randomize-chunk-size", "Bytes are judged as they come, not in chunks."},
    {"stream.reassembly.randomize-chunk-range", "Bytes are judged as they come, not in chunks."},
    {"stream.reassembly.raw", "Rules always see the bytes of a stream."},
    {"stream.reassembly.check-overlap-different-data",
     "Bytes that contradict others are always seen: `on_conflict`."},
    {"stream.reassembly.urgent", "Urgent bytes are read where they stand: docs/inspection.md."},
    {"stream", "Weir has no such choice for streams."},
    {"host-os-policy", "Inline, the bytes seen first count and are what leaves: `on_conflict`."},
    {"decoder", kDecoder},
    {"vlan", kDecoder},
    {"detect", kMatcher},
    {"mpm-algo", kMatcher},
    {"spm-algo", kMatcher},
    {"luajit", "Lua is not run."},
    {"lua", "Lua is not run."},
    {"threading", kThreads},
    {"max-pending-packets", "Packets that wait for inspection: `limits.inspection_queue`."},
    {"runmode", kThreads},
    {"autofp-scheduler", kThreads},
    {"default-packet-size", kMemory},
    {"profiling", "`weirctl rules top` shows what rules cost, always."},
    {"pcre", "Steps of a regular expression are bounded for the whole hub: `limits.regex_steps`."},
    {"action-order", "Rules are asked in the usual order: pass, drop, reject, alert."},
    {"packet-alert-max", "A packet makes at most 15 alerts."},
    {"magic-file", "libmagic reads the database of its package."},
    {"file-store", "Files are not stored."},
    {"geoip-database", "There is no data of places."},
    {"reputation-categories-file", "There is no data of reputations."},
    {"default-reputation-path", "There is no data of reputations."},
    {"reputation-files", "There is no data of reputations."},
    {"sensor-name", "The hub's name is `hub.name`."},
    {"suricata-version", "It says who wrote the file."},
    {"asn1-max-frames", "asn1 is not evaluated."},
    {"legacy", "Weir has no such choice."},
    {"engine-analysis", "`weir rules check --each` says what the matcher makes of each rule."},
    {"cuda", kMatcher},
    {"rule-files", "Files of rules: see the notes."},
    {"app-layer.protocols.http.libhtp.server-config", "All servers have one limit: `profile.limits`."},
    {"app-layer.protocols.http", "HTTP is read as docs/http.md says."},
    {"app-layer.protocols.tls",
     "TLS is read to the end of its handshake, and JA3 and JA4 are made where asked for."},
    {"app-layer.protocols.dns",
     "DNS is read as docs/applications.md says; its bound is `profile.limits.dns_pointers`."},
    {"app-layer.protocols.smtp", "Mail is read as docs/applications.md says."},
    {"app-layer.protocols.ftp", "FTP is read as docs/applications.md says."},
    {"app-layer.protocols.http2", "HTTP/2 is read as docs/applications.md says."},
    {"app-layer.protocols.ssh", "HASSH is made where rules or events ask for it."},
    {"app-layer.protocols.quic", "QUIC is read as docs/inspection.md says."},
    {"app-layer.protocols", kParsed},
    {"vars", "A profile has address_groups and port_groups."},
};

bool lies_in(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '.');
}

}  // namespace

std::string_view reason_for(std::string_view path) {
  if (path.find(".detection-ports") != std::string_view::npos || path.ends_with(".dp") ||
      path.ends_with(".sp"))
    return kContent;
  const Reason* best = nullptr;
  for (const Reason& reason : kReasons) {
    if (lies_in(path, reason.path) && (best == nullptr || best->path.size() < reason.path.size()))
      best = &reason;
  }
  return best != nullptr ? best->sentence : "Weir has nothing of that kind.";
}

}  // namespace weir::importer
