// TCP segments of one direction -> blocks of the stream, in order, before they are sent.
//
// First data wins: a byte that was seen once is the byte that counts, and a segment that says otherwise is
// not to be sent. Segments after a gap are recorded and may be sent; the segment that fills the gap is judged
// together with all that lies behind it. Sequence numbers wrap (RFC 9293, 3.4), so they are only ever
// compared by difference.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "inspection/stream/segment_pool.h"

namespace weir::inspection {

/// One direction's place in its stream. While from_syn and not confirmed, nothing may be accepted.
struct StreamState {
  bool anchored = false;                  // next_seq counts
  bool from_syn = false;                  // the beginning of the stream was seen
  bool confirmed = false;                 // the receiver has acknowledged the beginning
  bool has_ack = false;                   // acked_seq counts
  uint32_t next_seq = 0;                  // of the first byte not yet judged
  uint32_t acked_seq = 0;                 // the receiver has everything before it
  uint64_t offset = 0;                    // bytes judged so far
  uint32_t window_size = 0;               // bytes of carry-over, the last ones before next_seq
  uint32_t records = SegmentPool::kNone;  // out of order, by sequence number
  uint32_t record_count = 0;
};

enum class AckFate : uint8_t {
  known,     // of bytes that were judged, or that nobody sent
  past_gap,  // the receiver has bytes that were never judged: it got what is missing here
};

enum class SegmentFate : uint8_t {
  nothing_new,   // acknowledged or equal bytes again
  unknown_old,   // old bytes that can no longer be compared: judge the payload by itself
  new_data,      // the block is to be judged, then commit()
  recorded,      // after a gap; may be sent
  unrecordable,  // after a gap, and there is no room to record it
  conflict,      // contradicts what was seen, or lies before the beginning of the stream
};

/// A piece of the stream to judge: `old_size` bytes of carry-over, then bytes that nobody has judged.
struct StreamBlock {
  std::span<const uint8_t> bytes;
  size_t old_size = 0;
  uint64_t base = 0;  // the place of bytes[0] in the stream
  std::span<const uint8_t> fresh() const { return bytes.subspan(old_size); }
};

/// The working part, one for each Inspector: the segment pool and the memory in which blocks are put
/// together.
class StreamAssembler {
 public:
  static constexpr size_t kMaxPayload = 65'535;

  /// `window`: carry-over bytes per direction. `records`: slots that one direction may hold. `slots`: of all.
  StreamAssembler(uint32_t window, uint32_t records, uint32_t slots);

  /// The longest block that accept() makes.
  size_t max_block() const { return block_capacity_; }

  /// A SYN of this direction: the stream begins after `seq`, if the receiver confirms it.
  void on_syn(StreamState& state, uint32_t seq) const;
  /// The handshake's acknowledgement, `ack`, of this direction's SYN: there the stream begins.
  void confirm(StreamState& state, uint32_t ack) const;
  /// The receiver of this direction acknowledged `ack`.
  AckFate on_ack(StreamState& state, uint32_t ack) const;
  /// After past_gap: leaves out what is missing, up to `ack` at most. True: what was recorded behind it makes
  /// block(), to be judged as in new_data.
  bool skip_gap(StreamState& state, const uint8_t* carry_over, uint32_t ack);

  /// Takes a segment's payload (not empty, at most kMaxPayload). `carry_over` are the direction's `window`
  /// bytes. new_data: block() is valid until the next accept(), and nothing has changed until commit().
  /// `also_unknown` is set if, besides new data, the segment has old bytes that cannot be compared.
  SegmentFate accept(StreamState& state, const uint8_t* carry_over, uint32_t seq,
                     std::span<const uint8_t> payload, bool& also_unknown);
  const StreamBlock& block() const { return block_; }
  /// The block was judged and may be sent: it becomes old.
  void commit(StreamState& state, uint8_t* carry_over);

  /// Gives the recorded segments back.
  void release(StreamState& state);

 private:
  enum class OldBytes : uint8_t { equal, unknown, conflict };
  OldBytes compare_old(const StreamState&, const uint8_t* carry_over, uint32_t seq,
                       std::span<const uint8_t> old_bytes, bool with_new) const;
  bool agrees_with_records(const StreamState&, uint32_t seq, std::span<const uint8_t> payload) const;
  SegmentFate record(StreamState&, uint32_t seq, std::span<const uint8_t> payload);
  void insert(StreamState&, uint32_t slot);
  void build_block(const StreamState&, const uint8_t* carry_over, std::span<const uint8_t> fresh);

  uint32_t window_;
  uint32_t max_records_;
  SegmentPool pool_;
  size_t block_capacity_;
  std::unique_ptr<uint8_t[]> block_bytes_;
  StreamBlock block_;
  uint32_t drained_ = 0;  // records that block_ contains
};

}  // namespace weir::inspection
