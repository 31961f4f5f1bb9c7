// Packets on their way from one worker to another: one ring for each ordered pair of workers.
//
// Not an rte_ring: that one's producer takes the head by a compare and exchange where it has fellows, and
// reads the consumer's tail for each burst even where it has none. Either time it waits for a line that the
// other core has just written. Here a side reads the other one's position only when what it knew of it last
// does not suffice: the producer once in a full ring, the consumer once in a burst (docs/performance.md says
// what that is worth; the idea is MCRingBuffer's: Lee, Bu, Chandranmenon, IPDPS 2010). And packets lie in the
// ring at once, not in a batch of their own first.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/core/prefetch.h"

namespace weir::dataplane {

class HandoffRing {
 public:
  /// Room for `size` packets, a power of two.
  explicit HandoffRing(uint32_t size) : packets_(size), mask_(size - 1) {}

  // --- the producer's worker ---
  /// The packet is the ring's then, and goes to the consumer with the next publish(). False: there is no
  /// room.
  [[gnu::always_inline]] bool put(rte_mbuf* packet) {
    if (producer_.next - producer_.seen > mask_) [[unlikely]] {
      producer_.seen = popped_.load(std::memory_order_acquire);
      if (producer_.next - producer_.seen > mask_) return false;
    }
    packets_[producer_.next++ & mask_] = packet;
    return true;
  }
  /// Lets the consumer have what was put since the last time; how many packets.
  uint32_t publish() {
    const uint32_t n = producer_.next - pushed();
    if (n == 0) return 0;
    pushed_.store(producer_.next, std::memory_order_release);
    prefetch_to_write(&packets_[producer_.next & mask_]);
    return n;
  }

  // --- the consumer's worker ---
  /// Takes out at most `max` packets, the oldest first; how many. They are the caller's then. None only if
  /// the ring is empty; what came since it last looked may be left to the next time.
  uint32_t pop(rte_mbuf** packets, uint32_t max) {
    if (consumer_.seen == consumer_.next) consumer_.seen = pushed_.load(std::memory_order_acquire);
    const uint32_t n = std::min(max, consumer_.seen - consumer_.next);
    if (n == 0) return 0;
    for (uint32_t i = 0; i < n; ++i) packets[i] = packets_[(consumer_.next + i) & mask_];
    consumer_.next += n;
    popped_.store(consumer_.next, std::memory_order_release);
    return n;
  }
  /// Asks for what the next pop() reads.
  void prefetch_next() const {
    prefetch(&pushed_);
    prefetch(&packets_[consumer_.next & mask_]);
  }
  /// Counts the packets that were ever published, and those that were popped, modulo 2^32.
  uint32_t pushed() const { return pushed_.load(std::memory_order_acquire); }
  uint32_t popped() const { return consumer_.next; }

 private:
  struct Side {
    uint32_t next = 0;  // its own position
    uint32_t seen = 0;  // the other one's, as it was last read
  };

  // Two lines for each, since a core fetches its neighbour with a line.
  static constexpr size_t kApart = 128;
  std::vector<rte_mbuf*> packets_;
  uint32_t mask_;
  alignas(kApart) Side producer_;
  alignas(kApart) Side consumer_;
  alignas(kApart) std::atomic<uint32_t> pushed_{0};
  alignas(kApart) std::atomic<uint32_t> popped_{0};
};

}  // namespace weir::dataplane
