#include "mgmt/config/sections.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "mgmt/config/choices.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

namespace fs = std::filesystem;

/// The folder that relative file names are relative to.
fs::path folder_of(const std::string& file) {
  std::error_code error;
  const fs::path absolute = fs::absolute(file, error);
  return error ? fs::path() : absolute.parent_path();
}

/// Reads the keys of one table. What is absent or bad leaves the variable as it is.
class Table {
 public:
  Table(const Document& document, const Node* node, const fs::path& folder)
      : document_(document), node_(node), folder_(folder) {}

  void get(std::string_view key, std::string& out) const {
    if (const Node* value = find(key)) out = value->text;
  }
  void get(std::string_view key, bool& out) const {
    if (const Node* value = find(key)) out = value->boolean;
  }
  void get(std::string_view key, uint32_t& out) const {
    if (const Node* value = find(key)) out = static_cast<uint32_t>(value->integer);
  }
  void get(std::string_view key, uint16_t& out) const {
    if (const Node* value = find(key)) out = static_cast<uint16_t>(value->integer);
  }
  void get(std::string_view key, std::optional<uint32_t>& out) const {
    if (const Node* value = find(key)) out = static_cast<uint32_t>(value->integer);
  }
  void get(std::string_view key, uint8_t& out) const {
    if (const Node* value = find(key)) out = static_cast<uint8_t>(value->integer);
  }
  void get(std::string_view key, net::IpAddress& out) const {
    if (const Node* value = find(key)) out = *net::parse_ip(value->text);
  }
  void get(std::string_view key, std::optional<net::IpAddress>& out) const {
    if (const Node* value = find(key)) out = net::parse_ip(value->text);
  }
  void get(std::string_view key, std::optional<net::Mac>& out) const {
    if (const Node* value = find(key)) out = net::parse_mac(value->text);
  }
  void get(std::string_view key, net::Prefix& out) const {
    if (const Node* value = find(key)) out = *net::parse_prefix(value->text);
  }
  template <typename E, size_t N>
  void get(std::string_view key, const Choice<E> (&choices)[N], E& out) const {
    if (const Node* value = find(key)) out = *choice_of(choices, value->text);
  }
  void get(std::string_view key, std::vector<std::string>& out) const {
    each(key, [&](const Node& v) { out.push_back(v.text); });
  }
  /// Takes the place of a default.
  void replace(std::string_view key, std::vector<std::string>& out) const {
    if (find(key) == nullptr) return;
    out.clear();
    get(key, out);
  }
  void get(std::string_view key, std::vector<uint32_t>& out) const {
    each(key, [&](const Node& v) { out.push_back(static_cast<uint32_t>(v.integer)); });
  }
  void get(std::string_view key, std::vector<net::InterfaceAddress>& out) const {
    each(key, [&](const Node& v) { out.push_back(*net::parse_interface_address(v.text)); });
  }
  void get(std::string_view key, std::vector<net::IpAddress>& out) const {
    each(key, [&](const Node& v) { out.push_back(*net::parse_ip(v.text)); });
  }
  void get(std::string_view key, std::vector<net::Prefix>& out) const {
    each(key, [&](const Node& v) { out.push_back(*net::parse_prefix(v.text)); });
  }
  void get(std::string_view key, std::optional<std::vector<net::Prefix>>& out) const {
    if (find(key) == nullptr) return;
    get(key, out.emplace());
  }
  void get(std::string_view key, std::optional<RuleLog>& out) const {
    if (find(key) == nullptr) return;
    out.emplace();
    each(key, [&](const Node& v) {
      (*choice_of(kLogTimes, v.text) == LogTime::start ? out->start : out->end) = true;
    });
  }
  void get(std::string_view key, PortRange& out) const {
    if (const Node* value = find(key)) out = port_range(*value);
  }
  void get(std::string_view key, std::vector<PortRange>& out) const {
    each(key, [&](const Node& v) { out.push_back(port_range(v)); });
  }
  /// All keys, by the names that the file gives them.
  void get_all(RuleVariables& out) const {
    for (const Node& value : node_ != nullptr ? node_->children : std::vector<Node>{}) {
      if (!value.bad) out.emplace(value.key, value.text);
    }
  }
  /// A file name, made absolute; "" and "-" stay as they are.
  void get_file(std::string_view key, std::string& out) const {
    if (const Node* value = find(key)) out = absolute(value->text);
  }
  void get_file(std::string_view key, std::string& out, Location& where) const {
    if (const Node* value = find(key)) {
      out = absolute(value->text);
      where = document_.at(*value);
    }
  }
  void get_rules(inspection::ast::RuleChange change, std::vector<ProfileRuleEntry>& out) const {
    each(name_of(change), [&](const Node& v) {
      const bool number = v.kind == Node::Kind::integer;
      out.push_back({change, number ? std::to_string(v.integer) : v.text, document_.at(v)});
    });
  }
  void get_files(std::string_view key, std::vector<std::string>& out, std::vector<Location>& where) const {
    each(key, [&](const Node& v) {
      out.push_back(absolute(v.text));
      where.push_back(document_.at(v));
    });
  }

