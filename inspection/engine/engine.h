// The inspection engine of one worker: packets of sessions in, verdicts and events out.
//
//   track the stream -> parse what is in order -> judge (Detector) -> verdict -> events
//
// The same class runs in the hub's workers and in the offline tool. Who owns the table of sessions (the data
// path's, or offline/session_table) asks for an entry with open(), gives every packet of the session to
// inspect(), and ends it with end(). After create() nothing is allocated but from the pool, and no call
// blocks. Worker thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "dataplane/net/result.h"
#include "inspection/detect/detector.h"
#include "inspection/engine/packet.h"
#include "inspection/engine/parsers.h"
#include "inspection/engine/ruleset.h"
#include "inspection/engine/session.h"

namespace weir::inspection {

/// What all profiles of a worker share.
struct EngineSettings {
  size_t memory = size_t{64} << 20;  // the pool: entries, streams, parsers, detection
  uint32_t stream_window = 16'384;   // bytes of a stream that rules still see when more comes
  uint32_t session_records = 0;      // instead of StreamSettings::session_records; 0: as that says
  bool take_expected = true;         // connections that were announced are another's to take, if not
  bool bypass_done = false;          // a session of which nothing later can matter is not followed any more
  DetectorLimits detector;
};

struct EngineCounters {
  EventCount packets, bytes;
  EventCount sessions, sessions_open;
  EventCount tcp_sessions, tcp_syn, tcp_synack, tcp_rst, midstream_pickups;
  EventCount gaps, gap_bytes;
  EventCount stream_errors;  // inline: dropped, since the receiver would discard them
  EventCount rewritten;      // inline: other bytes than those seen first
  EventCount conflicts;      // inline: the same, and the session was dropped for it
  EventCount bad_checksum, low_ttl;
  EventCount would_drop;  // mode test: packets that ips would not have sent
  EventCount bypassed_packets;
  EventCount expectations_lost;  // connections that were announced and had no room
  EventCount identities_lost;    // of TLS sessions that may go on later, and had no room
  EventCount accepted, blocked, rejected;
  std::array<EventCount, static_cast<size_t>(DropReason::count_)> drops;
  ExceptionCounters exceptions;
};

/// Both clocks at one moment.
struct EngineTime {
  uint64_t ns = 0;            // monotonic, or a capture's
  uint64_t wall_seconds = 0;  // since 1970
};

/// What becomes of a packet.
struct EngineVerdict {
  bool forward = true;
  bool drop_session = false;  // nor is anything later of the session sent
  bool would_drop = false;    // mode test
  bool failed = false;        // not judged to its end: an error of the matcher
  bool bypass = false;        // nothing later of the session has to come here
  bool passed = false;        // a pass rule decided
  bool new_session = false;   // these ends begin anew: end(), open(), inspect() again
  bool rewritten = false;     // before it is sent: Engine::rewrite()
  bool unfinished = false;    // over EnginePacket::work_budget: inspect() again, with the same packet
  RejectTo reject = RejectTo::nobody;
  DropReason reason = DropReason::none;
  const RuleInfo* rule = nullptr;
};

/// Where a packet goes on that was left unfinished: behind the bytes that its session's parser took last.
struct EnginePause {
  const uint8_t* packet = nullptr;  // its payload, which names it
  Direction direction = Direction::to_server;
  std::span<const uint8_t> piece_rest, chunk_rest;
  bool stream_part = false, judged = false, no_inspection = false;
  EngineVerdict so_far;
};

/// Where the engine's findings go. Called on the worker while it inspects: copies what it needs, never
/// blocks.
class EngineEvents {
 public:
  virtual ~EngineEvents() = default;
  /// `session` is null for a packet that belongs to none.
  virtual void alert(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert) = 0;
  /// The rule has dropped as many sessions as it may in a minute, `sessions`: it alerts from now on.
  virtual void fuse(const EngineSession*, const EnginePacket&, const RuleInfo&, uint32_t /*sessions*/) {}
  virtual void explained(const EngineSession*, const EnginePacket&, const RuleStep&) {}
  /// A transaction is complete, or its session ends.
  virtual void transaction(const EngineSession& session, const EnginePacket& packet,
                           Transaction& transaction) = 0;
  /// The transactions of the session moved: for files, which end before their transaction does.
  virtual void moved(const EngineSession& session, const EnginePacket& packet,
                     std::span<Transaction* const> transactions) = 0;
  /// After everything else of a packet.
  virtual void judged(const EngineSession* session, const EnginePacket& packet,
                      const EngineVerdict& verdict) = 0;
  /// The last word about a session.
  virtual void ended(const EngineSession& session) = 0;
};

class Engine {
 public:
  /// `marks` are all workers'.
  static Result<std::unique_ptr<Engine>> create(unsigned worker, const EngineSettings& settings,
                                                std::shared_ptr<RuleMemory> memory);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// An entry for a session that begins with this packet; null: the pool is at its ceiling (counted; the
  /// policy for session_memory decides). Says who the client is, which is not always the sender.
  EngineSession* open(const EnginePacket& first, uint64_t id, const Ruleset& rules);
  /// Which way a packet of the session goes.
  static Direction direction_of(const EngineSession& session, const EnginePacket& packet);
  /// Judges one packet; sets its direction and what belongs to it. `session` may be null.
  EngineVerdict inspect(EngineSession* session, EnginePacket& packet, const Ruleset& rules,
                        EngineEvents& events);
  /// What the last call of inspect() cost: about the bytes that it looked at or made.
  uint64_t work() const { return work_; }
  /// Detector::explain(); EngineEvents::explained() is told.
  void explain(RuleName rule) { detector_->explain(rule); }
  /// After `rewritten`: puts the bytes seen first into the packet's payload. The caller mends the checksum.
  void rewrite(const EngineSession& session, const EnginePacket& packet, std::span<uint8_t> payload) const;
  /// libmagic has said what a file is, and its session is still there: whose (EngineSession::magic.name). To
  /// be asked again after take_magic(). Nothing costs no more than a look.
  std::optional<uint32_t> told_magic() {
    if (magic_ == nullptr) [[likely]]
      return std::nullopt;
    const MagicDesk::Asker* const asker = magic_->next();
    return asker != nullptr ? std::optional(asker->name) : std::nullopt;
  }
  /// Takes the answer that told_magic() has told of, of this session: rules that waited for it are judged,
  /// and what can be written now is. No packet is there to be dropped for it; the verdict may say that
  /// nothing later of the session is to be sent. Without `rules` that is left to the session's next packet.
  /// work() tells what it cost.
  EngineVerdict take_magic(EngineSession& session, const EngineTime& now, const Ruleset* rules,
                           EngineEvents& events);
  /// Null: no rule has ever asked what files are.
  const MagicCounters* magic() const { return magic_ != nullptr ? &magic_->counters() : nullptr; }

