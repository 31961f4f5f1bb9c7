// A packet of the hub's session as the engine sees it. Worker thread.
#pragma once

#include "inspection/engine/packet.h"
#include "inspection/inspector.h"

namespace weir::inspection {

/// `flow` is the initiator's original tuple, whose addresses the packet's are told by.
EnginePacket engine_packet(const FlowInfo& flow, const Packet& packet);

}  // namespace weir::inspection