  /// Of the table itself.
  Location where() const { return node_ != nullptr ? document_.at(*node_) : Location{document_.file, 1, 1}; }
  /// Of a key's value, or of the table if it does not have the key.
  Location where(std::string_view key) const {
    const Node* value = node_ != nullptr ? node_->find(key) : nullptr;
    return value != nullptr ? document_.at(*value) : where();
  }
  bool has_table(std::string_view key) const {
    const Node* node = node_ != nullptr ? node_->find(key) : nullptr;
    return node != nullptr && node->kind == Node::Kind::table;
  }
  /// A table inside this one; reads nothing if there is none.
  Table inner(std::string_view key) const {
    const Node* node = node_ != nullptr ? node_->find(key) : nullptr;
    return {document_, node != nullptr && node->kind == Node::Kind::table ? node : nullptr, folder_};
  }

 private:
  static PortRange port_range(const Node& v) {
    const auto port = static_cast<uint16_t>(v.integer);
    return v.kind == Node::Kind::integer ? PortRange{port, port} : *parse_port_range(v.text);
  }
  const Node* find(std::string_view key) const { return node_ != nullptr ? node_->get(key) : nullptr; }

  /// The good elements of a list of which others may be bad.
  template <typename Visit>
  void each(std::string_view key, Visit&& visit) const {
    const Node* list = node_ != nullptr ? node_->find(key) : nullptr;
    if (list == nullptr || list->kind != Node::Kind::list) return;
    for (const Node& element : list->children) {
      if (!element.bad) visit(element);
    }
  }

  std::string absolute(const std::string& file) const {
    if (file.empty() || file == "-") return file;
    return (folder_ / file).lexically_normal().string();
  }

  const Document& document_;
  const Node* node_;
  const fs::path& folder_;
};

