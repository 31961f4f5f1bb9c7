// One TCP session as a watcher or a gateway between its ends sees it: state, windows, and both directions'
// bytes in order.
//
// Two modes. Inline (IPS): a segment's bytes are handed out as soon as they are in order, before the packet
// is sent; the first data seen wins. Watching (IDS): bytes are handed out when their receiver has
// acknowledged them, and overlaps are resolved as the receiver would. Sequence numbers wrap (RFC 9293, 3.4),
// so they are only ever compared by difference. All that a session grows lies in the worker's BytePool.
// Worker thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inspection/engine/packet.h"
#include "inspection/memory/byte_pool.h"
#include "inspection/stream/stream_settings.h"

namespace weir::inspection {

enum class TcpState : uint8_t {
  none,
  syn_sent,
  syn_recv,
  established,
  fin_wait1,
  fin_wait2,
  time_wait,
  last_ack,
  close_wait,
  closing,
  closed,
};
/// As EVE's tcp.state: "syn_sent".
const char* name_of(TcpState state);

/// What a packet was for the session.
enum class TcpFate : uint8_t {
  tracked,        // understood; its bytes, if any, are recorded or were known
  untracked,      // not of a stream that is followed: judged by itself
  retransmit,     // nothing new in it
  out_of_window,  // the receiver discards these
  bad_timestamp,
  bad_ack,
  bad_reset,
  bad_flags,
  early,      // strict: data that its receiver cannot have agreed to yet, or that lies behind its end
  past_gap,   // strict: the receiver has bytes that were never judged
  no_memory,  // could not be recorded
  reuse,      // a new session with the same ends begins: end this one, begin another with this packet
};

/// Consecutive bytes of one direction, or bytes that were never seen.
struct TcpChunk {
  std::span<const uint8_t> bytes;
  uint64_t gap = 0;  // bytes missing at this place; `bytes` is empty then
};

class TcpTrack {
 public:
  static constexpr uint32_t kLeastRecord = 1'024;

  struct Side {
    bool seen_syn = false, anchored = false, fin = false, fin_acked = false, reset = false;
    bool has_window = false, depth_reached = false, ended = false;
    uint8_t wscale = 0, flags = 0;
    bool has_timestamp = false;
    uint32_t isn = 0;
    uint32_t next = 0;       // after the highest byte seen
    uint32_t delivered = 0;  // the next byte to hand out
    uint32_t acked = 0;      // its receiver has everything before
    uint32_t edge = 0;       // has_window: its receiver takes nothing from here on
    uint32_t fin_seq = 0;
    uint32_t timestamp = 0;
    uint64_t timestamp_ns = 0;
    uint64_t offset = 0;  // bytes handed out and skipped
    uint32_t recorded = 0;
    struct Record* first = nullptr;  // by sequence number, none overlapping
    uint32_t regions = 0, max_regions = 0;
    uint64_t gaps = 0;
  };

  TcpTrack(BytePool& pool, const StreamSettings& settings) noexcept : pool_(pool), settings_(settings) {}
  ~TcpTrack() { release(); }
  TcpTrack(const TcpTrack&) = delete;
  TcpTrack& operator=(const TcpTrack&) = delete;

  /// Takes a packet of the session. Call next_chunk() afterwards for what can be handed out.
  TcpFate track(const EnginePacket& packet);
  /// The next bytes in order of that direction; false: there are none now. They are valid until the next call
  /// of this class.
  bool next_chunk(Direction direction, TcpChunk& chunk);
  /// The session ends: everything recorded can be handed out, acknowledged or not.
  void flush() { flushing_ = true; }
  /// Inline, before track(): does the packet say other bytes than those first seen? `history` are the last
  /// ones handed out in its direction.
  bool contradicts(const EnginePacket& packet, std::span<const uint8_t> history) const;
  /// The bytes first seen, in place of those of `payload` at `seq` that contradict them.
  void rewrite(Direction direction, uint32_t seq, std::span<uint8_t> payload,
               std::span<const uint8_t> history) const;

  TcpState state() const { return state_; }
  bool established() const { return was_established_; }
  bool midstream() const { return midstream_; }
  bool closed() const { return state_ == TcpState::closed || state_ == TcpState::time_wait; }
  /// Followed at all: begun by a handshake, or picked up.
  bool followed() const { return state_ != TcpState::none; }
  const Side& side(Direction direction) const { return sides_[static_cast<size_t>(direction)]; }
  /// That direction is over and all of it was handed out.
  bool drained(Direction direction) const;
  /// Records that were passed in search of a place, over all packets: what hostile segments could cost.
  uint64_t records_passed() const { return records_passed_; }
  /// Gives back what is recorded.
  void release();

 private:
  Side& mut(Direction direction) { return sides_[static_cast<size_t>(direction)]; }
  /// strict: what is decided before the state is asked. tracked: nothing, go on. (tcp_strict.cpp)
  TcpFate guard(const EnginePacket& packet);
  TcpFate guard_syn(const EnginePacket& packet);
  TcpFate guard_handshake(const EnginePacket& packet);
  bool begun_with_syn() const { return sides_[0].seen_syn && !midstream_; }
  TcpFate syn_payload(Side& side, const EnginePacket& packet);
  TcpFate first_packet(const EnginePacket& packet);
  TcpFate on_syn(const EnginePacket& packet);
  TcpFate on_reset(const EnginePacket& packet);
  TcpFate check(const EnginePacket& packet);
  TcpFate pick_up(const EnginePacket& packet);
  TcpFate payload(const EnginePacket& packet);
  void acknowledge(const EnginePacket& packet);
  void advance_state(const EnginePacket& packet);
  void learn_timestamp(const EnginePacket& packet);
  template <typename Visit>
  void each_seen(const Side& side, uint32_t seq, size_t size, std::span<const uint8_t> history,
                 Visit&& visit) const;
  bool fin_taken(const Side& side) const;
  TcpFate insert(Side& side, uint32_t seq, std::span<const uint8_t> bytes);
  bool record(Side& side, struct Record** at, uint32_t seq, std::span<const uint8_t> bytes);
  bool newer_wins(uint32_t seq, uint32_t end, const struct Record& old) const;
  void drop_record(Side& side);

  BytePool& pool_;
  const StreamSettings& settings_;
  TcpState state_ = TcpState::none;
  bool was_established_ = false, midstream_ = false, flushing_ = false, async_ = false;
  bool confirmed_ = false;                   // strict: the client has acknowledged the SYN-ACK
  Direction closer_ = Direction::to_server;  // whose FIN came first
  std::array<Side, 2> sides_;
  mutable uint64_t records_passed_ = 0;
  // Inline, in order, nothing recorded: the packet's own bytes, not copied.
  std::span<const uint8_t> direct_;
  Direction direct_of_ = Direction::to_server;
  struct Record* lent_ = nullptr;  // handed out by the last next_chunk()
};

}  // namespace weir::inspection
