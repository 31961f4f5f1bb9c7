// What each policy rule decided, since it is there. Control thread.
//
// Workers count by a rule's place in the table, whichever rule has it. Here is kept from where on a count
// belongs to the rule that has the place now. The few sessions that workers still decide by the table before
// while the next one is published are counted for the rule that comes.
#pragma once

#include <string>
#include <vector>

#include "dataplane/policy/policy.h"
#include "dataplane/worker/dataplane.h"

namespace weir::control {

class RuleCounts {
 public:
  explicit RuleCounts(const dataplane::Dataplane& dataplane) : dataplane_(dataplane) {}

  /// `policy` is what workers read from now on.
  void on_policy(const dataplane::PolicyTable& policy) {
    const auto& rules = policy.rules();
    entries_.resize(std::max(entries_.size(), rules.size()));
    for (size_t i = 0; i < entries_.size(); ++i) {
      const std::string id = i < rules.size() ? rules[i].id : std::string();
      if (entries_[i].id == id) continue;
      entries_[i] = {id, dataplane_.rule_hits(static_cast<dataplane::RuleIndex>(i)).sessions};
    }
  }

  /// `last_ns` is 0 if the rule has decided nothing.
  dataplane::RuleHit of(dataplane::RuleIndex rule) const {
    dataplane::RuleHit hit = dataplane_.rule_hits(rule);
    if (rule < entries_.size()) hit.sessions -= std::min(hit.sessions, entries_[rule].before);
    if (hit.sessions == 0) hit.last_ns = 0;
    return hit;
  }

 private:
  struct Entry {
    std::string id;
    uint64_t before = 0;  // counted for others that had the place
  };
  const dataplane::Dataplane& dataplane_;
  std::vector<Entry> entries_;
};

}  // namespace weir::control
