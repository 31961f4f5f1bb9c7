// The policy as workers read it: for a pair of domains, an ordered list of rules; the first that matches
// decides.
//
// A rule is written and evaluated in the initiator's direction, on the original source and the translated
// destination. Rules are sorted out per connected pair of domains when the table is built, so that a first
// packet only walks those that can match its pair. Immutable once built.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/core/tuple.h"

namespace weir::dataplane {

enum class PolicyAction : uint8_t { allow, deny, inspect };

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65'535;  // inclusive
};

/// One rule with names already resolved.
struct PolicyRule {
  std::string id;
  PolicyAction action = PolicyAction::deny;
  std::vector<DomainId> from_domains;      // empty: any
  std::vector<net::Prefix> from_prefixes;  // empty: any
  std::vector<DomainId> to_domains;
  std::vector<net::Prefix> to_prefixes;
  uint8_t protocol = 0;          // 0: any
  std::vector<PortRange> ports;  // of the destination; empty: any
  ProfileIndex profile = 0;      // with inspect
  bool log = false;
};

/// A rule's place in the table, by which sessions name it; it keeps that whatever becomes of others.
using RuleIndex = uint32_t;
inline constexpr RuleIndex kDefaultDeny = ~0u;

struct PolicyDecision {
  PolicyAction action = PolicyAction::deny;
  RuleIndex rule = kDefaultDeny;  // kDefaultDeny: no rule matched
  ProfileIndex profile = 0;
};

/// Does this rule match? The one definition, used for packets, `weirctl path` and tests alike.
bool matches(const PolicyRule& rule, DomainId from, DomainId to, const Tuple& tuple);

/// Two domains that may reach each other, in one direction; (d, d) is always connected.
struct Connection {
  DomainId from;
  DomainId to;
  /// Unique over the hub's life; moves when the rules for this pair change.
  uint32_t policy_version = 0;
};

class PolicyTable {
 public:
  using ConnectionIndex = uint16_t;
  static constexpr ConnectionIndex kNotConnected = 0xffff;
  static constexpr size_t kMaxConnections = kNotConnected;

  /// Control or builder thread. `connections` has both directions and every (d, d), at most kMaxConnections
  /// in all, which the caller checks: what is over that is left out, so not connected. `order`: the rules'
  /// places in the order in which they are evaluated; those that it lacks are gaps. Without one they are
  /// evaluated as they stand.
  static PolicyTable build(std::vector<PolicyRule> rules, std::vector<Connection> connections);
  static PolicyTable build(std::vector<PolicyRule> rules, std::vector<Connection> connections,
                           const std::vector<RuleIndex>& order);

  /// kNotConnected if the two may not reach each other.
  ConnectionIndex find(DomainId from, DomainId to) const;
  /// 0 for an index that does not exist, which is no version.
  uint32_t version(ConnectionIndex index) const { return index < versions_.size() ? versions_[index] : 0; }
  const Connection& connection(ConnectionIndex index) const { return connections_[index]; }
  PolicyDecision classify(ConnectionIndex pair, const Tuple& tuple) const;

  /// By RuleIndex: not in the order in which they are evaluated. A gap has no id.
  const std::vector<PolicyRule>& rules() const { return rules_; }
  const std::vector<Connection>& connections() const { return connections_; }

 private:
  std::vector<PolicyRule> rules_;
  std::vector<Connection> connections_;
  std::vector<uint32_t> versions_;  // of connections_: what packets ask for, close together
  std::vector<std::vector<RuleIndex>> rules_of_pair_;
  std::vector<ConnectionIndex> hash_;  // open addressing over (from, to)
};

}  // namespace weir::dataplane
