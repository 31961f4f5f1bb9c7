// The inspection engine as its callers see it: bytes and flow in, verdict and events out.
//
// Threads: a Ruleset is built by a builder thread and immutable afterwards; any number of workers read it.
// An Inspector belongs to one worker. Nothing here knows DPDK. After create() an Inspector never allocates:
// flows, stream windows and out-of-order records come from pools that are sized then.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/result.h"
#include "inspection/detect/rule_memory.h"
#include "inspection/direction.h"
#include "inspection/engine/exception_policy.h"
#include "inspection/engine/rule_source.h"
#include "inspection/event_count.h"
#include "inspection/events/event.h"
#include "inspection/rules/header_sets.h"

namespace weir::inspection {

/// A rule, or a part of a file, that was refused. The other rules stand.
struct RuleIssue {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;
  std::string keyword;  // which keyword is not supported or wrong; empty if it is not one keyword
  std::string message;  // a sentence
};

class Engine;
class Ruleset;
class FlowBitNames;

struct RulesetBuild {
  std::shared_ptr<const Ruleset> ruleset;
  std::vector<RuleIssue> refused;
  /// Sentences: addresses and ports in rules' headers that name variables without a value; they match
  /// nothing.
  std::vector<std::string> unbound;
  size_t loaded = 0;
  std::string digest = {};  // SHA-256 of the files, one after the other, as hexadecimal digits
  size_t bytes = 0;         // databases and the workers' scratch memory
  /// Entries of the source's lists, by their place in them, of which no file has a rule.
  std::vector<ast::RuleLists::Unmet> unmet = {};
  /// By the lists: switched on, switched off, with another action, silent.
  size_t enabled = 0, disabled = 0, changed = 0, silenced = 0;
  /// Sentences about lines of the other files of the source that were not understood.
  std::vector<std::string> notes = {};
};

/// Reads and compiles rule files for a profile that says nothing else (engine/ruleset_builder.h). `workers`
/// sets of scratch memory are allocated with it, one for each worker's index. `names` are the numbers that
/// bits and counters of sessions and hosts have: with the same ones they survive a change of the ruleset;
/// null: numbers of its own. Fails as a whole only if a file cannot be read or the matcher does not get what
/// it needs; a rule that is wrong or needs what is not supported is listed in `refused` and left out. Builder
/// thread; takes up to seconds.
Result<RulesetBuild> build_ruleset(const std::vector<std::string>& files, unsigned workers,
                                   std::shared_ptr<FlowBitNames> names = nullptr);

/// Parses and binds without compiling for matching: what `weir check` needs.
Result<RulesetBuild> check_rules(const RuleSource& source, const ast::RuleVariables& variables);

struct InspectorLimits {
  uint32_t flows = 8'192;
  uint32_t stream_window = 4'096;       // bytes kept per direction
  uint32_t out_of_order_segments = 16;  // of full size, per direction
  uint32_t host_marks = 262'144;        // what rules remember of hosts, all workers together
  uint32_t dataset_values = 16'384;     // what rules add to data sets, all workers together
  uint32_t tls_identities = 4'096;  // TLS sessions whose certificates are remembered, all workers together
  uint32_t domain_share = 100;      // percent of `flows`, and of their memory, for one domain's sessions
  uint32_t rule_work = 12'288;      // DetectorLimits::work_per_rule
  uint32_t regex_steps = 3'500;     // DetectorLimits::pcre_steps

  /// Of each session beside its windows: entry, state of its streams, parser, what rules have matched so far.
  static constexpr uint32_t kSessionBytes = 8 * 1'024;
  /// Of each session that is open, taken at the start.
  static constexpr uint32_t kFlowBytes = 384;
  static constexpr uint64_t kLeastMemory = uint64_t{4} << 20;
  /// Bytes that all these sessions may grow together: what one does not need is another's.
  uint64_t memory() const;
};

/// Names one inspected session inside one Inspector. Zero is none.
struct FlowHandle {
  uint32_t value = 0;
  bool valid() const { return value != 0; }
};

/// One packet of an inspected session, or one datagram put together of its fragments; headers were checked by
/// the caller. Spans reach into the packet.
struct Packet {
  Direction direction = Direction::to_server;
  uint64_t now_ns = 0;                 // monotonic
  uint64_t wall_seconds = 0;           // since 1970; 0: not known
  std::span<const uint8_t> ip;         // the whole IP packet, in which the three below lie
  std::span<const uint8_t> ip_header;  // with options; of IPv6 with the extension headers
  std::span<const uint8_t> l4_header;  // TCP with options, UDP, ICMP; empty of other protocols
  std::span<const uint8_t> payload;    // after the L4 header
  /// The payload again, if bytes that contradict those seen first may be put right in it; else such a packet
  /// is not sent.
  std::span<uint8_t> writable;
  uint64_t work_budget = 0;   // work after which it may be told to wait; 0: it is not
  bool checksum_bad = false;  // of the L4 header: its receiver discards it
  bool rebuilt = false;       // of fragments
  // TCP only:
  uint32_t seq = 0;
  uint32_t ack = 0;
  uint8_t tcp_flags = 0;
};

/// A profile's rules. While sessions move from the ones before a reload to the new ones there are both: a
/// session in the midst of a transaction goes on with those that it began with.
struct RulesInUse {
  RulesInUse(const Ruleset& current) : now(&current) {}  // NOLINT: there is but one
  RulesInUse(const Ruleset& current, const Ruleset* old, uint32_t number)
      : now(&current), before(old), generation(number) {}

