#include "tests/unit/config/samples.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <ostream>

namespace weir::config::test {

namespace {

constexpr const char* kMachine = R"([worker]
cores = [1]
[[port]]
name = "wan0"
interface = "eth1"
address = ["198.18.0.1/24"]
)";

constexpr const char* kDomains = R"([[domain]]
name = "prod"
[[domain]]
name = "shared"
[[domain]]
name = "lone"
)";

constexpr const char* kSpokes = R"([[attachment]]
name = "cloud-a"
domain = "prod"
vxlan = { vni = 10, local = "198.18.0.1", remote = "198.18.0.10" }
gateway = ["10.1.0.1/24", "2001:db8:1::1/64"]
[[attachment]]
name = "cloud-b"
domain = "shared"
vxlan = { vni = 20, local = "198.18.0.1", remote = "198.18.0.20" }
gateway = ["10.2.0.1/24"]
)";

constexpr const char* kPolicy = R"([[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
via = "10.1.0.2"
[[connection]]
domains = ["prod", "shared"]
[[profile]]
name = "default"
rules = ["demo.rules"]
)";

/// `text` without its marks, and the line and column of each.
struct Marked {
  std::string text;
  std::vector<std::string> places;  // "LINE:COLUMN"
};

Marked unmark(const std::string& text) {
  Marked result;
  uint32_t line = 1, column = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "@@") == 0) {
      result.places.push_back(std::to_string(line) + ":" + std::to_string(column));
      ++i;
      continue;
    }
    result.text += text[i];
    if ((static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) ++column;  // columns count characters, not bytes
    if (text[i] == '\n') {
      ++line;
      column = 1;
    }
  }
  return result;
}

}  // namespace

std::string text_of(Base base) {
  std::string text;
  if (base >= Base::machine) text += kMachine;
  if (base >= Base::domains) text += kDomains;
  if (base >= Base::spokes) text += kSpokes;
  if (base >= Base::policy) text += kPolicy;
  return text;
}

