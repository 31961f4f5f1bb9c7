// All rules of a profile's files compiled for matching: the rules in their order, and for each moment and
// each kind of bytes the group that proposes some of them.
//
// Immutable after compile(), but for the scratch memory, of which each worker has its own. Variables of the
// rules' headers are not bound here: detect/detection_profile.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspection/compile/detection_rule.h"
#include "inspection/compile/flowbit_names.h"
#include "inspection/compile/header_memo.h"
#include "inspection/compile/prefilter_group.h"
#include "inspection/compile/rule_order.h"
#include "inspection/compile/shared_scan.h"
#include "inspection/compile/transform_chains.h"
#include "inspection/event_count.h"

namespace weir::inspection {

struct DetectionCompileOptions {
  unsigned workers = 1;  // sets of scratch memory
  unsigned threads = 1;  // databases that are compiled at once
  /// Of the profile that it is for; null: of any. With them less has to be compiled, see covers().
  const ast::RuleVariables* variables = nullptr;
  /// Where databases are kept from one compilation to the next; null: nowhere.
  DatabaseCache* cache = nullptr;
  /// Shared by all rulesets of the process; null: names of this ruleset alone.
  std::shared_ptr<FlowBitNames> flowbit_names;
  /// Limits and suppressions beside the rules' own; null: none. Read during compile() alone.
  const ast::ThresholdConfig* thresholds = nullptr;
  /// Which actions' rules come first.
  std::vector<ast::Action> action_order{kUsualActionOrder.begin(), kUsualActionOrder.end()};
  /// Reads the lists that rules name.
  ListReader read_list = read_list_file;
};

/// Most sessions are of these (kOffWeb).
inline constexpr std::array kWebProtocols = {AppProtocol::http1, AppProtocol::http2, AppProtocol::tls};
inline constexpr std::array<uint16_t, 4> kWebPorts = {80, 443, 8080, 8443};

/// Where payload is looked for, beside the direction. Rules on TCP's stream and those on its segments are in
/// one group, since most segments are the stream's new bytes.
enum class PayloadSource : uint8_t { tcp, udp, other };
inline constexpr size_t kPayloadSources = 3;

/// Rules on one buffer of transactions, in one direction.
struct TransactionGroup {
  BufferId buffer = BufferId::payload;
  ChainId chain = 0;
  BufferKind kind = BufferKind::whole;
  uint8_t step = 0;                             // from which on it can be asked for
  bool no_buffer = false;                       // its rules are proposed at `step`, whatever the bytes
  AppProtocol protocol = AppProtocol::unknown;  // unknown: of several
  PrefilterGroup prefilter;

  /// The bodies of answers, as they are sent unless they are packed.
  bool is_body_of_answer(Direction d) const {
    return !no_buffer && d == Direction::to_client && chain == 0 && buffer == BufferId::file_data;
  }
  /// A form brings several files, one after the other: names and contents come until its direction is over,
  /// what they are even later.
  bool comes_bit_by_bit() const {
    return !no_buffer &&
           (kind == BufferKind::grows || buffer == BufferId::file_name || buffer == BufferId::file_magic);
  }
};

/// Groups by index into transaction_groups().
class GroupList {
 public:
  /// All, earliest step first.
  std::span<const uint16_t> all() const { return groups_; }
  /// Those that can be asked for from a step on that is more than `seen`, and at most `progress`.
  std::span<const uint16_t> between(uint8_t seen, uint8_t progress) const {
    const size_t first = end_[std::min<size_t>(seen, kMostSteps)];
    return all().first(end_[std::min<size_t>(progress, kMostSteps)]).subspan(first);
  }
  std::span<const uint16_t> of_step_0() const { return all().first(end_[0]); }
  /// Of `all()` those whose buffer may have more bytes at each look.
  std::span<const uint16_t> growing() const { return growing_; }

