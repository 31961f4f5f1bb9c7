// The parts of EVE's object `quic` that are not plain fields.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "inspection/events/event_fields.h"

namespace weir::inspection {

/// Adds one field, in the order in which app_fields.cpp writes them.
void add_quic(nlohmann::ordered_json& quic, Field field, std::string_view text, uint64_t number);

}  // namespace weir::inspection
