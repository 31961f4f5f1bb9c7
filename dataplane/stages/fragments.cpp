#include "dataplane/stages/fragments.h"

#include <cstring>

#include "dataplane/decide/owner.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/reassembled.h"

namespace weir::dataplane {

namespace {

using Kind = FragmentTable::Answer::Kind;

constexpr uint32_t kExpirePerTurn = 16;  // datagrams

void note_held(WorkerContext& ctx) {
  ctx.counters.fragments_held.set(ctx.fragments->outer.held() + ctx.fragments->inner.held());
}

net::IpView parse_again(rte_mbuf* mbuf, uint16_t ip_offset) {
  const net::Bytes packet = bytes_of(mbuf).subspan(ip_offset);
  net::IpView ip;
  // It was parsed before it came here; an error would leave an empty view, which the table refuses.
  const bool v4 = packet[0] >> 4 == 4;
  const auto error = v4 ? net::parse_ipv4(packet, ip) : net::parse_ipv6(packet, ip);
  return error == net::ParseError::none ? ip : net::IpView{};
}

/// RFC 8200 section 4.5: of IPv6 fragments the next header is no part of the datagram's name.
uint8_t name_protocol(const net::IpView& ip) {
  return ip.family == net::Family::ipv4 ? ip.protocol : uint8_t{0};
}

WorkerIndex gatherer_of(const Snapshot& snapshot, const net::IpView& ip) {
  const Tuple tuple{ip.src, ip.dst, 0, 0, name_protocol(ip)};
  return owner_of({.tuple = tuple, .fragment = true}, snapshot);
}

Fragment fragment_of(rte_mbuf* mbuf, const net::IpView& ip, FragmentUse use, uint32_t scope) {
  const uint16_t fixed = ip.family == net::Family::ipv4 ? uint16_t{0} : uint16_t{sizeof(net::Ipv6Header) + 8};
  Fragment f;
  f.key = {.src = ip.src.bits,
           .dst = ip.dst.bits,
           .id = ip.fragment_id,
           .scope = scope,
           .protocol = name_protocol(ip),
           .family = static_cast<uint8_t>(ip.family),
           .use = use};
  f.share = use == FragmentUse::outer ? static_cast<uint32_t>((ip.src.bits.hi ^ ip.src.bits.lo) * 0x9e37'79b1)
                                      : scope;
  f.offset = ip.fragment_offset;
  f.length = ip.length - ip.fragment_data;
  f.room = UINT16_MAX - (ip.fragment_data - fixed);
  f.more = ip.more_fragments;
  f.packet = mbuf;
  return f;
}

/// How a held piece leaves that is given up. A copy's packet has been sent long since.
Next given_up(rte_mbuf* mbuf, DropReason reason) {
  return meta_of(mbuf).is_copy ? Next::consumed() : Next::drop(reason);
}

/// All that is held of a datagram is dropped.
void drop_held(WorkerContext& ctx, FragmentTable& table, FragmentTable::Index datagram, DropReason reason) {
  table.take(datagram, [&](void* packet, uint32_t, uint32_t) {
    auto* const mbuf = static_cast<rte_mbuf*>(packet);
    leave(ctx, mbuf, given_up(mbuf, reason));
  });
}

/// What follows from an answer other than pass and whole.
Next refuse(WorkerContext& ctx, FragmentTable& table, const FragmentTable::Answer& answer) {
  if (answer.kind == Kind::spoil) drop_held(ctx, table, answer.datagram, answer.reason);
  table.finish(answer.datagram);
  note_held(ctx);
  return answer.kind == Kind::hold ? Next::kept() : Next::drop(answer.reason);
}

// --- outer ---

/// Length of a fragment's IP headers, IPv6's fragment header not counted.
uint16_t headers_length(const net::IpView& ip) {
  return static_cast<uint16_t>(ip.fragment_data - (ip.src.is_v4() ? 0 : 8));
}

/// The IP headers of a first fragment as the whole datagram has them.
void copy_headers(uint8_t* to, const uint8_t* first, const net::IpView& ip, uint32_t payload) {
  const uint16_t length = headers_length(ip);
  std::memcpy(to, first, length);
  // The fragment header's first byte says what follows.
  net::make_whole({to, length}, first[ip.src.is_v4() ? 0 : length], payload);
}

/// Marks an IP header as having met congestion (RFC 3168 section 5.3: one marked fragment marks the
/// datagram).
void mark_congestion(uint8_t* header) {
  if (header[0] >> 4 == 4) {
    auto& ip = *reinterpret_cast<net::Ipv4Header*>(header);
    const auto word = [&] { return net::be16::of(static_cast<uint16_t>(ip.version_ihl << 8 | ip.tos)); };
    const net::be16 before = word();
    ip.tos |= 3;
    ip.checksum = net::checksum_update(ip.checksum, before, word());
  } else {
    header[1] |= 0x30;
  }
}

bool met_congestion(const uint8_t* header) {
  return header[0] >> 4 == 4 ? (header[1] & 3) == 3 : (header[1] & 0x30) == 0x30;
}

/// Puts the pieces together in the scratch buffer and then into `last`, the one that completed them: the
/// later stages and AF_XDP's tx want one piece. The other buffers are given back.
Next put_together(WorkerContext& ctx, FragmentTable::Index datagram, rte_mbuf* last, const net::IpView& ip) {
  FragmentTable& table = ctx.fragments->outer;
  const uint32_t total = table.total(datagram);
  uint8_t* headers = ctx.fragments->scratch.get();
  uint8_t* payload = headers + kHeaderRoom;
  uint16_t header_length = 0, first_ip_offset = 0;
  bool congestion = false;
  const auto add = [&](rte_mbuf* mbuf, const net::IpView& view) {
    const uint16_t at = meta_of(mbuf).ip_offset;
    const uint8_t* header = data_of(mbuf) + at;
    std::memcpy(payload + view.fragment_offset, header + view.fragment_data,
                view.length - view.fragment_data);
    congestion |= met_congestion(header);
    if (view.fragment_offset != 0 || size_t{at} + view.fragment_data > kHeaderRoom) return;
    std::memcpy(headers, data_of(mbuf), at);
    copy_headers(headers + at, header, view, total);
    header_length = static_cast<uint16_t>(at + headers_length(view));
    first_ip_offset = at;
  };
  add(last, ip);
  table.take(datagram, [&](void* packet, uint32_t, uint32_t) {
    auto* mbuf = static_cast<rte_mbuf*>(packet);
    add(mbuf, parse_again(mbuf, meta_of(mbuf).ip_offset));
    leave(ctx, mbuf, Next::consumed());
  });
  table.finish(datagram);
  note_held(ctx);
  const uint32_t size = header_length + total;
  if (header_length == 0 || size > static_cast<uint32_t>(last->buf_len - last->data_off))
    return Next::drop(DropReason::fragment_no_room);
  if (congestion) mark_congestion(headers + first_ip_offset);
  std::memcpy(data_of(last), headers, header_length);
  std::memcpy(data_of(last) + header_length, payload, total);
  last->data_len = static_cast<uint16_t>(size);
  last->pkt_len = size;
  ctx.counters.reassembled.add();
  return Next::go_on();
}

// --- inner ---

void complete_meta(PacketMeta& meta, const FirstFragment& first) {
  meta.set_key(first.tuple, meta.domain());
  meta.icmp = first.icmp;
  meta.icmp_type = first.icmp_type;
}

/// The fragment's datagram is gathered here. In place, a fragment that goes on stays where it is in its
/// burst; else it goes to `ctx.released`. Those that it sets free follow it.
Next gather_here(WorkerContext& ctx, rte_mbuf* mbuf, const net::IpView& ip, bool in_place) {
  PacketMeta& meta = meta_of(mbuf);
  FragmentState& state = *ctx.fragments;
  FragmentTable& table = state.inner;
  const auto answer = table.offer(fragment_of(mbuf, ip, FragmentUse::inner, meta.ingress.value), ctx.now);
  if (answer.kind != Kind::pass) return refuse(ctx, table, answer);
  FirstFragment& first = table.first(answer.datagram);
  if (ip.first_fragment) {
    first = {meta.tuple(), meta.icmp, meta.icmp_type};
  } else {
    complete_meta(meta, first);
  }
  if (!in_place) state.released.push_back(mbuf);
  if (ip.first_fragment) {
    table.take(answer.datagram, [&](void* packet, uint32_t, uint32_t) {
      auto* held = static_cast<rte_mbuf*>(packet);
      complete_meta(meta_of(held), first);
      state.released.push_back(held);
    });
  }
  table.finish(answer.datagram);
  note_held(ctx);
  return in_place ? Next::go_on() : Next::kept();
}

}  // namespace

Next gather_outer(WorkerContext& ctx, rte_mbuf* mbuf, uint16_t ip_offset, const net::IpView& ip) {
  const WorkerIndex home = gatherer_of(*ctx.snapshot, ip);
  if (home != ctx.id) return Next::hand_over(home, Entry::outer);
  meta_of(mbuf).ip_offset = ip_offset;
  FragmentTable& table = ctx.fragments->outer;
  const auto answer = table.offer(fragment_of(mbuf, ip, FragmentUse::outer, 0), ctx.now);
  if (answer.kind != Kind::whole) return refuse(ctx, table, answer);
  return put_together(ctx, answer.datagram, mbuf, ip);
}

Next gather_inner(WorkerContext& ctx, rte_mbuf* mbuf) {
  const net::IpView ip = parse_again(mbuf, meta_of(mbuf).ip_offset);
  const WorkerIndex home = gatherer_of(*ctx.snapshot, ip);
  if (home != ctx.id) return Next::hand_over(home, Entry::gather);
  return gather_here(ctx, mbuf, ip, true);
}

Next gather_follow_on(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment,
                      const net::IpView& ip) {
  // RFC 3128: a piece that would write over the header of a first fragment that was looked at.
  if (ip.protocol == net::kProtoTcp && ip.fragment_offset < sizeof(net::TcpHeader))
    return Next::drop(DropReason::fragment_tiny);
  // The hub does not put together what is sent to itself.
  if (attachment.is_gateway(ip.dst)) return Next::drop(DropReason::inner_hub_address);
  PacketMeta& meta = meta_of(mbuf);
  meta.set_key({ip.src, ip.dst, 0, 0, ip.protocol}, static_cast<uint16_t>(attachment.domain.index()));
  meta.l4_offset = ip.fragment_data;
  meta.payload_offset = ip.fragment_data;
  meta.ip_length = static_cast<uint16_t>(ip.length);
  meta.ttl = ip.ttl;
  meta.tcp_flags = 0;
  meta.fragment = true;
  return gather_inner(ctx, mbuf);
}

void gather_handed_over(WorkerContext& ctx, rte_mbuf* mbuf) {
  const Next next = gather_here(ctx, mbuf, parse_again(mbuf, meta_of(mbuf).ip_offset), false);
  leave(ctx, mbuf, next);
}

Next gather_inspected(WorkerContext& ctx, rte_mbuf* mbuf, WholeDatagram& whole) {
  const PacketMeta& meta = meta_of(mbuf);
  FragmentState& state = *ctx.fragments;
  const net::IpView ip = parse_again(mbuf, meta.ip_offset);
  const auto answer =
      state.inner.offer(fragment_of(mbuf, ip, FragmentUse::inspected, meta.ingress.value), ctx.now);
  if (answer.kind != Kind::whole) return refuse(ctx, state.inner, answer);
  const uint32_t total = state.inner.total(answer.datagram);
  uint8_t* const payload = state.scratch.get() + kHeaderRoom;
  uint16_t headers = 0;
  const auto add = [&](rte_mbuf* piece, const net::IpView& view) {
    const uint8_t* const header = data_of(piece) + meta_of(piece).ip_offset;
    std::memcpy(payload + view.fragment_offset, header + view.fragment_data,
                view.length - view.fragment_data);
    if (!view.first_fragment || headers_length(view) > kHeaderRoom) return;
    headers = headers_length(view);
    copy_headers(payload - headers, header, view, total);
    // IPv6 options for the destination alone are cut up with the rest.
    whole.transport = static_cast<uint16_t>(headers + view.l4_offset - view.fragment_data);
  };
  add(mbuf, ip);
  state.inner.visit(answer.datagram, [&](void* packet) {
    auto* held = static_cast<rte_mbuf*>(packet);
    add(held, parse_again(held, meta_of(held).ip_offset));
  });
  state.inspected = answer.datagram;
  if (headers == 0 || whole.transport > headers + total) {
    drop_inspected(ctx, DropReason::fragment_no_room);
    return Next::drop(DropReason::fragment_no_room);
  }
  whole.ip = net::Bytes(payload - headers, headers + total);
  return Next::go_on();
}

void pass_inspected(WorkerContext& ctx) {
  FragmentState& state = *ctx.fragments;
  state.inner.take(state.inspected, [&](void* packet, uint32_t, uint32_t) {
    state.cleared.push_back(static_cast<rte_mbuf*>(packet));
  });
  state.inner.finish(state.inspected);
  note_held(ctx);
}

void drop_inspected(WorkerContext& ctx, DropReason reason) {
  FragmentState& state = *ctx.fragments;
  drop_held(ctx, state.inner, state.inspected, reason);
  state.inner.finish(state.inspected);
  note_held(ctx);
}

Next gather_whole(WorkerContext& ctx, rte_mbuf* mbuf) {
  WholeDatagram whole;
  if (const Next next = gather_inspected(ctx, mbuf, whole); !next.goes_on()) return next;
  FragmentState& state = *ctx.fragments;
  PacketMeta& meta = meta_of(mbuf);
  uint8_t* const packet = data_of(mbuf) + meta.ip_offset;
  bool congestion = met_congestion(packet);
  state.inner.take(state.inspected, [&](void* piece, uint32_t, uint32_t) {
    auto* const held = static_cast<rte_mbuf*>(piece);
    congestion |= met_congestion(data_of(held) + meta_of(held).ip_offset);
    leave(ctx, held, Next::consumed());
  });
  state.inner.finish(state.inspected);
  note_held(ctx);
  const size_t size = meta.ip_offset + whole.ip.size();
  if (size > static_cast<size_t>(mbuf->buf_len - mbuf->data_off))
    return Next::drop(DropReason::fragment_no_room);
  std::memcpy(packet, whole.ip.data(), whole.ip.size());
  if (congestion) mark_congestion(packet);
  mbuf->data_len = static_cast<uint16_t>(size);
  mbuf->pkt_len = mbuf->data_len;
  const net::IpView ip = parse_again(mbuf, meta.ip_offset);
  net::L4View l4;
  if (ip.length != whole.ip.size() || net::parse_l4(whole.ip, ip, l4) != net::ParseError::none)
    return Next::drop(DropReason::fragment_bad);
  meta.fragment = false;
  meta.l4_offset = ip.l4_offset;
  meta.payload_offset = l4.payload_offset;
  meta.ip_length = static_cast<uint16_t>(ip.length);
  meta.ttl = ip.ttl;
  meta.tos = ip.tos;
  meta.tcp_flags = l4.tcp_flags;
  return Next::go_on();
}

bool watch_fragment(WorkerContext& ctx, rte_mbuf* mbuf, WholeDatagram& whole) {
  rte_mbuf* const copy = rte_pktmbuf_copy(mbuf, ctx.pool, 0, UINT32_MAX);
  if (copy == nullptr) {
    ctx.counters.inspect_unseen.add();
    return false;
  }
  ctx.counters.generated.add();
  meta_of(copy) = meta_of(mbuf);
  meta_of(copy).is_copy = true;
  const Next next = gather_inspected(ctx, copy, whole);
  if (next.kind() == Next::Kind::kept) return false;
  if (!next.goes_on()) ctx.counters.inspect_unseen.add();
  leave(ctx, copy, Next::consumed());
  return next.goes_on();
}

void expire_fragments(WorkerContext& ctx) {
  FragmentState& state = *ctx.fragments;
  if (state.outer.datagrams() + state.inner.datagrams() == 0) return;
  const NanoTime timeout = NanoTime{ctx.snapshot->timeouts.fragment} << Tick::kShift;
  const auto give_up = [&](void* packet) {
    auto* const mbuf = static_cast<rte_mbuf*>(packet);
    leave(ctx, mbuf, given_up(mbuf, DropReason::fragment_timeout));
  };
  state.outer.expire(ctx.now, timeout, kExpirePerTurn, give_up);
  state.inner.expire(ctx.now, timeout, kExpirePerTurn, give_up);
  note_held(ctx);
}

}  // namespace weir::dataplane