 private:
  friend class DetectionRuleset;
  static constexpr size_t kMostSteps = 7;
  std::vector<uint16_t> groups_, growing_;
  std::array<size_t, kMostSteps + 1> end_{};  // by step: behind its last group
};

/// What one rule cost a worker.
struct RuleCounts {
  EventCount verified;  // proposed, and the header matched, so that bytes were looked at
  EventCount matched;
  EventCount work;  // bytes looked at, and steps of regular expressions
};
/// What one group of rules cost a worker.
struct ScanCounts {
  EventCount scans, bytes;
  EventCount candidates;  // rules that a scan proposed
};

/// A worker's memory for one ruleset.
struct DetectionScratch {
  ScratchPtr hyperscan;
  ScanMemo memo;
  ProposedRules packet_rules, stream_rules, transaction_rules;
  HeaderMemo header;
  ProposedRules tcp_rules;  // of packet_rules and stream_rules, before they are told apart
  // Of the packet at hand: bytes of an answer's stream that were looked through for the body's rules as well,
  // and what was found for those.
  std::span<const uint8_t> shared_bytes;
  ProposedRules body_rules;
  PcreScratch pcre;
  std::unique_ptr<EventCount[]> limit_hits;                        // by rule
  std::unique_ptr<RuleCounts[]> rule_counts;                       // by rule
  std::unique_ptr<ScanCounts[]> payload_scans;                     // by payload_group()
  std::array<std::unique_ptr<ScanCounts[]>, 2> transaction_scans;  // by direction and transaction_groups()
};

class DetectionRuleset {
 public:
  /// Rules that cannot be evaluated are left out and listed in issues(). Fails as a whole only if Hyperscan
  /// or PCRE2 does not get what it needs. Who needs `parsed` no more moves it here, which saves copies.
  static Result<std::shared_ptr<const DetectionRuleset>> compile(ast::ParsedRuleset parsed,
                                                                 const DetectionCompileOptions& options);

  /// May be bound with these variables (DetectionProfile::bind()).
  bool covers(const ast::RuleVariables& variables) const;

  /// Differs between any two rulesets of this process; never 0.
  uint32_t serial() const { return serial_; }
  const DetectionRule& rule(uint32_t index) const { return rules_[index]; }
  /// The rule's own, beside those of the others.
  const RuleHeader& header(uint32_t index) const { return headers_[index]; }
  /// The two sets of addresses that most rules name as source and destination; nothing: none does.
  const std::optional<std::pair<uint32_t, uint32_t>>& outward() const { return outward_; }
  /// The place of the rule of that name; nothing: there is none.
  std::optional<uint32_t> find(const RuleName& name) const;
  std::span<const DetectionRule> rules() const { return rules_; }
  std::span<const ast::Issue> issues() const { return issues_; }
  /// Rules that no literal proposes, so that they are verified against all bytes of their kind.
  std::span<const uint32_t> slow() const { return slow_; }
  const TransformChains& chains() const { return chains_; }
  /// Data sets that are written to files (detect/saved_sets.h).
  std::span<const SavedSet> saved_sets() const { return saved_sets_; }
  /// Checksums of files that rules ask for: bits by FileDigest.
  uint8_t file_digests() const { return file_digests_; }
  /// Some rule looks into ssh.hassh or one of its like.
  bool asks_ssh_fingerprints() const { return asks_ssh_fingerprints_; }
  /// Some rule looks into email.body_md5.
  bool asks_body_md5() const { return asks_body_md5_; }
  /// Some rule looks into file.magic.
  bool asks_magic() const { return asks_magic_ != 0; }
  /// Some rule does of sessions of that protocol.
  bool asks_magic(AppProtocol protocol) const {
    return (asks_magic_ >> static_cast<unsigned>(protocol) & 1) != 0;
  }
  const ast::SetTable& addresses() const { return addresses_; }
  const ast::SetTable& ports() const { return ports_; }

