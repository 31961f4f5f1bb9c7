// Policy rules.
#include <vector>

#include "mgmt/config/fit.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

/// The list `key` of the endpoint `side`, if it is all good.
const Node* endpoint_list(const Node& table, std::string_view side, std::string_view key) {
  const Node* endpoint = table.find(side);
  return endpoint != nullptr && endpoint->kind == Node::Kind::table ? endpoint->get(key) : nullptr;
}

void check_end(const Validation& v, const Node& table, std::string_view side) {
  const std::string path = "policy[]." + std::string(side);
  if (const Node* domains = endpoint_list(table, side, "domains"))
    v.domains.resolve_all(*domains, path + ".domains", v.report);
  if (const Node* groups = endpoint_list(table, side, "groups"))
    v.groups.resolve_all(*groups, path + ".groups", v.report);
}

void check_services(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* list = table.get("services");
  if (list == nullptr) return;
  v.services.resolve_all(*list, "policy[].services", v.report);
  if (std::string why = misfit_of_services(rule); !why.empty())
    v.report.at(*list, "policy[].services", std::move(why));
}

void check_names(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* names = table.find("names");
  bool good = names != nullptr && names->kind == Node::Kind::table;
  for (size_t k = 0; good && k < inspection::kNameKinds; ++k) {
    const auto kind = static_cast<inspection::NameKind>(k);
    const Node* list = names->get(inspection::name_of(kind));
    for (const Node& name : list != nullptr ? list->children : std::vector<Node>{}) {
      if (std::string why = misfit_of_name(kind, name.text); !why.empty())
        v.report.at(name, "policy[].names." + std::string(inspection::name_of(kind)), std::move(why));
    }
  }
  if (names != nullptr && names->bad) return;
  const Node* at = table.find("unknown") != nullptr ? table.find("unknown") : names;
  if (std::string why = misfit_of_unknown(rule); !why.empty() && at != nullptr && !at->bad)
    v.report.at(*at, at == names ? "policy[].names" : "policy[].unknown", std::move(why));
}

/// A rule that no packet can match is a mistake: its families contradict each other or its protocol. Bad
/// prefixes were reported, and nothing is known against either family then.
void check_families(const Validation& v, const PolicyRule& rule, const Node& table) {
  PolicyRule known = rule;
  const Node* to_list = endpoint_list(table, "to", "prefixes");
  if (endpoint_list(table, "from", "prefixes") == nullptr) known.from.prefixes.clear();
  if (to_list == nullptr) known.to.prefixes.clear();
  if (std::string why = misfit_of_sides(known); !why.empty()) {
    return v.report.at(*to_list, "policy[].to.prefixes", std::move(why));
  }
  if (std::string why = misfit_of_protocol(known); !why.empty()) {
    v.report.at(table, "protocol", "policy[].protocol", std::move(why));
  }
}

void check_profile(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* value = table.find("profile");
  if (value != nullptr && !value->bad) v.profiles.resolve(rule.profile, *value, "policy[].profile", v.report);
  if (table.get("action") == nullptr) return;
  if (rule.action == PolicyAction::inspect && value == nullptr) {
    v.report.at(table, "policy[].profile", "missing; action \"inspect\" needs a profile");
  } else if (std::string why = misfit_of_profile(rule); !why.empty() && value != nullptr) {
    v.report.at(*value, "policy[].profile", std::move(why));
  }
}

void check_ports(const Validation& v, const PolicyRule& rule, const Node& table) {
  const Node* ports = table.find("ports");
  const Node* protocol = table.find("protocol");
  if (ports == nullptr || (protocol != nullptr && protocol->bad)) return;
  if (std::string why = misfit_of_ports(rule); !why.empty()) {
    v.report.at(*ports, "policy[].ports", std::move(why));
  }
}

}  // namespace

void validate_policy(const Validation& v) {
  const size_t most = v.draft.config.limits.policy_rules;
  if (v.draft.policy.size() > most) {
    v.report.at(*v.draft.policy[most], "policy[]",
                "there are more than limits.policy_rules allows, " + std::to_string(most));
  }
  std::vector<const PolicyRule*> rules;
  for (const PolicyRule& rule : v.draft.config.policy) rules.push_back(&rule);
  if (std::string why = misfit_of_timeouts(rules); !why.empty())
    v.report.at(*v.draft.policy.front(), "policy[].timeouts", std::move(why));
  for (size_t i = 0; i < v.draft.policy.size() && !v.report.full(); ++i) {
    const PolicyRule& rule = v.draft.config.policy[i];
    const Node& table = *v.draft.policy[i];
    check_end(v, table, "from");
    check_end(v, table, "to");
    check_services(v, rule, table);
    check_ports(v, rule, table);
    check_names(v, rule, table);
    check_families(v, rule, table);
    check_profile(v, rule, table);
  }
}

}  // namespace weir::config
