#include "mgmt/config/toml_values.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "mgmt/config/choices.h"

namespace weir::config {

namespace {

std::string toml(const std::string& v) { return toml_string(v); }
std::string toml(bool v) { return v ? "true" : "false"; }
std::string toml(uint32_t v) { return std::to_string(v); }
std::string toml(const PortRange& v) {
  if (v.first == v.last) return std::to_string(v.first);
  return toml_string(std::to_string(v.first) + "-" + std::to_string(v.last));
}
std::string toml(const net::Prefix& v) { return toml_string(net::to_string(v)); }
std::string toml(const net::InterfaceAddress& v) { return toml_string(net::to_string(v)); }
std::string toml(const net::IpAddress& v) { return toml_string(net::to_string(v)); }
std::string toml(const RuleLog& v) {
  std::string text;
  for (const auto& time : kLogTimes) {
    if (time.value == LogTime::start ? v.start : v.end)
      text += (text.empty() ? "[" : ", ") + toml_string(time.name);
  }
  return text.empty() ? "[]" : text + "]";
}
std::string toml(const net::Mac& v) { return toml_string(net::to_string(v)); }
template <typename T>
std::string toml(const std::vector<T>& list);
template <typename T>
std::string toml(const std::optional<T>& v) {
  return v ? toml(*v) : "";
}
template <typename T>
std::string toml(const std::vector<T>& list) {
  std::string text;
  for (const T& v : list) text += (text.empty() ? "[" : ", ") + toml(v);
  return text.empty() ? "[]" : text + "]";
}
/// An empty list that a file cannot write is a key that it leaves out.
template <typename T>
std::string unless_empty(const T& v) {
  return v.empty() ? "" : toml(v);
}
std::string unless_zero(uint32_t v) { return v == 0 ? "" : toml(v); }
template <typename E, size_t N>
std::string word(const Choice<E> (&choices)[N], E v) {
  return toml_string(name_of(choices, v));
}

/// The keys of the table that says what kind of tunnel it is.
void add_tunnel(const Attachment& a, Values& values) {
  using dataplane::TunnelKind;
  const dataplane::Tunnel& t = a.tunnel;
  const std::string table = "attachment[]." + std::string(name_of(kTunnelKinds, t.kind)) + ".";
  if (t.kind == TunnelKind::native) {
    values[table + "port"] = toml(a.port);
    values[table + "vlan"] = unless_zero(t.vlan);
    values[table + "outer_vlan"] = unless_zero(t.outer_vlan);
    return;
  }
  values[table + "local"] = toml(t.local);
  values[table + "remote"] = toml(t.remote);
  if (over_udp(t.kind)) {
    values[table + "vni"] = toml(t.id);
    values[table + "port"] = toml(uint32_t{t.udp_port});
  }
  if (t.kind == TunnelKind::gre) values[table + "key"] = t.keyed ? toml(t.id) : "";
  if (t.kind == TunnelKind::gre || t.kind == TunnelKind::geneve)
    values[table + "ethernet"] = toml(t.ethernet);
  if (t.kind == TunnelKind::ipip) values[table + "inner"] = word(kInnerFamilies, t.inner);
}

}  // namespace

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + '"';
}

Values values_of(const Domain& d) { return {{"domain[].name", toml(d.name)}}; }

Values values_of(const Attachment& a) {
  const dataplane::Tunnel& t = a.tunnel;
  Values values = {
      {"attachment[].name", toml(a.name)},
      {"attachment[].domain", toml(a.domain)},
      {"attachment[].gateway", toml(a.gateways)},
      {"attachment[].mac", toml(a.mac)},
      {"attachment[].mtu", unless_zero(a.mtu)},
      {"attachment[].mss_clamp", toml(a.mss_clamp)},
      {"attachment[].reverse_path", toml(a.reverse_path)},
      {"attachment[].max_packets_per_second", toml(a.max_packets_per_second)},
      {"attachment[].max_bytes_per_second", toml(a.max_bytes_per_second)},
      {"attachment[].multicast_to", unless_empty(a.multicast_to)},
      {"attachment[].tags", unless_empty(a.tags)},
      {"attachment[].health.probe", word(kHealthProbes, a.health.probe)},
      {"attachment[].health.address", toml(a.health.address)},
      {"attachment[].health.interval_ms", toml(a.health.interval_ms)},
      {"attachment[].health.jitter", toml(a.health.jitter)},
      {"attachment[].health.up_after", toml(a.health.up_after)},
      {"attachment[].health.down_after", toml(a.health.down_after)},
      {"attachment[].health.flap_half_life", toml(a.health.flap_half_life)},
      {"attachment[].health.flap_limit", toml(a.health.flap_limit)},
      {"attachment[].health.traffic", toml(a.health.traffic)},
      {"attachment[].health.withdraw", toml(a.health.withdraw)},
      {"attachment[].ttl", toml(uint32_t{t.ttl})},
      {"attachment[].dscp_model", word(kDscpModels, t.dscp_model)},
      {"attachment[].dscp", toml(uint32_t{t.dscp})},
      {"attachment[].udp_checksum", t.udp_checksum == default_udp_checksum(t) ? "" : toml(t.udp_checksum)}};
  add_tunnel(a, values);
  return values;
}

