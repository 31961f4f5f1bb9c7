#include "mgmt/config/diff.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "mgmt/config/choices.h"
#include "mgmt/config/key_table.h"

namespace weir::config {

namespace {

/// Keys and values of one table as text. Equal text means an equal value.
using Values = std::map<std::string, std::string, std::less<>>;

std::string text_of(const std::string& v) { return std::to_string(v.size()) + ":" + v; }
std::string text_of(bool v) { return v ? "true" : "false"; }
std::string text_of(uint32_t v) { return std::to_string(v); }
std::string text_of(const PortRange& v) { return std::to_string(v.first) + "-" + std::to_string(v.last); }
std::string text_of(const net::Prefix& v) { return net::to_string(v); }
std::string text_of(const net::InterfaceAddress& v) { return net::to_string(v); }
std::string text_of(const net::IpAddress& v) { return net::to_string(v); }
std::string text_of(const net::Mac& v) { return net::to_string(v); }
template <typename T>
std::string text_of(const std::optional<T>& v) {
  return v ? text_of(*v) : "none";
}
template <typename T>
std::string text_of(const std::vector<T>& list) {
  std::string text;
  for (const T& v : list) text += text_of(v) + ",";
  return text;
}
template <typename E>
requires std::is_enum_v<E> std::string text_of(E v) { return std::to_string(static_cast<unsigned>(v)); }

Values values_of(const Domain&) { return {}; }

Values values_of(const Attachment& a) {
  return {{"attachment[].domain", text_of(a.domain)},
          {"attachment[].gateway", text_of(a.gateways)},
          {"attachment[].mac", text_of(a.mac)},
          {"attachment[].mtu", text_of(a.mtu)},
          {"attachment[].vxlan.vni", text_of(a.vni.value)},
          {"attachment[].vxlan.local", text_of(net::IpAddress(a.local))},
          {"attachment[].vxlan.remote", text_of(net::IpAddress(a.remote))},
          {"attachment[].vxlan.port", text_of(uint32_t{a.udp_port})}};
}

Values values_of(const Route& r) {
  return {{"route[].weight", text_of(r.weight)}, {"route[].ecmp", text_of(r.ecmp)}};
}

Values values_of(const Connection&) { return {}; }

Values values_of(const PolicyRule& r) {
  return {{"policy[].action", text_of(r.action)},
          {"policy[].from.domains", text_of(r.from.domains)},
          {"policy[].from.prefixes", text_of(r.from.prefixes)},
          {"policy[].to.domains", text_of(r.to.domains)},
          {"policy[].to.prefixes", text_of(r.to.prefixes)},
          {"policy[].protocol", text_of(r.protocol)},
          {"policy[].ports", text_of(r.ports)},
          {"policy[].profile", text_of(r.profile)},
          {"policy[].log", text_of(r.log)},
          {"policy[].comment", text_of(r.comment)}};
}

Values values_of(const Profile& p) {
  return {{"profile[].rules", text_of(p.rule_files)},
          {"profile[].on_drop", text_of(p.on_drop)},
          {"profile[].fail", text_of(p.fail)}};
}

Values values_of(const Port& p) {
  return {{"port[].driver", text_of(p.driver)},     {"port[].interface", text_of(p.interface)},
          {"port[].pci", text_of(p.pci)},           {"port[].rx_pcap", text_of(p.rx_pcap)},
          {"port[].rx_loop", text_of(p.rx_loop)},   {"port[].tx_pcap", text_of(p.tx_pcap)},
          {"port[].address", text_of(p.addresses)}, {"port[].gateway", text_of(p.gateway)},
          {"port[].mac", text_of(p.mac)},           {"port[].mtu", text_of(p.mtu)}};
}

/// The keys of the sections that the file has once.
Values single_values(const Config& c) {
  const Limits& l = c.limits;
  const Timeouts& t = c.timeouts;
  return {{"hub.name", text_of(c.hub_name)},
          {"eal.hugepages", text_of(c.eal.hugepages)},
          {"eal.memory_mib", text_of(c.eal.memory_mib)},
          {"eal.extra_args", text_of(c.eal.extra_args)},
          {"worker.cores", text_of(c.workers.cores)},
          {"worker.idle", text_of(c.workers.idle)},
          {"worker.burst", text_of(c.workers.burst)},
          {"worker.stall_us", text_of(c.workers.stall_us)},
          {"control.core", text_of(c.control.core)},
          {"limits.sessions", text_of(l.sessions)},
          {"limits.packet_buffers", text_of(l.packet_buffers)},
          {"limits.ring_size", text_of(l.ring_size)},
          {"limits.adjacencies", text_of(l.adjacencies)},
          {"limits.held_packets", text_of(l.held_packets)},
          {"limits.held_per_neighbor", text_of(l.held_per_neighbor)},
          {"limits.punts_per_second", text_of(l.punts_per_second)},
          {"limits.inspected_sessions", text_of(l.inspected_sessions)},
          {"limits.stream_window", text_of(l.stream_window)},
          {"limits.out_of_order_segments", text_of(l.out_of_order_segments)},
          {"limits.event_queue", text_of(l.event_queue)},
          {"timeouts.tcp_handshake", text_of(t.tcp_handshake)},
          {"timeouts.tcp_established", text_of(t.tcp_established)},
          {"timeouts.tcp_closing", text_of(t.tcp_closing)},
          {"timeouts.udp", text_of(t.udp)},
          {"timeouts.icmp", text_of(t.icmp)},
          {"timeouts.other", text_of(t.other)},
          {"api.socket", text_of(c.api.socket)},
          {"log.level", text_of(c.log.level)},
          {"events.eve", text_of(c.events.eve)},
          {"events.flow", text_of(c.events.flow)}};
}

const std::string& name_of(const Domain& x) { return x.name; }
const std::string& name_of(const Attachment& x) { return x.name; }
const std::string& name_of(const PolicyRule& x) { return x.id; }
const std::string& name_of(const Profile& x) { return x.name; }
const std::string& name_of(const Port& x) { return x.name; }
std::string name_of(const Connection& x) { return std::min(x.a, x.b) + " - " + std::max(x.a, x.b); }
std::string name_of(const Route& x) {
  std::string name = x.domain + " " + net::to_string(x.prefix);
  if (x.blackhole) return name + " blackhole";
  name += " attachment " + x.attachment;
  return x.via ? name + " via " + net::to_string(*x.via) : name;
}

/// The keys whose values differ; both have the same keys.
std::vector<std::string> changed_keys(const Values& old, const Values& next) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : old) {
    if (next.find(key)->second != value) keys.push_back(key);
  }
  return keys;
}

