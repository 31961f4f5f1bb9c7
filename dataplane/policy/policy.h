// The policy as workers read it: for a pair of domains, an ordered list of rules; the first that matches
// decides.
//
// A rule is written and evaluated in the initiator's direction, on the original source and the translated
// destination. Immutable once built. How it is looked up without trying the rules one by one: rule_vectors.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/core/rule_effects.h"
#include "dataplane/core/tuple.h"
#include "inspection/events/event.h"
#include "inspection/names/name_question.h"

namespace weir::dataplane {

/// What events tell, too. `reject` is a deny that tells the sender so.
using PolicyAction = inspection::PolicyWord;

/// Does not let the session through.
constexpr bool refuses(PolicyAction action) {
  return action == PolicyAction::deny || action == PolicyAction::reject;
}

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65'535;  // inclusive
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// One kind of conversation: a protocol and, of those that have them, destination ports or ICMP types.
struct ServiceTerm {
  uint8_t protocol = 0;  // 0: any
  PortRange numbers;     // all, unless the protocol has ports or types
  friend bool operator==(const ServiceTerm&, const ServiceTerm&) = default;
};

/// What a group stands for, resolved: an end of a session belongs to it by its domain, its attachment or its
/// address. Empty: nothing belongs to it.
struct PolicyGroup {
  std::string name;
  std::vector<DomainId> domains;
  std::vector<AttachmentId> attachments;
  std::vector<net::Prefix> prefixes;                         // in whatever domain
  std::vector<std::pair<DomainId, net::Prefix>> of_domains;  // in one domain
  friend bool operator==(const PolicyGroup&, const PolicyGroup&) = default;
};

/// One end of a rule: in one of `domains` and, if there are any prefixes or groups, in one of those.
struct PolicyEnd {
  std::vector<DomainId> domains;      // empty: any
  std::vector<net::Prefix> prefixes;  // with `groups` both empty: any address
  std::vector<std::shared_ptr<const PolicyGroup>> groups;

  bool any_address() const { return prefixes.empty() && groups.empty(); }
  /// Groups that stayed the same are the same objects.
  friend bool operator==(const PolicyEnd&, const PolicyEnd&) = default;
};

using inspection::NameAnswer;
using inspection::NameQuestion;

/// What a rule with a name does to a session whose name stays unknown.
enum class IfUnknown : uint8_t { deny, allow, next };

/// One rule with names already resolved.
struct PolicyRule {
  std::string id;
  PolicyAction action = PolicyAction::deny;
  PolicyEnd from, to;
  std::vector<ServiceTerm> services;  // empty: any
  NameQuestion names;                 // what a first packet does not tell; empty: nothing is asked
  IfUnknown if_unknown = IfUnknown::deny;
  uint32_t names_version = 0;  // the policy version with which `names` became what they are
  ProfileIndex profile = 0;    // with inspect
  bool watch = false;          // counts, decides nothing
  RuleEffects effects = {};
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

/// A rule's place in the table, by which sessions name it; it keeps that whatever becomes of others.
using RuleIndex = uint32_t;
inline constexpr RuleIndex kDefaultDeny = ~0u;

/// Tells what is known about the names of the session that is being decided.
class NameSource {
 public:
  virtual ~NameSource() = default;
  virtual NameAnswer ask(const NameQuestion& names) const = 0;
};

/// For a session that was decided before, when it is decided again: its names are known no more. They are
/// those that the rule asked for that decided, while that rule asks for the same; no other's.
class DecidedNames final : public NameSource {
 public:
  DecidedNames() = default;
  /// `own`: the rule that stands now where the one stood that decided, by `version`; may be null.
  DecidedNames(const PolicyRule* own, uint32_t version) : own_(own), version_(version) {}
  NameAnswer ask(const NameQuestion& names) const override {
    if (own_ == nullptr || &names != &own_->names) return NameAnswer::no;
    return own_->names_version <= version_ ? NameAnswer::yes : NameAnswer::given_up;
  }

 private:
  const PolicyRule* own_ = nullptr;
  uint32_t version_ = 0;
};

/// Some rules, in order; of more than it can hold it only tells that there are more.
struct RuleList {
  static constexpr size_t kMax = 6;
  std::array<RuleIndex, kMax> rules{};
  uint8_t size = 0;
  bool more = false;

