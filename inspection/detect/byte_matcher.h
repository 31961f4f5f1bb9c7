// Holds a rule's chain of checks against the bytes of one buffer: contents with their positions, regular
// expressions, numbers out of bytes.
//
// As Suricata does: each check starts where the one before it ended if it is relative; if a later check
// fails, the earlier contents and expressions are tried at their next place, a bounded number of times.
// Worker thread, no memory of its own but what it is given.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "inspection/compile/detection_rule.h"
#include "inspection/detect/scratch_bytes.h"
#include "inspection/event_count.h"

namespace weir::inspection {

struct DetectorCounters;

/// The bytes of one buffer as a rule sees them.
struct MatchBytes {
  std::span<const uint8_t> bytes;
  uint64_t base = 0;         // place of bytes[0] in the whole buffer
  size_t old_size = 0;       // of bytes: judged before
  bool complete = true;      // nothing follows
  bool packet_like = false;  // its end is an end, complete or not (payload)
  bool must_be_new = false;  // a match has to need bytes behind old_size
};

/// What one worker's matching stands on.
struct MatchMemory {
  PcreScratch* pcre = nullptr;
  ScratchBytes* scratch = nullptr;
  DetectorCounters* counters = nullptr;
  uint32_t steps_per_rule = 3'000;
  uint32_t pcre_steps = 3'500;
  uint32_t work_per_rule = 12 * 1024;  // beside kWorkPerByte

  /// Bytes that a rule may look at for each byte of its buffer. An ordinary one is looked at some two times.
  static constexpr uint64_t kWorkPerByte = 8;
};

class ByteMatcher {
 public:
  static constexpr size_t kSlots = kMostSlots;

  ByteMatcher(const MatchBytes& bytes, const MatchMemory& memory) : in_(bytes), memory_(memory) {
    steps_ = memory.steps_per_rule;
    work_left_ = memory.work_per_rule + MatchMemory::kWorkPerByte * bytes.bytes.size();
  }

  /// All checks hold, one after the other.
  bool match(std::span<const ByteCheck> checks);

 private:
  struct At {
    int64_t cursor = 0;    // where relative checks count from, an index into the bytes
    int64_t furthest = 0;  // the last byte that a positive check needed, plus one
  };
  bool run(size_t index, At at);
  bool depends_on_place(size_t index) const;
  bool step();
  bool spend(uint64_t work);
  bool give_up(EventCount& limit);

  bool check(const ContentCheck& content, size_t index, At at);
  bool check(const PcreCheck& pcre, size_t index, At at);
  bool check(const ast::IsDataAt& c, size_t index, At at);
  bool check(const ast::ByteTest& c, size_t index, At at);
  bool check(const ast::ByteJump& c, size_t index, At at);
  bool check(const ast::ByteExtract& c, size_t index, At at);
  bool check(const ast::ByteMath& c, size_t index, At at);
  bool check(const ast::BufferSize& c, size_t index, At at);
  bool check(const Base64Check& c, size_t index, At at);

  struct Window {
    int64_t from = 0, limit = 0;  // a match begins at or after `from` and ends at or before `limit`
  };
  Window window_of(const ast::Content& content, const At& at) const;
  uint64_t looked_at(const ContentCheck& content, const Window& window, int64_t found) const;
  uint64_t number_of(const ast::Operand& operand) const {
    return operand.is_slot() ? slots_[static_cast<size_t>(operand.slot)]
                             : static_cast<uint64_t>(operand.value);
  }
  /// As a place or a length: what is further than any buffer reaches is as good as there, and sums of a few
  /// stay within 64 bits.
  int64_t value_of(const ast::Operand& operand) const {
    constexpr int64_t kFar = int64_t{1} << 40;
    const uint64_t number = number_of(operand);
    if (operand.is_slot()) return static_cast<int64_t>(std::min<uint64_t>(number, kFar));
    return std::clamp(operand.value, -kFar, kFar);
  }
  int64_t size() const { return static_cast<int64_t>(in_.bytes.size()); }
  /// Where a check with `offset` reads.
  int64_t place(int64_t offset, bool relative, const At& at) const {
    return relative ? at.cursor + offset : offset - static_cast<int64_t>(in_.base);
  }

  const MatchBytes in_;
  const MatchMemory& memory_;
  std::span<const ByteCheck> checks_;
  uint32_t steps_ = 0;
  uint64_t work_left_ = 0;
  bool hopeless_ = false;  // a check that no other place of an earlier one can change has failed
  std::array<uint64_t, kSlots> slots_{};
};

/// The first place at or after `from` where `content` stands and ends at or before `limit`; -1 if none.
int64_t find_bytes(const ContentCheck& content, std::span<const uint8_t> bytes, int64_t from, int64_t limit);

}  // namespace weir::inspection
