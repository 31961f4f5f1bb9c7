#include "dataplane/stages/ftp.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/session/tcp_window.h"
#include "dataplane/stages/fragments.h"
#include "dataplane/stages/transport_checksum.h"

namespace weir::dataplane {

namespace {

constexpr uint16_t kFtpPort = 21;

FtpControl& control_of(WorkerContext& ctx, SessionIndex index) {
  return ctx.ftp->at(ctx.sessions->translation(index).ftp);
}

net::TcpHeader& tcp_of(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  return *reinterpret_cast<net::TcpHeader*>(data_of(mbuf) + meta.ip_offset + meta.l4_offset);
}

std::span<uint8_t> segment_bytes(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  return {data_of(mbuf) + meta.ip_offset + meta.l4_offset, size_t{meta.ip_length} - meta.l4_offset};
}

void fill_checksum(rte_mbuf* mbuf) {
  net::TcpHeader& tcp = tcp_of(mbuf);
  tcp.checksum = net::be16();
  tcp.checksum = net::be16::raw(transport_checksum(mbuf, meta_of(mbuf), segment_bytes(mbuf)));
}

/// The borders of blocks that arrived ahead of others (RFC 2018 section 3). `options`: of a TCP header.
void number_back_sack(std::span<uint8_t> options, const SequenceEdits& edits) {
  constexpr uint8_t kEnd = 0, kNop = 1, kSack = 5;
  for (size_t at = 0; at < options.size() && options[at] != kEnd;) {
    if (options[at] == kNop) {
      ++at;
      continue;
    }
    if (at + 2 > options.size() || options[at + 1] < 2 || at + options[at + 1] > options.size()) return;
    const size_t end = at + options[at + 1];
    for (size_t border = at + 2; options[at] == kSack && border + sizeof(uint32_t) <= end;
         border += sizeof(uint32_t)) {
      uint32_t raw;
      std::memcpy(&raw, &options[border], sizeof raw);
      raw = net::be32::of(edits.from_peer(net::be32::raw(raw).host())).raw();
      std::memcpy(&options[border], &raw, sizeof raw);
    }
    at = end;
  }
}

/// How the other side of the hub has to call what one side names.
class Translator {
 public:
  Translator(WorkerContext& ctx, SessionIndex index, Direction direction)
      : ctx_(ctx), index_(index), direction_(direction) {}

  /// Writes what stands for `endpoint`; the size, 0: it stays. What it leads to is held.
  size_t replace(const FtpEndpoint& endpoint, std::span<char, kFtpEndpointText> out) {
    const NatTable* nat = ctx_.snapshot->nat.get();
    if (nat == nullptr) return 0;
    return direction_ == Direction::forward ? replace_client(*nat, endpoint, out)
                                            : replace_server(*nat, endpoint, out);
  }
  /// There was no port to be had for one of them.
  bool exhausted() const { return exhausted_; }

 private:
  /// Where the client waits for the server.
  size_t replace_client(const NatTable& nat, const FtpEndpoint& endpoint,
                        std::span<char, kFtpEndpointText> out) {
    const net::IpAddress own = ctx_.sessions->tuple(index_).src;
    const net::IpAddress seen = ctx_.sessions->leaving(index_, Direction::forward).src;
    if (endpoint.address != own || seen == own) return 0;
    const BindingIndex source = ctx_.sessions->translation(index_).source_binding;
    if (source == kNoBinding) return net::write_ftp_endpoint(endpoint.form, seen, endpoint.port, out);
    const Binding& binding = ctx_.bindings->at(source);
    const PoolRule* const pool = nat.pool_of(binding.realm, binding.outside);
    if (pool == nullptr || !pool->ftp) return 0;
    Tuple tuple;
    tuple.src = own;
    tuple.src_port = endpoint.port;
    tuple.protocol = net::kProtoTcp;
    const auto rule = static_cast<uint16_t>(pool - nat.rules().pools.data());
    const Bindings::Answer held = ctx_.bindings->hold(nat, rule, binding.host, tuple);
    if (!hold(held)) return 0;
    const Binding& there = ctx_.bindings->at(held.binding);
    return net::write_ftp_endpoint(endpoint.form, there.outside, there.outside_port, out);
  }