void read_limits(const Table& t, Limits& out) {
  t.get("sessions", out.sessions);
  t.get("packet_buffers", out.packet_buffers);
  t.get("ring_size", out.ring_size);
  t.get("attachments", out.attachments);
  t.get("adjacencies", out.adjacencies);
  t.get("neighbors_per_attachment", out.neighbors_per_attachment);
  t.get("routes", out.routes);
  t.get("held_packets", out.held_packets);
  t.get("held_per_neighbor", out.held_per_neighbor);
  t.get("held_fragments", out.held_fragments);
  t.get("fragmented_datagrams", out.fragmented_datagrams);
  t.get("fragments_per_datagram", out.fragments_per_datagram);
  t.get("punts_per_second", out.punts_per_second);
  t.get("punts_per_attachment", out.punts_per_attachment);
  t.get("icmp_errors_per_second", out.icmp_errors_per_second);
  t.get("inspected_sessions", out.inspected_sessions);
  t.get("stream_window", out.stream_window);
  t.get("host_marks", out.host_marks);
  t.get("dataset_values", out.dataset_values);
  t.get("file_magic_bytes", out.file_magic_bytes);
  t.get("file_magic_queue", out.file_magic_queue);
  t.get("tls_identities", out.tls_identities);
  t.get("inspection_domain_share", out.inspection_domain_share);
  t.get("rule_work", out.rule_work);
  t.get("regex_steps", out.regex_steps);
  t.get("out_of_order_segments", out.out_of_order_segments);
  t.get("inspection_packet_work", out.inspection_packet_work);
  t.get("inspection_turn_work", out.inspection_turn_work);
  t.get("inspection_queue", out.inspection_queue);
  t.get("overload_begin", out.overload_begin);
  t.get("overload_end", out.overload_end);
  t.get("nat_bindings", out.nat_bindings);
  t.get("ftp_controls", out.ftp_controls);
  t.get("policy_rules", out.policy_rules);
  t.get("pending_sessions", out.pending_sessions);
  t.get("pending_packets", out.pending_packets);
  t.get("pending_packets_per_session", out.pending_packets_per_session);
  t.get("pending_bytes_per_session", out.pending_bytes_per_session);
  t.get("pending_ms", out.pending_ms);
  t.get("event_queue", out.event_queue);
  t.get("when_full", kWhenFull, out.when_full);
  t.get("half_open_sessions", out.half_open_sessions);
  t.get("half_open_per_source", out.half_open_per_source);
  t.get("half_open_per_attachment", out.half_open_per_attachment);
  t.get("half_open_per_domain", out.half_open_per_domain);
  t.get("new_sessions_per_source", out.new_sessions_per_source);
  t.get("new_sessions_per_attachment", out.new_sessions_per_attachment);
  t.get("new_sessions_per_domain", out.new_sessions_per_domain);
  t.get("hosts", out.hosts);
  out.where = t.where();
}

/// Those of sessions: of the hub (Timeouts), or of a policy rule's (RuleTimeouts).
template <typename Seconds>
void read_session_timeouts(const Table& t, Seconds& out) {
  t.get("tcp_handshake", out.tcp_handshake);
  t.get("tcp_established", out.tcp_established);
  t.get("tcp_half_closed", out.tcp_half_closed);
  t.get("tcp_closing", out.tcp_closing);
  t.get("tcp_loose", out.tcp_loose);
  t.get("udp", out.udp);
  t.get("udp_unanswered", out.udp_unanswered);
  t.get("icmp", out.icmp);
  t.get("other", out.other);
}

void read_timeouts(const Table& t, Timeouts& out) {
  read_session_timeouts(t, out);
  t.get("fragment", out.fragment);
  t.get("reload_grace", out.reload_grace);
  out.where = t.where();
}

void read_tcp(const Table& t, Tcp& out) {
  t.get("strict_windows", out.strict_windows);
  t.get("mid_stream", out.mid_stream);
  t.get("one_sided", out.one_sided);
  t.get("reset_idle", out.reset_idle);
  out.where = t.where();
}

