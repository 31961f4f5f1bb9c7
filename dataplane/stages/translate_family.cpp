// NAT64: a packet of a session whose two sides have different families.
#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/nat/family_change.h"
#include "dataplane/nat/nat64_address.h"
#include "dataplane/net/parse.h"
#include "dataplane/stages/mss.h"
#include "dataplane/stages/translate.h"

namespace weir::dataplane {

namespace {

net::ParseError parse(rte_mbuf* mbuf, net::IpView& ip) {
  const PacketMeta& meta = meta_of(mbuf);
  const net::Bytes packet = bytes_of(mbuf).subspan(meta.ip_offset);
  return meta.is_v4() ? net::parse_ipv4(packet, ip) : net::parse_ipv6(packet, ip);
}

/// Makes room for an IP header of that length in the place of `replaces` bytes, with what is before it. Null:
/// there is none.
uint8_t* make_room(rte_mbuf* mbuf, uint16_t ip_offset, uint16_t length, uint16_t replaces) {
  std::array<uint8_t, sizeof(net::EthHeader)> link;
  if (ip_offset > link.size()) return nullptr;
  std::memcpy(link.data(), data_of(mbuf), ip_offset);
  if (length > replaces) {
    if (rte_pktmbuf_prepend(mbuf, static_cast<uint16_t>(length - replaces)) == nullptr) return nullptr;
  } else {
    rte_pktmbuf_adj(mbuf, static_cast<uint16_t>(replaces - length));
  }
  std::memcpy(data_of(mbuf), link.data(), ip_offset);
  return data_of(mbuf) + ip_offset;
}

/// The packet, which has it already, is one of that family.
void note_family(rte_mbuf* mbuf, const Tuple& to) {
  PacketMeta& meta = meta_of(mbuf);
  const uint32_t hash = meta.hash;
  meta.set_key(to, meta.domain());
  meta.hash = hash;  // the outer source port of all packets of one direction
  meta.plain = false;
  if (meta.ip_offset < sizeof(net::EthHeader)) return;
  auto& eth = *reinterpret_cast<net::EthHeader*>(data_of(mbuf));
  eth.type = net::be16::of(to.src.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
}

/// As which the sender of an error is seen. Towards IPv6 every address of IPv4 has one; towards IPv4 it is
/// the end's whose side it is on, as elsewhere.
net::IpAddress seen_sender(const WorkerContext& ctx, SessionIndex index, const net::IpView& ip,
                           const Tuple& to) {
  const NatTable* nat = ctx.snapshot->nat.get();
  if (to.src.is_v4() || nat == nullptr) return to.src;
  const Session& session = ctx.sessions->at(index);
  const NatTable::Destination meant = nat->destination(session.domain[0], ctx.sessions->tuple(index));
  if (meant.kind != NatKind::nat64) return to.src;  // the rule has changed
  return embedded(*nat->rules().pools[meant.rule].prefix64, ip.src.v4());
}

Next translate_error(WorkerContext& ctx, rte_mbuf* mbuf, SessionIndex index, const net::IpView& ip,
                     const Tuple& to, const Attachment& egress) {
  PacketMeta& meta = meta_of(mbuf);
  const Attachment* ingress = ctx.snapshot->attachment(meta.ingress);
  const ErrorWay way{seen_sender(ctx, index, ip, to), ingress != nullptr ? ingress->mtu : egress.mtu,
                     egress.mtu, ++ctx.ipv4_id};
  std::array<uint8_t, kLeastMtu6> made;
  const net::Bytes packet = bytes_of(mbuf).subspan(meta.ip_offset, meta.ip_length);
  const size_t size = change_error_family(packet, ip, to, way, made);
  if (size == 0) return Next::drop(DropReason::nat64_untranslatable);
  const auto room = static_cast<size_t>(mbuf->buf_len - mbuf->data_off);
  if (meta.ip_offset + size > room) return Next::drop(DropReason::no_headroom);
  std::memcpy(data_of(mbuf) + meta.ip_offset, made.data(), size);
  mbuf->data_len = static_cast<uint16_t>(meta.ip_offset + size);
  mbuf->pkt_len = mbuf->data_len;
  note_family(mbuf, to);
  meta.ip_length = static_cast<uint16_t>(size);
  meta.l4_offset = to.src.is_v4() ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header);
  meta.payload_offset = static_cast<uint16_t>(meta.l4_offset + sizeof(net::IcmpHeader));
  return Next::go_on();
}

/// A segment for the side of IPv6 is longer by its header than the same one for IPv4.
void lower_segment(const Snapshot& snapshot, rte_mbuf* mbuf, const Attachment& egress) {
  const PacketMeta& meta = meta_of(mbuf);
  uint8_t* tcp = data_of(mbuf) + meta.ip_offset + meta.l4_offset;
  lower_mss({tcp, static_cast<size_t>(meta.payload_offset - meta.l4_offset)},
            largest_segment(snapshot.attachment(meta.ingress), egress, net::Family::ipv6));
}

}  // namespace

uint32_t leaving_length(rte_mbuf* mbuf, const Session& session) {
  if ((session.flags & Session::kNat64) == 0) return meta_of(mbuf).ip_length;
  net::IpView ip;
  return parse(mbuf, ip) == net::ParseError::none ? length_in_other_family(ip) : meta_of(mbuf).ip_length;
}

Next translate_family(WorkerContext& ctx, rte_mbuf* mbuf, SessionTable::Found found,
                      const Attachment& egress) {
  PacketMeta& meta = meta_of(mbuf);
  net::IpView ip;
  if (parse(mbuf, ip) != net::ParseError::none) return Next::drop(DropReason::inner_bad_header);
  const SessionIndex index = ctx.sessions->index_of(*found.session);
  const Tuple to = ctx.sessions->leaving(index, found.direction);
  if (to.src.family == meta.family) return Next::drop(DropReason::nat64_untranslatable);
  if (meta.icmp == net::IcmpKind::error) return translate_error(ctx, mbuf, index, ip, to, egress);
  const uint32_t length = length_in_other_family(ip);
  if (length > egress.mtu) {
    // Told in the sender's own terms.
    const int more = static_cast<int>(meta.ip_length) - static_cast<int>(length);
    meta.punt_mtu = static_cast<uint16_t>(
        std::clamp(egress.mtu + more, meta.is_v4() ? 68 : int{kLeastMtu6}, int{UINT16_MAX}));
    return Next::punt(PuntReason::mtu_exceeded);
  }
  const std::span<uint8_t> packet(data_of(mbuf) + meta.ip_offset, ip.length);
  // Before it changes: then there has to be room.
  const uint16_t headroom = rte_pktmbuf_headroom(mbuf);
  if (!to.src.is_v4() && headroom < OtherHeader::kMax) return Next::drop(DropReason::no_headroom);
  const auto header = change_family(packet, ip, to, ++ctx.ipv4_id);
  if (!header) return Next::drop(DropReason::nat64_untranslatable);
  uint8_t* at = make_room(mbuf, meta.ip_offset, header->length, header->replaces);
  if (at == nullptr) return Next::drop(DropReason::no_headroom);
  std::memcpy(at, header->bytes.data(), header->length);
  note_family(mbuf, to);
  const int moved = header->length - header->replaces;
  meta.ip_length = static_cast<uint16_t>(length);
  meta.l4_offset = static_cast<uint16_t>(meta.l4_offset + moved);
  meta.payload_offset = static_cast<uint16_t>(meta.payload_offset + moved);
  if ((meta.tcp_flags & kSyn) != 0 && meta.has_transport()) lower_segment(*ctx.snapshot, mbuf, egress);
  return Next::go_on();
}

}  // namespace weir::dataplane
