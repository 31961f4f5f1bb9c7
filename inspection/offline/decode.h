// From a captured frame to the IP packets in it: link layers, VLAN tags, tunnels, fragments, L4 headers.
//
// Lenient where a hub's fast path is strict, since a capture holds what somebody sent and a rule may be about
// just that: a wrong IPv4 header checksum is looked at only where asked for, other things are named. Inner
// packets come before the packet that carried them, as Suricata processes them.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/net/parse.h"
#include "inspection/engine/packet.h"
#include "inspection/offline/capture.h"
#include "inspection/offline/defrag.h"

namespace weir::inspection::offline {

struct DecodeSettings {
  bool checksums = true;  // verify those of L4 headers
  bool vxlan = true, geneve = true, teredo = true, erspan_type1 = false;
  uint16_t vxlan_port = 4'789, geneve_port = 6'081, teredo_port = 3'544;
};

struct DecodeCounters {
  uint64_t packets = 0, bytes = 0, invalid = 0;
  uint64_t ipv4 = 0, ipv6 = 0, tcp = 0, udp = 0, icmpv4 = 0, icmpv6 = 0, sctp = 0;
  uint64_t ethernet = 0, raw = 0, null_link = 0, sll = 0, ppp = 0, vlan = 0, vlan_qinq = 0, mpls = 0;
  uint64_t gre = 0, vxlan = 0, geneve = 0, teredo = 0, erspan = 0, ipv4_in_ipv6 = 0, ipv6_in_ipv6 = 0;
  uint64_t max_size = 0;
};

class PacketTaker {
 public:
  virtual ~PacketTaker() = default;
  /// Takes one packet; the view and its spans are valid during the call.
  virtual void take(EnginePacket& packet) = 0;
};

class Decoder {
 public:
  /// Layers of encapsulation that are followed in one frame.
  static constexpr uint8_t kMaxLevel = 16;

  Decoder(const DecodeSettings& settings, Defragmenter& defragmenter, PacketTaker& taker)
      : settings_(settings), defragmenter_(defragmenter), taker_(taker) {}

  void decode(const Frame& frame, int link_type);
  const DecodeCounters& counters() const { return counters_; }

 private:
  using Bytes = std::span<const uint8_t>;
  struct Context {
    const EnginePacket* outer = nullptr;
    PacketSource source = PacketSource::wire;
    uint8_t level = 0;
    bool rebuilt = false;
    uint16_t vlans[3] = {};
    uint8_t vlan_count = 0;
  };
  void link(Bytes bytes, int link_type, Context context);
  void ethernet(Bytes bytes, Context context);
  void by_type(uint16_t type, Bytes bytes, Context context);
  void vlan(Bytes bytes, Context context);
  void mpls(Bytes bytes, Context context);
  void ppp(Bytes bytes, Context context);
  void pppoe(Bytes bytes, const Context& context);
  void ip(Bytes bytes, const Context& context);
  void ipv4(Bytes bytes, const Context& context);
  void ipv6(Bytes bytes, const Context& context);
  /// A packet of which nothing but what is wrong with it can be said.
  void broken(PacketEvent event, const Context& context);
  EnginePacket make(const Context& context) const;
  void l4(EnginePacket& packet, const Context& context);
  void tcp(EnginePacket& packet);
  void udp(EnginePacket& packet, const Context& context);
  bool udp_tunnel(const EnginePacket& packet, const Context& context);
  bool teredo(const EnginePacket& packet, Context inner);
  void gre(const EnginePacket& packet, const Context& context);
  void gre_version1(Bytes bytes, Context inner);
  void carried(const EnginePacket& packet, const Context& context);
  Context inside(const EnginePacket& packet, const Context& context, PacketSource source) const;
  bool checksum_right(const EnginePacket& packet, Bytes l4) const;
  bool whole(EnginePacket& packet, const FragmentPiece& piece, const Context& context);

  const DecodeSettings& settings_;
  Defragmenter& defragmenter_;
  PacketTaker& taker_;
  DecodeCounters counters_;
  Bytes frame_;
  uint64_t time_ns_ = 0;
  uint64_t number_ = 0;
  int link_type_ = 0;
};

}  // namespace weir::inspection::offline
