// A compiled ruleset with the variables of one profile: many profiles share one ruleset.
//
// Builder thread makes it; immutable afterwards, read by all workers.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/compile/detection_ruleset.h"
#include "inspection/detect/address_rules.h"
#include "inspection/detect/rule_fuses.h"
#include "inspection/detect/verdict.h"
#include "inspection/rules/header_sets.h"

namespace weir::inspection {

class DetectionProfile {
 public:
  /// Resolves every address and port expression of `ruleset` under `variables`. An expression that names an
  /// unknown variable matches nothing, and its sentence is added to `unbound` (once for each expression).
  /// `fuse_sessions`: a rule may drop in a minute; 0: any number.
  /// An error: the ruleset does not cover them.
  static Result<std::shared_ptr<const DetectionProfile>> bind(std::shared_ptr<const DetectionRuleset> ruleset,
                                                              const ast::RuleVariables& variables,
                                                              InspectMode mode,
                                                              DropScope drop_scope = DropScope::session,
                                                              std::vector<std::string>* unbound = nullptr,
                                                              uint32_t fuse_sessions = 0);

  const DetectionRuleset& ruleset() const { return *ruleset_; }
  /// The same, for another profile.
  const std::shared_ptr<const DetectionRuleset>& shared_ruleset() const { return ruleset_; }
  InspectMode mode() const { return mode_; }
  DropScope drop_scope() const { return drop_scope_; }
  const AddressSet& addresses(uint32_t index) const { return addresses_[index].set; }
  /// Written with a negated member, itself or by a variable: Suricata then judges rules of addresses alone by
  /// packet, not by session.
  bool negated(uint32_t index) const { return addresses_[index].negated; }
  /// Null: rules may drop as many sessions as they like.
  RuleFuses* fuses() const { return fuses_.get(); }
  const PortSet& ports(uint32_t index) const { return ports_[index]; }
  /// The ruleset's ip_only(d), by addresses: those of a direction's first packet, which are all of them, or
  /// those of each packet, which have a negated member.
  const AddressRules& address_rules(Direction d, bool first) const {
    return address_rules_[static_cast<size_t>(d)][first ? 0 : 1];
  }

 private:
  struct Addresses {
    AddressSet set;
    bool negated = false;
  };
  DetectionProfile() = default;
  void index_address_rules();
  std::shared_ptr<const DetectionRuleset> ruleset_;
  InspectMode mode_ = InspectMode::ids;
  DropScope drop_scope_ = DropScope::session;
  std::vector<Addresses> addresses_;
  std::vector<PortSet> ports_;
  std::unique_ptr<RuleFuses> fuses_;
  std::array<std::array<AddressRules, 2>, 2> address_rules_;
};

}  // namespace weir::inspection
