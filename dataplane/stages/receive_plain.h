// outer, decap and inner in one for what nearly every packet is: a tunnel without options that takes over
// nothing of its outer header, IPv4 or IPv6 in that, TCP or UDP in that, whole, without options.
//
// It asks first and then does: a packet that is anything else is left as it came, for receive_other(), which
// asks everything. Most of a packet's instructions were spent in the stages' seams before
// (docs/performance.md).
#pragma once

#include <immintrin.h>

#include "dataplane/net/plain.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/outer.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// All other packets: outer, decap, inner, stage by stage. (worker.cpp)
Next receive_other(WorkerContext& ctx, rte_mbuf* mbuf);

/// What a burst's packets have in common. On the stack of its loop, where the compiler knows that no packet's
/// bytes are it.
class PlainReceiver {
 public:
  /// For a burst of which every packet, or every one that is one segment, was received by `port`.
  PlainReceiver(const Snapshot& snapshot, PortIndex port)
      : pattern_(snapshot.outer_patterns.data()),
        patterns_(snapshot.outer_patterns),
        tunnels_(snapshot.tunnels->reader()),
        attachments_(snapshot.attachments->reader()),
        port_mac_(snapshot.ports[port].native ? kNobody : snapshot.ports[port].mac.word() << 16) {
    PacketMeta blank(port);
    blank.ip_offset = sizeof(net::EthHeader);
    blank.l4_offset = sizeof(net::Ipv4Header);
    blank.payload = net::Payload::ethernet;
    blank.plain = true;
    const auto* line = reinterpret_cast<const __m256i*>(&blank);
    for (size_t i = 0; i < std::size(blank_); ++i) blank_[i] = _mm256_load_si256(line + kBlankFrom + i);
  }

  /// The packet's meta names the port, no more.
  [[gnu::always_inline]] Next receive(WorkerContext& ctx, rte_mbuf* mbuf) {
    OuterView outer;
    const uint8_t* frame = data_of(mbuf);
    if (!pattern_->is_vxlan4() || !is_ours(mbuf, frame) ||
        !pattern_->parse_vxlan4(frame, mbuf->data_len, outer)) [[unlikely]] {
      return receive_tunnel(ctx, mbuf);
    }
    return open(ctx, mbuf, outer);
  }

 private:
  /// Another tunnel than that of the packet before it, or one that is not VXLAN over IPv4.
  [[gnu::always_inline]] Next receive_tunnel(WorkerContext& ctx, rte_mbuf* mbuf) {
    OuterView outer;
    const uint8_t* frame = data_of(mbuf);
    if (!is_ours(mbuf, frame)) [[unlikely]]
      return receive_other(ctx, mbuf);
    const uint32_t size = mbuf->data_len;
    if (!pattern_->parse(frame, size, outer)) [[unlikely]] {
      if (!find_pattern(frame, size)) return receive_other(ctx, mbuf);
      if (!pattern_->parse(frame, size, outer)) return receive_other(ctx, mbuf);
    }
    return open(ctx, mbuf, outer);
  }
  /// The first of all patterns that takes it.
  [[gnu::noinline]] bool find_pattern(const uint8_t* frame, uint32_t size) {
    OuterView outer;
    for (const OuterPattern& pattern : patterns_) {
      if (!pattern.parse(frame, size, outer)) continue;
      pattern_ = &pattern;
      return true;
    }
    return false;
  }
  /// One segment, addressed to the port, which has tunnels. The frame's first 8 bytes may be read.
  [[gnu::always_inline]] bool is_ours(const rte_mbuf* mbuf, const uint8_t* frame) const {
    return mbuf->nb_segs == 1 && net::detail::read<uint64_t>(frame) << 16 == port_mac_;
  }

  /// From the outer headers to the inner ones.
  [[gnu::always_inline]] Next open(WorkerContext& ctx, rte_mbuf* mbuf, const OuterView& outer) const {
    const bool ethernet = outer.inner == net::Payload::ethernet;
    const AttachmentId ingress = tunnels_.find(outer.key);
    const Attachment* attachment = attachments_.find(ingress);
    if (attachment == nullptr || !attachment->plain_in || attachment->ethernet != ethernet) [[unlikely]]
      return receive_other(ctx, mbuf);

    constexpr uint32_t kEth = sizeof(net::EthHeader);
    const uint32_t offset = kEth + outer.payload, length = outer.length - outer.payload;
    const uint8_t* packet = data_of(mbuf) + offset;
    uint32_t size = length;
    uint16_t type = outer.inner == net::Payload::ipv4 ? net::be16::of(net::kEtherIpv4).raw()
                                                      : net::be16::of(net::kEtherIpv6).raw();
    if (ethernet) {
      if (length < kEth + sizeof(net::Ipv4Header) || !attachment->is_hub_mac(packet)) [[unlikely]]
        return receive_other(ctx, mbuf);
      type = reinterpret_cast<const net::EthHeader*>(packet)->type.raw();
      packet += kEth;
      size -= kEth;
    }
    PacketMeta& meta = meta_of(mbuf);
    auto* line = reinterpret_cast<__m256i*>(&meta);
    for (size_t i = 0; i < std::size(blank_); ++i) _mm256_store_si256(line + kBlankFrom + i, blank_[i]);
    net::PlainView ip;
    if (type == net::be16::of(net::kEtherIpv4).raw()) [[likely]] {
      uint64_t addresses;
      if (!net::parse_plain_ipv4(packet, size, ip, addresses)) [[unlikely]]
        return receive_other(ctx, mbuf);
      meta.set_key4(addresses, ip.ports, static_cast<uint16_t>(attachment->domain.index()), ip.protocol);
      const auto& header = *reinterpret_cast<const net::Ipv4Header*>(packet);
      meta.ttl = header.ttl;
      meta.tos = header.tos;
    } else {
      net::Ipv6 src, dst;
      if (type != net::be16::of(net::kEtherIpv6).raw() || !net::parse_plain_ipv6(packet, size, ip, src, dst))
          [[unlikely]] {
        return receive_other(ctx, mbuf);
      }
      meta.set_key(src, dst, ip.ports, static_cast<uint16_t>(attachment->domain.index()), ip.protocol);
      meta.l4_offset = sizeof(net::Ipv6Header);
      meta.ttl = ip.ttl;
      meta.tos = ip.tos;
    }
    meta.tcp_flags = ip.tcp_flags;
    meta.payload_offset = ip.payload_offset;
    meta.ip_length = ip.length;
    meta.ingress = ingress;
    if (!ethernet) {
      meta.ip_offset = 0;
      meta.payload = outer.inner;
    }
    mbuf->data_off = static_cast<uint16_t>(mbuf->data_off + offset);
    // Neither the padding of a short outer frame nor that of a short inner one is carried on.
    mbuf->data_len = static_cast<uint16_t>(ethernet ? kEth + ip.length : ip.length);
    mbuf->pkt_len = mbuf->data_len;
    return take_in(ctx, *attachment, static_cast<uint16_t>(length));
  }

  /// From this vector on a meta begins as a blank one. A key lies before, and a few bytes beyond.
  static constexpr size_t kBlankFrom = 1;

  static constexpr uint64_t kNobody = 1;  // no frame's word, whose lower bits are zero

  const OuterPattern* pattern_;  // of the packet before this one
  std::span<const OuterPattern> patterns_;
  TunnelTable::Reader tunnels_;
  AttachmentTable::Reader attachments_;
  uint64_t port_mac_;  // Mac::word() << 16
  __m256i blank_[sizeof(PacketMeta) / sizeof(__m256i) - kBlankFrom];
};

}  // namespace weir::dataplane
