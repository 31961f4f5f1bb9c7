// What inspection may spend and hold in a worker (worker/inspect_queue.h).
#pragma once

#include <cstdint>

namespace weir::dataplane {

/// What inspection may spend and hold. `packets`: whole hub, shared out evenly over workers.
struct InspectLimits {
  uint32_t packets = 1'024;
  /// Work (inspection::Verdict::work) of one packet, and of all, in one turn.
  uint64_t packet_work = 64 * 1024;
  uint64_t turn_work = 128 * 1024;
  /// Percent of the queue at which a worker begins, and ends, to be overloaded.
  uint32_t overload_begin = 75, overload_end = 25;
};

/// One of `workers` shares. A context that no worker has, in tests, has all.
inline InspectLimits worker_share(const InspectLimits& limits, uint32_t workers) {
  InspectLimits share = limits;
  if (workers != 0) share.packets = (limits.packets + workers - 1) / workers;
  return share;
}

}  // namespace weir::dataplane
