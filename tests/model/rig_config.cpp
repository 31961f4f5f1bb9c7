#include "tests/model/rig_config.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "inspection/inspector.h"

namespace weir::model {

using namespace dataplane;
using Slot = int;  // of a model::Attachment, dataplane has another meaning for the word

namespace {

net::Prefix prefix_of(const Prefix& p) { return {address_of(p.address), static_cast<uint8_t>(p.length)}; }
std::string domain_name(Domain d) { return "d" + std::to_string(d); }
std::string attachment_name(Slot a) { return "a" + std::to_string(a); }

template <typename Out, typename List, typename Convert>
std::vector<Out> all(const List& list, Convert&& convert) {
  std::vector<Out> out;
  for (const auto& item : list) out.push_back(convert(item));
  return out;
}

PolicyAction action_of(Action action) {
  switch (action) {
    case Action::allow:
      return PolicyAction::allow;
    case Action::deny:
      return PolicyAction::deny;
    case Action::reject:
      return PolicyAction::reject;
    case Action::inspect:
      return PolicyAction::inspect;
  }
  throw std::logic_error("no such action");
}

/// Two rules, for kMark. Built once for all runs.
std::shared_ptr<const inspection::Ruleset> marks(unsigned workers) {
  static std::map<unsigned, std::shared_ptr<const inspection::Ruleset>> built;
  auto& ruleset = built[workers];
  if (ruleset != nullptr) return ruleset;
  const auto path =
      std::filesystem::temp_directory_path() / ("weir_model_" + std::to_string(getpid()) + ".rules");
  std::ofstream(path) << "drop udp any any -> any any (msg:\"a mark\"; content:\"" << kMark
                      << "\"; sid:1; rev:1;)\ndrop tcp any any -> any any (msg:\"a mark\"; content:\""
                      << kMark << "\"; sid:2; rev:1;)\n";
  auto made = inspection::build_ruleset({path.string()}, workers);
  std::filesystem::remove(path);
  if (!made || made->loaded != 2) throw std::runtime_error("the rules for marks are refused");
  return ruleset = made->ruleset;
}

Tunnel tunnel_of(const Network& n, Slot a) {
  const auto& [kind, six] = n.tunnel_of(a);
  Tunnel t;
  t.remote = address_of(tunnel_end_of(a, six));
  t.local = address_of(model::hub_address(six));
  t.ethernet = carries_ethernet(kind);
  switch (kind) {
    case model::TunnelKind::vxlan:
      t.kind = dataplane::TunnelKind::vxlan;
      break;
    case model::TunnelKind::geneve:
    case model::TunnelKind::geneve_ip:
      t.kind = dataplane::TunnelKind::geneve;
      t.udp_port = kGenevePort;
      break;
    case model::TunnelKind::gre:
    case model::TunnelKind::gre_keyed:
    case model::TunnelKind::gre_ethernet:
      t.kind = dataplane::TunnelKind::gre;
      t.keyed = kind != model::TunnelKind::gre;
      break;
    case model::TunnelKind::ipip:
      t.kind = dataplane::TunnelKind::ipip;
      break;
    case model::TunnelKind::native:
      t.kind = dataplane::TunnelKind::native;
      t.vlan = static_cast<uint16_t>(20 + a);
      return t;
  }
  t.udp_checksum = default_udp_checksum(t);
  const bool numbered = kind != model::TunnelKind::gre && kind != model::TunnelKind::ipip;
  if (numbered) t.id = vni_of(a);
  return t;
}

bool same(const Pool& a, const Pool& b) {
  return a.first == b.first && a.last == b.last && a.low_port == b.low_port && a.high_port == b.high_port;
}

}  // namespace

net::IpAddress address_of(const Address& a) {
  if (a.v6) return net::Ipv6{a.hi, a.lo};
  return net::Ipv4{static_cast<uint32_t>(a.lo)};
}
Address address_from(const net::IpAddress& a) { return {!a.is_v4(), a.is_v4() ? 0 : a.bits.hi, a.bits.lo}; }

uint64_t mac_word(Mac mac) {
  net::Mac out{};
  for (size_t i = 0; i < 6; ++i) out.bytes[i] = static_cast<uint8_t>(mac >> (5 - i) * 8);
  return out.word();
}

RigConfig::RigConfig(const Network& n) {
  builder_.workers(static_cast<uint16_t>(n.workers));
  builder_.port("p0", net::Mac::from_word(mac_word(kPortMac)), to_string(model::hub_address(false)));
  builder_.address(to_string(model::hub_address(true)));
  for (Domain d = 0; d < static_cast<Domain>(n.domains); ++d) builder_.domain(domain_name(d));
  for (Slot a = 0; a < static_cast<Slot>(n.attachments.size()); ++a) {
    const AttachmentConfig& config = n.attachments[static_cast<size_t>(a)];
    std::string gateways;
    for (size_t i = 0; i < config.gateways.size(); ++i) {
      gateways += (i == 0 ? "" : ",") + to_string(config.gateways[i]) + "/" +
                  std::to_string(config.subnets[i].length);
    }
    builder_.attachment(attachment_name(a), domain_name(config.domain), tunnel_of(n, a), gateways);
    builder_.change(attachment_name(a),
                    [&](dataplane::Attachment& made) { made.reverse_path = config.reverse_path; });
  }
  const auto timeouts_of = [](const Timeouts& t) {
    dataplane::Timeouts timeouts;
    timeouts.tcp_handshake = t.tcp_handshake;
    timeouts.tcp_established = t.tcp_established;
    timeouts.tcp_closing = t.tcp_closing;
    timeouts.tcp_half_closed = t.tcp_half_closed;
    timeouts.tcp_loose = t.tcp_loose;
    timeouts.udp = t.udp;
    timeouts.udp_unanswered = t.udp_unanswered;
    timeouts.icmp = t.icmp;
    timeouts.other = t.other;
    timeouts.fragment = t.fragment;
    return timeouts;
  };
  builder_.timeouts(timeouts_of(n.timeouts));
  builder_.rule_timeouts(all<dataplane::Timeouts>(n.rule_timeouts, timeouts_of));
  builder_.tcp({n.tcp.strict, n.tcp.mid_stream, n.tcp.one_sided, n.tcp.reset_idle});
  builder_.profile({.name = "marks", .on_drop = OnDrop::silent, .ruleset = marks(n.workers)});
}

std::unique_ptr<Snapshot> RigConfig::snapshot(const Network& n) {
  write_routes(n);
  write_policy(n);
  write_nat(n);
  auto made = builder_.build();
  Network nothing = n;
  nothing.neighbours.clear();
  neighbours(nothing, n);
  return made;
}

std::unique_ptr<Snapshot> RigConfig::change(const Network& before, const Network& after) {
  const bool routes = routes_of(before) != routes_of(after);
  if (routes) write_routes(after);
  for (Slot a = 0; a < static_cast<Slot>(after.attachments.size()); ++a)
    builder_.board().set_usable(builder_.attachment_id(attachment_name(a)), after.usable(a));
  // Sessions that have found another way while an attachment was down keep it, until something has them
  // decided again: that they are here, so that there is one answer.
  const bool came_up =
      std::any_of(before.down.begin(), before.down.end(), [&](Attachment a) { return after.usable(a); });
  if (rules_of(before) == rules_of(after) && !came_up) {
    if (routes) builder_.build_routes();
    return nullptr;
  }
  write_policy(after);
  write_nat(after);
  return builder_.build();
}

void RigConfig::write_routes(const Network& n) {
  builder_.no_routes();
  for (const Route& route : n.routes) {
    if (route.hops.empty()) builder_.blackhole(domain_name(route.domain), to_string(route.prefix));
    for (const Hop& hop : route.hops) {
      builder_.route(domain_name(route.domain), to_string(route.prefix), attachment_name(hop.attachment),
                     hop.via ? to_string(*hop.via) : "");
    }
  }
}

void RigConfig::write_policy(const Network& n) {
  builder_.no_connections().no_rules();
  for (const auto& [a, b] : n.connections) {
    if (a < b) builder_.connection(domain_name(a), domain_name(b));
  }
  const auto domain_id = [&](Domain d) { return builder_.domain_id(domain_name(d)); };
  const auto end_of = [&](const RuleEnd& e) {
    PolicyEnd out;
    out.domains = all<DomainId>(e.domains, domain_id);
    out.prefixes = all<net::Prefix>(e.prefixes, prefix_of);
    for (const Group& g : e.groups) {
      PolicyGroup group;
      group.domains = all<DomainId>(g.domains, domain_id);
      group.attachments = all<AttachmentId>(
          g.attachments, [&](Slot a) { return builder_.attachment_id(attachment_name(a)); });
      group.prefixes = all<net::Prefix>(g.prefixes, prefix_of);
      group.of_domains = all<std::pair<DomainId, net::Prefix>>(
          g.of_domains, [&](const auto& of) { return std::pair(domain_id(of.first), prefix_of(of.second)); });
      out.groups.push_back(std::make_shared<const PolicyGroup>(std::move(group)));
    }
    return out;
  };
  for (size_t i = 0; i < n.rules.size(); ++i) {
    const Rule& r = n.rules[i];
    PolicyRule rule;
    rule.id = "r" + std::to_string(i);
    rule.action = action_of(r.action);
    rule.from = end_of(r.from);
    rule.to = end_of(r.to);
    rule.services = all<ServiceTerm>(r.services, [](const Service& s) {
      return ServiceTerm{s.protocol, {s.first, s.last}};
    });
    rule.watch = r.watch;
    rule.effects.timeouts = static_cast<TimeoutsIndex>(r.timeouts);
    if (r.dscp) rule.effects.dscp = *r.dscp;
    builder_.policy_rule(std::move(rule));
  }
}

void RigConfig::write_nat(const Network& n) {
  const auto domain_id = [&](Domain d) { return builder_.domain_id(domain_name(d)); };
  NatRules rules;
  for (const StaticNat& f : n.fixed) {
    rules.fixed.push_back({"", domain_id(f.domain), prefix_of(f.inside), prefix_of(f.outside),
                           all<DomainId>(f.seen_by, domain_id), false, f.neutral});
  }
  for (const Published& p : n.published) {
    rules.published.push_back({"", all<DomainId>(p.seen_by, domain_id), p.protocol, address_of(p.address),
                               p.port, domain_id(p.domain), address_of(p.server), p.server_port});
    for (const auto& [server, weight] : p.servers)
      rules.published.back().servers.push_back({address_of(server), weight});
  }
  decltype(pools_) pools;
  for (const Pool& p : n.pools) {
    PoolRule rule;
    rule.from = all<DomainId>(p.from, domain_id);
    rule.to = domain_id(p.to);
    rule.sources = all<net::Prefix>(p.sources, prefix_of);
    rule.destinations = all<net::Prefix>(p.destinations, prefix_of);
    rule.ports_per_host = static_cast<uint16_t>(p.ports_per_host);
    if (p.prefix64) rule.prefix64 = prefix_of(*p.prefix64);
    // A pool that is as it was keeps its ports.
    const auto known = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const auto& k) { return same(k.first, p) && k.first.to == p.to; });
    rule.pool = known != pools_.end()
                    ? known->second
                    : std::make_shared<PortPool>(
                          std::vector<PortPool::Range>{{address_of(p.first), address_of(p.last)}}, p.low_port,
                          p.high_port, static_cast<uint16_t>(n.workers));
    pools.emplace_back(p, rule.pool);
    rules.pools.push_back(std::move(rule));
  }
  pools_ = std::move(pools);
  builder_.nat(std::move(rules));
}

