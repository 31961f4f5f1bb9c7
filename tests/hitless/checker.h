// What became of every packet: sent and seen, session by session, each by its sequence number. Exact.
//
// Not synchronised: generator and checker are one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/hitless/world.h"

namespace weir::hitless {

/// What went wrong, in packets.
struct Faults {
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;     // came after a later one of its session and direction
  uint64_t misdelivered = 0;  // came out where it does not belong
  uint64_t moved = 0;         // came out of another member than its session did before
  uint64_t broken = 0;  // not what was sent: addresses, ports, TTL, checksums, or no packet of ours at all

  uint64_t all() const { return lost + duplicated + reordered + misdelivered + moved + broken; }
};

class Checker {
 public:
  static constexpr uint8_t kUnknown = 0xff;

  /// For sessions below `sessions`, and the passing ones of `generations` spokes.
  Checker(const World& world, uint32_t sessions, uint32_t generations);

  // --- the generator's side ---
  /// The sequence number of the next packet, which counts as sent.
  uint32_t next_sequence(SessionNumber session, unsigned direction) {
    ++sent_;
    return ways(session)[direction].sent++;
  }
  uint32_t sent(SessionNumber session, unsigned direction) { return ways(session)[direction].sent; }
  uint32_t seen(SessionNumber session, unsigned direction) { return ways(session)[direction].next; }
  /// Which of its members the session goes out by; kUnknown before its first packet was seen.
  uint8_t member(SessionNumber session) { return state(session).member; }
  void prefetch(SessionNumber session) { __builtin_prefetch(&state(session)); }

  // --- the checker's side ---
  /// A data packet, or one that should have been one.
  void see(const Seen& seen);

  // --- the account ---
  uint64_t sent() const { return sent_; }
  uint64_t seen() const { return seen_; }
  /// Of the sessions between west and east. What has not been seen by now is lost.
  Faults faults() const;
  /// Of passing sessions: `lost` is only what was lost before the spoke was about to go.
  Faults passing_faults() const;
  /// Packets that passing sessions lost in all.
  uint64_t passing_lost() const;
  /// From now on a loss of this spoke's sessions is none; nor is one of what is under way, unless
  /// `all_arrived`: then nothing should be.
  void about_to_go(uint32_t generation, bool all_arrived);
  /// First packets of sessions by member of west and of east.
  const std::array<uint64_t, 2 * kMembers>& shares() const { return shares_; }
  /// The first few faults in words; of the lost, some that are lost by now.
  std::vector<std::string> examples() const;

 private:
  struct Way {
    uint32_t sent = 0;     // packets
    uint32_t next = 0;     // one more than the highest sequence number seen
    uint64_t missing = 0;  // bit i: next - 1 - i has not been seen
    uint64_t lost = 0;     // missing for so long that its bit is gone
  };
  struct State {
    Way ways[2];
    uint8_t member = kUnknown;
  };
  State& state(SessionNumber session) {
    return session < kPassing ? states_[session] : passing_[session & ~kPassing];
  }
  /// So many packets of a passing session have to arrive.
  uint32_t to_arrive(size_t passing, size_t direction) const {
    return std::min(sent_before_going_[passing / kPerSpoke][passing % kPerSpoke * 2 + direction],
                    passing_[passing].ways[direction].sent);
  }
  Way* ways(SessionNumber session) { return state(session).ways; }
  static uint64_t lost_of(const Way& way, uint32_t until);
  Faults& faults_of(SessionNumber session) { return session < kPassing ? faults_ : passing_faults_; }
  bool known(SessionNumber session) const {
    return session < kPassing ? session < states_.size() : (session & ~kPassing) < passing_.size();
  }
  bool right_place(const Seen& seen, const Session& session, State& state);
  void in_order(const Seen& seen, Way& way);
  void note(const char* what, const Seen& seen);
  /// Of a session's ways, with `until` as in lost_of().
  static void add_lost(std::vector<std::string>& out, SessionNumber number, unsigned direction,
                       const Way& way, uint32_t until);

  const World& world_;
  std::vector<State> states_, passing_;
  std::vector<std::array<uint32_t, 2 * kPerSpoke>> sent_before_going_;  // by generation
  uint64_t sent_ = 0, seen_ = 0;
  Faults faults_, passing_faults_;  // `lost` is counted in the end
  std::array<uint64_t, 2 * kMembers> shares_{};
  std::vector<std::string> examples_;
};

}  // namespace weir::hitless