Values values_of(const Route& r) {
  return {{"route[].domain", toml(r.domain)},
          {"route[].prefix", toml(r.prefix)},
          {"route[].attachment", unless_empty(r.attachment)},
          {"route[].via", toml(r.via)},
          {"route[].weight", toml(r.weight)},
          {"route[].ecmp", toml(r.ecmp)},
          {"route[].blackhole", toml(r.blackhole)}};
}

Values values_of(const Connection& c) {
  return {{"connection[].domains", toml(std::vector<std::string>{c.a, c.b})},
          {"connection[].expose", toml(c.expose)}};
}

Values values_of(const TaggedPrefix& p) {
  return {{"prefix[].prefix", toml(p.prefix)},
          {"prefix[].tags", toml(p.tags)},
          {"prefix[].domain", unless_empty(p.domain)}};
}

Values values_of(const Group& g) {
  return {{"group[].name", toml(g.name)},
          {"group[].domains", unless_empty(g.domains)},
          {"group[].attachments", unless_empty(g.attachments)},
          {"group[].prefixes", unless_empty(g.prefixes)},
          {"group[].groups", unless_empty(g.groups)},
          {"group[].match", unless_empty(g.match)},
          {"group[].comment", toml(g.comment)}};
}

Values values_of(const Service& s) {
  return {{"service[].name", toml(s.name)},
          {"service[].protocol", word(kProtocols, s.protocol)},
          {"service[].ports", unless_empty(s.ports)},
          {"service[].icmp_types", unless_empty(s.icmp_types)},
          {"service[].comment", toml(s.comment)}};
}

Values values_of(const PolicyRule& r) {
  Values values = {{"policy[].id", toml(r.id)},
                   {"policy[].action", word(kPolicyActions, r.action)},
                   {"policy[].from.domains", unless_empty(r.from.domains)},
                   {"policy[].from.prefixes", unless_empty(r.from.prefixes)},
                   {"policy[].from.groups", unless_empty(r.from.groups)},
                   {"policy[].to.domains", unless_empty(r.to.domains)},
                   {"policy[].to.prefixes", unless_empty(r.to.prefixes)},
                   {"policy[].to.groups", unless_empty(r.to.groups)},
                   {"policy[].protocol", word(kProtocols, r.protocol)},
                   {"policy[].ports", unless_empty(r.ports)},
                   {"policy[].services", unless_empty(r.services)},
                   {"policy[].profile", unless_empty(r.profile)},
                   {"policy[].enabled", toml(r.enabled)},
                   {"policy[].watch", toml(r.watch)},
                   {"policy[].log", toml(r.log)},
                   {"policy[].dscp", toml(r.dscp)},
                   {"policy[].timeouts.tcp_handshake", toml(r.timeouts.tcp_handshake)},
                   {"policy[].timeouts.tcp_established", toml(r.timeouts.tcp_established)},
                   {"policy[].timeouts.tcp_half_closed", toml(r.timeouts.tcp_half_closed)},
                   {"policy[].timeouts.tcp_closing", toml(r.timeouts.tcp_closing)},
                   {"policy[].timeouts.tcp_loose", toml(r.timeouts.tcp_loose)},
                   {"policy[].timeouts.udp", toml(r.timeouts.udp)},
                   {"policy[].timeouts.udp_unanswered", toml(r.timeouts.udp_unanswered)},
                   {"policy[].timeouts.icmp", toml(r.timeouts.icmp)},
                   {"policy[].timeouts.other", toml(r.timeouts.other)},
                   {"policy[].comment", toml(r.comment)}};
  bool named = false;
  for (size_t k = 0; k < r.names.size(); ++k) {
    const auto kind = static_cast<inspection::NameKind>(k);
    values["policy[].names." + std::string(inspection::name_of(kind))] = unless_empty(r.names[k]);
    named = named || !r.names[k].empty();
  }
  values["policy[].unknown"] = named ? word(kIfUnknown, r.unknown) : "";
  return values;
}