template <typename Thing>
std::unordered_map<std::string, const Thing*> by_name(const std::vector<Thing>& things) {
  std::unordered_map<std::string, const Thing*> map;
  for (const Thing& thing : things) map.emplace(name_of(thing), &thing);
  return map;
}

template <typename Thing>
ListDiff diff_list(const std::vector<Thing>& old, const std::vector<Thing>& next) {
  const auto before = by_name(old), after = by_name(next);
  ListDiff result;
  for (const Thing& thing : old) {
    if (!after.contains(name_of(thing))) result.removed.push_back(name_of(thing));
  }
  for (const Thing& thing : next) {
    const auto found = before.find(name_of(thing));
    if (found == before.end()) {
      result.added.push_back(name_of(thing));
    } else if (auto keys = changed_keys(values_of(*found->second), values_of(thing)); !keys.empty()) {
      result.changed.push_back({name_of(thing), std::move(keys)});
    }
  }
  return result;
}

/// The names that both lists have stand in another order.
template <typename Thing>
bool reordered(const std::vector<Thing>& old, const std::vector<Thing>& next) {
  const auto before = by_name(old), after = by_name(next);
  std::vector<std::string> kept_old, kept_next;
  for (const Thing& thing : old) {
    if (after.contains(name_of(thing))) kept_old.push_back(name_of(thing));
  }
  for (const Thing& thing : next) {
    if (before.contains(name_of(thing))) kept_next.push_back(name_of(thing));
  }
  return kept_old != kept_next;
}