/// The sections that the file has once.
void read_singles(const Table& root, Config& out) {
  root.inner("hub").get("name", out.hub_name);

  const Table eal = root.inner("eal");
  eal.get("hugepages", kHugepages, out.eal.hugepages);
  eal.get("memory_mib", out.eal.memory_mib);
  eal.get("extra_args", out.eal.extra_args);
  out.eal.where = eal.where();

  const Table worker = root.inner("worker");
  worker.get("cores", out.workers.cores);
  worker.get("idle", kIdle, out.workers.idle);
  worker.get("burst", out.workers.burst);
  worker.get("stall_us", out.workers.stall_us);
  out.workers.where = worker.where();
  out.workers.cores_where = worker.where("cores");

  const Table control = root.inner("control");
  control.get("core", out.control.core);
  out.control.where = control.where();

  read_limits(root.inner("limits"), out.limits);
  read_timeouts(root.inner("timeouts"), out.timeouts);
  read_tcp(root.inner("tcp"), out.tcp);

  const Table api = root.inner("api");
  api.get_file("socket", out.api.socket);
  api.get("max_request_mib", out.api.max_request_mib);
  out.api.where = api.where();

  const Table routes = root.inner("routes");
  routes.get_file("file", out.routes_file);
  out.routes_file_where = routes.where("file");

  const Table rule_cache = root.inner("rule_cache");
  rule_cache.get_file("folder", out.rule_cache.folder);
  rule_cache.get("max_mib", out.rule_cache.max_mib);

  const Table log = root.inner("log");
  log.get("level", out.log.level);
  out.log.where = log.where();

  const Table events = root.inner("events");
  events.get_file("eve", out.events.eve);
  events.get("flow", out.events.flow);
  events.get("flow_interval", out.events.flow_interval);
  events.get("rule_events_per_second", out.events.rule_events_per_second);
  events.get("default_deny", out.events.default_deny);
  events.replace("types", out.events.types);
  events.get("payload", out.events.payload);
  events.get("payload_printable", out.events.payload_printable);
  events.get("drops", kDropEvents, out.events.drops);
  events.get("drop_events_per_second", out.events.drop_events_per_second);
  events.get("xff", kXffModes, out.events.xff);
  events.get("xff_deployment", kXffDeployments, out.events.xff_deployment);
  events.get("xff_header", out.events.xff_header);
  events.get("community_id", out.events.community_id);
  events.get("community_id_seed", out.events.community_id_seed);
  events.get("stats_interval", out.events.stats_interval);
  out.events.where = events.where();
}

Port read_port(const Table& t) {
  Port port;
  t.get("name", port.name);
  t.get("driver", kPortDrivers, port.driver);
  t.get("interface", port.interface);
  t.get("pci", port.pci);
  t.get_file("rx_pcap", port.rx_pcap);
  t.get("rx_loop", port.rx_loop);
  t.get_file("tx_pcap", port.tx_pcap);
  t.get("address", port.addresses);
  t.get("gateway", port.gateways);
  t.get("mac", port.mac);
  t.get("mtu", port.mtu);
  t.get("vlan", port.vlan);
  port.where = t.where();
  port.device_where = port.driver == PortDriver::pci ? t.where("pci") : t.where("interface");
  port.addresses_where = t.where("address");
  return port;
}

Domain read_domain(const Table& t) {
  Domain domain;
  t.get("name", domain.name);
  domain.where = t.where();
  return domain;
}

Health read_health(const Table& t) {
  Health health;
  t.get("probe", kHealthProbes, health.probe);
  t.get("address", health.address);
  t.get("interval_ms", health.interval_ms);
  t.get("jitter", health.jitter);
  t.get("up_after", health.up_after);
  t.get("down_after", health.down_after);
  t.get("flap_half_life", health.flap_half_life);
  t.get("flap_limit", health.flap_limit);
  t.get("traffic", health.traffic);
  t.get("withdraw", health.withdraw);
  return health;
}

/// The first of the tables that describe tunnels; that there is one only is checked elsewhere.
void read_tunnel(const Table& t, Attachment& out) {
  dataplane::Tunnel& tunnel = out.tunnel;
  for (const auto& kind : kTunnelKinds) {
    if (!t.has_table(kind.name)) continue;
    tunnel.kind = kind.value;
    break;
  }
  const Table inner = t.inner(name_of(kTunnelKinds, tunnel.kind));
  tunnel.udp_port =
      tunnel.kind == dataplane::TunnelKind::geneve ? dataplane::kGenevePort : dataplane::kVxlanPort;
  tunnel.ethernet = tunnel.kind != dataplane::TunnelKind::gre && tunnel.kind != dataplane::TunnelKind::ipip;
  inner.get("ethernet", tunnel.ethernet);
  inner.get("local", tunnel.local);
  inner.get("remote", tunnel.remote);
  inner.get("vni", tunnel.id);
  inner.get("inner", kInnerFamilies, tunnel.inner);
  if (tunnel.kind == dataplane::TunnelKind::native) {
    inner.get("port", out.port);
    inner.get("vlan", tunnel.vlan);
    inner.get("outer_vlan", tunnel.outer_vlan);
  } else {
    inner.get("port", tunnel.udp_port);
  }
  std::optional<uint32_t> key;
  inner.get("key", key);
  tunnel.keyed = key.has_value();
  if (key) tunnel.id = *key;
  t.get("ttl", tunnel.ttl);
  t.get("dscp_model", kDscpModels, tunnel.dscp_model);
  t.get("dscp", tunnel.dscp);
  tunnel.udp_checksum = default_udp_checksum(tunnel);
  t.get("udp_checksum", tunnel.udp_checksum);
  out.local_where = inner.where(tunnel.kind == dataplane::TunnelKind::native ? "port" : "local");
}

