// How large a packet buffer has to be for a port's MTU, and the other way round.
//
// A packet lies in one buffer on its whole way: no stage looks for a second one, AF_XDP sends none, and what
// a driver spreads over several is dropped (port_rx_error). So the largest MTU of any port decides how large
// the buffers are. Pure: no DPDK, any thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace weir::dataplane {

enum class PortKind { af_xdp, af_packet, tap, pcap, null, pci, memory };

/// The largest IP MTU of a port.
inline constexpr uint16_t kMaxMtu = 9'216;
/// Data bytes of a buffer when no port asks for more. Always a multiple of kDataStep: with the 448 bytes
/// before them, buffers are then an odd number of cache lines, and DPDK adds none to spread them over memory
/// channels.
inline constexpr uint16_t kLeastDataBytes = 2'048;
inline constexpr uint16_t kDataStep = 128;
/// The kernel wants an AF_XDP buffer, with all that lies before its data, within one page of 4 KiB.
inline constexpr uint16_t kMaxAfXdpDataBytes = 3'584;

/// Ethernet with two VLAN tags.
inline constexpr uint16_t kLinkBytes = 14 + 8;
/// What the kernel keeps for itself before each packet on af_xdp (XDP_PACKET_HEADROOM).
inline constexpr uint16_t kAfXdpHeadroom = 256;
/// Of a frame of AF_PACKET's ring, before the packet: its header, and Ethernet moved up so that IP is
/// aligned.
inline constexpr uint16_t kAfPacketHeader = 66;

/// A frame of the ring that AF_PACKET shares with the kernel: the driver wants all but 32 bytes of it to fit
/// a buffer.
constexpr uint16_t af_packet_frame_bytes(uint32_t data_bytes) {
  return static_cast<uint16_t>((data_bytes + 32) / 64 * 64);
}

/// The largest MTU that buffers with so many data bytes carry on such a port.
constexpr uint16_t largest_mtu(PortKind kind, uint32_t data_bytes) {
  uint32_t mtu = data_bytes - kLinkBytes;
  if (kind == PortKind::af_xdp)
    mtu = std::min<uint32_t>(data_bytes, kMaxAfXdpDataBytes) - kAfXdpHeadroom - kLinkBytes;
  // One tag comes beside the packet.
  if (kind == PortKind::af_packet)
    mtu = af_packet_frame_bytes(data_bytes) - kAfPacketHeader - (kLinkBytes - 4);
  return static_cast<uint16_t>(std::min<uint32_t>(mtu, kMaxMtu));
}

inline constexpr uint16_t kMaxAfXdpMtu = largest_mtu(PortKind::af_xdp, kMaxAfXdpDataBytes);

/// Data bytes of the smallest buffers that carry `mtu` on such a port, or the largest MTU of its kind if that
/// is less.
constexpr uint16_t data_bytes_for(PortKind kind, uint32_t mtu) {
  const uint32_t wanted = std::min<uint32_t>(mtu, largest_mtu(kind, 2 * kMaxMtu));
  uint16_t bytes = kLeastDataBytes;
  while (largest_mtu(kind, bytes) < wanted) bytes = static_cast<uint16_t>(bytes + kDataStep);
  return bytes;
}

static_assert(kMaxAfXdpMtu == 3'306 && largest_mtu(PortKind::af_xdp, 65'000) == kMaxAfXdpMtu);
static_assert(data_bytes_for(PortKind::af_xdp, kMaxAfXdpMtu) == kMaxAfXdpDataBytes);
static_assert(data_bytes_for(PortKind::pci, kMaxMtu) == 9'344 &&
              data_bytes_for(PortKind::null, 1'500) == 2'048);

}  // namespace weir::dataplane
