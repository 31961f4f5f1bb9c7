#include "mgmt/daemon/profile_rules.h"

#include <algorithm>

#include "mgmt/config/reader.h"
#include "mgmt/config/rule_variables.h"

namespace weir::daemon {

Result<ProfileRules> profile_rules(const std::string& config_file, const std::string& profile) {
  const auto config = config::read_config(config_file);
  if (!config) {
    std::string text;
    for (const auto& problem : config.error())
      text += (text.empty() ? "" : "\n") + config::to_string(problem);
    return fail(ErrorCode::invalid, text);
  }
  const auto found =
      std::find_if(config->profiles.begin(), config->profiles.end(),
                   [&](const config::Profile& p) { return profile.empty() || p.name == profile; });
  if (found == config->profiles.end()) {
    return fail(ErrorCode::not_found, profile.empty()
                                          ? config_file + " has no profile"
                                          : config_file + " has no profile " + config::in_quotes(profile));
  }
  ProfileRules rules{config::rule_source(*found), {found->address_groups, found->port_groups}, {}};
  for (const config::ProfileRuleEntry& entry : found->lists) {
    rules.places.push_back(config::to_string(
        config::Problem{entry.where, "profile[]." + std::string(name_of(entry.change)), ""}));
  }
  return rules;
}

}  // namespace weir::daemon
