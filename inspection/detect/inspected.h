// What the engine (engine/) gives to detection for one packet: the packet, the facts of its session, the
// bytes of its streams and the transactions that moved.
//
// One call of the detector per packet, after reassembly and parsing took it in and before it may be sent.
// Worker thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/net/address.h"
#include "inspection/app/transaction.h"
#include "inspection/detect/packet_events.h"
#include "inspection/direction.h"

namespace weir::inspection {

/// One packet, or one datagram put together of its fragments. Spans reach into the caller's packet; an empty
/// one is not there. Lengths are checked by who fills it.
struct PacketView {
  uint64_t time_ns = 0;       // monotonic
  uint64_t wall_seconds = 0;  // since 1970; what certificates' times are held against
  uint64_t number = 0;        // offline: the place in the capture, from 1; else 0
  Direction direction = Direction::to_server;
  net::IpAddress src, dst;              // as this packet has them
  uint16_t src_port = 0, dst_port = 0;  // 0 unless TCP, UDP, SCTP
  uint8_t protocol = 0;                 // the L4 protocol
  std::span<const uint8_t> frame;       // from the Ethernet header on, offline; empty in the hub
  std::span<const uint8_t> ip;          // IP header and all behind it, as long as its length field says
  std::span<const uint8_t> ip_header;   // with options; of IPv6 with the extension headers
  std::span<const uint8_t> l4_header;   // TCP with options, UDP, ICMP
  std::span<const uint8_t> payload;     // after the L4 header
  uint16_t vlans[3] = {};               // outermost first
  uint8_t vlan_count = 0;
  bool fragment_rebuilt = false;
  // TCP:
  uint32_t seq = 0, ack = 0;
  uint16_t window = 0;
  uint8_t tcp_flags = 0;
  bool stream_part = false;  // in order, or recorded: not outside the stream
  PacketEvents events;       // what is wrong with it
  bool invalid = false;      // no IP packet could be read: only rules on what is wrong are held against it
};

/// What rules ask of a session. Kept by the engine, up to date with this packet.
struct SessionFacts {
  uint64_t start_ns = 0;
  bool established =
      false;  // TCP: the handshake is done or it was picked up in the middle; else: both ways seen
  bool midstream = false;
  bool closed = false;                          // TCP: both ends said FIN, or a RST was believed
  std::array<uint64_t, 2> packets{};            // by direction, this one included
  std::array<uint64_t, 2> bytes{};              // IP bytes
  std::array<uint64_t, 2> stream_bytes{};       // TCP payload in order, by direction (`stream_size`)
  std::array<AppProtocol, 2> app{};             // told by each direction alone
  AppProtocol protocol = AppProtocol::unknown;  // the session's
  std::array<bool, 2> app_decided{};            // app[direction] is final
  std::array<uint32_t, 2> domain{};             // whose address space it is: the client's, the server's
};

/// New bytes of one direction's stream: of the packet's own. In IPS mode those that it brought, in IDS mode
/// those that its receiver has acknowledged before. The other direction's only where its window is full, so
/// that they cannot wait for its next packet.
struct StreamView {
  Direction direction = Direction::to_server;
  BufferView view;
};

struct Inspected {
  const PacketView& packet;
  const SessionFacts& facts;
  std::span<const StreamView> streams;  // at most one for each direction
  // Open, oldest first; those that did not move are cheap to ask. Judged in the packet's direction alone, as
  // Suricata does: what the other side sent is judged with its own next packet, or when the session ends,
  // with a packet without headers that the engine makes for each direction.
  std::span<Transaction* const> transactions;
  // Not the first call for this packet: its headers and payload were judged, streams and transactions are
  // new.
  bool packet_judged = false;
};

}  // namespace weir::inspection