std::vector<AdjacencyId> RigConfig::neighbours(const Network& before, const Network& after) {
  std::vector<AdjacencyId> gone;
  const auto there = [](const Network& n, const auto& entry) {
    return n.usable(entry.first) && carries_ethernet(n.tunnel_of(entry.first).kind) &&
           n.neighbours.count(entry) != 0;
  };
  const auto forget = [&](AttachmentId a, const net::IpAddress& address) {
    const AdjacencyId id = builder_.adjacencies().find(a, address);
    builder_.adjacencies().remove(id);
    gone.push_back(id);
  };
  const auto know = [&](AttachmentId a, const net::IpAddress& address, Mac mac) {
    if (!builder_.adjacencies().set(a, address, net::Mac::from_word(mac_word(mac))))
      throw std::runtime_error("no room for a next hop");
  };
  const auto id_of = [&](Slot a) { return builder_.attachment_id(attachment_name(a)); };
  for (const auto& entry : before.neighbours) {
    if (there(before, entry) && !there(after, entry)) forget(id_of(entry.first), address_of(entry.second));
  }
  for (const auto& entry : after.neighbours) {
    if (there(before, entry) || !there(after, entry)) continue;
    const auto& [a, address] = entry;
    know(id_of(a), address_of(address), mac_of(a, address));
  }
  // What carries IP only has one next hop, its peer; the builder has made it known.
  for (Slot a = 0; a < static_cast<Slot>(after.attachments.size()); ++a) {
    if (carries_ethernet(after.tunnel_of(a).kind) || before.usable(a) == after.usable(a)) continue;
    if (after.usable(a)) {
      know(id_of(a), net::IpAddress{}, 0);
    } else {
      forget(id_of(a), net::IpAddress{});
    }
  }
  return gone;
}

void RigConfig::release(const std::vector<AdjacencyId>& gone) {
  for (const AdjacencyId id : gone) builder_.adjacencies().release(id);
}

uint64_t RigConfig::ports_taken() const {
  uint64_t taken = 0;
  for (const auto& [pool, ports] : pools_) taken += ports->use().taken;
  return taken;
}

}  // namespace weir::model
