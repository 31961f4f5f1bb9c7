#include "dataplane/stages/hub_answers.h"

#include "dataplane/net/checksum.h"

namespace weir::dataplane {

namespace {

using net::ArpPacket;
using net::EthHeader;
using net::IcmpHeader;
using net::Ipv4Header;
using net::Ipv6Header;
using net::Mac;
using net::NdMessage;

bool is_ethernet_ipv4_arp(const ArpPacket& arp) {
  return arp.hardware.host() == 1 && arp.protocol.host() == net::kEtherIpv4 && arp.hardware_size == 6 &&
         arp.protocol_size == 4;
}

EthHeader& ethernet_of(rte_mbuf* mbuf) { return *reinterpret_cast<EthHeader*>(data_of(mbuf)); }

bool send_note(WorkerContext& ctx, NeighborNote note) {
  return rte_ring_sp_enqueue_elem(ctx.rings.notes.get(), &note, sizeof note) == 0;
}

using Said = NeighborNote::Kind;

/// The attachment's health probe asked, and this is its first answer.
bool answers_probe(WorkerContext& ctx, AttachmentId attachment, const net::IpAddress& address) {
  if (ctx.snapshot->board == nullptr) return false;
  const ProbeToken awaited = ctx.snapshot->board->expected(attachment);
  if (!awaited.awaits(address)) return false;
  AttachmentTally& tally = ctx.tallies[attachment];
  if (tally.answered.load(std::memory_order_relaxed) == awaited.value) return false;
  tally.answer(awaited, ctx.now);
  return true;
}

/// Tells control that `address` has `mac`. What the table says already is told only by an answer to the hub
/// itself: control may have asked, and waits to hear that the neighbour is still there.
void note_neighbor(WorkerContext& ctx, AttachmentId attachment, const net::IpAddress& address, Mac mac,
                   Said said) {
  if (mac.is_multicast() || mac.is_zero() || net::is_martian(address)) return;
  const bool probe = said == Said::answer && answers_probe(ctx, attachment, address);
  if (probe || said != Said::answer) {
    const AdjacencyTable& table = *ctx.snapshot->adjacencies;
    const auto known = table.get(table.find(attachment, address));
    if (known && known->mac() == mac) return;
    if (!known && said == Said::announcement) return;  // changes what is known, adds nothing
  }
  const NeighborNote note{attachment, address, mac, 0, said};
  if (!ctx.note_shares.take(attachment, ctx.now) || !ctx.note_tokens.take(ctx.now) || !send_note(ctx, note))
    ctx.counters.notes_lost.add();
}

/// Who asks for the hub's own address tells where he is. Limited as underlay ARP is, so that the underlay
/// does not crowd out the spokes.
void note_underlay_neighbor(WorkerContext& ctx, PortIndex port, const net::IpAddress& address, Mac mac) {
  if (mac.is_multicast() || mac.is_zero() || net::is_martian(address)) return;
  const NeighborNote note{{}, address, mac, port, Said::question};
  TokenBucket& tokens = ctx.punt_tokens[static_cast<size_t>(PuntReason::underlay_arp)];
  if (!tokens.take(ctx.now) || !send_note(ctx, note)) ctx.counters.notes_lost.add();
}

Said what_is_said(const Attachment& attachment, const ArpPacket& arp) {
  const net::Ipv4 asked{arp.target_ip.host()};
  if (!attachment.is_gateway(asked)) return Said::announcement;
  if (arp.operation.host() != ArpPacket::kReply) return Said::question;
  return arp.target_mac == attachment.hub_mac ? Said::answer : Said::announcement;
}

/// A request becomes the reply that says `mac` has the address asked for.
void make_arp_reply(rte_mbuf* mbuf, ArpPacket& arp, Mac mac) {
  const net::be32 asked = arp.target_ip;
  arp.operation = net::be16::of(ArpPacket::kReply);
  arp.target_mac = arp.sender_mac;
  arp.target_ip = arp.sender_ip;
  arp.sender_mac = mac;
  arp.sender_ip = asked;
  ethernet_of(mbuf).dst = arp.target_mac;
  ethernet_of(mbuf).src = mac;
}

/// The value of the first link-layer address option of `kind` (RFC 4861 section 4.6.1), or nothing.
std::optional<Mac> link_option(net::Bytes options, uint8_t kind) {
  while (options.size() >= 8) {
    const size_t size = options[1] * size_t{8};
    if (size == 0 || size > options.size()) return std::nullopt;
    if (options[0] == kind) {
      Mac mac;
      std::memcpy(mac.bytes.data(), options.data() + 2, 6);
      return mac;
    }
    options = options.subspan(size);
  }
  return std::nullopt;
}

bool icmpv6_checksum_right(net::Bytes packet, const net::IpView& ip) {
  const uint32_t length = ip.length - ip.l4_offset;
  const uint64_t pseudo = net::pseudo_header_sum(packet.subspan(8, 32), net::kProtoIcmpv6, length);
  return net::checksum_finish(net::checksum_add(pseudo, packet.subspan(ip.l4_offset, length))) == 0;
}

/// RFC 4861 section 7.1: anything else is not from the link, or damaged. Extension headers have no place
/// here.
bool discovery_right(net::Bytes packet, const net::IpView& ip) {
  return ip.ttl == 255 && ip.l4_offset == sizeof(Ipv6Header) &&
         ip.length >= sizeof(Ipv6Header) + sizeof(NdMessage) && icmpv6_checksum_right(packet, ip);
}

/// An advertisement in place of the solicitation: from the address asked for, to who asked (RFC 4861
/// section 7.2.4). False: no room for it.
bool make_advertisement(rte_mbuf* mbuf, uint16_t ip_offset, Mac hub_mac, Mac asker) {
  constexpr uint16_t kLength = sizeof(NdMessage) + 8;  // with the target link-layer address option
  const uint16_t size = static_cast<uint16_t>(ip_offset + sizeof(Ipv6Header) + kLength);
  if (mbuf->data_len < size &&
      rte_pktmbuf_append(mbuf, static_cast<uint16_t>(size - mbuf->data_len)) == nullptr) {
    return false;
  }
  EthHeader& eth = ethernet_of(mbuf);
  eth.dst = asker;
  eth.src = hub_mac;
  auto& ip = *reinterpret_cast<Ipv6Header*>(data_of(mbuf) + ip_offset);
  auto& nd = *reinterpret_cast<NdMessage*>(&ip + 1);
  std::memcpy(ip.dst, ip.src, 16);
  std::memcpy(ip.src, nd.target, 16);
  ip.payload_length = net::be16::of(kLength);
  ip.hop_limit = 255;
  nd.type = net::kIcmpv6NeighborAdvert;
  nd.code = 0;
  nd.flags = net::be32::of(NdMessage::kRouter | NdMessage::kSolicited | NdMessage::kOverride);
  uint8_t* option = reinterpret_cast<uint8_t*>(&nd + 1);
  option[0] = NdMessage::kTargetLinkOption;
  option[1] = 1;
  std::memcpy(option + 2, hub_mac.bytes.data(), 6);
  nd.checksum = net::be16::raw(0);
  const net::Bytes addresses(ip.src, 32);
  const net::Bytes message(reinterpret_cast<const uint8_t*>(&nd), kLength);
  const uint64_t sum =
      net::checksum_add(net::pseudo_header_sum(addresses, net::kProtoIcmpv6, kLength), message);
  nd.checksum = net::be16::raw(net::checksum_finish(sum));
  mbuf->data_len = size;
  mbuf->pkt_len = size;
  return true;
}

template <typename Address>
void swap_addresses(Address& a, Address& b) {
  const Address old = a;
  a = b;
  b = old;
}

void swap_bytes16(uint8_t* a, uint8_t* b) {
  uint8_t old[16];
  std::memcpy(old, a, 16);
  std::memcpy(a, b, 16);
  std::memcpy(b, old, 16);
}

}  // namespace

Next answer_underlay_arp(WorkerContext& ctx, rte_mbuf* mbuf, uint16_t arp_offset) {
  PacketMeta& meta = meta_of(mbuf);
  if (mbuf->data_len < arp_offset + sizeof(ArpPacket)) return Next::drop(DropReason::outer_truncated);
  auto& arp = *reinterpret_cast<ArpPacket*>(data_of(mbuf) + arp_offset);
  if (!is_ethernet_ipv4_arp(arp)) return Next::drop(DropReason::outer_bad_header);
  // An announcement (RFC 5227 section 3) is for nobody in particular, and control wants to hear of a peer's
  // new MAC before it asks again.
  const bool announcement = arp.target_ip.raw() == arp.sender_ip.raw();
  if (arp.operation.host() == ArpPacket::kReply || announcement) return Next::punt(PuntReason::underlay_arp);
  const net::IpAddress asked = net::Ipv4{arp.target_ip.host()};
  for (const HubAddress& hub : ctx.snapshot->hub_addresses) {
    if (hub.address == asked && hub.port == meta.port && !hub.kernel_shared) {
      note_underlay_neighbor(ctx, meta.port, net::Ipv4{arp.sender_ip.host()}, arp.sender_mac);
      make_arp_reply(mbuf, arp, ctx.snapshot->ports[meta.port].mac);
      return Next::answer_outer();
    }
  }
  return Next::drop(DropReason::outer_not_for_hub);
}

/// An address that the hub has inside the attachment: its own, or one on-link there that stands for others
/// (pools, published services, static ones), whose packets have to come to the hub.
static bool is_hubs(const WorkerContext& ctx, const Attachment& attachment, const net::IpAddress& address) {
  if (attachment.is_gateway(address)) return true;
  const NatTable* nat = ctx.snapshot->nat.get();
  if (nat == nullptr) return false;
  for (const auto& gateway : attachment.gateways) {
    if (gateway.subnet().contains(address))
      return nat->stands_for_others(static_cast<uint16_t>(attachment.domain.index()), address);
  }
  return false;
}

Next answer_inner_arp(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment, uint16_t arp_offset) {
  if (mbuf->data_len < arp_offset + sizeof(ArpPacket)) return Next::drop(DropReason::inner_truncated);
  auto& arp = *reinterpret_cast<ArpPacket*>(data_of(mbuf) + arp_offset);
  if (!is_ethernet_ipv4_arp(arp)) return Next::drop(DropReason::inner_bad_header);
  const net::Ipv4 asked{arp.target_ip.host()};
  note_neighbor(ctx, attachment.id, net::Ipv4{arp.sender_ip.host()}, arp.sender_mac,
                what_is_said(attachment, arp));
  if (arp.operation.host() != ArpPacket::kRequest) return Next::consumed();
  if (!is_hubs(ctx, attachment, asked)) return Next::drop(DropReason::inner_multicast);
  make_arp_reply(mbuf, arp, attachment.hub_mac);
  return Next::answer_inner();
}

Next answer_neighbor_discovery(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment,
                               uint16_t ip_offset, const net::IpView& ip) {
  const net::Bytes packet = bytes_of(mbuf).subspan(ip_offset, ip.length);
  if (ip.length < ip.l4_offset + sizeof(IcmpHeader)) return Next::go_on();
  const uint8_t type = packet[ip.l4_offset];
  if (type != net::kIcmpv6NeighborSolicit && type != net::kIcmpv6NeighborAdvert) return Next::go_on();
  if (!discovery_right(packet, ip)) return Next::drop(DropReason::inner_bad_header);
  const auto& nd = *reinterpret_cast<const NdMessage*>(packet.data() + ip.l4_offset);
  const net::Bytes options = packet.subspan(ip.l4_offset + sizeof(NdMessage));
  const net::Ipv6 target = net::Ipv6::load(nd.target);
  if (type == net::kIcmpv6NeighborAdvert) {
    if (const auto mac = link_option(options, NdMessage::kTargetLinkOption)) {
      const bool answer = attachment.is_gateway(ip.dst) && (nd.flags.host() & NdMessage::kSolicited) != 0;
      note_neighbor(ctx, attachment.id, target, *mac, answer ? Said::answer : Said::announcement);
    }
    return Next::consumed();
  }
  if (!is_hubs(ctx, attachment, target)) return Next::drop(DropReason::inner_multicast);
  if (ip.src.v6() == net::Ipv6{})
    return Next::consumed();  // duplicate address detection of somebody's own address
  const Mac asker = link_option(options, NdMessage::kSourceLinkOption).value_or(ethernet_of(mbuf).src);
  note_neighbor(ctx, attachment.id, ip.src, asker, Said::question);
  if (!make_advertisement(mbuf, ip_offset, attachment.hub_mac, asker)) return Next::drop(DropReason::no_mbuf);
  return Next::answer_inner();
}

bool is_neighbor_discovery(net::Bytes packet) {
  if (packet.size() < sizeof(Ipv6Header) + 1 || packet[0] >> 4 != 6) return false;
  const uint8_t type = packet[sizeof(Ipv6Header)];
  return reinterpret_cast<const Ipv6Header*>(packet.data())->next_header == net::kProtoIcmpv6 &&
         (type == net::kIcmpv6NeighborSolicit || type == net::kIcmpv6NeighborAdvert);
}

Next answer_underlay_discovery(WorkerContext& ctx, rte_mbuf* mbuf, uint16_t ip_offset) {
  const net::Bytes frame = bytes_of(mbuf).subspan(ip_offset);
  net::IpView ip;
  const auto error = net::parse_ipv6(frame, ip);
  if (error == net::ParseError::truncated) return Next::drop(DropReason::outer_truncated);
  if (error != net::ParseError::none || !discovery_right(frame.first(ip.length), ip))
    return Next::drop(DropReason::outer_bad_header);
  const auto& nd = *reinterpret_cast<const NdMessage*>(frame.data() + ip.l4_offset);
  if (nd.type == net::kIcmpv6NeighborAdvert) return Next::punt(PuntReason::underlay_arp);
  const net::IpAddress target = net::Ipv6::load(nd.target);
  const PortIndex port = meta_of(mbuf).port;
  for (const HubAddress& hub : ctx.snapshot->hub_addresses) {
    if (hub.address != target || hub.port != port || hub.kernel_shared) continue;
    if (ip.src.v6() == net::Ipv6{}) return Next::consumed();  // somebody else means to take the address
    const net::Bytes options =
        frame.subspan(ip.l4_offset + sizeof(NdMessage), ip.length - ip.l4_offset - sizeof(NdMessage));
    const Mac asker = link_option(options, NdMessage::kSourceLinkOption).value_or(ethernet_of(mbuf).src);
    if (!make_advertisement(mbuf, ip_offset, ctx.snapshot->ports[port].mac, asker))
      return Next::drop(DropReason::no_mbuf);
    return Next::answer_outer();
  }
  return Next::drop(DropReason::outer_not_for_hub);
}

bool take_probe_answer(WorkerContext& ctx, AttachmentId attachment, net::Bytes payload) {
  uint64_t carried = 0;
  if (ctx.snapshot->board == nullptr || payload.size() < sizeof carried) return false;
  std::memcpy(&carried, payload.data(), sizeof carried);
  const ProbeToken awaited = ctx.snapshot->board->expected(attachment);
  if (!awaited.is_echo() || carried != net::be64::of(awaited.value).raw()) return false;
  ctx.tallies[attachment].answer(awaited, ctx.now);
  return true;
}

bool answer_echo(rte_mbuf* mbuf, uint16_t ip_offset, const net::IpView& ip) {
  if (ip.fragment || ip.length < ip.l4_offset + sizeof(IcmpHeader)) return false;
  uint8_t* packet = data_of(mbuf) + ip_offset;
  auto& icmp = *reinterpret_cast<IcmpHeader*>(packet + ip.l4_offset);
  const bool v4 = ip.family == net::Family::ipv4;
  if (icmp.type != (v4 ? uint8_t{net::kIcmpEcho} : uint8_t{net::kIcmpv6Echo}) || icmp.code != 0) return false;
  // The reply's checksum is the request's, updated; a request that was damaged on its way stays recognisable
  // as such.
  const net::be16 before = net::be16::of(static_cast<uint16_t>(icmp.type << 8));
  icmp.type = v4 ? uint8_t{net::kIcmpEchoReply} : uint8_t{net::kIcmpv6EchoReply};
  icmp.checksum =
      net::checksum_update(icmp.checksum, before, net::be16::of(static_cast<uint16_t>(icmp.type << 8)));
  if (v4) {
    auto& header = *reinterpret_cast<Ipv4Header*>(packet);
    swap_addresses(header.src, header.dst);
    const net::be16 old = net::be16::of(static_cast<uint16_t>(header.ttl << 8 | header.protocol));
    header.ttl = 64;
    header.checksum = net::checksum_update(
        header.checksum, old, net::be16::of(static_cast<uint16_t>(header.ttl << 8 | header.protocol)));
  } else {
    auto& header = *reinterpret_cast<Ipv6Header*>(packet);
    swap_bytes16(header.src, header.dst);
    header.hop_limit = 64;
  }
  if (ip_offset != 0) swap_addresses(ethernet_of(mbuf).dst, ethernet_of(mbuf).src);
  return true;
}

}  // namespace weir::dataplane
