#include "dataplane/worker/leave.h"

#include <rte_ethdev.h>

#include <algorithm>

#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

void drop(WorkerContext& ctx, rte_mbuf* mbuf, DropReason reason) {
  ctx.counters.dropped[static_cast<size_t>(reason)].add();
  rte_pktmbuf_free(mbuf);
}

/// Control looks at Ethernet frames only: a packet from a tunnel without Ethernet gets a header, from the hub
/// to the hub. False: no room.
bool give_ethernet(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Attachment* attachment = ctx.snapshot->attachment(meta.ingress);
  const bool v4 = data_of(mbuf)[0] >> 4 == 4;
  auto* eth = reinterpret_cast<net::EthHeader*>(rte_pktmbuf_prepend(mbuf, sizeof(net::EthHeader)));
  if (eth == nullptr) return false;
  eth->dst = attachment != nullptr ? attachment->hub_mac : net::Mac{};
  eth->src = eth->dst;
  eth->type = net::be16::of(v4 ? net::kEtherIpv4 : net::kEtherIpv6);
  meta.ip_offset = sizeof(net::EthHeader);
  return true;
}

void punt(WorkerContext& ctx, rte_mbuf* mbuf, PuntReason reason) {
  // An attachment's own share first, so that what it asks for beyond that costs the others nothing.
  const AttachmentId from = meta_of(mbuf).ingress;
  if ((from.valid() && !ctx.punt_shares[static_cast<size_t>(reason)].take(from, ctx.now)) ||
      !ctx.punt_tokens[static_cast<size_t>(reason)].take(ctx.now))
    return drop(ctx, mbuf, DropReason::punt_rate_limited);
  if (reason != PuntReason::underlay_arp && meta_of(mbuf).ip_offset == 0 && !give_ethernet(ctx, mbuf))
    return drop(ctx, mbuf, DropReason::no_headroom);
  meta_of(mbuf).punt_reason = static_cast<uint8_t>(reason);
  if (rte_ring_sp_enqueue(ctx.rings.punts.get(), mbuf) != 0) return drop(ctx, mbuf, DropReason::punt_full);
  ctx.counters.punted.add();
}

void hand_over(WorkerContext& ctx, rte_mbuf* mbuf, WorkerIndex worker, Entry entry) {
  meta_of(mbuf).entry = entry;
  hand_over(ctx, mbuf, worker);
}

}  // namespace

void leave(WorkerContext& ctx, rte_mbuf* mbuf, Next next) {
  switch (next.kind()) {
    case Next::Kind::go_on:
    case Next::Kind::kept:
      break;
    case Next::Kind::drop:
      drop(ctx, mbuf, static_cast<DropReason>(next.argument()));
      break;
    case Next::Kind::consumed:
      ctx.counters.consumed.add();
      rte_pktmbuf_free(mbuf);
      break;
    case Next::Kind::punt:
      punt(ctx, mbuf, static_cast<PuntReason>(next.argument()));
      break;
    case Next::Kind::hand_over:
      hand_over(ctx, mbuf, next.argument(), next.entry());
      break;
    case Next::Kind::answer_inner:
      meta_of(mbuf).egress = meta_of(mbuf).ingress;
      meta_of(mbuf).origin = Origin::answer;
      if (!ctx.answers.push(mbuf)) drop(ctx, mbuf, DropReason::tx_full);
      break;
    case Next::Kind::answer_outer:
      meta_of(mbuf).origin = Origin::answer;
      transmit(ctx, mbuf);
      break;
  }
}

void transmit_otherwise(WorkerContext& ctx, rte_mbuf* mbuf, PortIndex port) {
  TxBuffer& buffer = *ctx.tx[port];
  if (buffer.is_elsewhere()) {
    meta_of(mbuf).port = port;
    return hand_over(ctx, mbuf, buffer.owner, Entry::tx);
  }
  const bool mixed = buffer.mixed;
  send_buffer(ctx, buffer);
  buffer.mixed = mixed;  // if it was this packet that made it so
  buffer.packets[buffer.size++] = mbuf;
}

void send_buffer(WorkerContext& ctx, TxBuffer& buffer) {
  const StageScope scope(ctx, Stage::tx, buffer.size);
  // Read before sending: a packet that the port took is not ours any more.
  Origin origins[TxBuffer::kCapacity];
  if (buffer.mixed) [[unlikely]] {
    for (uint16_t i = 0; i < buffer.size; ++i) origins[i] = meta_of(buffer.packets[i]).origin;
  }
  const uint16_t sent = rte_eth_tx_burst(buffer.device, buffer.queue, buffer.packets, buffer.size);
  ctx.counters.tx.add(sent);
  if (buffer.mixed) [[unlikely]] {
    ctx.counters.forwarded.add(static_cast<uint64_t>(std::count(origins, origins + sent, Origin::transit)));
    ctx.counters.answered.add(static_cast<uint64_t>(std::count(origins, origins + sent, Origin::answer)));
  } else {
    ctx.counters.forwarded.add(sent);
  }
  buffer.mixed = false;
  for (uint16_t i = sent; i < buffer.size; ++i) drop(ctx, buffer.packets[i], DropReason::tx_full);
  buffer.size = 0;
}

void flush_tx(WorkerContext& ctx) {
  for (const auto& buffer : ctx.tx) {
    if (buffer->size != 0 && !buffer->is_elsewhere()) send_buffer(ctx, *buffer);
  }
}

void flush_handoffs(WorkerContext& ctx) {
  for (HandoffRing* const ring : ctx.peers) {
    if (ring == nullptr) continue;
    const uint32_t sent = ring->publish();
    if (sent == 0) continue;
    const StageScope scope(ctx, Stage::hand_over, sent);
    ctx.counters.handed_over.add(sent);
  }
}

}  // namespace weir::dataplane
