// Inspection profiles: the variables of their rules.
#include "mgmt/config/rule_variables.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

/// Snapshots number profiles with 16 bits.
constexpr size_t kMaxProfiles = 65'535;

/// Every value of the table is a set once the variables that it names are known.
template <typename Set>
void check_group(const Validation& v, const Node& profile, std::string_view name, Set&& bound) {
  const Node* group = profile.find(name);
  if (group == nullptr || group->kind != Node::Kind::table) return;
  for (const Node& value : group->children) {
    if (value.bad) continue;
    if (auto set = bound(value.text); !set) {
      v.report.at(value, "profile[]." + std::string(name) + "." + value.key, std::move(set.error()));
    }
  }
}

}  // namespace

inspection::ast::RuleVariables rule_variables(const Profile& profile) {
  auto variables = inspection::ast::RuleVariables::defaults();
  for (const auto& [name, value] : profile.address_groups) variables.addresses.insert_or_assign(name, value);
  for (const auto& [name, value] : profile.port_groups) variables.ports.insert_or_assign(name, value);
  return variables;
}

inspection::RuleSource rule_source(const Profile& profile) {
  inspection::RuleSource source;
  source.files = profile.rule_files;
  source.thresholds = profile.threshold_file;
  source.classes = profile.classification_file;
  source.references = profile.reference_file;
  for (const ProfileRuleEntry& entry : profile.lists) source.lists.push_back({entry.change, entry.pattern});
  return source;
}

void validate_profiles(const Validation& v) {
  using inspection::ast::bind_addresses, inspection::ast::bind_ports;
  using inspection::ast::parse_address_expression, inspection::ast::parse_port_expression;
  if (v.draft.profiles.size() > kMaxProfiles) {
    v.report.at(*v.draft.profiles[kMaxProfiles], "profile",
                "there are at most " + std::to_string(kMaxProfiles) + " profiles");
  }
  for (size_t i = 0; i < v.draft.profiles.size() && !v.report.full(); ++i) {
    const Node& table = *v.draft.profiles[i];
    const inspection::ast::RuleVariables variables = rule_variables(v.draft.config.profiles[i]);
    check_group(v, table, "address_groups", [&](const std::string& text) {
      return bind_addresses(*parse_address_expression(text), variables);
    });
    check_group(v, table, "port_groups",
                [&](const std::string& text) { return bind_ports(*parse_port_expression(text), variables); });
  }
}

}  // namespace weir::config
