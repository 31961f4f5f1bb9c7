// Anomalies that the HTTP/1 parser tells (`app-layer-event:http.NAME`).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::inspection {

enum class HttpEvent : uint8_t {
#define HTTP_EVENT(id, name) id,
#include "inspection/app/http/events.def"
#undef HTTP_EVENT
  count
};
static_assert(static_cast<int>(HttpEvent::count) <= 64, "they are bits of Transaction::app_events");

constexpr uint64_t bit_of(HttpEvent event) { return uint64_t{1} << static_cast<unsigned>(event); }

/// The name in rules and events, without "http.".
std::string_view name_of(HttpEvent event);
/// nullopt: no event that the parser can raise.
std::optional<HttpEvent> http_event_of(std::string_view name);

}  // namespace weir::inspection
