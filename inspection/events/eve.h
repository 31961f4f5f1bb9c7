// Events as EVE JSON, with Suricata 8's field names.
//
// Writer thread. Never throws on what an event contains: bytes that are not UTF-8 are replaced.
#pragma once

#include <string>

#include "inspection/events/event.h"

namespace weir::inspection {

/// "2026-01-02T03:04:05.678901+0000" of a monotonic time; see to_eve_json().
std::string eve_timestamp(uint64_t monotonic_ns, int64_t offset_ns);

/// One line, without the line end. `realtime_minus_monotonic_ns`: what to add to the event's monotonic times
/// to get nanoseconds since 1970.
std::string to_eve_json(const Event& event, int64_t realtime_minus_monotonic_ns);

}  // namespace weir::inspection