Values values_of(const Profile& p) {
  const auto exception = [](ExceptionPolicy policy) { return word(kExceptionPolicies, policy); };
  Values values = {{"profile[].name", toml(p.name)},
                   {"profile[].rules", toml(p.rule_files)},
                   {"profile[].mode", word(kInspectModes, p.mode)},
                   {"profile[].depth", toml(p.depth)},
                   {"profile[].min_ttl", toml(p.min_ttl)},
                   {"profile[].on_conflict", word(kOnConflict, p.on_conflict)},
                   {"profile[].checksums", word(kChecksums, p.checksums)},
                   {"profile[].on_drop", word(kOnDrop, p.on_drop)},
                   {"profile[].fail", word(kFailModes, p.fail)},
                   {"profile[].limits.header_bytes", toml(p.limits.header_bytes)},
                   {"profile[].limits.headers", toml(p.limits.headers)},
                   {"profile[].limits.transactions", toml(p.limits.transactions)},
                   {"profile[].limits.request_body", toml(p.limits.request_body)},
                   {"profile[].limits.response_body", toml(p.limits.response_body)},
                   {"profile[].limits.decode_layers", toml(p.limits.decode_layers)},
                   {"profile[].limits.decode_ratio", toml(p.limits.decode_ratio)},
                   {"profile[].limits.dns_pointers", toml(p.limits.dns_pointers)},
                   {"profile[].limits.certificates", toml(p.limits.certificates)},
                   {"profile[].exceptions.session_memory", exception(p.exceptions.session_memory)},
                   {"profile[].exceptions.segment_memory", exception(p.exceptions.segment_memory)},
                   {"profile[].exceptions.midstream", exception(p.exceptions.midstream)},
                   {"profile[].exceptions.app_memory", exception(p.exceptions.app_memory)},
                   {"profile[].exceptions.transactions", exception(p.exceptions.transactions)},
                   {"profile[].exceptions.malformed", exception(p.exceptions.malformed)},
                   {"profile[].exceptions.domain_memory", exception(p.exceptions.domain_memory)},
                   {"profile[].exceptions.dns_pointers", exception(p.exceptions.dns_pointers)},
                   {"profile[].exceptions.certificates", exception(p.exceptions.certificates)},
                   {"profile[].exceptions.rule_work", exception(p.exceptions.rule_work)},
                   {"profile[].exceptions.queue_full", exception(p.exceptions.queue_full)}};
  for (const std::string_view name : inspection::ast::kRuleChangeNames) {
    std::vector<std::string> list;
    for (const ProfileRuleEntry& entry : p.lists) {
      if (name_of(entry.change) == name) list.push_back(entry.pattern);
    }
    values["profile[]." + std::string(name)] = unless_empty(list);
  }
  values["profile[].thresholds"] = unless_empty(p.threshold_file);
  values["profile[].classification"] = unless_empty(p.classification_file);
  values["profile[].references"] = unless_empty(p.reference_file);
  values["profile[].fuse"] = toml(p.fuse);
  for (const auto& [name, value] : p.address_groups) values["profile[].address_groups." + name] = toml(value);
  for (const auto& [name, value] : p.port_groups) values["profile[].port_groups." + name] = toml(value);
  return values;
}

Values values_of(const Nat& n) {
  const std::string table = "nat[]." + std::string(name_of(kNatKinds, n.kind)) + ".";
  Values values = {{"nat[].name", toml(n.name)}, {table + "domain", toml(n.domain)}};
  if (n.kind != NatKind::nat64) values[table + "ftp"] = toml(n.ftp);
  switch (n.kind) {
    case NatKind::fixed:
      values[table + "inside"] = toml(n.inside);
      values[table + "outside"] = toml(n.outside);
      values[table + "nptv6"] = toml(n.nptv6);
      values[table + "seen_by"] = unless_empty(n.from);
      break;
    case NatKind::dnat:
      values[table + "seen_by"] = toml(n.from);
      values[table + "address"] = toml(n.address);
      values[table + "protocol"] = word(kDnatProtocols, n.protocol);
      values[table + "port"] = toml(uint32_t{n.port});
      values[table + "server"] = n.server ? toml(*n.server) : "";
      values[table + "servers"] = unless_empty(n.servers);
      values[table + "weights"] = unless_empty(n.weights);
      values[table + "server_port"] = unless_zero(n.server_port);
      break;
    case NatKind::nat64:
      values[table + "prefix"] = toml(n.prefix);
      break;
    case NatKind::snat:
      values[table + "ports_per_host"] = unless_zero(n.ports_per_host);
      break;
  }
  if (!has_pool(n.kind)) return values;
  values[table + "from"] = toml(n.from);
  values[table + "pool"] = toml(n.pool);
  values[table + "ports"] = toml(n.ports);
  values[table + "sources"] = unless_empty(n.sources);
  values[table + "destinations"] = unless_empty(n.destinations);
  return values;
}

