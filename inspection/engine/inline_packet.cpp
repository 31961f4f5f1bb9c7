#include "inspection/engine/inline_packet.h"

#include <algorithm>

#include "dataplane/net/headers.h"
#include "inspection/engine/header_events.h"

namespace weir::inspection {

namespace {

/// Window scale and timestamps (RFC 7323) of a TCP header whose length was checked.
void read_tcp_options(std::span<const uint8_t> header, EnginePacket& packet) {
  constexpr uint8_t kEnd = 0, kNothing = 1, kScale = 3, kTimestamp = 8;
  constexpr size_t kFixed = 20;
  for (size_t at = kFixed; at < header.size();) {
    const uint8_t kind = header[at];
    if (kind == kEnd) return;
    if (kind == kNothing) {
      ++at;
      continue;
    }
    if (at + 1 >= header.size()) return;
    const size_t size = header[at + 1];
    if (size < 2 || at + size > header.size()) return;
    if (kind == kScale && size == 3) {
      packet.has_wscale = true;
      packet.wscale = header[at + 2];
    } else if (kind == kTimestamp && size == 10) {
      const auto word = [&](size_t from) {
        return uint32_t{header[from]} << 24 | uint32_t{header[from + 1]} << 16 |
               uint32_t{header[from + 2]} << 8 | header[from + 3];
      };
      packet.has_timestamp = true;
      packet.timestamp = word(at + 2);
      packet.timestamp_echo = word(at + 6);
    }
    at += size;
  }
}

}  // namespace

EnginePacket engine_packet(const FlowInfo& flow, const Packet& packet) {
  EnginePacket out;
  PacketView& view = out.view;
  const bool to_server = packet.direction == Direction::to_server;
  view.time_ns = packet.now_ns;
  view.wall_seconds = packet.wall_seconds;
  view.direction = packet.direction;
  view.src = to_server ? flow.src : flow.dst;
  view.dst = to_server ? flow.dst : flow.src;
  view.protocol = flow.protocol;
  if (flow.protocol == net::kProtoTcp || flow.protocol == net::kProtoUdp) {
    view.src_port = to_server ? flow.src_port : flow.dst_port;
    view.dst_port = to_server ? flow.dst_port : flow.src_port;
  }
  view.ip = packet.ip;
  view.fragment_rebuilt = packet.rebuilt;
  view.ip_header = packet.ip_header;
  view.l4_header = packet.l4_header;
  view.payload = packet.payload;
  out.work_budget = packet.work_budget;
  out.checksum_bad = packet.checksum_bad;
  view.seq = packet.seq;
  view.ack = packet.ack;
  view.tcp_flags = packet.tcp_flags;
  if (flow.src.is_v4() ? packet.ip_header.size() >= 20 : packet.ip_header.size() >= 40)
    out.ttl = packet.ip_header[flow.src.is_v4() ? 8 : 7];
  const std::span<const uint8_t> l4 = packet.l4_header;
  if (flow.protocol == net::kProtoTcp && l4.size() >= 20) {
    view.window = static_cast<uint16_t>(l4[14] << 8 | l4[15]);
    out.urgent = static_cast<uint16_t>(l4[18] << 8 | l4[19]);
    read_tcp_options(l4, out);
  } else if ((flow.protocol == net::kProtoIcmp || flow.protocol == net::kProtoIcmpv6) && l4.size() >= 2) {
    out.icmp_type = l4[0];
    out.icmp_code = l4[1];
    const std::span<const uint8_t> message = view.ip.subspan(view.ip_header.size());
    view.l4_header = message.first(std::min(icmp_header_size(flow.src.is_v4(), message), message.size()));
  }
  if (!flow.src.is_v4() && view.ip.size() >= sizeof(net::Ipv6Header)) view.events = extension_events(view.ip);
  return out;
}

}  // namespace weir::inspection