Attachment read_attachment(const Table& t) {
  Attachment attachment;
  t.get("name", attachment.name);
  t.get("domain", attachment.domain);
  t.get("gateway", attachment.gateways);
  t.get("mac", attachment.mac);
  t.get("mtu", attachment.mtu);
  t.get("mss_clamp", attachment.mss_clamp);
  t.get("reverse_path", attachment.reverse_path);
  t.get("max_packets_per_second", attachment.max_packets_per_second);
  t.get("max_bytes_per_second", attachment.max_bytes_per_second);
  t.get("multicast_to", attachment.multicast_to);
  t.get("tags", attachment.tags);
  attachment.health = read_health(t.inner("health"));
  attachment.where = t.where();
  read_tunnel(t, attachment);
  return attachment;
}

Route read_route(const Table& t) {
  Route route;
  t.get("domain", route.domain);
  t.get("prefix", route.prefix);
  t.get("attachment", route.attachment);
  t.get("via", route.via);
  t.get("weight", route.weight);
  t.get("ecmp", route.ecmp);
  t.get("blackhole", route.blackhole);
  route.where = t.where();
  return route;
}

Connection read_connection(const Table& t) {
  Connection connection;
  std::vector<std::string> domains;
  t.get("domains", domains);
  if (domains.size() == 2) {
    connection.a = std::move(domains[0]);
    connection.b = std::move(domains[1]);
  }
  t.get("expose", connection.expose);
  connection.where = t.where();
  return connection;
}

Endpoint read_endpoint(const Table& t) {
  Endpoint endpoint;
  t.get("domains", endpoint.domains);
  t.get("prefixes", endpoint.prefixes);
  t.get("groups", endpoint.groups);
  return endpoint;
}

TaggedPrefix read_tagged_prefix(const Table& t) {
  TaggedPrefix prefix;
  t.get("prefix", prefix.prefix);
  t.get("tags", prefix.tags);
  t.get("domain", prefix.domain);
  prefix.where = t.where();
  return prefix;
}

Group read_group(const Table& t) {
  Group group;
  t.get("name", group.name);
  t.get("domains", group.domains);
  t.get("attachments", group.attachments);
  t.get("prefixes", group.prefixes);
  t.get("groups", group.groups);
  t.get("match", group.match);
  t.get("comment", group.comment);
  group.where = t.where();
  return group;
}

Service read_service(const Table& t) {
  Service service;
  t.get("name", service.name);
  t.get("protocol", kProtocols, service.protocol);
  t.get("ports", service.ports);
  t.get("icmp_types", service.icmp_types);
  t.get("comment", service.comment);
  service.where = t.where();
  return service;
}

RuleNames read_names(const Table& t) {
  RuleNames names;
  for (size_t k = 0; k < names.size(); ++k)
    t.get(inspection::name_of(static_cast<inspection::NameKind>(k)), names[k]);
  return names;
}

