// Address translation of a session's packets: its own ends for those that it leaves with. Worker only.
//
// Off the way of sessions that are not translated: Worker::forward_owned() asks by the session's flags,
// together with what it asks anyway.
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/nat/rewrite.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// What is not plain IPv4 (stages/inner.h). (translate.cpp)
[[gnu::noinline]] Next translate_other(WorkerContext& ctx, rte_mbuf* mbuf, SessionTable::Found found);

/// By NAT64: the packet becomes one of the other family, which its meta says then; the key, which is not
/// looked up any more, is that of the ends that it leaves with. One that is too large for `egress` is punted
/// as it is. (translate_family.cpp)
[[gnu::noinline]] Next translate_family(WorkerContext& ctx, rte_mbuf* mbuf, SessionTable::Found found,
                                        const Attachment& egress);
/// The length that a packet of the session leaves with.
uint32_t leaving_length(rte_mbuf* mbuf, const Session& session);

/// Gives the packet the ends with which packets of `found.session` leave that travel in `found.direction`; of
/// an ICMP error those of the packet that it quotes, too. Not to be done twice. The session is translated. A
/// packet that `egress` will not take (TTL, MTU) stays as it is, since it is told about to its sender. After
/// inspection, before rewrite().
[[gnu::always_inline]] inline Next translate(WorkerContext& ctx, rte_mbuf* mbuf,
                                             const SessionTable::Found& found, const Attachment* egress) {
  const PacketMeta& meta = meta_of(mbuf);
  if (egress == nullptr || meta.ttl <= 1) [[unlikely]]
    return Next::go_on();
  const bool one_end = (found.session->flags & Session::kOtherEnd) != 0;  // so IPv4, and no NAT64
  if (!one_end && (found.session->flags & Session::kNat64) != 0) [[unlikely]]
    return translate_family(ctx, mbuf, found, *egress);
  if (meta.ip_length > egress->mtu) [[unlikely]]
    return Next::go_on();
  if (!meta.plain || (!one_end && !meta.is_v4())) [[unlikely]]
    return translate_other(ctx, mbuf, found);
  WireEnds4 ends;
  ctx.sessions->leaving4(*found.session, found.direction, ends);
  rewrite_ipv4(data_of(mbuf) + meta.ip_offset, meta.l4_offset, ends);
  return Next::go_on();
}

/// The binding at a pool's or published address that a packet was sent to which came by `ingress`;
/// kNoBinding: it was not, or there is none.
BindingIndex find_binding(const WorkerContext& ctx, const Tuple& tuple, AttachmentId ingress);

/// What a session that begins needs to hold, after FirstDecision::source. On none the tuple has its source's
/// pool address and port, if it gets one.
DropReason hold_source(WorkerContext& ctx, const PacketMeta& meta, const FirstDecision& decision,
                       Tuple& leaves, BindingIndex& binding);

/// The session is decided anew: may it stay with the ends that it has? Its binding is kept then, in the pool
/// as it is now.
bool keeps_translation(WorkerContext& ctx, SessionIndex index, const FirstDecision& decision);

/// The session ends: its bindings are let go of.
void release_bindings(WorkerContext& ctx, SessionIndex index);

}  // namespace weir::dataplane
