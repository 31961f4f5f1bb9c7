#include "mgmt/config/fit.h"

#include <algorithm>
#include <set>

#include "dataplane/core/rule_effects.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/problem.h"
#include "mgmt/config/tag_expression.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

struct Families {
  bool ipv4 = true;
  bool ipv6 = true;
};

Families families_of(const std::vector<net::Prefix>& prefixes) {
  if (prefixes.empty()) return {};
  const auto v4 = [](const net::Prefix& p) { return p.address.is_v4(); };
  return {std::any_of(prefixes.begin(), prefixes.end(), v4),
          !std::all_of(prefixes.begin(), prefixes.end(), v4)};
}

/// Groups may have both.
Families families_of(const Endpoint& end) {
  return end.groups.empty() ? families_of(end.prefixes) : Families{};
}

Families families_of(const PolicyRule& rule) {
  const Families from = families_of(rule.from), to = families_of(rule.to);
  return {from.ipv4 && to.ipv4, from.ipv6 && to.ipv6};
}

std::string only(const Families& f) { return f.ipv4 ? "IPv4" : "IPv6"; }

}  // namespace

std::string misfit_of_via(const Route& route, const Attachment& attachment) {
  if (route.via->family != route.prefix.address.family) {
    return "the router and the prefix are of different families, IPv4 and IPv6";
  }
  const std::string text = net::to_string(*route.via);
  for (const net::InterfaceAddress& gateway : attachment.gateways) {
    if (gateway.address == *route.via) {
      return text + " is the hub's own address in attachment " + in_quotes(attachment.name) +
             "; name the router behind it";
    }
  }
  for (const net::InterfaceAddress& gateway : attachment.gateways) {
    if (!gateway.subnet().contains(*route.via)) continue;
    const std::string why = not_a_host_address({*route.via, gateway.length});
    return why.empty() ? "" : text + " " + why;
  }
  return text + " lies in none of the gateway subnets of attachment " + in_quotes(attachment.name);
}

std::string misfit_of_family(const Route& route, const Attachment& attachment) {
  const bool there = std::any_of(attachment.gateways.begin(), attachment.gateways.end(), [&](const auto& g) {
    return g.address.family == route.prefix.address.family;
  });
  if (there) return "";
  return "attachment " + in_quotes(attachment.name) + " has no " +
         (route.prefix.address.is_v4() ? "IPv4" : "IPv6") +
         " gateway address, so the hub cannot find hosts there; add one, or a via";
}

static std::string misfit_of_ports(const std::vector<PortRange>& ports, Protocol protocol) {
  if (ports.empty() || protocol == Protocol::tcp || protocol == Protocol::udp) return "";
  return "protocol " + in_quotes(name_of(kProtocols, protocol)) +
         " has no ports; only \"tcp\" and \"udp\" have";
}
std::string misfit_of_ports(const PolicyRule& rule) { return misfit_of_ports(rule.ports, rule.protocol); }
std::string misfit_of_ports(const Service& service) {
  return misfit_of_ports(service.ports, service.protocol);
}

std::string misfit_of_types(const Service& s) {
  if (s.icmp_types.empty() || s.protocol == Protocol::icmp || s.protocol == Protocol::icmpv6) return "";
  return "protocol " + in_quotes(name_of(kProtocols, s.protocol)) +
         " has no ICMP types; only \"icmp\" and \"icmpv6\" have";
}

std::string misfit_of_services(const PolicyRule& rule) {
  if (rule.services.empty() || (rule.protocol == Protocol::any && rule.ports.empty())) return "";
  return "a rule has services, or a protocol and ports; leave one out";
}

std::string misfit_of_name(inspection::NameKind kind, std::string_view text) {
  const inspection::PatternRead read = inspection::read_name_pattern(kind, text);
  return read.pattern ? "" : in_quotes(text) + ": " + read.wrong;
}

std::string misfit_of_names(const PolicyRule& rule) {
  for (size_t k = 0; k < rule.names.size(); ++k) {
    for (const std::string& text : rule.names[k]) {
      if (std::string why = misfit_of_name(static_cast<inspection::NameKind>(k), text); !why.empty())
        return why;
    }
  }
  return "";
}

std::string misfit_of_unknown(const PolicyRule& rule) {
  const bool named =
      std::any_of(rule.names.begin(), rule.names.end(), [](const auto& some) { return !some.empty(); });
  if (!named) return rule.unknown == IfUnknown::deny ? "" : "the rule has no names; leave the key out";
  if (rule.protocol == Protocol::any || rule.protocol == Protocol::tcp || rule.protocol == Protocol::udp)
    return "";
  return "protocol " + in_quotes(name_of(kProtocols, rule.protocol)) + " has no names; only TCP and UDP have";
}

std::string misfit_of_sides(const PolicyRule& rule) {
  const Families both = families_of(rule);
  if (both.ipv4 || both.ipv6) return "";
  return "nothing can match: the prefixes in from are " + only(families_of(rule.from)) + ", those in to " +
         only(families_of(rule.to));
}

std::string misfit_of_protocol(const PolicyRule& rule) {
  const Families both = families_of(rule);
  const bool misfit =
      (rule.protocol == Protocol::icmp && !both.ipv4) || (rule.protocol == Protocol::icmpv6 && !both.ipv6);
  if (!misfit || !misfit_of_sides(rule).empty()) return "";
  return "nothing can match: " + in_quotes(name_of(kProtocols, rule.protocol)) + " does not exist in " +
         (both.ipv4 ? "IPv4" : "IPv6");
}

std::string misfit_of_profile(const PolicyRule& rule) {
  if (rule.action == PolicyAction::inspect || rule.profile.empty()) return "";
  return "action " + in_quotes(name_of(kPolicyActions, rule.action)) + " inspects nothing; leave the key out";
}

std::string misfit_of_timeouts(const std::vector<const PolicyRule*>& rules) {
  std::set<RuleTimeouts> sets;
  for (const PolicyRule* rule : rules) {
    if (rule->timeouts.any()) sets.insert(rule->timeouts);
  }
  if (sets.size() <= dataplane::kMaxRuleTimeouts) return "";
  return "all rules together have " + std::to_string(sets.size()) +
         " different sets of time-outs, and at most " + std::to_string(dataplane::kMaxRuleTimeouts) +
         " are possible";
}

std::string misfit_of_parts(const Group& group) {
  const bool empty = group.domains.empty() && group.attachments.empty() && group.prefixes.empty() &&
                     group.groups.empty() && group.match.empty();
  return empty ? "the group is empty; it needs domains, attachments, prefixes, groups or match" : "";
}

std::string misfit_of_match(const Group& group) {
  const auto expression = TagExpression::parse(group.match);
  return expression ? "" : expression.error();
}

}  // namespace weir::config