PolicyRule read_policy_rule(const Table& t) {
  PolicyRule rule;
  t.get("id", rule.id);
  t.get("action", kPolicyActions, rule.action);
  rule.from = read_endpoint(t.inner("from"));
  rule.to = read_endpoint(t.inner("to"));
  t.get("protocol", kProtocols, rule.protocol);
  t.get("ports", rule.ports);
  t.get("services", rule.services);
  rule.names = read_names(t.inner("names"));
  t.get("unknown", kIfUnknown, rule.unknown);
  t.get("profile", rule.profile);
  t.get("enabled", rule.enabled);
  t.get("watch", rule.watch);
  t.get("log", rule.log);
  t.get("dscp", rule.dscp);
  read_session_timeouts(t.inner("timeouts"), rule.timeouts);
  t.get("comment", rule.comment);
  rule.where = t.where();
  return rule;
}

Profile read_profile(const Table& t) {
  Profile profile;
  t.get("name", profile.name);
  t.get_files("rules", profile.rule_files, profile.rule_files_where);
  for (size_t i = 0; i < inspection::ast::kRuleChangeNames.size(); ++i)
    t.get_rules(static_cast<inspection::ast::RuleChange>(i), profile.lists);
  t.get_file("thresholds", profile.threshold_file, profile.threshold_where);
  t.get_file("classification", profile.classification_file, profile.classification_where);
  t.get_file("references", profile.reference_file, profile.reference_where);
  t.get("fuse", profile.fuse);
  t.get("on_drop", kOnDrop, profile.on_drop);
  t.get("fail", kFailModes, profile.fail);
  t.get("mode", kInspectModes, profile.mode);
  t.get("depth", profile.depth);
  t.get("min_ttl", profile.min_ttl);
  t.get("on_conflict", kOnConflict, profile.on_conflict);
  t.get("checksums", kChecksums, profile.checksums);
  t.inner("address_groups").get_all(profile.address_groups);
  t.inner("port_groups").get_all(profile.port_groups);
  const Table limits = t.inner("limits");
  limits.get("header_bytes", profile.limits.header_bytes);
  limits.get("headers", profile.limits.headers);
  limits.get("transactions", profile.limits.transactions);
  limits.get("request_body", profile.limits.request_body);
  limits.get("response_body", profile.limits.response_body);
  limits.get("decode_layers", profile.limits.decode_layers);
  limits.get("decode_ratio", profile.limits.decode_ratio);
  limits.get("dns_pointers", profile.limits.dns_pointers);
  limits.get("certificates", profile.limits.certificates);
  const Table exceptions = t.inner("exceptions");
  exceptions.get("session_memory", kExceptionPolicies, profile.exceptions.session_memory);
  exceptions.get("segment_memory", kExceptionPolicies, profile.exceptions.segment_memory);
  exceptions.get("midstream", kExceptionPolicies, profile.exceptions.midstream);
  exceptions.get("app_memory", kExceptionPolicies, profile.exceptions.app_memory);
  exceptions.get("transactions", kExceptionPolicies, profile.exceptions.transactions);
  exceptions.get("malformed", kExceptionPolicies, profile.exceptions.malformed);
  exceptions.get("domain_memory", kExceptionPolicies, profile.exceptions.domain_memory);
  exceptions.get("dns_pointers", kExceptionPolicies, profile.exceptions.dns_pointers);
  exceptions.get("certificates", kExceptionPolicies, profile.exceptions.certificates);
  exceptions.get("rule_work", kExceptionPolicies, profile.exceptions.rule_work);
  exceptions.get("queue_full", kExceptionPolicies, profile.exceptions.queue_full);
  profile.where = t.where();
  return profile;
}

