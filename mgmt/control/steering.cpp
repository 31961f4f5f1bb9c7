#include "mgmt/control/steering.h"

#include <algorithm>

#include "dataplane/net/headers.h"

namespace weir::control {

using namespace dataplane;

namespace {

/// What leads an attachment's packets to the hub, if they come by this port.
std::vector<SteerRule> rules_of(const config::Attachment& attachment, const model::PortFacts& port) {
  const Tunnel& tunnel = attachment.tunnel;
  std::vector<SteerRule> rules;
  if (tunnel.kind == TunnelKind::native) {
    const uint16_t first_tag = tunnel.outer_vlan != 0 ? tunnel.outer_vlan : tunnel.vlan;
    if (attachment.port == port.name) rules.push_back({.vlan = first_tag});
    return rules;
  }
  const bool here = std::any_of(port.addresses.begin(), port.addresses.end(),
                                [&](const net::InterfaceAddress& a) { return a.address == tunnel.local; });
  if (!here) return rules;
  if (over_udp(tunnel.kind)) {
    rules.push_back({tunnel.local, tunnel.udp_port});
  } else if (tunnel.kind == TunnelKind::gre) {
    rules.push_back({tunnel.local, 0, net::kProtoGre});
  } else {
    if (tunnel.inner != InnerFamilies::ipv6) rules.push_back({tunnel.local, 0, net::kProtoIpv4});
    if (tunnel.inner != InnerFamilies::ipv4) rules.push_back({tunnel.local, 0, net::kProtoIpv6});
  }
  return rules;
}

}  // namespace

Steering::Steering(const Ports& ports, const model::StartFacts& facts) {
  for (const auto& [index, steering] : ports) ports_.push_back({steering, &facts.ports[index], {}});
}

Status Steering::tell(const PortRules& port) {
  std::vector<SteerRule> rules;
  for (const auto& [rule, users] : port.rules) rules.push_back(rule);
  const Status set = port.steering->set(rules);
  if (set) return {};
  return fail(set.error().code, "port " + port.facts->name +
                                    ": tunnel traffic cannot be steered to the hub: " + set.error().message);
}

Status Steering::widen(const std::vector<const config::Attachment*>& coming) {
  std::vector<std::pair<PortRules*, Rules>> before;  // ports that were told otherwise
  for (PortRules& port : ports_) {
    Rules next = port.rules;
    for (const config::Attachment* attachment : coming) {
      for (const SteerRule& rule : rules_of(*attachment, *port.facts)) ++next[rule];
    }
    const bool told = next.size() != port.rules.size();
    before.emplace_back(&port, std::exchange(port.rules, std::move(next)));
    Status set = told ? tell(port) : Status{};
    if (set) continue;
    for (auto& [changed, rules] : before) {
      changed->rules = std::move(rules);
      if (const Status back = tell(*changed); !back)
        return fail(set.error().code,
                    set.error().message + "; nor as it was before: " + back.error().message);
    }
    return set;
  }
  return {};
}

Status Steering::narrow(const std::vector<config::Attachment>& leaving) {
  Status result;
  for (PortRules& port : ports_) {
    bool some_go = false;
    for (const config::Attachment& attachment : leaving) {
      for (const SteerRule& rule : rules_of(attachment, *port.facts)) {
        const auto at = port.rules.find(rule);
        if (at == port.rules.end() || --at->second != 0) continue;
        port.rules.erase(at);
        some_go = true;
      }
    }
    if (!some_go) continue;
    if (Status set = tell(port); !set && result) result = std::move(set);
  }
  return result;
}

}  // namespace weir::control