  /// Nothing of the session follows: what only its end can decide (what did not come, what still waited) is
  /// judged, and the events of its transactions are written. No packet is left that could be dropped for it.
  /// Once; work() tells what it cost.
  void settle(EngineSession& session, const EngineTime& now, const Ruleset& rules, EngineEvents& events);
  /// settle(), the last word, and its memory goes back.
  void end(EngineSession* session, uint64_t now_ns, const Ruleset& rules, EngineEvents& events);

  /// It is in the midst of a transaction: other rules than those that it began with would see a part of it.
  static bool in_transaction(const EngineSession& session) {
    return session.parser != nullptr && !session.parser->transactions().empty();
  }

  /// Events of the transactions that are not over, as when the session ends.
  void tell_open(EngineSession& session, uint64_t now_ns, EngineEvents& events);
  /// The session goes without a last word: nothing of it is judged any more, its memory goes back.
  void abandon(EngineSession* session);

  const EngineCounters& counters() const { return counters_; }
  const DetectorCounters& detection() const { return detector_->counters(); }
  const HttpCounters& http() const { return parsers_.http_counters; }
  const BytePool& pool() const { return pool_; }
  /// For quotas.
  BytePool& memory() { return pool_; }
  /// Which ceiling it was that memory ran out at: this one, or that of the session's domain.
  Ceiling memory_ceiling(Ceiling ceiling) const {
    return pool_.quota_met() ? Ceiling::domain_memory : ceiling;
  }

 private:
  class Sink;
  Engine(unsigned worker, const EngineSettings& settings);