  bool empty() const { return size == 0; }
  void add(RuleIndex rule) {
    if (size == kMax) {
      more = true;
    } else {
      rules[size++] = rule;
    }
  }
  const RuleIndex* begin() const { return rules.data(); }
  const RuleIndex* end() const { return rules.data() + size; }
};

/// The first rule that matches for certain. Final if `open` is empty; else one of `open` may decide, once the
/// name that it asks for is known.
struct PolicyDecision {
  PolicyAction action = PolicyAction::deny;
  RuleIndex rule = kDefaultDeny;  // kDefaultDeny: no rule matched
  ProfileIndex profile = 0;
  RuleEffects effects;
  RuleList open;             // earlier ones that would match, given the name
  bool open_allows = false;  // one of those would let the session through
  RuleList watched;          // earlier ones that match and only watch

  bool final() const { return open.empty(); }
};

/// A session's first packet, as the policy sees it.
struct PolicyQuery {
  Tuple tuple;
  AttachmentId ingress, egress;       // may be invalid: then no attachment's
  uint8_t icmp_type = 0;              // of ICMP and ICMPv6
  const NameSource* names = nullptr;  // null: all names are given up
};

/// What the packet that opens a conversation of this protocol has for an ICMP type: an echo request.
constexpr uint8_t echo_request_type(uint8_t protocol) { return protocol == 1 ? 8 : protocol == 58 ? 128 : 0; }

/// Does this rule match, as far as the packet tells? The one definition, in the most obvious words; tests
/// compare the compiled classifier with it.
bool matches(const PolicyRule& rule, DomainId from, DomainId to, const PolicyQuery& query);
bool matches(const PolicyRule& rule, DomainId from, DomainId to, const Tuple& tuple);

/// Two domains that may reach each other, in one direction; (d, d) is always connected.
struct Connection {
  DomainId from;
  DomainId to;
  /// Unique over the hub's life; moves when the rules for this pair change.
  uint32_t policy_version = 0;
};

class RuleVectors;

class PolicyTable {
 public:
  using ConnectionIndex = uint16_t;
  static constexpr ConnectionIndex kNotConnected = 0xffff;
  static constexpr size_t kMaxConnections = kNotConnected;

  PolicyTable();
  ~PolicyTable();
  PolicyTable(PolicyTable&&) noexcept;
  PolicyTable& operator=(PolicyTable&&) noexcept;

  /// Control or builder thread. `connections` has both directions and every (d, d), at most kMaxConnections
  /// in all, which the caller checks: what is over that is left out, so not connected. `order`: the rules'
  /// places in the order in which they are evaluated; those that it lacks are gaps. Without one they are
  /// evaluated as they stand. `before` may be given: what it has compiled of the same groups is shared.
  static PolicyTable build(std::vector<PolicyRule> rules, std::vector<Connection> connections);
  static PolicyTable build(std::vector<PolicyRule> rules, std::vector<Connection> connections,
                           const std::vector<RuleIndex>& order, const PolicyTable* before = nullptr);

  /// kNotConnected if the two may not reach each other.
  ConnectionIndex find(DomainId from, DomainId to) const;
  /// 0 for an index that does not exist, which is no version.
  uint32_t version(ConnectionIndex index) const { return index < versions_.size() ? versions_[index] : 0; }
  /// All of them, by ConnectionIndex, for code per packet.
  std::span<const uint32_t> versions() const { return versions_; }
  const Connection& connection(ConnectionIndex index) const { return connections_[index]; }
  PolicyDecision classify(ConnectionIndex pair, const PolicyQuery& query) const;
  /// The same of a packet that opens a conversation, whatever its attachments.
  PolicyDecision classify(ConnectionIndex pair, const Tuple& tuple) const;

  /// By RuleIndex: not in the order in which they are evaluated. A gap has no id.
  const std::vector<PolicyRule>& rules() const { return rules_; }
  const std::vector<Connection>& connections() const { return connections_; }
  /// Whether some rule asks for attachments: then a session whose attachment is another one has to be decided
  /// again.
  bool by_attachment() const { return by_attachment_; }
  /// Memory of what was compiled.
  size_t bytes() const;

 private:
  /// What decides once a rule is known to match, in the order of evaluation.
  struct Place {
    RuleIndex rule = 0;
    ProfileIndex profile = 0;
    PolicyAction action = PolicyAction::deny;
    IfUnknown if_unknown = IfUnknown::deny;
    bool watch = false;
    bool named = false;
    RuleEffects effects;
  };
  static_assert(sizeof(Place) <= 16);

  std::vector<PolicyRule> rules_;
  std::vector<Connection> connections_;
  std::vector<uint32_t> versions_;     // of connections_: what packets ask for, close together
  std::vector<ConnectionIndex> hash_;  // open addressing over (from, to)
  std::vector<Place> places_;
  bool by_attachment_ = false;
  std::unique_ptr<const RuleVectors> vectors_;
};

}  // namespace weir::dataplane
