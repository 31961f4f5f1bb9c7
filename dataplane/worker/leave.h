// How a packet leaves the way: a stage decides, one tail counts and moves it.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// What a stage decided for one packet. One word, which is returned and compared in a register: as a struct
/// of bytes it went through memory, and waited there for its own stores.
class Next {
 public:
  enum class Kind : uint8_t { go_on, drop, consumed, punt, hand_over, kept, answer_inner, answer_outer };

  constexpr bool goes_on() const { return word_ == 0; }
  constexpr Kind kind() const { return static_cast<Kind>(word_ & 0xff); }
  /// drop: the DropReason; punt: the PuntReason; hand_over: the WorkerIndex.
  constexpr uint8_t argument() const { return word_ >> 8 & 0xff; }
  /// hand_over: where it goes on.
  constexpr Entry entry() const { return static_cast<Entry>(word_ >> 16 & 0xff); }

  static constexpr Next go_on() { return Next(Kind::go_on); }
  static constexpr Next drop(DropReason reason) { return Next(Kind::drop, static_cast<uint8_t>(reason)); }
  /// The hub took note of what it said.
  static constexpr Next consumed() { return Next(Kind::consumed); }
  static constexpr Next punt(PuntReason reason) { return Next(Kind::punt, static_cast<uint8_t>(reason)); }
  static constexpr Next hand_over(WorkerIndex owner, Entry entry = Entry::session_lookup) {
    return Next(Kind::hand_over, owner, entry);
  }
  /// A fragment that has to wait: the worker's fragment table has it now.
  static constexpr Next kept() { return Next(Kind::kept); }
  /// The packet was turned into the answer: an inner frame for the attachment that it came from.
  static constexpr Next answer_inner() { return Next(Kind::answer_inner); }
  /// The same for a frame to be sent out of the port that it came from.
  static constexpr Next answer_outer() { return Next(Kind::answer_outer); }

 private:
  explicit constexpr Next(Kind kind, uint8_t argument = 0, Entry entry = Entry{})
      : word_(static_cast<uint32_t>(kind) | static_cast<uint32_t>(argument) << 8 |
              static_cast<uint32_t>(entry) << 16) {}
  uint32_t word_;
};

/// Counts and moves a packet that does not go on. The caller takes it out of the burst.
void leave(WorkerContext& ctx, rte_mbuf* mbuf, Next next);

/// Sends what is queued: to ports, to other workers.
void send_buffer(WorkerContext& ctx, TxBuffer& buffer);
void flush_tx(WorkerContext& ctx);
void flush_handoffs(WorkerContext& ctx);
/// The port's buffer is full, or another worker owns its queue.
void transmit_otherwise(WorkerContext& ctx, rte_mbuf* mbuf, PortIndex port);

/// Queues a packet for another worker, where it goes on as its meta's `entry` says; to be sent at the latest
/// at the end of the turn.
[[gnu::always_inline]] inline void hand_over(WorkerContext& ctx, rte_mbuf* mbuf, WorkerIndex worker) {
  if (!ctx.peers[worker]->put(mbuf)) [[unlikely]]
    leave(ctx, mbuf, Next::drop(DropReason::handoff_full));
}

/// Queues a finished frame for `port`, to be sent at the latest at the end of the turn. It is a transit
/// packet.
[[gnu::always_inline]] inline void transmit_transit(WorkerContext& ctx, rte_mbuf* mbuf, PortIndex port) {
  TxBuffer& buffer = *ctx.tx[port];
  if (buffer.size >= TxBuffer::kCapacity) [[unlikely]]
    return transmit_otherwise(ctx, mbuf, port);
  buffer.packets[buffer.size++] = mbuf;
}
/// The same of any packet, for the port in its meta.
inline void transmit(WorkerContext& ctx, rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  if (meta.origin != Origin::transit) ctx.tx[meta.port]->mixed = true;
  transmit_transit(ctx, mbuf, meta.port);
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