std::string full_text() {
  return R"([hub]
name = "hub-1"
[eal]
hugepages = "off"
memory_mib = 512
extra_args = ["--log-level=8", "--no-shconf"]
[worker]
cores = [2, 3]
idle = "poll"
burst = 64
stall_us = 750
[control]
core = 1
[limits]
sessions = 1000
packet_buffers = 8192
ring_size = 1024
attachments = 50
adjacencies = 100
neighbors_per_attachment = 60
routes = 31000
policy_rules = 900
pending_sessions = 901
pending_packets = 902
pending_packets_per_session = 903
pending_bytes_per_session = 904
pending_ms = 905
held_packets = 500
held_per_neighbor = 8
held_fragments = 600
fragmented_datagrams = 700
fragments_per_datagram = 16
punts_per_second = 100
punts_per_attachment = 50
icmp_errors_per_second = 70
inspected_sessions = 200
stream_window = 2048
host_marks = 5000
out_of_order_segments = 8
dataset_values = 2000
file_magic_bytes = 1024
file_magic_queue = 64
tls_identities = 3000
inspection_domain_share = 33
rule_work = 8000
regex_steps = 700
inspection_packet_work = 20000
inspection_turn_work = 40000
inspection_queue = 100
overload_begin = 80
overload_end = 20
nat_bindings = 900
ftp_controls = 9
event_queue = 128
when_full = "refuse"
half_open_sessions = 21
half_open_per_source = 22
half_open_per_attachment = 23
half_open_per_domain = 24
new_sessions_per_source = 25
new_sessions_per_attachment = 26
new_sessions_per_domain = 27
hosts = 128
[timeouts]
tcp_handshake = 1
tcp_established = 2
tcp_closing = 3
udp = 4
icmp = 5
other = 6
fragment = 7
reload_grace = 11
tcp_half_closed = 8
tcp_loose = 9
udp_unanswered = 10
[tcp]
strict_windows = true
mid_stream = true
one_sided = true
reset_idle = true
[api]
socket = "weir.sock"
max_request_mib = 16
[rule_cache]
folder = "cache"
max_mib = 17
[log]
level = "debug"
[events]
eve = "eve.json"
flow = false
flow_interval = 28
rule_events_per_second = 29
default_deny = true
types = ["alert", "tls"]
payload = true
payload_printable = true
xff = "overwrite"
drops = "all"
drop_events_per_second = 31
xff_deployment = "forward"
xff_header = "True-Client-IP"
community_id = true
community_id_seed = 31
stats_interval = 30
[[port]]
name = "wan0"
driver = "af_packet"
interface = "eth1"
address = ["198.18.0.1/24", "198.18.1.1/24"]
gateway = ["198.18.0.254"]
mtu = 1600
vlan = 100
[[port]]
name = "wan1"
driver = "pci"
pci = "0000:03:00.0"
mac = "02:00:00:00:00:01"
[[port]]
name = "trace"
driver = "pcap"
rx_pcap = "in.pcap"
rx_loop = false
tx_pcap = "/tmp/out.pcap"
[[port]]
name = "tap0"
driver = "tap"
interface = "weir0"
[[port]]
name = "tap1"
driver = "tap"
interface = "weir1"
[[domain]]
name = "prod"
[[domain]]
name = "shared"
[[attachment]]
name = "cloud-a"
domain = "prod"
vxlan = { vni = 10, local = "198.18.0.1", remote = "198.18.0.10", port = 4790 }
gateway = ["10.1.0.1/24", "2001:db8:1::1/64"]
mac = "02:57:00:00:00:01"
mtu = 1450
mss_clamp = false
reverse_path = false
max_packets_per_second = 1000
max_bytes_per_second = 1000000
multicast_to = "tap0"
tags = ["prod", "pci"]
ttl = 63
dscp_model = "pipe"
dscp = 46
udp_checksum = true
[attachment.health]
probe = "icmp"
address = "10.1.0.9"
interval_ms = 200
jitter = 5
up_after = 4
down_after = 6
flap_half_life = 30
flap_limit = 7
traffic = true
withdraw = true
[[attachment]]
name = "geneve"
domain = "prod"
geneve = { vni = 30, local = "198.18.0.1", remote = "198.18.0.30", port = 6082, ethernet = false }
gateway = ["10.30.0.1/24"]
[[attachment]]
name = "gre"
domain = "prod"
gre = { local = "198.18.0.1", remote = "198.18.0.31", key = 31, ethernet = true }
gateway = ["10.31.0.1/24"]
[[attachment]]
name = "ipip"
domain = "prod"
ipip = { local = "198.18.0.1", remote = "198.18.0.32", inner = "ipv6" }
gateway = ["10.32.0.1/24"]
[[attachment]]
name = "native"
domain = "prod"
native = { port = "trace", vlan = 33, outer_vlan = 330 }
gateway = ["10.33.0.1/24"]
[[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
via = "10.1.0.2"
weight = 3
ecmp = true
[[route]]
domain = "prod"
prefix = "10.66.0.0/16"
blackhole = true
[routes]
file = "more.routes"
[[connection]]
domains = ["prod", "shared"]
expose = ["10.0.0.0/8", "2001:db8::/32"]
[[policy]]
id = "web"
action = "inspect"
from = { domains = ["prod"], prefixes = ["10.1.0.0/16", "10.2.3.4"], groups = ["clients"] }
to = { domains = ["shared", "prod"], prefixes = ["0.0.0.0/0"], groups = ["all", "servers"] }
protocol = "tcp"
ports = [80, "8000-8100", "443"]
log = ["start", "end"]
dscp = 45
timeouts = { udp = 61, udp_unanswered = 62, tcp_handshake = 63, tcp_established = 64, tcp_half_closed = 65, tcp_closing = 66, tcp_loose = 67, icmp = 68, other = 69 }
profile = "default"
comment = "all of it"
[[policy]]
id = "rest"
action = "allow"
services = ["dns", "ping"]
names = { sni = ["*.example.org"], http_host = ["www.example.org"], app = ["tls"], kuma_service = ["backend*"], kuma_mesh = ["demo"], kuma_zone = ["east"], kuma_namespace = ["shop"], spiffe = ["spiffe://demo/*"], spiffe_server = ["spiffe://demo/backend"] }
unknown = "next"
enabled = false
watch = true
[[profile]]
name = "default"
rules = ["demo.rules", "../rules/./b.rules", "/opt/c.rules"]
enable = [2019401, "1:2019402-2019409"]
disable = ["group:scan.rules"]
to_alert = ["re:heartbleed"]
to_drop = ["metadata:deployment perimeter"]
to_reject = ["3:7,3:9"]
to_pass = ["filename:*/local.rules"]
suppress = [5]
thresholds = "threshold.config"
classification = "classification.config"
references = "/etc/suricata/reference.config"
fuse = 100
on_drop = "silent"
fail = "open"
mode = "test"
depth = 65536
min_ttl = 5
on_conflict = "drop"
checksums = "ignore"
address_groups = { HOME_NET = "[10.1.0.0/16,!10.1.9.0/24]", MINE = "$HOME_NET" }
port_groups = { WEB_PORTS = "[80,8080:8089]" }
limits = { header_bytes = 4096, headers = 100, transactions = 99, request_body = 4097, response_body = 4098, decode_layers = 2, decode_ratio = 1000, dns_pointers = 9, certificates = 5 }
exceptions = { session_memory = "pass-flow", segment_memory = "drop-packet", midstream = "bypass", app_memory = "reject", transactions = "drop-flow", malformed = "auto", domain_memory = "reject", dns_pointers = "drop-flow", certificates = "bypass", rule_work = "drop-packet", queue_full = "bypass" }
[[nat]]
name = "out"
snat = { from = ["shared"], domain = "prod", pool = ["10.33.0.128/29"], ports = "2000-3000", sources = ["172.16.0.0/16"], destinations = ["192.0.2.0/24"], ftp = true }
[[nat]]
name = "published"
dnat = { seen_by = ["shared"], address = "10.9.9.9", protocol = "udp", port = 5353, domain = "prod", server = "10.1.0.53", server_port = 53 }
[[nat]]
name = "mapped"
static = { domain = "prod", inside = "10.1.0.64/28", outside = "100.64.7.64/28", seen_by = ["shared"], ftp = true }
[[nat]]
name = "files"
dnat = { seen_by = ["shared"], address = "10.9.9.9", port = 21, domain = "prod", server = "10.1.0.21", ftp = true }
[[nat]]
name = "farm"
dnat = { seen_by = ["shared"], address = "10.9.9.9", port = 80, domain = "prod", servers = ["10.1.0.22", "10.1.0.23"], weights = [3, 1] }
[[nat]]
name = "neutral"
static = { domain = "prod", inside = "fd01:203:405::/48", outside = "2001:db8:77::/48", seen_by = ["shared"], nptv6 = true }
[[nat]]
name = "planned"
snat = { from = ["shared"], domain = "prod", pool = ["10.33.0.144/29"], sources = ["172.20.0.0/28"], ports_per_host = 1024 }
[[nat]]
name = "six"
nat64 = { from = ["shared"], prefix = "2001:db8:64::/48", domain = "prod", pool = ["10.33.0.152/30"], ports = "3000-4000", sources = ["2001:db8:2::/64"], destinations = ["192.0.2.0/25"] }
[[prefix]]
prefix = "10.9.0.0/16"
tags = ["lab"]
domain = "shared"
[[group]]
name = "clients"
domains = ["shared"]
attachments = ["gre", "ipip"]
prefixes = ["10.8.0.0/16", "2001:db8:8::/48"]
comment = "who asks"
[[group]]
name = "servers"
match = 'prod and not (pci or lab)'
[[group]]
name = "all"
groups = ["clients", "servers"]
[[service]]
name = "dns"
protocol = "udp"
ports = [53, "5353-5354"]
comment = "names"
[[service]]
name = "ping"
protocol = "icmp"
icmp_types = [8, 13]
)";
}

std::ostream& operator<<(std::ostream& out, const ErrorRow& row) { return out << row.name; }

void expect_row(const ErrorRow& row) {
  SCOPED_TRACE(row.name);
  const Marked bad = unmark(text_of(row.base) + row.bad);
  ASSERT_EQ(bad.places.size(), row.problems.size()) << "the row itself is wrong";
  const auto config = read_config_text(bad.text, "/etc/weir/hub.toml");
  ASSERT_FALSE(config) << bad.text;
  std::string all;
  for (const Problem& problem : config.error()) all += to_string(problem) + "\n";
  ASSERT_EQ(config.error().size(), row.problems.size()) << all << bad.text;
  for (size_t i = 0; i < row.problems.size(); ++i) {
    const std::string text = to_string(config.error()[i]);
    const std::string place = "/etc/weir/hub.toml:" + bad.places[i] + ": ";
    EXPECT_EQ(text.compare(0, place.size(), place), 0) << "expected at " << bad.places[i] << ": " << text;
    EXPECT_NE(text.find(row.problems[i]), std::string::npos)
        << "expected " << row.problems[i] << "\nin " << text;
  }
  EXPECT_EQ(problems_of(text_of(row.base) + row.good), "") << row.good;
}

std::string problems_of(const std::string& text) {
  const auto config = read_config_text(text, "/etc/weir/hub.toml");
  std::string lines;
  if (!config) {
    for (const Problem& problem : config.error()) lines += to_string(problem) + "\n";
  }
  return lines;
}

Config read_good(const std::string& text) {
  auto config = read_config_text(text, "/etc/weir/hub.toml");
  EXPECT_TRUE(config) << problems_of(text);
  return config ? *std::move(config) : Config{};
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

void replace(std::string& text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  ASSERT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), with);
}

}  // namespace weir::config::test