Values values_of(const Port& p) {
  return {{"port[].name", toml(p.name)},
          {"port[].driver", word(kPortDrivers, p.driver)},
          {"port[].interface", unless_empty(p.interface)},
          {"port[].pci", unless_empty(p.pci)},
          {"port[].rx_pcap", unless_empty(p.rx_pcap)},
          {"port[].rx_loop", toml(p.rx_loop)},
          {"port[].tx_pcap", unless_empty(p.tx_pcap)},
          {"port[].address", unless_empty(p.addresses)},
          {"port[].gateway", unless_empty(p.gateways)},
          {"port[].mac", toml(p.mac)},
          {"port[].mtu", unless_zero(p.mtu)},
          {"port[].vlan", unless_zero(p.vlan)}};
}

Values single_values(const Config& c) {
  const Limits& l = c.limits;
  const Timeouts& t = c.timeouts;
  return {{"hub.name", toml(c.hub_name)},
          {"eal.hugepages", word(kHugepages, c.eal.hugepages)},
          {"eal.memory_mib", toml(c.eal.memory_mib)},
          {"eal.extra_args", toml(c.eal.extra_args)},
          {"worker.cores", toml(c.workers.cores)},
          {"worker.idle", word(kIdle, c.workers.idle)},
          {"worker.burst", toml(c.workers.burst)},
          {"worker.stall_us", toml(c.workers.stall_us)},
          {"control.core", toml(c.control.core)},
          {"limits.sessions", toml(l.sessions)},
          {"limits.packet_buffers", toml(l.packet_buffers)},
          {"limits.ring_size", toml(l.ring_size)},
          {"limits.attachments", toml(l.attachments)},
          {"limits.adjacencies", toml(l.adjacencies)},
          {"limits.neighbors_per_attachment", toml(l.neighbors_per_attachment)},
          {"limits.routes", toml(l.routes)},
          {"limits.policy_rules", toml(l.policy_rules)},
          {"limits.held_packets", toml(l.held_packets)},
          {"limits.held_per_neighbor", toml(l.held_per_neighbor)},
          {"limits.held_fragments", toml(l.held_fragments)},
          {"limits.fragmented_datagrams", toml(l.fragmented_datagrams)},
          {"limits.fragments_per_datagram", toml(l.fragments_per_datagram)},
          {"limits.punts_per_second", toml(l.punts_per_second)},
          {"limits.punts_per_attachment", toml(l.punts_per_attachment)},
          {"limits.icmp_errors_per_second", toml(l.icmp_errors_per_second)},
          {"limits.inspected_sessions", toml(l.inspected_sessions)},
          {"limits.stream_window", toml(l.stream_window)},
          {"limits.host_marks", toml(l.host_marks)},
          {"limits.dataset_values", toml(l.dataset_values)},
          {"limits.file_magic_bytes", toml(l.file_magic_bytes)},
          {"limits.file_magic_queue", toml(l.file_magic_queue)},
          {"limits.tls_identities", toml(l.tls_identities)},
          {"limits.inspection_domain_share", toml(l.inspection_domain_share)},
          {"limits.rule_work", toml(l.rule_work)},
          {"limits.regex_steps", toml(l.regex_steps)},
          {"limits.out_of_order_segments", toml(l.out_of_order_segments)},
          {"limits.inspection_packet_work", toml(l.inspection_packet_work)},
          {"limits.inspection_turn_work", toml(l.inspection_turn_work)},
          {"limits.inspection_queue", toml(l.inspection_queue)},
          {"limits.overload_begin", toml(l.overload_begin)},
          {"limits.overload_end", toml(l.overload_end)},
          {"limits.nat_bindings", toml(l.nat_bindings)},
          {"limits.ftp_controls", toml(l.ftp_controls)},
          {"limits.pending_sessions", toml(l.pending_sessions)},
          {"limits.pending_packets", toml(l.pending_packets)},
          {"limits.pending_packets_per_session", toml(l.pending_packets_per_session)},
          {"limits.pending_bytes_per_session", toml(l.pending_bytes_per_session)},
          {"limits.pending_ms", toml(l.pending_ms)},
          {"limits.event_queue", toml(l.event_queue)},
          {"limits.when_full", word(kWhenFull, l.when_full)},
          {"limits.half_open_sessions", toml(l.half_open_sessions)},
          {"limits.half_open_per_source", toml(l.half_open_per_source)},
          {"limits.half_open_per_attachment", toml(l.half_open_per_attachment)},
          {"limits.half_open_per_domain", toml(l.half_open_per_domain)},
          {"limits.new_sessions_per_source", toml(l.new_sessions_per_source)},
          {"limits.new_sessions_per_attachment", toml(l.new_sessions_per_attachment)},
          {"limits.new_sessions_per_domain", toml(l.new_sessions_per_domain)},
          {"limits.hosts", toml(l.hosts)},
          {"timeouts.tcp_handshake", toml(t.tcp_handshake)},
          {"timeouts.tcp_established", toml(t.tcp_established)},
          {"timeouts.tcp_closing", toml(t.tcp_closing)},
          {"timeouts.udp", toml(t.udp)},
          {"timeouts.icmp", toml(t.icmp)},
          {"timeouts.other", toml(t.other)},
          {"timeouts.fragment", toml(t.fragment)},
          {"timeouts.reload_grace", toml(t.reload_grace)},
          {"timeouts.tcp_half_closed", toml(t.tcp_half_closed)},
          {"timeouts.tcp_loose", toml(t.tcp_loose)},
          {"timeouts.udp_unanswered", toml(t.udp_unanswered)},
          {"tcp.strict_windows", toml(c.tcp.strict_windows)},
          {"tcp.mid_stream", toml(c.tcp.mid_stream)},
          {"tcp.one_sided", toml(c.tcp.one_sided)},
          {"tcp.reset_idle", toml(c.tcp.reset_idle)},
          {"api.socket", toml(c.api.socket)},
          {"api.max_request_mib", toml(c.api.max_request_mib)},
          {"routes.file", toml(c.routes_file)},
          {"rule_cache.folder", toml(c.rule_cache.folder)},
          {"rule_cache.max_mib", toml(c.rule_cache.max_mib)},
          {"log.level", toml(c.log.level)},
          {"events.eve", toml(c.events.eve)},
          {"events.flow", toml(c.events.flow)},
          {"events.flow_interval", toml(c.events.flow_interval)},
          {"events.rule_events_per_second", toml(c.events.rule_events_per_second)},
          {"events.default_deny", toml(c.events.default_deny)},
          {"events.types", toml(c.events.types)},
          {"events.payload", toml(c.events.payload)},
          {"events.payload_printable", toml(c.events.payload_printable)},
          {"events.xff", word(kXffModes, c.events.xff)},
          {"events.drops", word(kDropEvents, c.events.drops)},
          {"events.drop_events_per_second", toml(c.events.drop_events_per_second)},
          {"events.xff_deployment", word(kXffDeployments, c.events.xff_deployment)},
          {"events.xff_header", toml(c.events.xff_header)},
          {"events.community_id", toml(c.events.community_id)},
          {"events.community_id_seed", toml(uint32_t{c.events.community_id_seed})},
          {"events.stats_interval", toml(c.events.stats_interval)}};
}

std::string name_of(const Port& x) { return x.name; }
std::string name_of(const Domain& x) { return x.name; }
std::string name_of(const Attachment& x) { return x.name; }
std::string name_of(const TaggedPrefix& x) {
  return (x.domain.empty() ? "" : x.domain + " ") + net::to_string(x.prefix);
}
std::string name_of(const Group& x) { return x.name; }
std::string name_of(const Service& x) { return x.name; }
std::string name_of(const PolicyRule& x) { return x.id; }
std::string name_of(const Profile& x) { return x.name; }
std::string name_of(const Nat& x) { return x.name; }
std::string name_of(const Connection& x) { return std::min(x.a, x.b) + " - " + std::max(x.a, x.b); }
std::string name_of(const Route& x) {
  std::string name = x.domain + " " + net::to_string(x.prefix);
  if (x.blackhole) return name + " blackhole";
  if (x.attachment.empty()) return name;  // all routes to the prefix, as a removal may name them
  name += " attachment " + x.attachment;
  return x.via ? name + " via " + net::to_string(*x.via) : name;
}

}  // namespace weir::config