bool needs_restart(std::string_view key) {
  for (const KeySpec& spec : keys()) {
    if (spec.path == key) return spec.change == Change::restart;
  }
  return true;
}

Location place_of(const Config& config, const std::string& path) {
  const auto found = config.key_where.find(path);
  return found != config.key_where.end() ? found->second : Location{config.file, 0, 0};
}

void diff_ports(const Config& old, const Config& next, std::vector<ConfigDiff::Key>& out) {
  const ListDiff ports = diff_list(old.ports, next.ports);
  const auto after = by_name(next.ports);
  for (const std::string& name : ports.removed) out.push_back({"port[" + name + "]", {next.file, 0, 0}});
  for (const std::string& name : ports.added) out.push_back({"port[" + name + "]", after.at(name)->where});
  for (const auto& [name, keys] : ports.changed) {
    for (const std::string& key : keys) {
      const std::string path = "port[" + name + "]." + std::string(leaf_of(key));
      const Location where = place_of(next, path);
      out.push_back({path, where.line != 0 ? where : after.at(name)->where});
    }
  }
  // The hub numbers its ports in the order of the file.
  if (reordered(old.ports, next.ports)) out.push_back({"port", next.ports.front().where});
}

void describe(const char* kind, const ListDiff& list, std::string& text) {
  for (const auto& name : list.removed) text += std::string("- ") + kind + " " + name + "\n";
  for (const auto& name : list.added) text += std::string("+ ") + kind + " " + name + "\n";
  for (const auto& [name, keys] : list.changed) {
    text += std::string("~ ") + kind + " " + name + ":";
    for (const auto& key : keys) text += " " + key.substr(key.find("].") + 2);
    text += "\n";
  }
  if (list.reordered) text += std::string("~ ") + kind + ": the order\n";
}

}  // namespace

bool ConfigDiff::empty() const {
  return restart.empty() && live.empty() && domains.empty() && attachments.empty() && routes.empty() &&
         connections.empty() && policy.empty() && profiles.empty();
}

ConfigDiff diff(const Config& old, const Config& next) {
  ConfigDiff result;
  for (const std::string& key : changed_keys(single_values(old), single_values(next))) {
    if (needs_restart(key)) {
      result.restart.push_back({key, place_of(next, key)});
    } else {
      result.live.push_back(key);
    }
  }
  diff_ports(old, next, result.restart);
  result.domains = diff_list(old.domains, next.domains);
  result.attachments = diff_list(old.attachments, next.attachments);
  result.routes = diff_list(old.routes, next.routes);
  result.connections = diff_list(old.connections, next.connections);
  result.policy = diff_list(old.policy, next.policy);
  result.policy.reordered = reordered(old.policy, next.policy);
  result.profiles = diff_list(old.profiles, next.profiles);
  return result;
}

std::vector<Problem> refusals(const ConfigDiff& diff) {
  std::vector<Problem> problems;
  for (const auto& [path, where] : diff.restart) {
    problems.push_back({where, path, "it has changed, and only a restart of the hub can carry that out"});
  }
  return problems;
}

std::string to_string(const ConfigDiff& diff) {
  std::string text;
  for (const auto& key : diff.restart) text += "! " + key.path + " (restart)\n";
  for (const auto& key : diff.live) text += "~ " + key + "\n";
  describe("domain", diff.domains, text);
  describe("attachment", diff.attachments, text);
  describe("route", diff.routes, text);
  describe("connection", diff.connections, text);
  describe("policy", diff.policy, text);
  describe("profile", diff.profiles, text);
  return text;
}

}  // namespace weir::config
