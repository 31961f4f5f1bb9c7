// Packets of one worker that wait for inspection, since what a turn may spend on it is spent.
//
// One queue for all inspected sessions, so each keeps its order; sessions that nobody inspects never come
// here. Fixed room, taken at the start. stages/inspect.h fills and empties it. Worker only.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

namespace weir::dataplane {

class InspectQueue {
 public:
  explicit InspectQueue(uint32_t packets) : packets_(packets) {}
  InspectQueue(const InspectQueue&) = delete;
  InspectQueue& operator=(const InspectQueue&) = delete;
  ~InspectQueue() {
    while (!empty()) rte_pktmbuf_free(pop());
  }

  bool empty() const { return size_ == 0; }
  uint32_t size() const { return size_; }
  uint32_t capacity() const { return static_cast<uint32_t>(packets_.size()); }

  /// False: there is no room; the packet is still the caller's.
  bool push(rte_mbuf* mbuf) {
    if (size_ == packets_.size()) return false;
    packets_[(first_ + size_++) % packets_.size()] = mbuf;
    return true;
  }
  /// Unless it is empty.
  rte_mbuf* front() const { return packets_[first_]; }
  rte_mbuf* pop() {
    rte_mbuf* const mbuf = packets_[first_];
    first_ = (first_ + 1) % packets_.size();
    --size_;
    return mbuf;
  }

 private:
  std::vector<rte_mbuf*> packets_;
  size_t first_ = 0;
  uint32_t size_ = 0;
};

}  // namespace weir::dataplane
