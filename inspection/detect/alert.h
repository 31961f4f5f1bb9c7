// What detection says of a rule that matched, for those who write events.
//
// Worker thread. Nothing is formatted here: the sink copies what it needs before it returns.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/app/transaction.h"
#include "inspection/direction.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection {

/// By which a rule is known in every ruleset.
struct RuleName {
  uint32_t gid = 0, sid = 0;
  friend auto operator<=>(const RuleName&, const RuleName&) = default;
};

/// What events say of a rule. Lives as long as its ruleset; immutable.
struct RuleInfo {
  RuleName name() const { return {gid, sid}; }

  uint32_t gid = 1, sid = 0, rev = 0;
  uint8_t severity = 3;  // EVE's name for the priority
  ast::Action action = ast::Action::alert;
  std::string signature;  // msg
  std::string category;   // the text of the classtype
  std::vector<std::string> metadata;
  std::vector<ast::Reference> references;
  std::optional<ast::Target::Is> target;  // which end of the packet is the victim
  std::string text;                       // the rule itself
  std::string file;
  uint32_t line = 0;
};

/// What a data set says of a value that it holds (`context_key`). Lives as long as the ruleset.
struct AlertContext {
  std::string_view key, json;
};

struct RuleAlert {
  const RuleInfo* rule = nullptr;
  /// EVE's "blocked"; else "allowed". Never in mode ids or test.
  bool blocked = false;
  /// Mode test: it would have been blocked.
  bool would_block = false;
  /// Of what matched: the packet, the stream or the side of the transaction. It can differ from the packet's
  /// (IDS: bytes are judged when the other end acknowledges them).
  Direction direction = Direction::to_server;
  /// Whose buffers matched; null if the rule is not of a transaction. Valid during the call.
  Transaction* transaction = nullptr;
  bool from_stream = false;  // TCP payload put in order, not this packet's alone
  std::span<const AlertContext> contexts{};
};

/// Where a rule that somebody asks about (DetectorLimits::explain) ended when it was held against a packet, a
/// stream or a transaction.
struct RuleStep {
  /// The first condition that did not hold, in the order in which they are asked; the further the greater.
  enum class At : uint8_t {
    direction,  // flow:to_server and its like
    layer,      // the protocol below the application
    app,        // the application protocol
    flow,       // flow:established and its like; flow_start
    addresses,  // or ports
    buffer,     // `part`: the buffer did not come
    literal,    // `part`: the buffer came, and the literal that would propose the rule was not in it
    bytes,      // `part`, `check`: a condition on the buffer's bytes
    waits,      // `part`: what came did not decide yet
    state,      // `check`: a condition on the packet, the session, or numbers of the transaction
    sets,       // a dataset or datarep
    silent,     // all held; a threshold or a suppression kept it from alerting
    noalert,    // all held; the rule says that it does not alert
    fired,
  };
  At at = At::direction;
  uint16_t part = 0, check = 0;  // indices into the rule's
  uint32_t bytes = 0;            // of the buffer, where one is named
};

class AlertSink {
 public:
  virtual ~AlertSink() = default;
  /// Never blocks. In Suricata's order of rules within one packet.
  virtual void alert(const RuleAlert& alert) = 0;
  /// The rule has dropped as many sessions as it may in a minute, `sessions`: it alerts from now on.
  virtual void fuse(const RuleInfo&, uint32_t /*sessions*/) {}
  virtual void explained(const RuleInfo&, const RuleStep&) {}
};

}  // namespace weir::inspection
