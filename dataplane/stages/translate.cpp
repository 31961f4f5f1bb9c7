#include "dataplane/stages/translate.h"

#include "dataplane/nat/nat64_address.h"
#include "dataplane/nat/rewrite.h"
#include "dataplane/net/parse.h"
#include "dataplane/stages/ftp.h"

namespace weir::dataplane {

namespace {

DropReason reason_of(BindingRefused refused) {
  switch (refused) {
    case BindingRefused::no:
      return DropReason::none;
    case BindingRefused::protocol:
      return DropReason::nat_protocol;
    case BindingRefused::exhausted:
      return DropReason::nat_exhausted;
    case BindingRefused::full:
      return DropReason::nat_bindings_full;
  }
  return DropReason::nat_protocol;
}

/// As what a protocol of IPv6 goes over IPv4.
uint8_t protocol4_of(uint8_t protocol) {
  return protocol == net::kProtoIcmpv6 ? uint8_t{net::kProtoIcmp} : protocol;
}

}  // namespace

Next translate_other(WorkerContext& ctx, rte_mbuf* mbuf, SessionTable::Found found) {
  const PacketMeta& meta = meta_of(mbuf);
  const std::span<uint8_t> packet(data_of(mbuf) + meta.ip_offset, meta.ip_length);
  const Tuple to = ctx.sessions->leaving(ctx.sessions->index_of(*found.session), found.direction);
  if (meta.icmp == net::IcmpKind::error) [[unlikely]] {
    return rewrite_icmp_error(packet, meta.l4_offset, meta.tuple(), to)
               ? Next::go_on()
               : Next::drop(DropReason::icmp_error_unmatched);
  }
  rewrite_packet(packet, meta.l4_offset, meta.has_transport(), to);
  return Next::go_on();
}

BindingIndex find_binding(const WorkerContext& ctx, const Tuple& tuple, AttachmentId ingress) {
  const NatTable* nat = ctx.snapshot->nat.get();
  const Attachment* from = nat != nullptr ? ctx.snapshot->attachment(ingress) : nullptr;
  if (from == nullptr) return kNoBinding;
  const NatTable::Destination to = nat->destination(static_cast<uint16_t>(from->domain.index()), tuple);
  if (to.kind != NatKind::pool && to.kind != NatKind::closed) return kNoBinding;
  // The pool of NAT64 has IPv4 addresses, for its own hosts too.
  const bool inside = to.address.family != tuple.dst.family;
  const uint8_t protocol = inside ? protocol4_of(tuple.protocol) : tuple.protocol;
  const size_t realm =
      to.kind == NatKind::pool ? nat->rules().pools[to.rule].to.index() : from->domain.index();
  return ctx.bindings->find(static_cast<uint16_t>(realm), to.address, tuple.dst_port, protocol);
}

DropReason hold_source(WorkerContext& ctx, const PacketMeta& meta, const FirstDecision& decision,
                       Tuple& leaves, BindingIndex& binding) {
  if (decision.source.kind != NatKind::pool) return DropReason::none;
  Tuple tuple = meta.tuple();
  const bool icmp = port_class(tuple.protocol) == PortClass::icmp;
  // Nor where a fragment without a header would begin a session.
  if (icmp && (!meta.has_transport() || !net::has_icmp_identifier(meta.family, meta.icmp_type)))
    return DropReason::nat_protocol;
  const std::optional<net::Prefix>& prefix64 =
      ctx.snapshot->nat->rules().pools[decision.source.rule].prefix64;
  if (prefix64) tuple.protocol = protocol4_of(tuple.protocol);
  const Bindings::Answer answer =
      ctx.bindings->hold(*ctx.snapshot->nat, decision.source.rule, decision.from_domain, tuple);
  if (answer.refused != BindingRefused::no) return reason_of(answer.refused);
  binding = answer.binding;
  leaves.src = ctx.bindings->at(binding).outside;
  if (!leaves.dst.is_v4() && prefix64) leaves.src = embedded(*prefix64, leaves.src.v4());
  leaves.src_port = ctx.bindings->at(binding).outside_port;
  if (icmp) leaves.dst_port = leaves.src_port;
  return DropReason::none;
}

bool keeps_translation(WorkerContext& ctx, SessionIndex index, const FirstDecision& decision) {
  const bool translated = (ctx.sessions->at(index).flags & Session::kTranslated) != 0;
  if (!translated) return !decision.is_translated();
  const Tuple has = ctx.sessions->leaving(index, Direction::forward);
  const Tuple& wanted = decision.translated;
  const SessionTranslation& t = ctx.sessions->translation(index);
  const bool icmp = port_class(has.protocol) == PortClass::icmp;
  if (has.dst != wanted.dst || (!icmp && has.dst_port != wanted.dst_port)) return false;
  if (decision.source.kind == NatKind::pool) {
    return t.source_binding != kNoBinding &&
           ctx.bindings->keep(*ctx.snapshot->nat, decision.source.rule, t.source_binding);
  }
  return t.source_binding == kNoBinding && has.src == wanted.src && has.src_port == wanted.src_port;
}

void release_bindings(WorkerContext& ctx, SessionIndex index) {
  if ((ctx.sessions->at(index).flags & Session::kTranslated) == 0) return;
  end_ftp(ctx, index);
  const SessionTranslation& t = ctx.sessions->translation(index);
  for (const BindingIndex binding : {t.source_binding, t.destination_binding}) {
    if (binding != kNoBinding) ctx.bindings->release(ctx.snapshot->nat.get(), binding);
  }
}

}  // namespace weir::dataplane
