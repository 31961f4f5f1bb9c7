// What was wrong with a packet, for rules on it (`decode-event`, `stream-event`) and for anomalies.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::inspection {

enum class PacketEvent : uint8_t {
#define PACKET_EVENT(id, name) id,
#include "inspection/detect/packet_events.def"
#undef PACKET_EVENT
  count
};
static_assert(static_cast<int>(PacketEvent::count) <= 64, "they are bits");

/// A set of them. Plain memory.
class PacketEvents {
 public:
  void raise(PacketEvent event) { bits_ |= uint64_t{1} << static_cast<unsigned>(event); }
  bool has(PacketEvent event) const { return (bits_ >> static_cast<unsigned>(event) & 1) != 0; }
  bool any() const { return bits_ != 0; }

 private:
  uint64_t bits_ = 0;
};

/// "ipv4.trunc_pkt", "stream.reassembly_seq_gap".
std::string_view name_of(PacketEvent event);
/// nullopt: no event that is raised.
std::optional<PacketEvent> packet_event_of(std::string_view name);

}  // namespace weir::inspection
