// Profiles and policy as workers need them. Made anew as a whole, but only when they change; what stays the
// same keeps its place and its version, so that no session is decided again for nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "mgmt/config/config.h"
#include "mgmt/model/build_groups.h"
#include "mgmt/model/model.h"

namespace weir::model {

/// Different sets of time-outs that rules have, by TimeoutsIndex less one. Nothing: no rule has this one now.
using TimeoutSets = std::vector<std::optional<config::RuleTimeouts>>;

struct PolicyState {
  std::vector<dataplane::Profile> profiles;
  std::shared_ptr<const dataplane::PolicyTable> policy;
  std::vector<dataplane::RuleIndex> order;  // of its rules: as they are evaluated
  PolicyGroups groups;
  TimeoutSets timeouts;
  uint32_t last_version = 0;  // of policies: unique over the hub's life
};

using DomainPair = std::pair<dataplane::DomainId, dataplane::DomainId>;

struct PolicyInput {
  std::vector<const config::PolicyRule*> rules;  // in order; all that they name exists
  const std::vector<config::Profile>& profiles;  // each with compiled rules
  const Rulesets& rulesets;
  const std::vector<config::Service>& services;
  GroupInput groups;
  std::set<DomainPair> connected;  // both directions of each connection, and each domain with itself
  bool decide_all_again = false;   // whatever else has changed, every pair gets a version that is new
};

/// What follows on `before`. A rule keeps its place in the table while it has its id, so that a rule of other
/// domains moves no version wherever it is put; nor does a ruleset that is compiled anew.
/// So does a set of time-outs keep its own while some rule has it, since sessions name that, too.
PolicyState build_policy(const PolicyInput& input, const PolicyState& before);

}  // namespace weir::model
