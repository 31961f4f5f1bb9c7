// Policy rules.
#include <algorithm>

#include "mgmt/config/choices.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

/// Snapshots number profiles with 16 bits.
constexpr size_t kMaxProfiles = 65'535;

/// The list `key` of the endpoint `side`, if it is all good.
const Node* endpoint_list(const Node& table, std::string_view side, std::string_view key) {
  const Node* endpoint = table.find(side);
  return endpoint != nullptr && endpoint->kind == Node::Kind::table ? endpoint->get(key) : nullptr;
}

void check_domains(const Validation& v, const Endpoint& endpoint, const Node& table, std::string_view side) {
  const Node* list = endpoint_list(table, side, "domains");
  if (list == nullptr) return;
  for (size_t i = 0; i < endpoint.domains.size() && !v.report.full(); ++i) {
    v.domains.resolve(endpoint.domains[i], list->children[i], "policy[]." + std::string(side) + ".domains",
                      v.report);
  }
}

struct Families {
  bool ipv4 = true;
  bool ipv6 = true;
};

/// `list` is where the prefixes stand; null if they are absent or not all good, and then nothing is known
/// against either.
Families families_of(const std::vector<net::Prefix>& prefixes, const Node* list) {
  if (list == nullptr || prefixes.empty()) return {};
  const auto v4 = [](const net::Prefix& p) { return p.address.is_v4(); };
  return {std::any_of(prefixes.begin(), prefixes.end(), v4),
          !std::all_of(prefixes.begin(), prefixes.end(), v4)};
}

std::string only(const Families& f) { return f.ipv4 ? "IPv4" : "IPv6"; }

/// A rule that no packet can match is a mistake: its families contradict each other or its protocol.
void check_families(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* to_list = endpoint_list(table, "to", "prefixes");
  const Families from = families_of(rule.from.prefixes, endpoint_list(table, "from", "prefixes"));
  const Families to = families_of(rule.to.prefixes, to_list);
  const bool ipv4 = from.ipv4 && to.ipv4, ipv6 = from.ipv6 && to.ipv6;
  if (!ipv4 && !ipv6) {  // so both sides name prefixes
    return v.report.at(
        *to_list, "policy[].to.prefixes",
        "nothing can match: the prefixes in from are " + only(from) + ", those in to " + only(to));
  }
  if ((rule.protocol == Protocol::icmp && !ipv4) || (rule.protocol == Protocol::icmpv6 && !ipv6)) {
    v.report.at(table, "protocol", "policy[].protocol",
                "nothing can match: " + in_quotes(name_of(kProtocols, rule.protocol)) +
                    " does not exist in " + (ipv4 ? "IPv4" : "IPv6"));
  }
}

void check_profile(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* value = table.find("profile");
  if (value != nullptr && !value->bad) v.profiles.resolve(rule.profile, *value, "policy[].profile", v.report);
  if (table.get("action") == nullptr) return;
  if (rule.action == PolicyAction::inspect && value == nullptr) {
    v.report.at(table, "policy[].profile", "missing; action \"inspect\" needs a profile");
  } else if (rule.action != PolicyAction::inspect && value != nullptr) {
    v.report.at(
        *value, "policy[].profile",
        "action " + in_quotes(name_of(kPolicyActions, rule.action)) + " inspects nothing; leave the key out");
  }
}

void check_ports(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* ports = table.find("ports");
  const Node* protocol = table.find("protocol");
  if (ports == nullptr || (protocol != nullptr && protocol->bad)) return;
  if (rule.protocol == Protocol::tcp || rule.protocol == Protocol::udp) return;
  v.report.at(*ports, "policy[].ports",
              "protocol " + in_quotes(name_of(kProtocols, rule.protocol)) +
                  " has no ports; only \"tcp\" and \"udp\" have");
}

}  // namespace

void validate_policy(const Validation& v) {
  if (v.draft.profiles.size() > kMaxProfiles) {
    v.report.at(*v.draft.profiles[kMaxProfiles], "profile",
                "there are at most " + std::to_string(kMaxProfiles) + " profiles");
  }
  for (size_t i = 0; i < v.draft.policy.size() && !v.report.full(); ++i) {
    const PolicyRule& rule = v.draft.config.policy[i];
    const Node& table = *v.draft.policy[i];
    check_domains(v, rule.from, table, "from");
    check_domains(v, rule.to, table, "to");
    check_ports(v, rule, table);
    check_families(v, rule, table);
    check_profile(v, rule, table);
  }
}

}  // namespace weir::config
