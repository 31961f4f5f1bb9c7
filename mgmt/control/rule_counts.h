// What each policy rule decided, since it is there. Control thread.
//
// Workers count by a rule's place in the table, whichever rule has it. Here is kept from where on a count
// belongs to the rule that has the place now. The few sessions that workers still decide by the table before
// while the next one is published are counted for the rule that comes.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/policy/policy.h"
#include "dataplane/worker/dataplane.h"

namespace weir::control {

class RuleCounts {
 public:
  explicit RuleCounts(const dataplane::Dataplane& dataplane) : dataplane_(dataplane) {}

  /// `policy` is what workers read from now on.
  void on_policy(std::shared_ptr<const dataplane::PolicyTable> policy) {
    if (policy == policy_) return;
    const size_t places = std::max(before_.size(), policy->rules().size());
    before_.resize(places);
    for (size_t i = 0; i < places; ++i) {
      if (id_of(policy_.get(), i) == id_of(policy.get(), i)) continue;
      before_[i] = dataplane_.rule_hits(static_cast<dataplane::RuleIndex>(i)).sessions;
    }
    policy_ = std::move(policy);
  }

  /// `last_ns` is 0 if the rule has decided nothing.
  dataplane::RuleHit of(dataplane::RuleIndex rule) const {
    dataplane::RuleHit hit = dataplane_.rule_hits(rule);
    if (rule < before_.size()) hit.sessions -= std::min(hit.sessions, before_[rule]);
    if (hit.sessions == 0) hit.last_ns = 0;
    return hit;
  }

 private:
  /// Empty: nobody has that place.
  static std::string_view id_of(const dataplane::PolicyTable* policy, size_t place) {
    if (policy == nullptr || place >= policy->rules().size()) return {};
    return policy->rules()[place].id;
  }

  const dataplane::Dataplane& dataplane_;
  std::shared_ptr<const dataplane::PolicyTable> policy_;
  std::vector<uint64_t> before_;  // by place: counted for others that had it
};

}  // namespace weir::control