  /// Where the server waits for the client. It may know the address that it is published under.
  size_t replace_server(const NatTable& nat, const FtpEndpoint& endpoint,
                        std::span<char, kFtpEndpointText> out) {
    const Session& session = ctx_.sessions->at(index_);
    const Tuple tuple = ctx_.sessions->tuple(index_);
    const net::IpAddress server = ctx_.sessions->leaving(index_, Direction::forward).dst;
    const bool named = endpoint.form != FtpEndpoint::Form::port_alone;
    if (server == tuple.dst || (named && endpoint.address != server && endpoint.address != tuple.dst))
      return 0;
    const NatTable::Destination to = nat.destination(session.domain[0], tuple);
    uint16_t port = endpoint.port;
    if (to.kind == NatKind::published && nat.rules().published[to.rule].ftp) {
      Bindings::Place place{session.domain[0], tuple.dst, port};
      const Bindings::Answer held = ctx_.bindings->publish(nat, to.domain, server, port, place);
      if (!place.is_published && !hold(held)) return 0;
      port = place.port;
    } else if (to.kind != NatKind::fixed) {
      return 0;
    }
    if (port == endpoint.port && (!named || endpoint.address == tuple.dst)) return 0;
    return net::write_ftp_endpoint(endpoint.form, tuple.dst, port, out);
  }

  /// Until the fourth one behind it, or the end of the session.
  bool hold(const Bindings::Answer& held) {
    if (held.refused != BindingRefused::no) {
      exhausted_ = true;
      return false;
    }
    FtpControl& control = control_of(ctx_, index_);
    BindingIndex& place = control.announced[control.next_announced];
    control.next_announced = (control.next_announced + 1) % FtpControl::kAnnounced;
    if (place != kNoBinding) ctx_.bindings->release(ctx_.snapshot->nat.get(), place);
    place = held.binding;
    return true;
  }

