// What a stage may use: one worker's state and the turn's inputs.
#pragma once

#include <rte_cycles.h>
#include <rte_ring.h>

#include <array>
#include <memory>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "dataplane/core/time.h"
#include "dataplane/fragment/fragment_table.h"
#include "dataplane/nat/bindings.h"
#include "dataplane/nat/ftp_control.h"
#include "dataplane/policy/rule_hits.h"
#include "dataplane/session/session_table.h"
#include "dataplane/worker/dataplane.h"
#include "dataplane/worker/handoff_ring.h"
#include "dataplane/worker/inspect_queue.h"
#include "dataplane/worker/packet.h"
#include "dataplane/worker/pending.h"
#include "dataplane/worker/policer.h"
#include "dataplane/worker/profile.h"
#include "dataplane/worker/rule_log.h"
#include "inspection/events/event_ring.h"
#include "inspection/inspector.h"

namespace weir::dataplane {

struct RingDeleter {
  void operator()(rte_ring* ring) const { rte_ring_free(ring); }
};
using RingPtr = std::unique_ptr<rte_ring, RingDeleter>;

/// Packets for one tx queue, gathered over a turn.
struct TxBuffer {
  static constexpr uint16_t kCapacity = 64;
  /// The size of a buffer whose queue another worker owns, so that one comparison finds both.
  static constexpr uint16_t kElsewhere = UINT16_MAX;

  uint16_t device = 0;
  uint16_t queue = 0;
  /// The worker that owns the queue; another hands its packets to it.
  WorkerIndex owner = 0;
  /// Not every packet is a transit packet.
  bool mixed = false;
  uint16_t size = 0;
  rte_mbuf* packets[kCapacity];

  bool is_elsewhere() const { return size == kElsewhere; }
};
/// Pushes a worker's events into its ring to the writer.
class RingSink final : public inspection::EventSink {
 public:
  RingSink(inspection::EventRing& ring, WorkerCounters& counters) : ring_(ring), counters_(counters) {}
  bool push(inspection::Event& event, std::span<const uint8_t> fields) override;
  /// One that has nothing beside it.
  bool push(inspection::Event& event) { return push(event, {}); }

 private:
  inspection::EventRing& ring_;
  WorkerCounters& counters_;
};

/// Events of packets that inspection drops.
struct DropLog {
  bool all = false;         // each packet; else one of each direction of a session
  TokenBucket tokens;       // of all
  uint32_t suppressed = 0;  // since the last one that was told
};

/// The rings of one worker; the worker is the one consumer of `in` and `from_control`.
struct WorkerRings {
  std::vector<std::unique_ptr<HandoffRing>> in;  // handed over by others, by their WorkerIndex; its own: null
  RingPtr from_control;                          // one producer
  RingPtr punts;                                 // to control (one producer, one consumer)
  RingPtr notes;                                 // to control: NeighborNote records
  std::unique_ptr<inspection::EventRing> events;  // to the writer
};

/// A worker's fragments (stages/fragments.h).
struct FragmentState {
  FragmentState(const FragmentLimits& limits, uint64_t secret);

  FragmentTable outer;
  FragmentTable inner;
  std::unique_ptr<uint8_t[]> scratch;  // one datagram, put together
  // Emptied after each burst; room for all that the table can hold and a burst beside.
  std::vector<rte_mbuf*>
      released;                    // inner fragments that wait no more, on their way to their session's owner
  std::vector<rte_mbuf*> cleared;  // of inspected sessions, on their way to be sent
  FragmentTable::Index inspected = FragmentTable::kNone;  // the datagram that is being inspected
};

struct WorkerContext {
  WorkerContext(WorkerIndex index, const DataplaneSettings& settings, WorkerRings own_rings);

  // --- the turn's inputs ---
  WorkerIndex id;
  NanoTime now = 0;
  Tick tick;
  int64_t wall_offset_ns = 0;  // from `now` to nanoseconds since 1970
  const Snapshot* snapshot = nullptr;

  // --- its own ---
  WorkerCounters counters;
  AttachmentTallies tallies;
  RuleHits rule_hits;
  RuleLog rule_log;
  TurnProfile profile;
  std::unique_ptr<SessionTable> sessions;
  std::unique_ptr<inspection::Inspector> inspector;
  InspectLimits inspect_limits;  // of this worker alone
  InspectQueue inspect_queue;
  uint64_t inspect_work_left = 0;  // of this turn
  bool inspect_overloaded = false;
  std::unique_ptr<FragmentState> fragments;
  DecidedNames decided_names;                // of the session that is decided again
  std::unique_ptr<PendingSessions> pending;  // null: nobody finds names, so they are given up
  std::unique_ptr<Bindings> bindings;
  std::unique_ptr<FtpControls> ftp;
  uint16_t ipv4_id;  // of the last packet that became IPv4; workers begin apart
  WorkerRings rings;
  RingSink events;
  std::array<TokenBucket, kPuntReasons> punt_tokens;  // by PuntReason: no kind of punt starves another
  TokenBucket note_tokens;
  // What one attachment may use of them.
  std::vector<AttachmentBuckets> punt_shares;  // by PuntReason
  AttachmentBuckets note_shares;
  Policer policer;
  DropLog drop_log;
  bool flow_events = true;
  uint32_t flow_interval = 0;
  SessionBudgets* budgets = nullptr;  // of all workers; null: there are no bounds
  WhenFull when_full = WhenFull::half_open;
  uint32_t half_open = 0;  // sessions with kHalfOpen
  uint32_t half_open_limit = 0;
  SessionIndex give_way_cursor = 0;  // where the search for one that gives way goes on
  rte_mempool* pool = nullptr;
  std::vector<std::unique_ptr<TxBuffer>> tx;  // by PortIndex
  Burst answers;                              // made in a stage, to be encapsulated at the end of the way
  Burst resets;                               // made by inspect, and when idle sessions end
  std::vector<HandoffRing*> peers;  // by WorkerIndex: the rings from this worker to them; to itself: null
};

/// The turn's moment, in seconds since 1970.
inline uint64_t wall_seconds(const WorkerContext& ctx) {
  return (ctx.now + static_cast<uint64_t>(ctx.wall_offset_ns)) / kNanosPerSecond;
}

/// What comes now is `stage`, for so many packets; noted in sampled turns only.
inline void enter(WorkerContext& ctx, Stage stage, uint64_t packets = 0) {
  if (ctx.profile.sampling()) [[unlikely]]
    ctx.profile.enter(stage, packets, rte_rdtsc());
}

/// The stage that was entered has taken so many packets.
inline void count_packets(WorkerContext& ctx, uint64_t packets) {
  if (ctx.profile.sampling()) [[unlikely]]
    ctx.profile.add_packets(packets);
}

/// A stage in the midst of another one, for as long as this lives.
class StageScope {
 public:
  StageScope(WorkerContext& ctx, Stage stage, uint64_t packets) : profile_(ctx.profile) {
    if (profile_.sampling()) [[unlikely]]
      left_ = profile_.enter(stage, packets, rte_rdtsc());
  }
  ~StageScope() {
    if (profile_.sampling()) [[unlikely]]
      profile_.return_to(left_, rte_rdtsc());
  }
  StageScope(const StageScope&) = delete;
  StageScope& operator=(const StageScope&) = delete;

 private:
  TurnProfile& profile_;
  Stage left_{};
};

}  // namespace weir::dataplane
