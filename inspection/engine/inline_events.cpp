#include "inspection/engine/inline_events.h"

namespace weir::inspection {

void InlineEvents::made(Event& event, std::span<const uint8_t> fields, const EngineSession* session,
                        const EnginePacket*) {
  // Of a session that it saw from its middle on the engine may take the other end for the client.
  const bool other = session != nullptr &&
                     (session->client != flow_->src || session->client_port != flow_->src_port) &&
                     session->server == flow_->src;
  event.turned = event.turned != other;
  event.flow = *flow_;
  if (event.cut) ++counters_.events_cut;
  if (!sink_->push(event, fields)) ++counters_.events_lost;
}

/// As Suricata does: the first drop of each direction, or all.
bool InlineEvents::concluded(const EnginePacket& packet, const EngineVerdict& verdict) {
  if (!drops_ || verdict.forward) return false;
  const auto bit = static_cast<uint8_t>(1U << static_cast<unsigned>(packet.view.direction));
  const bool first = (*told_ & bit) == 0;
  *told_ = static_cast<uint8_t>(*told_ | bit);
  return first || all_drops_;
}

}  // namespace weir::inspection
