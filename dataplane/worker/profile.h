// Where a worker's time goes: how much of it is work, which turns took too long, and, for a sample of the
// turns, the cycles of each stage.
//
// One writer, the worker, which stores plainly; any thread reads the counters. Time comes in twice a turn at
// most: as the turn's own clock (busy share, stalls), and, in sampled turns only, as the cycle counter that
// the caller read (stages). A turn that is not sampled pays a branch per stage. Nothing is decided by these
// numbers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "dataplane/core/counter.h"
#include "dataplane/core/time.h"

namespace weir::dataplane {

/// The parts of a turn, in the order in which worker.cpp goes through them. Those of the way of a packet have
/// the names of their files in stages/. There is no other list.
#define WEIR_STAGES(STAGE)                                       \
  STAGE(commands)     /* what control asks for: purges, lists */ \
  STAGE(take_over)    /* packets from other workers */           \
  STAGE(from_control) /* packets from control */                 \
  STAGE(rx)                                                      \
  STAGE(outer)          /* outer, decap, inner */                \
  STAGE(session_lookup) /* rewrite and encap with it */          \
  STAGE(inspect)                                                 \
  STAGE(rewrite)   /* rewrite, encap, after inspect */           \
  STAGE(encap)     /* of what the hub answers */                 \
  STAGE(hand_over) /* packets to other workers */                \
  STAGE(tx)                                                      \
  STAGE(expire)

enum class Stage : uint8_t {
#define WEIR_STAGE(name) name,
  WEIR_STAGES(WEIR_STAGE)
#undef WEIR_STAGE
      count_
};
inline constexpr size_t kStageCount = static_cast<size_t>(Stage::count_);
inline constexpr std::string_view kStageNames[kStageCount] = {
#define WEIR_STAGE(name) #name,
    WEIR_STAGES(WEIR_STAGE)
#undef WEIR_STAGE
};

/// One turn in so many is sampled, of those that have something to do.
inline constexpr uint32_t kSampleOneIn = 64;

/// Counters of one worker's profile. They only grow; who wants a rate takes the difference of two readings.
struct ProfileCounters {
  Counter busy_ns, idle_ns;  // of turns with something to do, and of the others with the sleep after them
  Counter stalls;            // busy turns that took longer than the limit
  Counter longest_ns;        // the longest busy turn
  Counter sampled_turns;
  struct PerStage {
    Counter cycles;   // of the time-stamp counter; a stage within another one counts for itself alone
    Counter packets;  // that it was given
    Counter calls;    // that gave it any
  };
  std::array<PerStage, kStageCount> stages;  // of sampled turns
};

class TurnProfile {
 public:
  /// `stall_ns`: a busy turn that takes longer is a stall; 0: none is. `sample_one_in`: 0: none, unless
  /// watched.
  TurnProfile(NanoTime stall_ns, uint32_t sample_one_in)
      : stall_ns_(stall_ns == 0 ? std::numeric_limits<NanoTime>::max() : stall_ns),
        between_(sample_one_in == 0 ? std::numeric_limits<uint64_t>::max() : sample_one_in - 1),
        until_sample_(between_) {}

  // --- any thread ---
  const ProfileCounters& counters() const { return counters_; }
  /// Someone looks: every busy turn is sampled until then.
  void watch(NanoTime until) { watched_until_.store(until, std::memory_order_relaxed); }

  // --- the worker ---
  /// A turn begins, so the one before it has ended. True: it is sampled, and start() has to follow.
  bool begin_turn(NanoTime now) {
    if (previous_ != 0) [[likely]]
      book(now - previous_);
    previous_ = now;
    sampling_ = until_sample_ == 0 || now < watched_until_.load(std::memory_order_relaxed);
    return sampling_;
  }
  bool sampling() const { return sampling_; }

  // In sampled turns only. `cycles`: the cycle counter now.
  /// It starts with Stage::commands.
  void start(uint64_t cycles) {
    turn_ = {};
    stage_ = Stage::commands;
    mark_ = cycles;
  }
  /// What comes now is `stage`, called for so many packets. Returns the stage that is left.
  Stage enter(Stage stage, uint64_t packets, uint64_t cycles) {
    const Stage left = return_to(stage, cycles);
    add_packets(packets);
    return left;
  }
  /// Goes on with a stage that was left for another one in its midst. Returns the one that is left.
  Stage return_to(Stage stage, uint64_t cycles) {
    const Stage left = stage_;
    turn_[index(left)].cycles += cycles - mark_;
    mark_ = cycles;
    stage_ = stage;
    return left;
  }
  /// The stage that was entered has got packets.
  void add_packets(uint64_t packets) {
    turn_[index(stage_)].packets += packets;
    turn_[index(stage_)].calls += packets != 0;
  }
  /// The end of a sampled turn. One that had nothing to do is forgotten, and the next is sampled instead.
  void finish(bool busy, uint64_t cycles) {
    return_to(Stage::commands, cycles);
    sampling_ = false;
    if (!busy) return;
    counters_.sampled_turns.add();
    for (size_t i = 0; i < kStageCount; ++i) {
      counters_.stages[i].cycles.add(turn_[i].cycles);
      counters_.stages[i].packets.add(turn_[i].packets);
      counters_.stages[i].calls.add(turn_[i].calls);
    }
  }

  /// Each turn; `busy`: there was something to do.
  void end_turn(bool busy) {
    busy_ = busy;
    if (busy) until_sample_ = until_sample_ == 0 ? between_ : until_sample_ - 1;
  }

 private:
  struct InTurn {
    uint64_t cycles, packets, calls;
  };
  static constexpr size_t index(Stage stage) { return static_cast<size_t>(stage); }

  void book(NanoTime took) {
    if (!busy_) return counters_.idle_ns.add(took);
    counters_.busy_ns.add(took);
    if (took > stall_ns_) counters_.stalls.add();
    if (took > counters_.longest_ns.get()) counters_.longest_ns.set(took);
  }

  NanoTime stall_ns_;
  uint64_t between_;       // sampled turns
  uint64_t until_sample_;  // busy turns
  NanoTime previous_ = 0;  // when the turn began; 0: there was none yet
  bool busy_ = false;      // the turn before
  bool sampling_ = false;
  Stage stage_ = Stage::commands;
  uint64_t mark_ = 0;  // cycle counter when `stage_` was entered
  std::atomic<NanoTime> watched_until_{0};
  std::array<InTurn, kStageCount> turn_{};
  ProfileCounters counters_;
};

}  // namespace weir::dataplane
