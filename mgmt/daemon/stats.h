// The hub's event `stats`: what workers and inspection counted since the start.
#pragma once

#include <string>

#include "dataplane/worker/dataplane.h"

namespace weir::daemon {

/// One line of EVE JSON, without the line end. What Suricata has a name for stands in `stats`, all of the
/// workers' counters, summed, in `weir.workers`. Any thread. `offset_ns`: what to add to monotonic times to
/// get nanoseconds since 1970.
std::string stats_event(const dataplane::Dataplane& dataplane, dataplane::NanoTime started,
                        dataplane::NanoTime now, int64_t offset_ns);

}  // namespace weir::daemon
