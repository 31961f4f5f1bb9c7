// The configuration as values: what one TOML file says, checked and complete, with the place of each thing.
//
// A Config is immutable once read. Reading it needs no root, no EAL and no network; whatever only the machine
// can tell (is there such a port, such a core, such an address) is checked when the hub starts.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"
#include "dataplane/tunnel/tunnel.h"
#include "inspection/engine/exception_policy.h"
#include "inspection/names/name_question.h"
#include "inspection/rules/rule_lists.h"

namespace weir::config {

/// Where in which file; line and column count from 1, 0 = unknown.
struct Location {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;
};

enum class Hugepages { automatic, on, off };
enum class Idle { poll, adaptive };
enum class PortDriver { af_xdp, af_packet, tap, pcap, null, pci, memory };
enum class OnDrop { reset, silent };
enum class FailMode { open, closed };
enum class InspectMode : uint8_t { ids, test, ips };
enum class OnConflict : uint8_t { rewrite, drop };
enum class Checksums : uint8_t { verify, ignore };
/// What gives way when inspection is at a ceiling; `automatic` among them.
using ExceptionPolicy = inspection::ExceptionPolicy;
enum class WhenFull { half_open, refuse };
/// Which packets that inspection drops are told: the first of each direction of a session, or all.
enum class DropEvents : uint8_t { start, all };
/// When a record is written.
enum class LogTime : uint8_t { start, end };
/// What becomes of the address that a proxy names in a request.
enum class XffMode : uint8_t { off, extra_data, overwrite };
/// Which one of several: a reverse proxy has added the last, a forward proxy stands behind the first.
enum class XffDeployment : uint8_t { reverse, forward };
/// The events that inspection writes.
inline constexpr std::array<std::string_view, 12> kEventTypes = {
    "alert", "drop", "http", "tls", "dns", "ssh", "quic", "smtp", "ftp", "ftp_data", "fileinfo", "anomaly"};
enum class HealthProbe : uint8_t { none, icmp, neighbor };
enum class PolicyAction { allow, deny, inspect, reject };
/// What a policy rule does to a session whose names stay unknown.
enum class IfUnknown { deny, allow, next };
enum class Protocol : uint8_t {
  any = 0,
  icmp = 1,
  tcp = 6,
  udp = 17,
  gre = 47,
  esp = 50,
  ah = 51,
  icmpv6 = 58,
  sctp = 132,
};

struct Eal {
  Hugepages hugepages = Hugepages::automatic;
  uint32_t memory_mib = 0;  // 0: computed from the limits, see `weir check`
  std::vector<std::string> extra_args;
  Location where;
};

struct Workers {
  std::vector<uint32_t> cores;  // one worker on each
  Idle idle = Idle::adaptive;
  uint32_t burst = 32;
  uint32_t stall_us = 1'000;  // 0: no turn is a stall
  Location where;
  Location cores_where;
};

struct Control {
  std::optional<uint32_t>
      core;  // control, builder, writer and API threads; absent: every core that no worker has
  Location where;
};

/// Ceilings. Every one is counted when it is hit.
struct Limits {
  uint32_t sessions = 65'536;        // whole hub, shared out evenly over workers
  uint32_t packet_buffers = 16'384;  // mbufs
  uint32_t ring_size = 2'048;        // each hand-over and punt ring, packets; a power of two
  uint32_t attachments = 16'384;
  uint32_t adjacencies = 16'384;  // next hops inside attachments
  uint32_t neighbors_per_attachment = 4'096;
  uint32_t routes = 2'000'000;  // of all domains
  uint32_t policy_rules = 16'384;
  uint32_t held_packets = 1'024;  // packets that wait for a next hop to answer
  uint32_t held_per_neighbor = 16;
  uint32_t held_fragments = 2'048;        // IP fragments that wait for others, outer and inner
  uint32_t fragmented_datagrams = 4'096;  // of which some fragments came, outer and inner
  uint32_t fragments_per_datagram = 64;
  uint32_t punts_per_second = 2'000;         // per worker and kind
  uint32_t punts_per_attachment = 200;       // per second, worker and kind
  uint32_t icmp_errors_per_second = 100;     // per attachment
  uint32_t inspected_sessions = 8'192;       // whole hub
  uint32_t stream_window = 4'096;            // bytes kept per direction of an inspected TCP session
  uint32_t host_marks = 262'144;             // what inspection rules remember of hosts
  uint32_t dataset_values = 16'384;          // what inspection rules add to data sets
  uint32_t file_magic_bytes = 2'048;         // of a file's beginning that libmagic is shown
  uint32_t file_magic_queue = 256;           // files of a worker that wait for it
  uint32_t tls_identities = 4'096;           // TLS sessions whose certificates are remembered
  uint32_t inspection_domain_share = 75;     // percent of a worker's sessions and memory
  uint32_t rule_work = 12'288;               // bytes that one rule may look at in one buffer, and 8 for each
  uint32_t regex_steps = 3'500;              // of a regular expression, at one place
  uint32_t out_of_order_segments = 16;       // recorded per direction of an inspected TCP session
  uint32_t inspection_packet_work = 65'536;  // bytes, in one turn
  uint32_t inspection_turn_work = 131'072;
  uint32_t inspection_queue = 1'024;  // packets, whole hub
  uint32_t overload_begin = 75;       // percent of it
  uint32_t overload_end = 25;
  uint32_t nat_bindings = 65'536;     // to pools, whole hub
  uint32_t ftp_controls = 1'024;      // translated control connections of FTP, whole hub
  uint32_t pending_sessions = 1'024;  // whose rule is not known yet, whole hub
  uint32_t pending_packets = 1'024;   // that they hold, whole hub
  uint32_t pending_packets_per_session = 16;
  uint32_t pending_bytes_per_session = 32'768;
  uint32_t pending_ms = 2'000;
  uint32_t event_queue = 4'096;  // events between a worker and the writer
  WhenFull when_full = WhenFull::half_open;
  // New sessions; 0: no bound.
  uint32_t half_open_sessions = 0;  // whole hub; 0: a quarter of `sessions`
  uint32_t half_open_per_source = 0;
  uint32_t half_open_per_attachment = 0;
  uint32_t half_open_per_domain = 0;
  uint32_t new_sessions_per_source = 0;  // per second
  uint32_t new_sessions_per_attachment = 0;
  uint32_t new_sessions_per_domain = 0;
  uint32_t hosts = 65'536;  // sources that are counted each for itself
  Location where;
};

struct Timeouts {  // seconds
  uint32_t tcp_handshake = 10;
  uint32_t tcp_established = 3'600;
  uint32_t tcp_closing = 30;
  uint32_t udp = 60;
  uint32_t icmp = 15;
  uint32_t other = 120;
  uint32_t fragment = 2;       // the rest of a datagram
  uint32_t reload_grace = 10;  // sessions under inspection stay with the rules before
  uint32_t tcp_half_closed = 120;
  uint32_t tcp_loose = 120;  // taken up in its midst, one end not seen yet
  uint32_t udp_unanswered = 30;
  Location where;
};

/// How TCP is followed.
struct Tcp {
  bool strict_windows = false;  // drops all that lies outside of them
  bool mid_stream = false;      // a session may begin with another segment than SYN
  bool one_sided = false;       // the other direction may pass elsewhere
  bool reset_idle = false;      // both ends are told when an idle session is forgotten
  Location where;
};

struct Api {
  std::string socket = "/run/weir/weir.sock";
  uint32_t max_request_mib = 64;
  Location where;
};

struct Log {
  std::string level = "info";  // trace, debug, info, warn, error
  Location where;
};

struct Events {
  std::string eve;  // file, "-" for standard output, "" for none
  bool flow = true;
  uint32_t flow_interval = 0;            // seconds; 0: at the end of a session only
  uint32_t rule_events_per_second = 10;  // per policy rule and worker
  bool default_deny = false;
  std::vector<std::string> types{kEventTypes.begin(), kEventTypes.end()};  // of inspection
  bool payload = false;                                                    // in alerts
  bool payload_printable = false;
  DropEvents drops = DropEvents::start;
  uint32_t drop_events_per_second = 1'000;  // per worker, with DropEvents::all
  XffMode xff = XffMode::off;
  XffDeployment xff_deployment = XffDeployment::reverse;
  std::string xff_header = "X-Forwarded-For";
  bool community_id = false;
  uint16_t community_id_seed = 0;
  uint32_t stats_interval = 8;  // seconds; 0: none
  Location where;
};

struct Port {
  std::string name;
  PortDriver driver = PortDriver::af_xdp;
  std::string interface;  // af_xdp, af_packet: the kernel's interface; tap: the one that the hub makes
  std::string pci;        // pci: "0000:03:00.0"
  std::string rx_pcap;    // pcap: file to read, may be empty
  bool rx_loop = false;   // pcap: what is read comes again and again
  std::string tx_pcap;    // pcap: file to write, may be empty
  std::vector<net::InterfaceAddress>
      addresses;  // underlay; af_xdp: empty = the kernel's own on that interface
  /// Underlay default routes, at most one of each family; not on af_xdp, where the kernel's routes are read.
  std::vector<net::IpAddress> gateways;
  std::optional<net::Mac> mac;  // default: the device's own
  uint32_t mtu = 0;             // 0: the device's own
  uint16_t vlan = 0;            // of the underlay; 0: untagged
  Location where;
  Location device_where;  // of `interface` or `pci`
  Location addresses_where;
};

struct Domain {
  std::string name;
  Location where;
};

/// How the hub finds out whether an attachment works.
struct Health {
  HealthProbe probe = HealthProbe::none;
  std::optional<net::IpAddress> address;  // inside the attachment; required with a probe
  uint32_t interval_ms = 1'000;
  uint32_t jitter = 20;  // percent that an interval may be shorter
  uint32_t up_after = 2;
  uint32_t down_after = 3;
  uint32_t flap_half_life = 60;  // seconds; 0: no dampening
  uint32_t flap_limit = 4;
  bool traffic = false;  // packets that come in count as an answer
  bool withdraw = false;
  friend bool operator==(const Health&, const Health&) = default;
};

struct Attachment {
  std::string name;
  std::string domain;
  dataplane::Tunnel tunnel;                     // native: `tunnel.port` is not known here, but `port` is
  std::string port;                             // native: the port's name
  std::vector<net::InterfaceAddress> gateways;  // the hub's addresses inside: on-link subnets
  std::optional<net::Mac> mac;                  // the hub's MAC inside; default: derived from the name
  uint32_t mtu = 0;                             // inner IP MTU; 0: the port's less the encapsulation
  bool mss_clamp = true;                        // TCP's MSS is lowered to what `mtu` carries
  bool reverse_path = true;                     // sources are checked against the routes
  uint32_t max_packets_per_second = 0;          // received; 0: no bound
  uint32_t max_bytes_per_second = 0;            // inner Ethernet frames; 0: no bound
  std::string multicast_to;                     // a tap port's name; empty: multicast is dropped
  std::vector<std::string> tags;                // for the groups of the policy
  Health health;
  Location where;
  Location local_where;  // native: of its port
};

/// prefix -> attachment (via a router inside it, or on-link where absent), or blackhole.
struct Route {
  std::string domain;
  net::Prefix prefix;
  std::string attachment;  // empty: blackhole
  std::optional<net::IpAddress> via;
  uint32_t weight = 1;
  bool ecmp = false;  // another route of the same prefix is meant, not a mistake
  bool blackhole = false;
  Location where;
};

struct Connection {  // in both directions
  std::string a;
  std::string b;
  Location where;
  /// What each side exposes to the other: its routes within these prefixes; absent: all.
  std::optional<std::vector<net::Prefix>> expose = {};
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65'535;
};

/// A prefix that groups choose by its tags.
struct TaggedPrefix {
  net::Prefix prefix;
  std::vector<std::string> tags;
  std::string domain;  // empty: whatever domain the address is in
  Location where;
};

/// What belongs to it: each of its parts, and what the expression chooses.
struct Group {
  std::string name;
  std::vector<std::string> domains;
  std::vector<std::string> attachments;
  std::vector<net::Prefix> prefixes;
  std::vector<std::string> groups;
  std::string match;  // a TagExpression; empty: none
  std::string comment;
  Location where;
};

struct Service {
  std::string name;
  Protocol protocol = Protocol::any;
  std::vector<PortRange> ports;      // destination; empty: any; only with tcp and udp
  std::vector<uint32_t> icmp_types;  // empty: any; only with icmp and icmpv6
  std::string comment;
  Location where;
};

/// What policy rules speak of beside domains and attachments.
struct PolicyObjects {
  std::vector<TaggedPrefix> prefixes;
  std::vector<Group> groups;
  std::vector<Service> services;
};

struct Endpoint {                     // of a policy rule
  std::vector<std::string> domains;   // empty: any
  std::vector<net::Prefix> prefixes;  // with `groups` both empty: any address
  std::vector<std::string> groups;
};

/// Of the sessions that a policy rule decides, in seconds; absent: as in Timeouts.
struct RuleTimeouts {
  std::optional<uint32_t> tcp_handshake, tcp_established, tcp_half_closed, tcp_closing, tcp_loose;
  std::optional<uint32_t> udp, udp_unanswered, icmp, other;
  bool any() const { return *this != RuleTimeouts(); }
  friend auto operator<=>(const RuleTimeouts&, const RuleTimeouts&) = default;
};

/// Which records of its sessions a policy rule asks for.
struct RuleLog {
  bool start = false, end = false;
};

/// By NameKind: the patterns of which one has to fit; empty: that kind is not asked for.
using RuleNames = std::array<std::vector<std::string>, inspection::kNameKinds>;

struct PolicyRule {
  std::string id;  // stable, unique
  PolicyAction action = PolicyAction::deny;
  Endpoint from;
  Endpoint to;
  Protocol protocol = Protocol::any;
  std::vector<PortRange> ports;       // destination; empty = any; only with tcp and udp
  std::vector<std::string> services;  // instead of protocol and ports
  RuleNames names;
  IfUnknown unknown = IfUnknown::deny;  // with names
  std::string profile;                  // inspect: which
  bool enabled = true;
  bool watch = false;            // counts what it would decide, decides nothing
  std::optional<RuleLog> log;    // absent: as events.flow says
  std::optional<uint32_t> dscp;  // absent: the packets keep theirs
  RuleTimeouts timeouts;
  std::string comment;
  Location where;
};

enum class NatKind : uint8_t { fixed, dnat, snat, nat64 };
/// Do its sessions get their source from a pool?
constexpr bool has_pool(NatKind kind) { return kind == NatKind::snat || kind == NatKind::nat64; }

/// One rule of address translation; only what belongs to its kind counts.
struct Nat {
  std::string name;
  NatKind kind = NatKind::snat;
  /// static, dnat: the domains that see the outside address; static: empty is all but its own. snat, nat64:
  /// the initiators' domains.
  std::vector<std::string> from;
  std::string domain;  // static: of the inside addresses; dnat: of the server; else where the pool is
  // static
  net::Prefix inside;
  net::Prefix outside;
  bool nptv6 = false;
  // dnat
  net::IpAddress address;
  Protocol protocol = Protocol::tcp;
  uint16_t port = 0;
  std::optional<net::IpAddress> server;  // this or `servers`
  std::vector<net::IpAddress> servers;   // that share the sessions
  std::vector<uint32_t> weights;         // by `servers`; empty: all the same
  uint16_t server_port = 0;              // 0: as `port`
  // nat64; with it pool, ports, sources (empty: all) and destinations
  net::Prefix prefix{net::Ipv6{0x0064'ff9b'0000'0000, 0}, 96};  // the well-known one
  // snat
  std::vector<net::Prefix> pool;
  PortRange ports = {1'024, 65'535};
  std::vector<net::Prefix> sources;       // empty: private ones
  std::vector<net::Prefix> destinations;  // empty: all but private ones
  uint32_t ports_per_host = 0;            // 0: as they come
  bool ftp = false;                       // what FTP's control connections name is translated, too
  Location where;
};

/// Of the protocol parsers of one inspected session.
struct ProfileLimits {
  uint32_t header_bytes = 65'536;
  uint32_t headers = 1'024;
  uint32_t transactions = 512;
  uint32_t request_body = 102'400;   // bytes; 0: all
  uint32_t response_body = 102'400;  // bytes; 0: all
  uint32_t decode_layers = 3;
  uint32_t decode_ratio = 2'048;
  uint32_t dns_pointers = 128;
  uint32_t certificates = 32;
};

struct ProfileExceptions {
  ExceptionPolicy session_memory = ExceptionPolicy::drop_packet;
  ExceptionPolicy segment_memory = ExceptionPolicy::ignore;
  ExceptionPolicy midstream = ExceptionPolicy::ignore;
  ExceptionPolicy app_memory = ExceptionPolicy::ignore;
  ExceptionPolicy transactions = ExceptionPolicy::ignore;
  ExceptionPolicy malformed = ExceptionPolicy::ignore;
  ExceptionPolicy domain_memory = ExceptionPolicy::drop_packet;
  ExceptionPolicy dns_pointers = ExceptionPolicy::ignore;
  ExceptionPolicy certificates = ExceptionPolicy::ignore;
  ExceptionPolicy rule_work = ExceptionPolicy::ignore;
  ExceptionPolicy queue_full = ExceptionPolicy::drop_packet;
};

/// Values of a rule's variables by name, as a rule would write them.
using RuleVariables = std::map<std::string, std::string, std::less<>>;

/// An entry of one of a profile's lists: `disable = ["2019401"]`.
struct ProfileRuleEntry {
  inspection::ast::RuleChange change = inspection::ast::RuleChange::disable;
  std::string pattern;
  Location where;
};

struct Profile {
  std::string name;
  std::vector<std::string> rule_files;  // absolute, or relative to the config file's folder
  std::vector<Location> rule_files_where;
  std::vector<ProfileRuleEntry> lists;                              // in the order of RuleChange
  std::string threshold_file, classification_file, reference_file;  // empty: none
  Location threshold_where, classification_where, reference_where;
  uint32_t fuse = 0;  // sessions that one rule may drop in a minute; 0: any number
  OnDrop on_drop = OnDrop::reset;
  FailMode fail = FailMode::closed;
  InspectMode mode = InspectMode::ips;
  uint32_t depth = 1'048'576;  // bytes of each direction; 0: all
  uint32_t min_ttl = 0;
  OnConflict on_conflict = OnConflict::rewrite;
  Checksums checksums = Checksums::verify;
  RuleVariables address_groups, port_groups;  // beside those that have a value anyway
  ProfileLimits limits;
  ProfileExceptions exceptions;
  Location where;
};

/// Compiled rules on disk.
struct RuleCache {
  std::string folder;      // absolute; empty: none
  uint32_t max_mib = 256;  // what all files may take, but for those in use
};

struct Config {
  std::string file;
  uint64_t digest = 0;  // of the file's text, see save.h
  std::string hub_name = "weir";
  Eal eal;
  Workers workers;
  Control control;
  Limits limits;
  Timeouts timeouts;
  Tcp tcp;
  Api api;
  Log log;
  RuleCache rule_cache;
  Events events;
  std::vector<Port> ports;
  std::vector<Domain> domains;
  std::vector<Attachment> attachments;
  std::vector<Route> routes;
  std::string routes_file;  // more routes, as lines; empty: none. They stand behind the others in `routes`
  Location routes_file_where;
  std::vector<Connection> connections;
  PolicyObjects objects;
  std::vector<PolicyRule> policy;  // in order; nothing matches: deny
  std::vector<Profile> profiles;
  std::vector<Nat> nat;
  /// Where the file sets keys that only a restart changes, by path: "worker.burst", "port[wan0].mtu".
  std::map<std::string, Location> key_where;
};

}  // namespace weir::config
