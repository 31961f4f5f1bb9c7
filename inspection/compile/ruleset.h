// Rules compiled for matching: literal databases that propose rules, and the rules with their exact checks.
//
// Immutable after build_ruleset(), but for the scratch memory, of which each worker has its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspection/compile/literal_database.h"
#include "inspection/detect/content_match.h"
#include "inspection/inspector.h"
#include "inspection/rules/rule.h"

namespace weir::inspection {

/// What kind of payload a session has, as rules tell them apart.
enum class Transport : uint8_t { stream, udp, other };
inline constexpr size_t kTransportCount = 3;

inline Transport transport_of(uint8_t protocol) {
  return protocol == 6 ? Transport::stream : protocol == 17 ? Transport::udp : Transport::other;
}

/// When a request's rules are judged: some need its first line only.
enum class HttpStage : uint8_t { request_line, headers };
inline constexpr size_t kHttpStageCount = 2;

struct CompiledRule {
  RuleAction action = RuleAction::alert;
  RuleProtocol protocol = RuleProtocol::ip;
  bool both_ways = false;
  FlowCondition flow;
  AddressSet source, destination;
  PortSet source_ports, destination_ports;
  uint32_t gid = 1, sid = 0, rev = 0, priority = 3;
  std::string message, category;
  std::vector<ContentChain> chains;  // one for each buffer; none: the header alone decides

  uint64_t key() const { return static_cast<uint64_t>(gid) << 32 | sid; }
};

/// A literal database and which rules each literal proposes. Rules are named by their index.
class RuleGroup {
 public:
  /// Builder: `rule` is a candidate wherever `literal` stands.
  void add(Literal literal, uint32_t rule) { pending_.push_back({std::move(literal), rule}); }
  /// Builder: a rule that no literal proposes; it is a candidate always.
  void add_always(uint32_t rule) { always_.push_back(rule); }
  /// Builder: after the last add().
  Status compile();

  bool empty() const { return db_.empty() && always_.empty(); }
  const LiteralDatabase& database() const { return db_; }
  std::span<const uint32_t> rules_of(uint32_t literal) const {
    return {rules_.data() + first_[literal], first_[literal + 1] - first_[literal]};
  }
  std::span<const uint32_t> always() const { return always_; }

 private:
  struct Pending {
    Literal literal;
    uint32_t rule;
  };
  std::vector<Pending> pending_;
  LiteralDatabase db_;
  std::vector<uint32_t> first_;  // literal -> index into rules_; one more at the end
  std::vector<uint32_t> rules_;
  std::vector<uint32_t> always_;
};

/// The candidates of one scan, each once. One for each worker; the worker never makes it grow.
class CandidateSet {
 public:
  explicit CandidateSet(size_t rules) : marks_(rules, 0) { list_.reserve(rules); }
  void clear() {
    list_.clear();
    if (++epoch_ == 0) {
      std::fill(marks_.begin(), marks_.end(), 0U);
      epoch_ = 1;
    }
  }
  void add(uint32_t rule) {
    if (marks_[rule] == epoch_) return;
    marks_[rule] = epoch_;
    list_.push_back(rule);
  }
  /// In the order of judgement.
  std::span<const uint32_t> sorted() {
    std::sort(list_.begin(), list_.end());
    return list_;
  }

 private:
  std::vector<uint32_t> marks_;
  std::vector<uint32_t> list_;
  uint32_t epoch_ = 0;
};

struct RulesetScratch {
  ScratchPtr hyperscan;
  CandidateSet candidates;
};

class Ruleset {
 public:
  static Result<std::shared_ptr<const Ruleset>> compile(std::vector<Rule> rules, unsigned workers);

  /// Differs between any two rulesets of this process.
  uint64_t serial() const { return serial_; }
  const CompiledRule& rule(uint32_t index) const { return rules_[index]; }
  size_t size() const { return rules_.size(); }

  const RuleGroup& payload(Transport t, Direction d) const {
    return payload_[static_cast<size_t>(t)][static_cast<size_t>(d)];
  }
  /// Rules without contents: the header and the flow alone decide.
  std::span<const uint32_t> header_only(Transport t, Direction d) const {
    return header_only_[static_cast<size_t>(t)][static_cast<size_t>(d)];
  }
  const RuleGroup& http(HttpStage stage, Buffer buffer) const {
    return http_[static_cast<size_t>(stage)][static_cast<size_t>(buffer)];
  }
  bool has_http(HttpStage stage) const { return has_http_[static_cast<size_t>(stage)]; }

  /// Null if the ruleset was built for fewer workers.
  RulesetScratch* scratch(unsigned worker) const {
    return worker < scratch_.size() ? scratch_[worker].get() : nullptr;
  }

 private:
  Ruleset() = default;
  void place(const Rule& rule, uint32_t index);
  void place_http(const Rule& rule, uint32_t index);
  Status make_scratch(unsigned workers);
  template <typename Visit>
  Status for_each_group(Visit visit);

  uint64_t serial_ = 0;
  std::vector<CompiledRule> rules_;
  std::array<std::array<RuleGroup, 2>, kTransportCount> payload_;
  std::array<std::array<std::vector<uint32_t>, 2>, kTransportCount> header_only_;
  std::array<std::array<RuleGroup, kBufferCount>, kHttpStageCount> http_;
  std::array<bool, kHttpStageCount> has_http_{};
  std::vector<std::unique_ptr<RulesetScratch>> scratch_;  // by worker
};

}  // namespace weir::inspection
