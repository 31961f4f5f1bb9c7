#include "inspection/app/http/events.h"

#include <array>

namespace weir::inspection {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(HttpEvent::count)> kNames{
#define HTTP_EVENT(id, name) name,
#include "inspection/app/http/events.def"
#undef HTTP_EVENT
};

}  // namespace

std::string_view name_of(HttpEvent event) { return kNames[static_cast<size_t>(event)]; }

std::optional<HttpEvent> http_event_of(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<HttpEvent>(i);
  }
  return std::nullopt;
}

}  // namespace weir::inspection
