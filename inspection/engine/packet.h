// A packet as it comes to the engine: what detection sees of it (PacketView), and what only reassembly and
// events ask for. Whoever fills it has checked all lengths. Worker thread; spans as long as the packet.
#pragma once

#include <cstdint>

#include "inspection/detect/inspected.h"

namespace weir::inspection {

/// Where the packet came from; EVE's pkt_src.
enum class PacketSource : uint8_t {
  wire,
  gre,
  ipv4_in_ip,
  ipv6_in_ip,
  teredo,
  vxlan,
  geneve,
  erspan,
  defrag,
  flow_end,   // made by the engine when a session ends, so that what was not yet inspected is
  stream_end  // made by the engine when a stream has to be inspected now
};

struct EnginePacket {
  PacketView view;
  PacketSource source = PacketSource::wire;
  bool fragment = false;      // a piece of a datagram that is not whole: no L4 header was read
  bool l4_broken = false;     // its L4 header is cut short or contradicts itself
  bool checksum_bad = false;  // of the L4 header; never set where checksums are not looked at
  uint8_t ttl = 0;            // hop limit
  /// Work after which it may be left unfinished, to go on in another call; 0: it is not. Its bytes stay where
  /// they are until then.
  uint64_t work_budget = 0;
  uint8_t icmp_type = 0, icmp_code = 0;
  uint8_t level = 0;   // of encapsulation; 0 on the wire
  uint16_t ip_id = 0;  // IPv4
  // TCP options, as they stand in this packet:
  bool has_timestamp = false, has_wscale = false;
  uint8_t wscale = 0;
  uint32_t timestamp = 0, timestamp_echo = 0;
  uint16_t urgent = 0;
  uint16_t link_type = 0;               // of the capture
  const EnginePacket* outer = nullptr;  // the packet that carried this one in its tunnel
};

inline constexpr uint8_t kTcpFin = 0x01, kTcpSyn = 0x02, kTcpRst = 0x04, kTcpPsh = 0x08, kTcpAck = 0x10,
                         kTcpUrg = 0x20, kTcpEce = 0x40, kTcpCwr = 0x80;

}  // namespace weir::inspection
