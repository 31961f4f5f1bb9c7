// How a packet leaves the way: a stage decides, one tail counts and moves it.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// What a stage decided for one packet.
struct Next {
  enum class Kind : uint8_t { go_on, drop, consumed, punt, hand_over, kept, answer_inner, answer_outer };
  Kind kind = Kind::go_on;
  uint8_t argument = 0;
  Entry entry = Entry::session_lookup;  // hand_over: where it goes on

  constexpr bool goes_on() const { return kind == Kind::go_on; }

  static constexpr Next go_on() { return {}; }
  static constexpr Next drop(DropReason reason) { return {Kind::drop, static_cast<uint8_t>(reason)}; }
  /// The hub took note of what it said.
  static constexpr Next consumed() { return {Kind::consumed, 0}; }
  static constexpr Next punt(PuntReason reason) { return {Kind::punt, static_cast<uint8_t>(reason)}; }
  static constexpr Next hand_over(WorkerIndex owner, Entry entry = Entry::session_lookup) {
    return {Kind::hand_over, owner, entry};
  }
  /// A fragment that has to wait: the worker's fragment table has it now.
  static constexpr Next kept() { return {Kind::kept, 0}; }
  /// The packet was turned into the answer: an inner frame for the attachment that it came from.
  static constexpr Next answer_inner() { return {Kind::answer_inner, 0}; }
  /// The same for a frame to be sent out of the port that it came from.
  static constexpr Next answer_outer() { return {Kind::answer_outer, 0}; }
};

/// Counts and moves a packet that does not go on. The caller takes it out of the burst.
void leave(WorkerContext& ctx, rte_mbuf* mbuf, Next next);

/// Sends what is queued: to ports, to other workers.
void send_buffer(WorkerContext& ctx, TxBuffer& buffer);
void flush_tx(WorkerContext& ctx);
void flush_outboxes(WorkerContext& ctx);
/// Another worker owns the tx queue.
void transmit_elsewhere(WorkerContext& ctx, rte_mbuf* mbuf, WorkerIndex owner);

/// Queues a finished frame for the port in its meta, to be sent at the latest at the end of the turn.
[[gnu::always_inline]] inline void transmit(WorkerContext& ctx, rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  TxBuffer& buffer = ctx.tx[meta.port];
  if (buffer.owner != ctx.id) [[unlikely]]
    return transmit_elsewhere(ctx, mbuf, buffer.owner);
  if (buffer.size == TxBuffer::kCapacity) [[unlikely]]
    send_buffer(ctx, buffer);
  buffer.packets[buffer.size++] = mbuf;
  buffer.mixed |= meta.origin != Origin::transit;
}

/// A stage's loop: `decide(mbuf)` for each packet in order; those that go on stay.
template <typename Decide>
inline void for_each_packet(WorkerContext& ctx, Burst& burst, Decide&& decide) {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < burst.size; ++i) {
    rte_mbuf* mbuf = burst.packets[i];
    const Next next = decide(mbuf);
    if (next.goes_on()) [[likely]] {
      burst.packets[kept++] = mbuf;
    } else {
      leave(ctx, mbuf, next);
    }
  }
  burst.size = kept;
}

}  // namespace weir::dataplane
