// What sessions may hold and take that wait for a name (worker/pending.h).
#pragma once

#include <cstdint>

#include "dataplane/core/time.h"

namespace weir::dataplane {

/// `sessions` and `packets`: whole hub, shared out evenly over workers.
struct PendingLimits {
  uint32_t sessions = 1'024;
  uint32_t packets = 1'024;
  uint32_t packets_per_session = 16;
  uint32_t bytes_per_session = 32'768;
  NanoTime time_ns = 2 * kNanosPerSecond;
};

/// One of `workers` shares.
PendingLimits worker_share(const PendingLimits& limits, uint32_t workers);

}  // namespace weir::dataplane
