// A port whose wire is memory: for tests that drive the real rx and tx bursts without a network.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/io/port.h"

namespace weir::dataplane {

/// Built on DPDK's ring device. One rx and one tx queue per `queues`.
/// What injects and collects belongs to one thread, which need not be the workers'.
class MemoryPort : public Port {
 public:
  static constexpr unsigned kDepth = 4096;
  /// Entries of a queue, powers of two, of which one stays free.
  struct Depth {
    unsigned rx = kDepth;
    unsigned tx = kDepth;
  };

  /// `queues`: as many as workers. `pool` provides the buffers of injected frames. Needs EAL.
  static Result<std::unique_ptr<MemoryPort>> create(const std::string& name, unsigned queues,
                                                    rte_mempool* pool, net::Mac mac, Depth depth,
                                                    uint16_t mtu = 1500);
  static Result<std::unique_ptr<MemoryPort>> create(const std::string& name, unsigned queues,
                                                    rte_mempool* pool, net::Mac mac) {
    return create(name, queues, pool, mac, Depth{});
  }

  /// Puts a copy of `frame` on the wire to rx queue `queue`. False: no such queue, no buffer, the queue is
  /// full, or the frame is longer than a buffer.
  virtual bool inject(uint16_t queue, std::span<const uint8_t> frame) = 0;
  /// Takes the frames that were sent on every tx queue, queue by queue, each in order; chained buffers become
  /// one frame.
  virtual std::vector<std::vector<uint8_t>> collect() = 0;
  /// As collect(), of one tx queue.
  virtual std::vector<std::vector<uint8_t>> collect(uint16_t queue) = 0;

  // The same in bursts and without a copy, for tests that need millions of packets a second.
  /// Puts packets on the wire to rx queue `queue`, in order; how many it took, which are no longer the
  /// caller's.
  virtual size_t inject(uint16_t queue, std::span<rte_mbuf* const> packets) = 0;
  /// Takes the next packets that were sent on tx queue `queue`; how many. They are the caller's then.
  virtual size_t collect(uint16_t queue, std::span<rte_mbuf*> packets) = 0;
};

}  // namespace weir::dataplane
