// A reload sees every change, names it, and knows which ones it cannot carry out.
#include "mgmt/config/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "mgmt/config/key_table.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A change of one key in full_text(), and all that diff has to say of it.
struct ChangeRow {
  const char* key;
  const char* from;
  const char* to;
  const char* expected;
};

const ChangeRow kRows[] = {
    {"hub.name", "\"hub-1\"", "\"hub-2\"", "! hub.name (restart)\n"},
    {"eal.hugepages", "\"off\"", "\"on\"", "! eal.hugepages (restart)\n"},
    {"eal.memory_mib", "= 512", "= 513", "! eal.memory_mib (restart)\n"},
    {"eal.extra_args", "\"--log-level=8\", \"--no-shconf\"", "\"--log-level=8 --no-shconf\"",
     "! eal.extra_args (restart)\n"},
    {"worker.cores", "[2, 3]", "[2]", "! worker.cores (restart)\n"},
    {"worker.idle", "\"poll\"", "\"adaptive\"", "! worker.idle (restart)\n"},
    {"worker.burst", "= 64", "= 65", "! worker.burst (restart)\n"},
    {"worker.stall_us", "stall_us = 750", "stall_us = 0", "! worker.stall_us (restart)\n"},
    {"control.core", "core = 1", "core = 4", "! control.core (restart)\n"},
    {"limits.sessions", "sessions = 1000", "sessions = 1001", "! limits.sessions (restart)\n"},
    {"limits.packet_buffers", "= 8192", "= 8193", "! limits.packet_buffers (restart)\n"},
    {"limits.ring_size", "= 1024", "= 512", "! limits.ring_size (restart)\n"},
    {"limits.attachments", "attachments = 50", "attachments = 51", "! limits.attachments (restart)\n"},
    {"limits.neighbors_per_attachment", "= 60", "= 61", "! limits.neighbors_per_attachment (restart)\n"},
    {"limits.adjacencies", "adjacencies = 100", "adjacencies = 101", "! limits.adjacencies (restart)\n"},
    {"limits.routes", "routes = 31000", "routes = 32000", "! limits.routes (restart)\n"},
    {"limits.pending_sessions", "pending_sessions = 901", "pending_sessions = 9",
     "! limits.pending_sessions (restart)\n"},
    {"limits.pending_packets", "pending_packets = 902", "pending_packets = 9",
     "! limits.pending_packets (restart)\n"},
    {"limits.pending_packets_per_session", "pending_packets_per_session = 903",
     "pending_packets_per_session = 9", "! limits.pending_packets_per_session (restart)\n"},
    {"limits.pending_bytes_per_session", "pending_bytes_per_session = 904", "pending_bytes_per_session = 9",
     "! limits.pending_bytes_per_session (restart)\n"},
    {"limits.pending_ms", "pending_ms = 905", "pending_ms = 9", "! limits.pending_ms (restart)\n"},
    {"limits.policy_rules", "policy_rules = 900", "policy_rules = 901", "! limits.policy_rules (restart)\n"},
    {"limits.held_packets", "= 500", "= 501", "! limits.held_packets (restart)\n"},
    {"limits.held_per_neighbor", "held_per_neighbor = 8", "held_per_neighbor = 9",
     "! limits.held_per_neighbor (restart)\n"},
    {"limits.held_fragments", "= 600", "= 601", "! limits.held_fragments (restart)\n"},
    {"limits.fragmented_datagrams", "= 700", "= 701", "! limits.fragmented_datagrams (restart)\n"},
    {"limits.fragments_per_datagram", "= 16", "= 17", "! limits.fragments_per_datagram (restart)\n"},
    {"limits.punts_per_attachment", "attachment = 50", "attachment = 51",
     "! limits.punts_per_attachment (restart)\n"},
    {"limits.icmp_errors_per_second", "per_second = 70", "per_second = 71",
     "! limits.icmp_errors_per_second (restart)\n"},
    {"limits.punts_per_second", "punts_per_second = 100", "punts_per_second = 101",
     "! limits.punts_per_second (restart)\n"},
    {"limits.inspected_sessions", "= 200", "= 201", "! limits.inspected_sessions (restart)\n"},
    {"limits.stream_window", "= 2048", "= 2049", "! limits.stream_window (restart)\n"},
    {"limits.host_marks", "marks = 5000", "marks = 5001", "! limits.host_marks (restart)\n"},
    {"limits.inspection_packet_work", "packet_work = 20000", "packet_work = 20001",
     "! limits.inspection_packet_work (restart)\n"},
    {"limits.inspection_turn_work", "turn_work = 40000", "turn_work = 40001",
     "! limits.inspection_turn_work (restart)\n"},
    {"limits.inspection_queue", "inspection_queue = 100", "inspection_queue = 101",
     "! limits.inspection_queue (restart)\n"},
    {"limits.overload_begin", "overload_begin = 80", "overload_begin = 81",
     "! limits.overload_begin (restart)\n"},
    {"limits.overload_end", "overload_end = 20", "overload_end = 21", "! limits.overload_end (restart)\n"},
    {"limits.dataset_values", "values = 2000", "values = 2001", "! limits.dataset_values (restart)\n"},
    {"limits.file_magic_bytes", "magic_bytes = 1024", "magic_bytes = 1025",
     "! limits.file_magic_bytes (restart)\n"},
    {"limits.file_magic_queue", "magic_queue = 64", "magic_queue = 65",
     "! limits.file_magic_queue (restart)\n"},
    {"limits.tls_identities", "identities = 3000", "identities = 3001",
     "! limits.tls_identities (restart)\n"},
    {"limits.inspection_domain_share", "share = 33", "share = 34",
     "! limits.inspection_domain_share (restart)\n"},
    {"limits.rule_work", "rule_work = 8000", "rule_work = 8001", "! limits.rule_work (restart)\n"},
    {"limits.regex_steps", "regex_steps = 700", "regex_steps = 701", "! limits.regex_steps (restart)\n"},
    {"limits.out_of_order_segments", "segments = 8", "segments = 9",
     "! limits.out_of_order_segments (restart)\n"},
    {"limits.ftp_controls", "ftp_controls = 9", "ftp_controls = 0", "! limits.ftp_controls (restart)\n"},
    {"limits.nat_bindings", "nat_bindings = 900", "nat_bindings = 901", "! limits.nat_bindings (restart)\n"},
    {"limits.event_queue", "event_queue = 128", "event_queue = 129", "! limits.event_queue (restart)\n"},
    {"limits.half_open_sessions", "half_open_sessions = 21", "half_open_sessions = 9",
     "! limits.half_open_sessions (restart)\n"},
    {"limits.half_open_per_source", "half_open_per_source = 22", "half_open_per_source = 9",
     "! limits.half_open_per_source (restart)\n"},
    {"limits.half_open_per_attachment", "half_open_per_attachment = 23", "half_open_per_attachment = 9",
     "! limits.half_open_per_attachment (restart)\n"},
    {"limits.half_open_per_domain", "half_open_per_domain = 24", "half_open_per_domain = 9",
     "! limits.half_open_per_domain (restart)\n"},
    {"limits.new_sessions_per_source", "new_sessions_per_source = 25", "new_sessions_per_source = 9",
     "! limits.new_sessions_per_source (restart)\n"},
    {"limits.new_sessions_per_attachment", "new_sessions_per_attachment = 26",
     "new_sessions_per_attachment = 9", "! limits.new_sessions_per_attachment (restart)\n"},
    {"limits.new_sessions_per_domain", "new_sessions_per_domain = 27", "new_sessions_per_domain = 9",
     "! limits.new_sessions_per_domain (restart)\n"},
    {"limits.when_full", "\"refuse\"", "\"half_open\"", "! limits.when_full (restart)\n"},
    {"limits.hosts", "hosts = 128", "hosts = 256", "! limits.hosts (restart)\n"},
    {"events.flow_interval", "flow_interval = 28", "flow_interval = 9", "! events.flow_interval (restart)\n"},
    {"events.rule_events_per_second", "rule_events_per_second = 29", "rule_events_per_second = 9",
     "! events.rule_events_per_second (restart)\n"},
    {"events.default_deny", "default_deny = true", "default_deny = false",
     "! events.default_deny (restart)\n"},
    {"events.types", "types = [\"alert\", \"tls\"]", "types = [\"alert\"]", "! events.types (restart)\n"},
    {"events.payload", "payload = true", "payload = false", "! events.payload (restart)\n"},
    {"events.payload_printable", "payload_printable = true", "payload_printable = false",
     "! events.payload_printable (restart)\n"},
    {"events.xff", "xff = \"overwrite\"", "xff = \"off\"", "! events.xff (restart)\n"},
    {"events.drops", "drops = \"all\"", "drops = \"start\"", "! events.drops (restart)\n"},
    {"events.drop_events_per_second", "drop_events_per_second = 31", "drop_events_per_second = 9",
     "! events.drop_events_per_second (restart)\n"},
    {"events.xff_deployment", "\"forward\"", "\"reverse\"", "! events.xff_deployment (restart)\n"},
    {"events.xff_header", "True-Client-IP", "X-Real-IP", "! events.xff_header (restart)\n"},
    {"events.community_id", "community_id = true", "community_id = false",
     "! events.community_id (restart)\n"},
    {"events.community_id_seed", "seed = 31", "seed = 32", "! events.community_id_seed (restart)\n"},
    {"events.stats_interval", "stats_interval = 30", "stats_interval = 31",
     "! events.stats_interval (restart)\n"},
    {"timeouts.tcp_handshake", "tcp_handshake = 1", "tcp_handshake = 9", "~ timeouts.tcp_handshake\n"},
    {"timeouts.tcp_established", "tcp_established = 2", "tcp_established = 9",
     "~ timeouts.tcp_established\n"},
    {"timeouts.tcp_closing", "tcp_closing = 3", "tcp_closing = 9", "~ timeouts.tcp_closing\n"},
    {"timeouts.udp", "udp = 4", "udp = 9", "~ timeouts.udp\n"},
    {"timeouts.icmp", "icmp = 5", "icmp = 9", "~ timeouts.icmp\n"},
    {"timeouts.other", "other = 6", "other = 9", "~ timeouts.other\n"},
    {"timeouts.fragment", "fragment = 7", "fragment = 9", "~ timeouts.fragment\n"},
    {"timeouts.reload_grace", "grace = 11", "grace = 12", "~ timeouts.reload_grace\n"},
    {"timeouts.tcp_half_closed", "tcp_half_closed = 8", "tcp_half_closed = 9",
     "~ timeouts.tcp_half_closed\n"},
    {"timeouts.tcp_loose", "tcp_loose = 9", "tcp_loose = 8", "~ timeouts.tcp_loose\n"},
    {"timeouts.udp_unanswered", "udp_unanswered = 10", "udp_unanswered = 9", "~ timeouts.udp_unanswered\n"},
    {"tcp.strict_windows", "strict_windows = true", "strict_windows = false", "~ tcp.strict_windows\n"},
    {"tcp.mid_stream", "mid_stream = true", "mid_stream = false", "~ tcp.mid_stream\n"},
    {"tcp.one_sided", "one_sided = true", "one_sided = false", "~ tcp.one_sided\n"},
    {"tcp.reset_idle", "reset_idle = true", "reset_idle = false", "~ tcp.reset_idle\n"},
    {"api.max_request_mib", "mib = 16", "mib = 17", "! api.max_request_mib (restart)\n"},
    {"api.socket", "\"weir.sock\"", "\"w.sock\"", "! api.socket (restart)\n"},
    {"rule_cache.folder", "\"cache\"", "\"other\"", "~ rule_cache.folder\n"},
    {"rule_cache.max_mib", "max_mib = 17", "max_mib = 18", "~ rule_cache.max_mib\n"},
    {"log.level", "\"debug\"", "\"info\"", "~ log.level\n"},
    {"events.eve", "\"eve.json\"", "\"-\"", "! events.eve (restart)\n"},
    {"events.flow", "flow = false", "flow = true", "! events.flow (restart)\n"},
    {"port[].name", "name = \"wan1\"", "name = \"wan2\"", "! port[wan1] (restart)\n! port[wan2] (restart)\n"},
    {"port[].driver",
     "\"af_packet\"\ninterface = \"eth1\"\naddress = [\"198.18.0.1/24\", \"198.18.1.1/24\"]\ngateway = "
     "[\"198.18.0.254\"]",
     "\"af_xdp\"\ninterface = \"eth1\"\naddress = [\"198.18.0.1/24\", \"198.18.1.1/24\"]",
     "! port[wan0].driver (restart)\n! port[wan0].gateway (restart)\n"},
    {"port[].interface", "\"eth1\"", "\"eth2\"", "! port[wan0].interface (restart)\n"},
    {"port[].pci", "\"0000:03:00.0\"", "\"0000:03:00.1\"", "! port[wan1].pci (restart)\n"},
    {"port[].rx_loop", "rx_loop = false\ntx_pcap = \"/tmp/out.pcap\"", "rx_loop = true",
     "! port[trace].rx_loop (restart)\n! port[trace].tx_pcap (restart)\n"},
    {"port[].rx_pcap", "\"in.pcap\"", "\"in2.pcap\"", "! port[trace].rx_pcap (restart)\n"},
    {"port[].tx_pcap", "\"/tmp/out.pcap\"", "\"/tmp/out2.pcap\"", "! port[trace].tx_pcap (restart)\n"},
    {"port[].address", "\"198.18.1.1/24\"", "\"198.18.1.1/25\"", "! port[wan0].address (restart)\n"},
    {"port[].gateway", "\"198.18.0.254\"", "\"198.18.0.253\"", "! port[wan0].gateway (restart)\n"},
    {"port[].mac", "\"02:00:00:00:00:01\"", "\"02:00:00:00:00:02\"", "! port[wan1].mac (restart)\n"},
    {"port[].mtu", "mtu = 1600", "mtu = 1601", "! port[wan0].mtu (restart)\n"},
    {"port[].vlan", "vlan = 100", "vlan = 101", "! port[wan0].vlan (restart)\n"},
    {"domain[].name", "name = \"shared\"\n", "name = \"shared\"\n[[domain]]\nname = \"new\"\n",
     "+ domain new\n"},
    {"attachment[].name", "name = \"cloud-a\"\ndomain = \"prod\"\nvxlan = { vni = 10, local",
     "name = \"cloud-b\"\ndomain = \"prod\"\ngateway = [\"10.9.0.1/24\"]\nvxlan = { vni = 11, local = "
     "\"198.18.0.1\", remote = \"198.18.0.11\" }\n[[attachment]]\nname = \"cloud-a\"\ndomain = "
     "\"prod\"\nvxlan = { vni = 10, local",
     "+ attachment cloud-b\n"},
    {"attachment[].domain", "domain = \"prod\"\nvxlan", "domain = \"shared\"\nvxlan", ""},
    {"attachment[].vxlan.vni", "vni = 10", "vni = 11", "~ attachment cloud-a: vxlan.vni\n"},
    {"attachment[].vxlan.local", "local = \"198.18.0.1\"", "local = \"198.18.1.1\"",
     "~ attachment cloud-a: vxlan.local\n"},
    {"attachment[].vxlan.remote", "remote = \"198.18.0.10\"", "remote = \"198.18.0.11\"",
     "~ attachment cloud-a: vxlan.remote\n"},
    {"attachment[].vxlan.port", "port = 4790", "port = 4789", "~ attachment cloud-a: vxlan.port\n"},
    {"attachment[].gateway", "\"10.1.0.1/24\"", "\"10.1.0.1/25\"", "~ attachment cloud-a: gateway\n"},
    {"attachment[].mac", "\"02:57:00:00:00:01\"", "\"02:57:00:00:00:02\"", "~ attachment cloud-a: mac\n"},
    {"attachment[].health.probe", "probe = \"icmp\"", "probe = \"neighbor\"",
     "~ attachment cloud-a: health.probe\n"},
    {"attachment[].health.address", "address = \"10.1.0.9\"", "address = \"10.1.0.8\"",
     "~ attachment cloud-a: health.address\n"},
    {"attachment[].health.interval_ms", "interval_ms = 200", "interval_ms = 201",
     "~ attachment cloud-a: health.interval_ms\n"},
    {"attachment[].health.jitter", "jitter = 5", "jitter = 6", "~ attachment cloud-a: health.jitter\n"},
    {"attachment[].health.up_after", "up_after = 4", "up_after = 5",
     "~ attachment cloud-a: health.up_after\n"},
    {"attachment[].health.down_after", "down_after = 6", "down_after = 7",
     "~ attachment cloud-a: health.down_after\n"},
    {"attachment[].health.flap_half_life", "flap_half_life = 30", "flap_half_life = 31",
     "~ attachment cloud-a: health.flap_half_life\n"},
    {"attachment[].health.flap_limit", "flap_limit = 7", "flap_limit = 8",
     "~ attachment cloud-a: health.flap_limit\n"},
    {"attachment[].health.traffic", "traffic = true", "traffic = false",
     "~ attachment cloud-a: health.traffic\n"},
    {"attachment[].health.withdraw", "withdraw = true", "withdraw = false",
     "~ attachment cloud-a: health.withdraw\n"},
    {"attachment[].mtu", "mtu = 1450", "mtu = 1449", "~ attachment cloud-a: mtu\n"},
    {"attachment[].mss_clamp", "mss_clamp = false", "mss_clamp = true", "~ attachment cloud-a: mss_clamp\n"},
    {"attachment[].reverse_path", "reverse_path = false", "reverse_path = true",
     "~ attachment cloud-a: reverse_path\n"},
    {"attachment[].max_packets_per_second", "max_packets_per_second = 1000", "max_packets_per_second = 1001",
     "~ attachment cloud-a: max_packets_per_second\n"},
    {"attachment[].max_bytes_per_second", "max_bytes_per_second = 1000000", "max_bytes_per_second = 0",
     "~ attachment cloud-a: max_bytes_per_second\n"},
    {"attachment[].multicast_to", "multicast_to = \"tap0\"", "multicast_to = \"tap1\"",
     "~ attachment cloud-a: multicast_to\n"},
    {"attachment[].tags", "tags = [\"prod\", \"pci\"]", "tags = [\"prod\"]", "~ attachment cloud-a: tags\n"},
    {"attachment[].ttl", "ttl = 63", "ttl = 64", "~ attachment cloud-a: ttl\n"},
    {"attachment[].dscp_model", "dscp_model = \"pipe\"\ndscp = 46", "dscp_model = \"uniform\"",
     "~ attachment cloud-a: dscp dscp_model\n"},
    {"attachment[].dscp", "dscp = 46", "dscp = 45", "~ attachment cloud-a: dscp\n"},
    {"attachment[].udp_checksum", "udp_checksum = true", "udp_checksum = false",
     "~ attachment cloud-a: udp_checksum\n"},
    {"attachment[].geneve.vni", "vni = 30", "vni = 31", "~ attachment geneve: geneve.vni\n"},
    {"attachment[].geneve.local", "vni = 30, local = \"198.18.0.1\"", "vni = 30, local = \"198.18.1.1\"",
     "~ attachment geneve: geneve.local\n"},
    {"attachment[].geneve.remote", "\"198.18.0.30\"", "\"198.18.0.40\"",
     "~ attachment geneve: geneve.remote\n"},
    {"attachment[].geneve.port", "port = 6082", "port = 6081", "~ attachment geneve: geneve.port\n"},
    {"attachment[].geneve.ethernet", "ethernet = false", "ethernet = true",
     "~ attachment geneve: geneve.ethernet\n"},
    {"attachment[].gre.local", "gre = { local = \"198.18.0.1\"", "gre = { local = \"198.18.1.1\"",
     "~ attachment gre: gre.local\n"},
    {"attachment[].gre.remote", "\"198.18.0.31\"", "\"198.18.0.41\"", "~ attachment gre: gre.remote\n"},
    {"attachment[].gre.key", ", key = 31", "", "~ attachment gre: gre.key\n"},
    {"attachment[].gre.ethernet", "key = 31, ethernet = true", "key = 31, ethernet = false",
     "~ attachment gre: gre.ethernet\n"},
    {"attachment[].ipip.local", "ipip = { local = \"198.18.0.1\"", "ipip = { local = \"198.18.1.1\"",
     "~ attachment ipip: ipip.local\n"},
    {"attachment[].ipip.remote", "\"198.18.0.32\"", "\"198.18.0.42\"", "~ attachment ipip: ipip.remote\n"},
    {"attachment[].ipip.inner", "inner = \"ipv6\"", "inner = \"ipv4\"", "~ attachment ipip: ipip.inner\n"},
    {"attachment[].native.port", "native = { port = \"trace\"", "native = { port = \"wan0\"",
     "~ attachment native: native.port\n"},
    {"attachment[].native.vlan", "vlan = 33,", "vlan = 34,", "~ attachment native: native.vlan\n"},
    {"attachment[].native.outer_vlan", "outer_vlan = 330", "outer_vlan = 331",
     "~ attachment native: native.outer_vlan\n"},
    {"route[].domain", "domain = \"prod\"\nprefix = \"10.66.0.0/16\"",
     "domain = \"shared\"\nprefix = \"10.66.0.0/16\"",
     "- route prod 10.66.0.0/16 blackhole\n+ route shared 10.66.0.0/16 blackhole\n"},
    {"route[].prefix", "\"10.66.0.0/16\"", "\"10.67.0.0/16\"",
     "- route prod 10.66.0.0/16 blackhole\n+ route prod 10.67.0.0/16 blackhole\n"},
    {"route[].attachment", "blackhole = true", "attachment = \"cloud-a\"",
     "- route prod 10.66.0.0/16 blackhole\n+ route prod 10.66.0.0/16 attachment cloud-a\n"},
    {"route[].via", "via = \"10.1.0.2\"", "via = \"10.1.0.3\"",
     "- route prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2\n+ route prod 10.1.64.0/18 attachment "
     "cloud-a via 10.1.0.3\n"},
    {"route[].weight", "weight = 3", "weight = 4",
     "~ route prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2: weight\n"},
    {"route[].ecmp", "ecmp = true", "ecmp = false",
     "~ route prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2: ecmp\n"},
    {"route[].blackhole", "blackhole = true", "attachment = \"cloud-a\"\nvia = \"10.1.0.2\"",
     "- route prod 10.66.0.0/16 blackhole\n+ route prod 10.66.0.0/16 attachment cloud-a via 10.1.0.2\n"},
    {"routes.file", "\"more.routes\"", "\"other.routes\"", "~ routes.file\n"},
    {"connection[].domains",
     "[[connection]]\ndomains = [\"prod\", \"shared\"]\nexpose = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n", "",
     "- connection prod - shared\n"},
    {"connection[].expose", "\"2001:db8::/32\"]", "\"2001:db8::/33\"]",
     "~ connection prod - shared: expose\n"},
    {"policy[].id", "id = \"rest\"", "id = \"others\"", "- policy rest\n+ policy others\n"},
    {"policy[].action", "\"allow\"", "\"deny\"", "~ policy rest: action\n"},
    {"policy[].from.domains", "from = { domains = [\"prod\"]", "from = { domains = [\"shared\"]",
     "~ policy web: from.domains\n"},
    {"policy[].from.prefixes", "\"10.2.3.4\"", "\"10.2.3.5\"", "~ policy web: from.prefixes\n"},
    {"policy[].to.domains", "to = { domains = [\"shared\", \"prod\"]", "to = { domains = [\"shared\"]",
     "~ policy web: to.domains\n"},
    {"policy[].to.prefixes", "\"0.0.0.0/0\"", "\"0.0.0.0/1\"", "~ policy web: to.prefixes\n"},
    {"prefix[].prefix", "\"10.9.0.0/16\"", "\"10.10.0.0/16\"",
     "- prefix shared 10.9.0.0/16\n+ prefix shared 10.10.0.0/16\n"},
    {"prefix[].tags", "tags = [\"lab\"]", "tags = [\"lab\", \"x\"]", "~ prefix shared 10.9.0.0/16: tags\n"},
    {"prefix[].domain", "tags = [\"lab\"]\ndomain = \"shared\"", "tags = [\"lab\"]",
     "- prefix shared 10.9.0.0/16\n+ prefix 10.9.0.0/16\n"},
    {"group[].name", "name = \"servers\"\n", "match = \"x\"\nname = \"x\"\n[[group]]\nname = \"servers\"\n",
     "+ group x\n"},
    {"group[].domains", "domains = [\"shared\"]\nattachments", "domains = [\"prod\"]\nattachments",
     "~ group clients: domains\n"},
    {"group[].attachments", "[\"gre\", \"ipip\"]", "[\"gre\"]", "~ group clients: attachments\n"},
    {"group[].prefixes", "\"2001:db8:8::/48\"", "\"2001:db8:8::/49\"", "~ group clients: prefixes\n"},
    {"group[].groups", "groups = [\"clients\", \"servers\"]", "groups = [\"servers\"]",
     "~ group all: groups\n"},
    {"group[].match", "prod and not", "prod or not", "~ group servers: match\n"},
    {"group[].comment", "\"who asks\"", "\"clients\"", "~ group clients: comment\n"},
    {"service[].name", "name = \"ping\"\n",
     "name = \"x\"\nprotocol = \"gre\"\n[[service]]\nname = \"ping\"\n", "+ service x\n"},
    {"service[].protocol", "protocol = \"udp\"\nports = [53", "protocol = \"tcp\"\nports = [53",
     "~ service dns: protocol\n"},
    {"service[].ports", "\"5353-5354\"", "5353", "~ service dns: ports\n"},
    {"service[].icmp_types", "[8, 13]", "[8]", "~ service ping: icmp_types\n"},
    {"service[].comment", "\"names\"", "\"DNS\"", "~ service dns: comment\n"},
    {"policy[].from.groups", "groups = [\"clients\"] }", "groups = [\"servers\"] }",
     "~ policy web: from.groups\n"},
    {"policy[].to.groups", "groups = [\"all\", \"servers\"]", "groups = [\"all\"]",
     "~ policy web: to.groups\n"},
    {"policy[].services", "services = [\"dns\", \"ping\"]", "services = [\"dns\"]",
     "~ policy rest: services\n"},
    {"policy[].names.sni", "*.example.org", "*.example.net", "~ policy rest: names.sni\n"},
    {"policy[].names.http_host", "www.example.org", "www.example.net", "~ policy rest: names.http_host\n"},
    {"policy[].names.app", "app = [\"tls\"]", "app = [\"ssh\"]", "~ policy rest: names.app\n"},
    {"policy[].names.kuma_service", "backend*", "front*", "~ policy rest: names.kuma_service\n"},
    {"policy[].names.kuma_mesh", "kuma_mesh = [\"demo\"]", "kuma_mesh = [\"prod\"]",
     "~ policy rest: names.kuma_mesh\n"},
    {"policy[].names.kuma_zone", "[\"east\"]", "[\"west\"]", "~ policy rest: names.kuma_zone\n"},
    {"policy[].names.kuma_namespace", "[\"shop\"]", "[\"bank\"]", "~ policy rest: names.kuma_namespace\n"},
    {"policy[].names.spiffe", "spiffe://demo/*", "spiffe://prod/*", "~ policy rest: names.spiffe\n"},
    {"policy[].names.spiffe_server", "spiffe://demo/backend", "spiffe://demo/other",
     "~ policy rest: names.spiffe_server\n"},
    {"policy[].unknown", "unknown = \"next\"", "unknown = \"allow\"", "~ policy rest: unknown\n"},
    {"policy[].enabled", "enabled = false", "enabled = true", "~ policy rest: enabled\n"},
    {"policy[].watch", "watch = true", "watch = false", "~ policy rest: watch\n"},
    {"policy[].protocol", "\"tcp\"", "\"udp\"", "~ policy web: protocol\n"},
    {"policy[].ports", "\"8000-8100\"", "\"8000-8101\"", "~ policy web: ports\n"},
    {"policy[].profile", "profile = \"default\"\ncomment = \"all of it\"\n",
     "profile = \"x\"\ncomment = \"all of it\"\n[[profile]]\nname = \"x\"\nrules = [\"x\"]\n",
     "~ policy web: profile\n+ profile x\n"},
    {"policy[].log", "log = [\"start\", \"end\"]", "log = []", "~ policy web: log\n"},
    {"policy[].dscp", "dscp = 45", "dscp = 0", "~ policy web: dscp\n"},
    {"policy[].timeouts.udp", "udp = 61", "udp = 1", "~ policy web: timeouts.udp\n"},
    {"policy[].timeouts.udp_unanswered", "udp_unanswered = 62", "udp_unanswered = 1",
     "~ policy web: timeouts.udp_unanswered\n"},
    {"policy[].timeouts.tcp_handshake", "tcp_handshake = 63", "tcp_handshake = 1",
     "~ policy web: timeouts.tcp_handshake\n"},
    {"policy[].timeouts.tcp_established", "tcp_established = 64", "tcp_established = 1",
     "~ policy web: timeouts.tcp_established\n"},
    {"policy[].timeouts.tcp_half_closed", "tcp_half_closed = 65", "tcp_half_closed = 1",
     "~ policy web: timeouts.tcp_half_closed\n"},
    {"policy[].timeouts.tcp_closing", "tcp_closing = 66", "tcp_closing = 1",
     "~ policy web: timeouts.tcp_closing\n"},
    {"policy[].timeouts.tcp_loose", "tcp_loose = 67", "tcp_loose = 1", "~ policy web: timeouts.tcp_loose\n"},
    {"policy[].timeouts.icmp", "icmp = 68", "icmp = 1", "~ policy web: timeouts.icmp\n"},
    {"policy[].timeouts.other", "other = 69", "other = 1", "~ policy web: timeouts.other\n"},
    {"policy[].comment", "\"all of it\"", "\"most of it\"", "~ policy web: comment\n"},
    {"profile[].name", "[[profile]]\n", "[[profile]]\nname = \"x\"\nrules = [\"x\"]\n[[profile]]\n",
     "+ profile x\n"},
    {"profile[].rules", "\"/opt/c.rules\"", "\"/opt/d.rules\"", "~ profile default: rules\n"},
    {"profile[].enable", "[2019401,", "[2019400,", "~ profile default: enable\n"},
    {"profile[].disable", "group:scan.rules", "group:scam.rules", "~ profile default: disable\n"},
    {"profile[].to_alert", "re:heartbleed", "re:heart", "~ profile default: to_alert\n"},
    {"profile[].to_drop", "deployment perimeter", "deployment internal", "~ profile default: to_drop\n"},
    {"profile[].to_reject", "3:7,3:9", "3:7", "~ profile default: to_reject\n"},
    {"profile[].to_pass", "*/local.rules", "*/own.rules", "~ profile default: to_pass\n"},
    {"profile[].suppress", "suppress = [5]", "suppress = [6]", "~ profile default: suppress\n"},
    {"profile[].thresholds", "\"threshold.config\"", "\"t.config\"", "~ profile default: thresholds\n"},
    {"profile[].classification", "\"classification.config\"", "\"c.config\"",
     "~ profile default: classification\n"},
    {"profile[].references", "/etc/suricata/reference.config", "/etc/reference.config",
     "~ profile default: references\n"},
    {"profile[].fuse", "fuse = 100", "fuse = 101", "~ profile default: fuse\n"},
    {"profile[].on_drop", "\"silent\"", "\"reset\"", "~ profile default: on_drop\n"},
    {"profile[].fail", "\"open\"", "\"closed\"", "~ profile default: fail\n"},
    {"profile[].mode", "mode = \"test\"", "mode = \"ids\"", "~ profile default: mode\n"},
    {"profile[].depth", "depth = 65536", "depth = 65537", "~ profile default: depth\n"},
    {"profile[].min_ttl", "min_ttl = 5", "min_ttl = 6", "~ profile default: min_ttl\n"},
    {"profile[].on_conflict", "on_conflict = \"drop\"", "on_conflict = \"rewrite\"",
     "~ profile default: on_conflict\n"},
    {"profile[].checksums", "checksums = \"ignore\"", "checksums = \"verify\"",
     "~ profile default: checksums\n"},
    {"profile[].limits.header_bytes", "header_bytes = 4096", "header_bytes = 4099",
     "~ profile default: limits.header_bytes\n"},
    {"profile[].limits.headers", "headers = 100", "headers = 101", "~ profile default: limits.headers\n"},
    {"profile[].limits.transactions", "transactions = 99", "transactions = 98",
     "~ profile default: limits.transactions\n"},
    {"profile[].limits.request_body", "request_body = 4097", "request_body = 1",
     "~ profile default: limits.request_body\n"},
    {"profile[].limits.response_body", "response_body = 4098", "response_body = 1",
     "~ profile default: limits.response_body\n"},
    {"profile[].limits.decode_layers", "decode_layers = 2", "decode_layers = 1",
     "~ profile default: limits.decode_layers\n"},
    {"profile[].limits.decode_ratio", "decode_ratio = 1000", "decode_ratio = 1001",
     "~ profile default: limits.decode_ratio\n"},
    {"profile[].limits.dns_pointers", "dns_pointers = 9", "dns_pointers = 8",
     "~ profile default: limits.dns_pointers\n"},
    {"profile[].limits.certificates", "certificates = 5", "certificates = 6",
     "~ profile default: limits.certificates\n"},
    {"profile[].exceptions.domain_memory", "domain_memory = \"reject\"", "domain_memory = \"bypass\"",
     "~ profile default: exceptions.domain_memory\n"},
    {"profile[].exceptions.dns_pointers", "dns_pointers = \"drop-flow\"", "dns_pointers = \"bypass\"",
     "~ profile default: exceptions.dns_pointers\n"},
    {"profile[].exceptions.certificates", "certificates = \"bypass\"", "certificates = \"ignore\"",
     "~ profile default: exceptions.certificates\n"},
    {"profile[].exceptions.rule_work", "rule_work = \"drop-packet\"", "rule_work = \"ignore\"",
     "~ profile default: exceptions.rule_work\n"},
    {"profile[].exceptions.session_memory", "session_memory = \"pass-flow\"", "session_memory = \"bypass\"",
     "~ profile default: exceptions.session_memory\n"},
    {"profile[].exceptions.segment_memory", "segment_memory = \"drop-packet\"", "segment_memory = \"bypass\"",
     "~ profile default: exceptions.segment_memory\n"},
    {"profile[].exceptions.midstream", "midstream = \"bypass\"", "midstream = \"ignore\"",
     "~ profile default: exceptions.midstream\n"},
    {"profile[].exceptions.app_memory", "app_memory = \"reject\"", "app_memory = \"bypass\"",
     "~ profile default: exceptions.app_memory\n"},
    {"profile[].exceptions.transactions", "transactions = \"drop-flow\"", "transactions = \"bypass\"",
     "~ profile default: exceptions.transactions\n"},
    {"profile[].exceptions.malformed", "malformed = \"auto\"", "malformed = \"bypass\"",
     "~ profile default: exceptions.malformed\n"},
    {"profile[].exceptions.queue_full", "queue_full = \"bypass\"", "queue_full = \"ignore\"",
     "~ profile default: exceptions.queue_full\n"},
    {"profile[].address_groups.*", "MINE = \"$HOME_NET\"", "MINE = \"any\", OTHER = \"any\"",
     "~ profile default: address_groups.MINE address_groups.OTHER\n"},
    {"profile[].port_groups.*", "[80,8080:8089]", "80", "~ profile default: port_groups.WEB_PORTS\n"},
    {"nat[].name", "name = \"mapped\"", "name = \"other\"", "- nat mapped\n+ nat other\n"},
    {"nat[].static.domain", "static = { domain = \"prod\"", "static = { domain = \"shared\"",
     "~ nat mapped: static.domain\n"},
    {"nat[].static.inside", "\"10.1.0.64/28\"", "\"10.1.0.80/28\"", "~ nat mapped: static.inside\n"},
    {"nat[].static.outside", "\"100.64.7.64/28\"", "\"100.64.7.80/28\"", "~ nat mapped: static.outside\n"},
    {"nat[].static.seen_by", "seen_by = [\"shared\"], ftp = true }", "seen_by = [\"prod\"], ftp = true }",
     "~ nat mapped: static.seen_by\n"},
    {"nat[].dnat.seen_by", "seen_by = [\"shared\"], address", "seen_by = [\"prod\"], address",
     "~ nat published: dnat.seen_by\n"},
    {"nat[].dnat.address", "\"10.9.9.9\"", "\"10.9.9.8\"", "~ nat published: dnat.address\n"},
    {"nat[].dnat.protocol", "protocol = \"udp\"", "protocol = \"tcp\"", "~ nat published: dnat.protocol\n"},
    {"nat[].dnat.port", "port = 5353", "port = 5354", "~ nat published: dnat.port\n"},
    {"nat[].dnat.domain", "port = 5353, domain = \"prod\"", "port = 5353, domain = \"shared\"",
     "~ nat published: dnat.domain\n"},
    {"nat[].dnat.server", "\"10.1.0.53\"", "\"10.1.0.54\"", "~ nat published: dnat.server\n"},
    {"nat[].dnat.server_port", "server_port = 53 }", "server_port = 54 }",
     "~ nat published: dnat.server_port\n"},
    {"nat[].snat.from", "[[nat]]\nname = \"out\"\nsnat = { from = [\"shared\"]",
     "[[domain]]\nname = \"third\"\n[[nat]]\nname = \"out\"\nsnat = { from = [\"third\"]",
     "+ domain third\n~ nat out: snat.from\n"},
    {"nat[].snat.domain", "[[nat]]\nname = \"out\"\nsnat = { from = [\"shared\"], domain = \"prod\"",
     "[[domain]]\nname = \"third\"\n[[route]]\ndomain = \"third\"\nprefix = \"0.0.0.0/0\"\nblackhole = true\n"
     "[[nat]]\nname = \"out\"\nsnat = { from = [\"shared\"], domain = \"third\"",
     "+ domain third\n+ route third 0.0.0.0/0 blackhole\n~ nat out: snat.domain\n"},
    {"nat[].snat.pool", "\"10.33.0.128/29\"", "\"10.33.0.136/29\"", "~ nat out: snat.pool\n"},
    {"nat[].snat.ports", "\"2000-3000\"", "\"2000-3001\"", "~ nat out: snat.ports\n"},
    {"nat[].snat.sources", "\"172.16.0.0/16\"", "\"172.17.0.0/16\"", "~ nat out: snat.sources\n"},
    {"nat[].snat.destinations", "\"192.0.2.0/24\"", "\"192.0.3.0/24\"", "~ nat out: snat.destinations\n"},
    {"nat[].snat.ftp", "\"192.0.2.0/24\"], ftp = true", "\"192.0.2.0/24\"], ftp = false",
     "~ nat out: snat.ftp\n"},
    {"nat[].dnat.ftp", "\"10.1.0.21\", ftp = true", "\"10.1.0.21\", ftp = false", "~ nat files: dnat.ftp\n"},
    {"nat[].dnat.servers", "\"10.1.0.23\"]", "\"10.1.0.24\"]", "~ nat farm: dnat.servers\n"},
    {"nat[].dnat.weights", "weights = [3, 1]", "weights = [3, 2]", "~ nat farm: dnat.weights\n"},
    {"nat[].static.nptv6", "nptv6 = true", "nptv6 = false", "~ nat neutral: static.nptv6\n"},
    {"nat[].snat.ports_per_host", "ports_per_host = 1024", "ports_per_host = 2048",
     "~ nat planned: snat.ports_per_host\n"},
    {"nat[].nat64.from", "nat64 = { from = [\"shared\"]", "nat64 = { from = [\"prod\"]",
     "~ nat six: nat64.from\n"},
    {"nat[].nat64.prefix", "\"2001:db8:64::/48\"", "\"2001:db8:65::/48\"", "~ nat six: nat64.prefix\n"},
    {"nat[].nat64.domain",
     "[[nat]]\nname = \"six\"\nnat64 = { from = [\"shared\"], prefix = \"2001:db8:64::/48\", domain = "
     "\"prod\"",
     "[[domain]]\nname = \"third\"\n[[route]]\ndomain = \"third\"\nprefix = \"0.0.0.0/0\"\nblackhole = true\n"
     "[[nat]]\nname = \"six\"\nnat64 = { from = [\"shared\"], prefix = \"2001:db8:64::/48\", domain = "
     "\"third\"",
     "+ domain third\n+ route third 0.0.0.0/0 blackhole\n~ nat six: nat64.domain\n"},
    {"nat[].nat64.pool", "\"10.33.0.152/30\"", "\"10.33.0.156/30\"", "~ nat six: nat64.pool\n"},
    {"nat[].nat64.ports", "\"3000-4000\"", "\"3000-4001\"", "~ nat six: nat64.ports\n"},
    {"nat[].nat64.sources", "sources = [\"2001:db8:2::/64\"]", "sources = [\"2001:db8:3::/64\"]",
     "~ nat six: nat64.sources\n"},
    {"nat[].nat64.destinations", "\"192.0.2.0/25\"", "\"192.0.2.128/25\"", "~ nat six: nat64.destinations\n"},
    {"nat[].static.ftp", "seen_by = [\"shared\"], ftp = true", "seen_by = [\"shared\"], ftp = false",
     "~ nat mapped: static.ftp\n"},
};

