// The page that a feed and whoever drives it share: a file, mapped by both (bench/harness/feed.py mirrors
// it). The driver says how much and how fast; the feed says what it has done. All numbers are in host order.
#pragma once

#include <cstdint>

namespace weir::feed {

inline constexpr uint32_t kControlMagic = 0x4c525443;  // "CTRL"
inline constexpr uint32_t kControlVersion = 1;
inline constexpr unsigned kClasses = 8;
inline constexpr unsigned kTxQueues = 8;
/// Of a histogram of cycles: 16 buckets to each power of two (see stay_bucket()).
inline constexpr unsigned kStayBuckets = 16 * 40;

enum class State : uint32_t { waiting = 0, ready = 1, failed = 2 };

struct TxCount {
  uint64_t sent = 0;   // the plan's packets that the contender handed to the port
  uint64_t other = 0;  // its own: ARP, ND and the like
};

struct Control {
  uint32_t magic = 0, version = 0;  // written by the driver, checked by the feed

  // --- written by the driver at any time ---
  uint64_t budget = 0;  // packets that may be given in all, since the start
  uint64_t interval =
      0;  // TSC cycles from one packet's arrival to the next one's, times 65,536; 0: whenever asked
  uint64_t queue = 0;      // with an interval: packets that wait at most, as in a NIC's ring; more are missed
  uint32_t capture = 0;    // 1: what is sent is written to the capture file, closed when it is 0 again
  uint32_t capturing = 0;  // written by the feed: 1 while the file is open

  // --- written by the feed ---
  uint32_t state = 0;   // State
  uint32_t thread = 0;  // kernel's id of the thread that polls
  uint64_t tsc_hz = 0;
  char message[256] = {};  // why it failed

  uint64_t tsc = 0;    // at the beginning of the last poll
  uint64_t given = 0;  // packets handed to the contender
  uint64_t polls = 0;
  uint64_t bursts = 0;     // polls that were given something
  uint64_t missed = 0;     // arrived while `queue` were waiting
  uint64_t no_buffer = 0;  // polls that found the pool empty
  uint64_t answers = 0;    // to the contender's ARP and ND questions, given to it besides
  uint64_t sampled_packets = 0, sampled_cycles = 0;  // what giving costs, in one burst of 64
  // A run lasts from the first packet that a budget allows to the first poll after its last one, when the
  // contender has done with them all.
  uint64_t runs = 0;                        // that have ended
  uint64_t run_begin = 0, run_end = 0;      // of the last one, TSC
  uint64_t run_packets = 0, run_polls = 0;  // of the last one
  uint64_t given_of[kClasses] = {};

  TxCount tx[kTxQueues];
  uint64_t sent_of[kClasses] = {};  // with timestamps
  /// With timestamps: how long packets of each class stayed, from arrival to being sent, in TSC cycles.
  uint64_t stay[kClasses][kStayBuckets] = {};
};

/// The bucket of a stay: exact below 16 cycles, then 16 to each power of two.
constexpr unsigned stay_bucket(uint64_t cycles) {
  if (cycles < 16) return static_cast<unsigned>(cycles);
  const unsigned log = 63 - static_cast<unsigned>(__builtin_clzll(cycles));
  const unsigned bucket = (log - 3) * 16 + static_cast<unsigned>((cycles >> (log - 4)) & 15);
  return bucket < kStayBuckets ? bucket : kStayBuckets - 1;
}

}  // namespace weir::feed
