// The anomalies that parsers find, by their names in rules and events (`app-layer-event:dns.z_flag_set`).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "inspection/app/transaction.h"

namespace weir::inspection {

/// The name of that bit of Transaction::app_events; empty beyond the last one.
std::string_view app_event_name(AppProtocol protocol, unsigned bit);
/// The bit of that name; nullopt if the parser raises no such event.
std::optional<unsigned> app_event_bit(AppProtocol protocol, std::string_view name);

}  // namespace weir::inspection
