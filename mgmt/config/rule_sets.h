// Policy rules as sets of sessions, for telling whether some rules together take all that another one does.
//
// A rule is the product of five parts: the domains and the addresses of either end, and the services. A part
// of one rule may hold that of another; and where several rules each hold all parts of another one but the
// same one part, what matters is whether those parts together hold the other's. Never says so if it is not
// so: a group is held by rules that name it or a group around it, whatever it has.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mgmt/config/config.h"

namespace weir::config {

/// A group's place in PolicyObjects::groups.
using GroupIndex = uint32_t;

/// One end of a rule.
struct EndSet {
  std::vector<std::string_view> domains;  // in order; empty: any
  bool any_address = true;
  std::vector<GroupIndex> groups;      // in order, as the rule names them
  std::vector<GroupIndex> all_groups;  // with all that they contain
  std::vector<net::Prefix> prefixes;   // in order, its own
  /// By place in `prefixes`: the groups that have it, or a wider one.
  std::vector<std::vector<GroupIndex>> holders;
};

/// One kind of sessions: ports, or ICMP types.
struct ServiceSet {
  Protocol protocol = Protocol::any;
  uint32_t first = 0, last = 65'535;
};

struct RuleSet {
  const PolicyRule* config = nullptr;
  EndSet from, to;
  std::vector<ServiceSet> services;  // empty: any
};

enum class RulePart : uint8_t { from_domains, from_addresses, to_domains, to_addresses, services, count_ };
inline constexpr size_t kRuleParts = static_cast<size_t>(RulePart::count_);

/// Reads rules, and compares them. Refers to the objects.
class RuleSets {
 public:
  explicit RuleSets(const PolicyObjects& objects);

  /// `rule` has to outlive the answer; all that it names exists.
  RuleSet read(const PolicyRule& rule) const;
  /// Does that part of `a` hold all that `b`'s does?
  bool holds(RulePart part, const RuleSet& a, const RuleSet& b) const;
  /// Has that part of `a` anything that `b`'s has? True if it may have.
  bool meets(RulePart part, const RuleSet& a, const RuleSet& b) const;
  /// Do those parts of all of `some` together hold all that `b`'s does? Adds to `work` what was looked at.
  bool hold(RulePart part, std::span<const RuleSet* const> some, const RuleSet& b, uint64_t& work) const;

 private:
  EndSet read(const Endpoint& end) const;
  std::vector<GroupIndex> closure(const std::vector<GroupIndex>& groups) const;
  bool hold_addresses(const std::vector<const EndSet*>& some, const EndSet& b, uint64_t& work) const;
  bool hold_prefix(const std::vector<const EndSet*>& some, const net::Prefix& prefix, uint64_t& work) const;
  static bool hold_services(std::span<const RuleSet* const> some, const RuleSet& b);

  const PolicyObjects& objects_;
  std::unordered_map<std::string_view, GroupIndex> groups_;
  std::unordered_map<std::string_view, const Service*> services_;
  std::vector<std::vector<net::Prefix>> prefixes_;  // by group, in order
  std::map<net::Prefix, std::vector<GroupIndex>> holders_;
};

}  // namespace weir::config