/// The first of the tables that say what it is; that there is one only is checked elsewhere.
Nat read_nat(const Table& t) {
  Nat nat;
  t.get("name", nat.name);
  nat.where = t.where();
  for (const auto& kind : kNatKinds) {
    if (!t.has_table(kind.name)) continue;
    nat.kind = kind.value;
    break;
  }
  const Table inner = t.inner(name_of(kNatKinds, nat.kind));
  inner.get(has_pool(nat.kind) ? "from" : "seen_by", nat.from);
  inner.get("domain", nat.domain);
  inner.get("inside", nat.inside);
  inner.get("outside", nat.outside);
  inner.get("address", nat.address);
  inner.get("protocol", kDnatProtocols, nat.protocol);
  inner.get("port", nat.port);
  inner.get("server", nat.server);
  inner.get("servers", nat.servers);
  inner.get("weights", nat.weights);
  inner.get("server_port", nat.server_port);
  inner.get("prefix", nat.prefix);
  inner.get("pool", nat.pool);
  inner.get("ports", nat.ports);
  inner.get("sources", nat.sources);
  inner.get("destinations", nat.destinations);
  inner.get("ports_per_host", nat.ports_per_host);
  inner.get("nptv6", nat.nptv6);
  inner.get("ftp", nat.ftp);
  return nat;
}

/// Where the file sets keys of the tables that only a restart changes (and of the other single ones, which
/// does no harm).
void note_places(const Document& document, const Draft& draft, std::map<std::string, Location>& out) {
  for (const Node& section : document.root.children) {
    if (section.kind != Node::Kind::table) continue;
    for (const Node& key : section.children) out.emplace(section.key + "." + key.key, document.at(key));
  }
  for (size_t i = 0; i < draft.ports.size(); ++i) {
    const std::string path = "port[" + draft.config.ports[i].name + "].";
    for (const Node& key : draft.ports[i]->children) out.emplace(path + key.key, document.at(key));
  }
}

}  // namespace

NatTables nat_tables_of(const Node& rule) {
  const char* const kOne = "exactly one of the tables \"static\", \"dnat\", \"snat\" and \"nat64\"";
  NatTables found;
  for (const auto& kind : kNatKinds) {
    const Node* node = rule.find(kind.name);
    if (node == nullptr) continue;
    if (found.at != nullptr)
      return {node, "nat[]." + std::string(kind.name), std::string("a rule has ") + kOne};
    found.at = node;
  }
  return found.at != nullptr ? found : NatTables{&rule, "nat[]", std::string("missing: ") + kOne};
}

ChangeSubject read_subject(std::string_view kind, const Document& document, const Node& table) {
  const fs::path folder;  // nothing that can be changed names a file
  const Table t(document, &table, folder);
  if (kind == "domain") return read_domain(t);
  if (kind == "attachment") return read_attachment(t);
  if (kind == "route") return read_route(t);
  if (kind == "connection") return read_connection(t);
  if (kind == "group") return read_group(t);
  if (kind == "nat") return read_nat(t);
  return read_policy_rule(t);
}

Draft read_sections(const Document& document) {
  Draft draft{document, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  const fs::path folder = folder_of(document.file);
  const auto list = [&](std::string_view name, auto& out, std::vector<const Node*>& sources, auto&& read) {
    const Node* tables = document.root.find(name);
    if (tables == nullptr || tables->kind != Node::Kind::list) return;
    for (const Node& table : tables->children) {
      if (table.kind != Node::Kind::table) continue;
      out.push_back(read(Table(document, &table, folder)));
      sources.push_back(&table);
    }
  };
  Config& config = draft.config;
  config.file = document.file;
  read_singles(Table(document, &document.root, folder), config);
  list("port", config.ports, draft.ports, read_port);
  list("domain", config.domains, draft.domains, read_domain);
  list("attachment", config.attachments, draft.attachments, read_attachment);
  list("route", config.routes, draft.routes, read_route);
  list("connection", config.connections, draft.connections, read_connection);
  list("prefix", config.objects.prefixes, draft.prefixes, read_tagged_prefix);
  list("group", config.objects.groups, draft.groups, read_group);
  list("service", config.objects.services, draft.services, read_service);
  list("policy", config.policy, draft.policy, read_policy_rule);
  list("profile", config.profiles, draft.profiles, read_profile);
  list("nat", config.nat, draft.nat, read_nat);
  note_places(document, draft, config.key_where);
  return draft;
}

}  // namespace weir::config