  std::span<const uint32_t> ip_only(Direction d) const { return ip_only_[index(d)]; }
  std::span<const uint32_t> protocol_only(Direction d) const { return protocol_only_[index(d)]; }
  /// Rules on what is wrong with a packet or its stream.
  std::span<const uint32_t> events(Direction d) const { return events_[index(d)]; }
  /// Packet rules that look into no payload: the header and the session's state decide.
  const PrefilterGroup& without_payload(PayloadSource source, Direction d) const {
    return without_payload_[static_cast<size_t>(source)][index(d)];
  }
  /// For streams of answers and their bodies: those of HTTP/1 that are sent as they are.
  const SharedScan& answers() const { return answers_; }
  const PrefilterGroup& payload(PayloadSource source, Direction d) const {
    return payload_[static_cast<size_t>(source)][index(d)];
  }
  /// Its place among those of payload.
  static size_t payload_group(PayloadSource source, Direction d) {
    return static_cast<size_t>(source) * 2 + index(d);
  }
  std::span<const TransactionGroup> transaction_groups(Direction d) const {
    return transaction_groups_[index(d)];
  }
  /// What a transaction of that protocol has, in one direction.
  const GroupList& groups_of(AppProtocol protocol, Direction d) const {
    return groups_of_[static_cast<size_t>(protocol)][index(d)];
  }

  /// Null if the ruleset was compiled for fewer workers.
  DetectionScratch* scratch(unsigned worker) const {
    return worker < scratch_.size() ? scratch_[worker].get() : nullptr;
  }
  /// For how many workers it was compiled.
  unsigned workers() const { return static_cast<unsigned>(scratch_.size()); }

  /// How often verifying the rule was given up at a ceiling of its work, over all workers. Any thread.
  uint64_t limit_hits(uint32_t number) const;

  struct Sizes {
    size_t databases = 0, literals = 0, database_bytes = 0, scratch_bytes = 0;
  };
  Sizes sizes() const;

 private:
  DetectionRuleset() = default;
  static constexpr size_t kProtocols = std::size(kAppProtocols) + 2;  // and `unknown` and `failed`
  static_assert(kProtocols <= 64, "asks_magic_ has a bit for each");
  static size_t index(Direction d) { return static_cast<size_t>(d); }
  void configure(DetectionRule& rule, const ast::Rule& parsed, const ast::ThresholdConfig& config);
  void note_magic(const DetectionRule& rule);
  void find_outward();
  TraitsNeeded traits_needed(const ast::RuleVariables& variables) const;
  SessionTraits way_of(const DetectionRule& rule) const;
  SessionTraits needs_of(const DetectionRule& rule, PayloadSource source, Direction d) const;
  void find_off_web_ports();
  void place(const DetectionRule& rule, uint32_t number);
  void place_payload(const DetectionRule& rule, uint32_t number, Direction d);
  void place_transaction(const DetectionRule& rule, uint32_t number, Direction d);
  TransactionGroup& group_for(BufferId buffer, ChainId chain, bool no_buffer, AppProtocol protocol,
                              uint8_t step, Direction d);
  void list_groups();
  std::vector<PrefilterGroup*> all_groups();
  Status compile_groups(const DetectionCompileOptions& options);
  Status make_scratch(const DetectionCompileOptions& options);

  uint32_t serial_ = 0;
  std::vector<DetectionRule> rules_;
  std::vector<RuleHeader> headers_;
  std::optional<std::pair<uint32_t, uint32_t>> outward_;
  TraitsNeeded traits_needed_ = TraitsNeeded::any;
  std::vector<bool> off_web_ports_;  // by set of ports: none of the web's is in it, whatever the variables
  std::vector<std::pair<RuleName, uint32_t>> by_name_;  // sorted
  std::vector<ast::Issue> issues_;
  std::vector<uint32_t> slow_;
  TransformChains chains_;
  std::vector<SavedSet> saved_sets_;
  uint8_t file_digests_ = 0;
  bool asks_ssh_fingerprints_ = false;
  bool asks_body_md5_ = false;
  uint64_t asks_magic_ = 0;  // bits by AppProtocol
  ast::SetTable addresses_, ports_;
  std::array<std::vector<uint32_t>, 2> ip_only_, protocol_only_, events_;
  std::array<std::array<PrefilterGroup, 2>, kPayloadSources> without_payload_;
  std::array<std::array<PrefilterGroup, 2>, kPayloadSources> payload_;
  SharedScan answers_;
  std::array<std::vector<TransactionGroup>, 2> transaction_groups_;
  std::array<std::array<GroupList, 2>, kProtocols> groups_of_;
  std::vector<std::unique_ptr<DetectionScratch>> scratch_;  // by worker
};

}  // namespace weir::inspection