  /// The packets that follow are judged by these.
  void use(const Ruleset& rules);
  /// The parsers at work are those of this session.
  void ask_magic_for(EngineSession& session);
  void begin_without_packet(EnginePacket& last, EngineEvents& events);
  /// Something may be done about what is found; else it is watched.
  bool enforces() const { return session_settings_.mode != InspectMode::ids; }
  void count(EngineSession& session, const EnginePacket& packet);
  void tcp_packet(EngineSession& session, EnginePacket& packet);
  void judge_segment(EngineSession& session);
  void pick_up_policy(EngineSession& session);
  void tcp_fate(EngineSession& session, EnginePacket& packet, TcpFate fate);
  bool mind_conflict(EngineSession& session, EnginePacket& packet);
  void datagram(EngineSession& session, EnginePacket& packet);

  // engine_stream.cpp
  void take_in(EngineSession& session, bool own_alone);
  void collect(EngineSession& session, Direction direction);
  void stream_bytes(EngineSession& session, Direction direction, std::span<const uint8_t> bytes);
  void pieces(EngineSession& session, Direction direction, std::span<const uint8_t> bytes);
  void keep_raw(EngineSession& session, Direction direction, std::span<const uint8_t> bytes);
  void stream_gap(EngineSession& session, Direction direction, uint64_t size);
  void stream_end(EngineSession& session, Direction direction);
  bool pause(EngineSession& session, Direction direction, std::span<const uint8_t> rest);
  void go_on(EngineSession& session);
  void forget_pause(EngineSession& session);
  static void drop_front(EngineSession::Side& side, size_t bytes);
  void shorten(EngineSession::Side& side);
  static void drop_all(EngineSession::Side& side, uint64_t gap);
  void forget_history(EngineSession& session);

  // engine_app.cpp
  void app_bytes(EngineSession& session, Direction direction, std::span<const uint8_t> bytes);
  void behind_proxy_header(EngineSession& session, std::span<const uint8_t> rest);
  void recognised(EngineSession& session, Direction direction, AppProtocol protocol,
                  std::span<const uint8_t> bytes);
  bool start_parser(EngineSession& session, AppProtocol protocol);
  void run_parser(EngineSession& session, Direction direction, std::span<const uint8_t> bytes,
                  bool may_pause = false);
  void handle(EngineSession& session, Direction direction, const Advance& step);
  bool expected(EngineSession& session, std::span<const uint8_t> bytes, Direction direction);
  void announce(EngineSession& session);
  static void keep_request(EngineSession& session);
  AppParser* make_http2(EngineSession& session);
  void change_protocol(EngineSession& session, Direction direction, std::span<const uint8_t> rest);
  void parser_over(EngineSession& session);
  void rest(EngineSession& session);
  void wake(EngineSession& session);
  void log_transactions(EngineSession& session, const EnginePacket& packet, bool all);
  void release_transactions(EngineSession& session);

  void judge(EngineSession& session, Direction direction, bool first_of_packet);
  bool detect(EngineSession& session, const EnginePacket& packet, const Inspected& inspected);
  void note_dropped(EngineSession& session);
  void judge_alone(EnginePacket& packet);
  void take(const DetectionVerdict& verdict);
  void except(EngineSession& session, Ceiling ceiling, DropReason reason);
  void block(DropReason reason);
  void block_session(EngineSession& session, DropReason reason);
  bool is_done(const EngineSession& session) const;
  void conclude(EngineSession* session);

  const EngineSettings settings_;
  SessionSettings session_settings_;  // of the rules in use; streams refer to it
  uint64_t serial_ = 0;               // of those
  BytePool pool_;
  ParserShared parsers_;
  std::shared_ptr<RuleMemory> memory_;
  std::unique_ptr<Detector> detector_;
  const unsigned worker_;
  std::shared_ptr<FileMagic> magic_owner_;
  MagicDesk* magic_ = nullptr;          // since rules ask what files are; null: they never did
  bool asks_magic_ = false;             // those in use do
  std::unique_ptr<uint8_t[]> scratch_;  // one payload, rewritten
  EngineCounters counters_;
  // Of the packet at hand:
  EnginePacket* packet_ = nullptr;
  const Ruleset* rules_ = nullptr;
  EngineEvents* events_ = nullptr;
  EngineVerdict verdict_;
  uint64_t work_ = 0;
  bool packet_judged_ = false;
  bool no_inspection_ = false;  // of this packet, by an exception policy
};

}  // namespace weir::inspection
