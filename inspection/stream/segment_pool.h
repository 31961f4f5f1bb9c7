// Memory for TCP segments that arrived out of order: slots of fixed size in one allocation.
//
// One for each Inspector, shared by its sessions. Slots are named by index and linked by their user.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace weir::inspection {

class SegmentPool {
 public:
  static constexpr uint32_t kNone = ~0U;
  static constexpr size_t kSlotBytes = 2'048;

  struct Slot {
    uint32_t seq = 0;
    uint16_t size = 0;
    uint32_t next = kNone;
  };

  explicit SegmentPool(uint32_t slots)
      : slots_(slots),
        bytes_(std::make_unique_for_overwrite<uint8_t[]>(slots * kSlotBytes)),
        free_count_(slots) {
    for (uint32_t i = 0; i < slots; ++i) slots_[i].next = i + 1 < slots ? i + 1 : kNone;
    free_ = slots > 0 ? 0 : kNone;
  }

  uint32_t free_count() const { return free_count_; }
  /// The caller made sure that free_count() is not zero.
  uint32_t acquire() {
    const uint32_t index = free_;
    free_ = slots_[index].next;
    --free_count_;
    return index;
  }
  void release(uint32_t index) {
    slots_[index].next = free_;
    free_ = index;
    ++free_count_;
  }
  Slot& slot(uint32_t index) { return slots_[index]; }
  const Slot& slot(uint32_t index) const { return slots_[index]; }
  uint8_t* bytes(uint32_t index) { return bytes_.get() + index * kSlotBytes; }
  std::span<const uint8_t> data(uint32_t index) const {
    return {bytes_.get() + index * kSlotBytes, slots_[index].size};
  }

 private:
  std::vector<Slot> slots_;
  std::unique_ptr<uint8_t[]> bytes_;
  uint32_t free_ = kNone;
  uint32_t free_count_;
};

}  // namespace weir::inspection