TEST(Diff, NamesTheChangeOfEveryKey) {
  const Config old = read_good(full_text());
  std::set<std::string_view> seen;
  for (const ChangeRow& row : kRows) {
    SCOPED_TRACE(row.key);
    seen.insert(row.key);
    if (std::string_view(row.key) == "attachment[].domain") continue;  // below: it takes a route along
    std::string text = full_text();
    replace(text, row.from, row.to);
    EXPECT_EQ(to_string(diff(old, read_good(text))), row.expected);
  }
  for (const KeySpec& key : keys()) EXPECT_TRUE(seen.contains(key.path)) << "no row for " << key.path;
}

TEST(Diff, AnAttachmentMovesToAnotherDomain) {
  std::string text = full_text();
  replace(text, "domain = \"prod\"\nvxlan", "domain = \"shared\"\nvxlan");
  replace(text, "domain = \"prod\"\nprefix = \"10.1.64.0/18\"",
          "domain = \"shared\"\nprefix = \"10.1.64.0/18\"");
  EXPECT_THAT(to_string(diff(read_good(full_text()), read_good(text))),
              HasSubstr("~ attachment cloud-a: domain\n"));
}

TEST(Diff, RestartIsWhatTheKeyTableSays) {
  const Config old = read_good(full_text());
  for (const ChangeRow& row : kRows) {
    if (*row.expected == '\0') continue;
    std::string text = full_text();
    replace(text, row.from, row.to);
    const bool restart = !diff(old, read_good(text)).restart.empty();
    for (const KeySpec& key : keys()) {
      if (key.path == row.key) {
        EXPECT_EQ(restart, key.change == Change::restart) << row.key;
      }
    }
  }
}

