// The rules of one profile of a configuration file, for commands that need no hub.
#pragma once

#include <string>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/engine/rule_source.h"
#include "inspection/rules/header_sets.h"

namespace weir::daemon {

struct ProfileRules {
  inspection::RuleSource source;
  inspection::ast::RuleVariables own_variables;  // without those that have a value anyway
  std::vector<std::string> places;  // of the entries of its lists: "hub.toml:12:15: profile[].disable: "

  std::string place_of(size_t entry) const { return entry < places.size() ? places[entry] : ""; }
};

/// Of the profile of that name; empty: the first one. The error has a line for each problem of the file.
Result<ProfileRules> profile_rules(const std::string& config_file, const std::string& profile);

}  // namespace weir::daemon