  const Ruleset* now;
  const Ruleset* before = nullptr;  // null: none, or nobody may use them any more
  uint32_t generation = 0;          // of `now`; that of `before` is one less
};

enum class Action : uint8_t {
  pass,          // send it
  drop_session,  // do not send it, nor anything later of the session
  drop_packet,   // do not send this one; the session goes on
  wait,          // its work is over the budget: inspect() again, with the same packet in the same memory
};

/// Why a packet is not sent.
enum class Refused : uint8_t {
  rule,      // one with action drop or reject matched
  limit,     // a ceiling is reached, or it could not be judged to its end
  stream,    // its receiver would discard it, or could read it otherwise than it was judged
  ttl,       // below the profile's least
  checksum,  // its receiver discards it
};

struct Verdict {
  Action action = Action::pass;
  Refused why = Refused::limit;  // unless pass
  uint32_t sid = 0;              // of the rule that dropped, 0 if none
  bool reject = false;           // both ends are to be told, whatever the profile says of drops
  uint64_t work = 0;             // what this call cost: about the bytes that it looked at or made
  bool rewritten = false;        // `writable` has other bytes now: the L4 checksum has to be made anew
  bool bypass = false;  // nothing later of the session can matter: close() it, and send the rest unseen
};

/// One worker counts; any thread may read.
struct InspectorCounters {
  EventCount packets;
  EventCount bytes;
  EventCount alerts;
  EventCount drops;
  EventCount flows_open;
  EventCount memory;               // bytes now that sessions have of the pool
  EventCount flow_limit;           // open() refused: as many as there may be
  EventCount domain_limit;         // the same, of one domain
  EventCount memory_limit;         // the pool is used up: the packet was not sent
  EventCount bypassed;             // sessions of which nothing later could matter
  EventCount segment_limit;        // could not be recorded
  EventCount segment_conflicts;    // its receiver would discard it, or it contradicts what was seen; not sent
  EventCount rewritten;            // the same, and put right
  EventCount low_ttl;              // below a profile's min_ttl; not sent
  EventCount bad_checksum;         // discarded by its receiver; not sent
  EventCount would_drop;           // sent, since their profile only tests
  EventCount fuses_blown;          // rules that had dropped too many sessions, and alert instead
  EventCount scan_errors;          // not judged to the end, so not sent
  EventCount expectations_lost;    // announced connections that there was no room for
  EventCount identities_lost;      // whose certificates a TLS session began with: there was no room for it
  EventCount host_marks_lost;      // what rules remember of hosts had to go before its time
  EventCount dataset_values_lost;  // no room for what a rule would add to a data set
  EventCount magic_asked;          // files that libmagic was asked about
  EventCount magic_told;           // of which it has said what they are
  EventCount magic_lost;           // it was not asked: no room in its queue, or too many of one session
  EventCount magic_late;           // it has said it when nobody waited for it any more
  EventCount magic_failed;         // it returned an error
  EventCount rules_moved;          // sessions that went on with the rules of a reload
  EventCount rules_moved_midst;    // of them in the midst of a transaction, since their time was over
  /// Now, by the generation of their rules modulo 4: sessions in the midst of a transaction.
  std::array<EventCount, 4> in_transaction;
  EventCount events_lost;                         // the sink was full
  EventCount events_cut;                          // with fields that are not whole
  const ExceptionCounters* exceptions = nullptr;  // by Ceiling: how often it was met
};

class Inspector {
 public:
  /// Allocates all the memory that this worker's inspection will ever use.
  /// `marks` are all workers'.
  static Result<std::unique_ptr<Inspector>> create(unsigned worker, const InspectorLimits& limits,
                                                   std::shared_ptr<RuleMemory> memory,
                                                   const EventSettings& events = {});
  virtual ~Inspector() = default;

  /// Starts to inspect a session. An invalid handle: the ceiling is reached (counted); the caller applies the
  /// profile's `fail`. `flow` is the initiator's original tuple and is kept for the events.
  virtual FlowHandle open(const FlowInfo& flow) = 0;

  /// Judges one packet by its profile's rules. When they are others than before, the session goes on with
  /// them from its next transaction on, or with this packet if it is in none. Events go to `sink`.
  virtual Verdict inspect(FlowHandle, const RulesInUse& rules, const Packet&, EventSink& sink) = 0;

  /// The session is inspected no more, though it goes on: what it has under way (a request without an answer)
  /// has its events now. It is to be closed.
  virtual void finish(FlowHandle, uint64_t now_ns, EventSink& sink) = 0;
  /// The session ends: the rules that only its end can decide (what must not be there and did not come, what
  /// still waited) are held against it, and what it has under way has its events. No packet is left to be
  /// dropped for it: such a rule's alert says what its action is, and nothing more. To be closed. What the
  /// call cost, as Verdict::work.
  virtual uint64_t end(FlowHandle, const RulesInUse& rules, uint64_t now_ns, uint64_t wall_seconds,
                       EventSink& sink) = 0;
  /// A session of which libmagic has said what one of its files is, which take_magic() is to be told. No
  /// valid flow: there is none.
  struct Told {
    FlowHandle flow;
    uint64_t flow_id = 0;  // FlowInfo::flow_id
  };
  virtual Told told_magic() = 0;
  /// Takes it: the rules that waited for it are judged. No packet is dropped for it; if one of them drops the
  /// session, its next packet is told so. Null `rules`: they are judged with its next packet. What the call
  /// cost, as Verdict::work.
  virtual uint64_t take_magic(const Told& told, const RulesInUse* rules, uint64_t now_ns,
                              uint64_t wall_seconds, EventSink& sink) = 0;

  /// What was told of its protocol until now.
  virtual AppProtocols protocols(FlowHandle) const = 0;

  /// Forgets the session and returns its memory to the pools.
  virtual void close(FlowHandle) = 0;

  virtual const InspectorCounters& counters() const = 0;
  /// For its counters, which any thread may read.
  virtual const Engine& engine() const = 0;
};

}  // namespace weir::inspection
