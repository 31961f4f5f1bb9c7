#include "inspection/detect/packet_events.h"

#include <iterator>

namespace weir::inspection {

namespace {

constexpr std::string_view kNames[] = {
#define PACKET_EVENT(id, name) name,
#include "inspection/detect/packet_events.def"
#undef PACKET_EVENT
};

}  // namespace

std::string_view name_of(PacketEvent event) { return kNames[static_cast<size_t>(event)]; }

std::optional<PacketEvent> packet_event_of(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<PacketEvent>(i);
  }
  return std::nullopt;
}

}  // namespace weir::inspection
