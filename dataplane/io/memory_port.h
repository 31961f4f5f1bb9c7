// A port whose wire is memory: for tests that drive the real rx and tx bursts without a network.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/io/port.h"

namespace weir::dataplane {

/// Built on DPDK's ring device. One rx and one tx queue per `queues`, of kDepth packets each.
/// inject() and collect() belong to one thread, which need not be the workers'.
class MemoryPort : public Port {
 public:
  static constexpr unsigned kDepth = 4096;

  /// `queues`: as many as workers. `pool` provides the buffers of injected frames. Needs EAL.
  static Result<std::unique_ptr<MemoryPort>> create(const std::string& name, unsigned queues,
                                                    rte_mempool* pool, net::Mac mac);

  /// Puts a copy of `frame` on the wire to rx queue `queue`. False: no such queue, no buffer, the queue is
  /// full, or the frame is longer than a buffer.
  virtual bool inject(uint16_t queue, std::span<const uint8_t> frame) = 0;
  /// Takes the frames that were sent on every tx queue, queue by queue, each in order; chained buffers become
  /// one frame.
  virtual std::vector<std::vector<uint8_t>> collect() = 0;
  /// As collect(), of one tx queue.
  virtual std::vector<std::vector<uint8_t>> collect(uint16_t queue) = 0;
};

}  // namespace weir::dataplane