  WorkerContext& ctx_;
  SessionIndex index_;
  Direction direction_;
  bool exhausted_ = false;
};

/// Puts the text in and makes the packet as long as it is then. False: there is no room.
bool put_in(rte_mbuf* mbuf, const FtpPlan& plan, uint16_t most) {
  PacketMeta& meta = meta_of(mbuf);
  int grows = 0;
  for (size_t i = 0; i < plan.count; ++i) grows += plan.places[i].text_size - plan.places[i].size;
  const int length = meta.ip_length + grows;
  const int room = mbuf->buf_len - mbuf->data_off - meta.ip_offset;
  if (length > most || length > room) return false;
  uint8_t* const payload = data_of(mbuf) + meta.ip_offset + meta.payload_offset;
  size_t size = static_cast<size_t>(meta.ip_length - meta.payload_offset);
  for (size_t i = plan.count; i-- > 0;) {
    const FtpPlan::Place& place = plan.places[i];
    uint8_t* const at = payload + place.at;
    std::memmove(at + place.text_size, at + place.size, size - place.at - place.size);
    std::memcpy(at, place.text.data(), place.text_size);
    size = size - place.size + place.text_size;
  }
  meta.ip_length = static_cast<uint16_t>(length);
  mbuf->data_len = static_cast<uint16_t>(meta.ip_offset + length);  // what was behind the packet goes
  mbuf->pkt_len = mbuf->data_len;
  uint8_t* const packet = data_of(mbuf) + meta.ip_offset;
  if (meta.is_v4()) {
    auto& ip = *reinterpret_cast<net::Ipv4Header*>(packet);
    ip.total_length = net::be16::of(meta.ip_length);
    ip.checksum = net::be16();
    ip.checksum = net::be16::raw(net::checksum({packet, meta.l4_offset}));
  } else {
    auto& ip = *reinterpret_cast<net::Ipv6Header*>(packet);
    ip.payload_length = net::be16::of(static_cast<uint16_t>(meta.ip_length - sizeof ip));
  }
  return true;
}

std::string_view payload_of(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  return {reinterpret_cast<const char*>(data_of(mbuf) + meta.ip_offset + meta.payload_offset),
          static_cast<size_t>(meta.ip_length - meta.payload_offset)};
}

/// What of the segment is replaced. On none the side has moved on.
DropReason plan_segment(WorkerContext& ctx, rte_mbuf* mbuf, const FtpSide& side, FtpPlan& plan) {
  const PacketMeta& meta = meta_of(mbuf);
  const uint32_t seq = tcp_of(mbuf).seq.host();
  const std::string_view payload = payload_of(mbuf);
  if (is_after(seq, side.next) || plan_again(side, seq, payload.size(), plan) != FtpSegment::good)
    return DropReason::ftp_order;
  const size_t known = side.next - seq;
  if (known < payload.size()) {
    Translator translator(ctx, meta.session, meta.direction);
    const FtpSegment segment =
        plan_lines(side, payload, known, plan,
                   [&](const FtpEndpoint& endpoint, auto out) { return translator.replace(endpoint, out); });
    if (segment != FtpSegment::good) return DropReason::ftp_line;
    if (translator.exhausted()) return DropReason::ftp_room;
  }
  return DropReason::none;
}

/// A segment of which nothing is left becomes one that its receiver answers: it has the byte before it again.
/// The byte is put in as any text. True: it begins so much earlier.
bool ask_for_answer(FtpPlan& plan, size_t size, uint8_t flags) {
  if (size == 0 || (flags & kFin) != 0 || !plan.leaves_nothing_of(size)) return false;
  plan.places[0].text[0] = plan.places[0].before;
  plan.places[0].text_size = 1;
  return true;
}

/// Data connections that were opened have hold of theirs themselves.
void release_announced(WorkerContext& ctx, FtpControl& control) {
  for (BindingIndex& binding : control.announced) {
    if (binding != kNoBinding) ctx.bindings->release(ctx.snapshot->nat.get(), binding);
    binding = kNoBinding;
  }
}

}  // namespace

bool is_ftp_control(const NatTable& nat, const FirstDecision& decision, const Tuple& leaves) {
  if (leaves.protocol != net::kProtoTcp) return false;
  const NatRules& rules = nat.rules();
  if (decision.destination.kind == NatKind::published && rules.published[decision.destination.rule].ftp)
    return true;
  if (leaves.dst_port != kFtpPort) return false;
  if (decision.destination.kind == NatKind::fixed && rules.fixed[decision.destination.rule].ftp) return true;
  if (decision.source.kind == NatKind::pool) return rules.pools[decision.source.rule].ftp;
  return decision.source.kind == NatKind::fixed && rules.fixed[decision.source.rule].ftp;
}

void begin_ftp(WorkerContext& ctx, SessionIndex index) {
  const uint32_t control = ctx.ftp->open();
  if (control == FtpControls::kNone) {
    ctx.counters.ftp_untracked.add();
    return;
  }
  ctx.sessions->translation(index).ftp = control;
  ctx.sessions->at(index).flags |= Session::kFtp;
  ctx.counters.ftp_controls.set(ctx.ftp->size());
  follow_ftp(ctx, index, TcpEvent::syn);
}

void end_ftp(WorkerContext& ctx, SessionIndex index) {
  if ((ctx.sessions->at(index).flags & Session::kFtp) == 0) return;
  release_announced(ctx, control_of(ctx, index));
  ctx.ftp->close(ctx.sessions->translation(index).ftp);
  ctx.counters.ftp_controls.set(ctx.ftp->size());
}

void follow_ftp(WorkerContext& ctx, SessionIndex index, TcpEvent event) {
  for (TcpSide& side : ctx.sessions->tcp(index).side) side.flags |= TcpSide::kClosely;
  if (event != TcpEvent::reopen) return;
  for (FtpSide& side : control_of(ctx, index).side) {
    side.begun = false;
    side.edits.clear();
  }
}

Next ftp_receive(WorkerContext& ctx, rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  if (meta.fragment) {
    if (const Next next = gather_whole(ctx, mbuf); !next.goes_on()) return next;
  }
  net::TcpHeader& tcp = tcp_of(mbuf);
  const SequenceEdits& edits =
      control_of(ctx, meta.session).side[static_cast<size_t>(opposite(meta.direction))].edits;
  if ((tcp.flags & kAck) == 0 || edits.size() == 0) return Next::go_on();
  // What is wrong stays so, and is dropped for it.
  if (!transport_checksum_right(mbuf, meta, segment_bytes(mbuf))) return Next::go_on();
  tcp.ack = net::be32::of(edits.from_peer(tcp.ack.host()));
  const size_t header = static_cast<size_t>(meta.payload_offset - meta.l4_offset);
  number_back_sack(segment_bytes(mbuf).first(header).subspan(sizeof tcp), edits);
  fill_checksum(mbuf);
  return Next::go_on();
}

Next ftp_send(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment* egress) {
  const PacketMeta& meta = meta_of(mbuf);
  if (egress == nullptr || meta.ttl <= 1 || meta.ip_length > egress->mtu || !meta.has_transport() ||
      meta.icmp != net::IcmpKind::none)
    return Next::go_on();
  FtpSide& side = control_of(ctx, meta.session).side[static_cast<size_t>(meta.direction)];
  net::TcpHeader& tcp = tcp_of(mbuf);
  const uint32_t seq = tcp.seq.host();
  const size_t size = static_cast<size_t>(meta.ip_length - meta.payload_offset);
  const bool reply = meta.direction == Direction::reverse;
  if ((tcp.flags & kSyn) != 0) {
    const bool opens = is_half_open(ctx.sessions->at(meta.session).state) && side.edits.size() == 0;
    if (!side.begun || opens) side.begin(seq + 1 + static_cast<uint32_t>(size), reply);
  } else if (!side.begun) {
    side.begin(seq, reply);
  }
  if (is_over(ctx.sessions->at(meta.session).state)) release_announced(ctx, control_of(ctx, meta.session));
  FtpPlan plan;
  bool asks = false;
  const uint32_t seen_as = side.edits.to_peer(seq);  // before edits behind it make others give way
  const char last = size > 0 ? payload_of(mbuf).back() : '\0';
  if ((tcp.flags & (kSyn | kRst)) == 0) {
    const DropReason reason = size > 0 ? plan_segment(ctx, mbuf, side, plan) : DropReason::none;
    if (reason != DropReason::none) return Next::drop(reason);
    asks = ask_for_answer(plan, size, tcp.flags);
    if (plan.count > 0 && !put_in(mbuf, plan, egress->mtu)) return Next::drop(DropReason::ftp_room);
    if (size > 0) note_segment(side, seq, size, last, plan);
  }
  if (side.edits.size() == 0) return Next::go_on();
  ctx.counters.ftp_rewritten.add(plan.rewritten);
  ctx.counters.ftp_gathered.add(plan.gathered);
  tcp.seq = net::be32::of(seen_as - asks);
  fill_checksum(mbuf);
  return Next::go_on();
}

uint32_t ftp_sequence(WorkerContext& ctx, SessionIndex index, Direction direction, uint32_t seq) {
  if ((ctx.sessions->at(index).flags & Session::kFtp) == 0) return seq;
  return control_of(ctx, index).side[static_cast<size_t>(direction)].edits.to_peer(seq);
}

}  // namespace weir::dataplane