TEST(Diff, OfEqualConfigurationsIsEmpty) {
  const Config c = read_good(full_text());
  const ConfigDiff d = diff(c, read_good("# moved down a line\n" + full_text()));
  EXPECT_TRUE(d.empty());
  EXPECT_EQ(to_string(d), "");
  EXPECT_TRUE(refusals(d).empty());
}

TEST(Diff, RefusalsPointAtTheKeyInTheNewFile) {
  std::string text = full_text();
  replace(text, "burst = 64", "burst = 65");
  replace(text, "mtu = 1600", "mtu = 1601");
  replace(text, "[control]\ncore = 1\n", "");
  const auto problems = refusals(diff(read_good(full_text()), read_good(text)));
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(
      to_string(problems[0]),
      "/etc/weir/hub.toml: control.core: it has changed, and only a restart of the hub can carry that out");
  EXPECT_THAT(to_string(problems[1]), HasSubstr("/etc/weir/hub.toml:10:9: worker.burst: "));
  EXPECT_THAT(to_string(problems[2]), HasSubstr(": port[wan0].mtu: "));
  EXPECT_NE(problems[2].where.line, 0u);
}

TEST(Diff, TheOrderOfRulesMattersAndThatOfOthersDoesNot) {
  Config old = read_good(full_text());
  Config next = old;
  std::swap(next.policy[0], next.policy[1]);
  std::swap(next.domains[0], next.domains[1]);
  std::swap(next.routes[0], next.routes[1]);
  EXPECT_EQ(to_string(diff(old, next)), "~ policy: the order\n");
  std::swap(next.nat[0], next.nat[1]);
  EXPECT_EQ(to_string(diff(old, next)), "~ policy: the order\n~ nat: the order\n");
  std::swap(next.nat[0], next.nat[1]);
  next.policy.erase(next.policy.begin());
  EXPECT_EQ(to_string(diff(old, next)), "- policy rest\n");
}

TEST(Diff, TheOrderOfPortsIsTheirNumbers) {
  Config old = read_good(full_text());
  Config next = old;
  std::swap(next.ports[0], next.ports[1]);
  EXPECT_EQ(to_string(diff(old, next)), "! port (restart)\n");
}

TEST(Diff, AConnectionHasNoDirection) {
  Config old = read_good(full_text());
  Config next = old;
  std::swap(next.connections[0].a, next.connections[0].b);
  EXPECT_TRUE(diff(old, next).empty());
}

TEST(Diff, OfNothingIsEverything) {
  const Config c = read_good(full_text());
  const ConfigDiff d = diff(Config{}, c);
  EXPECT_THAT(d.domains.added, ElementsAre("prod", "shared"));
  EXPECT_THAT(d.attachments.added, ElementsAre("cloud-a", "geneve", "gre", "ipip", "native"));
  EXPECT_EQ(d.routes.added.size(), 2u);
  EXPECT_THAT(d.policy.added, ElementsAre("web", "rest"));
  EXPECT_EQ(diff(c, Config{}).routes.removed.size(), 2u);
}

}  // namespace
}  // namespace weir::config::test
