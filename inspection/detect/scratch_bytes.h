// Memory for what is made out of buffers while one packet is judged: transforms, decoded pieces. All of it is
// free again with the next packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace weir::inspection {

class ScratchBytes {
 public:
  explicit ScratchBytes(size_t capacity)
      : memory_(std::make_unique_for_overwrite<uint8_t[]>(capacity)), capacity_(capacity) {}
  void clear() { used_ = 0; }
  /// Room for `size` bytes; empty if there is not as much left (or size is 0).
  std::span<uint8_t> take(size_t size) {
    if (size > capacity_ - used_) return {};
    const std::span<uint8_t> room{memory_.get() + used_, size};
    used_ += size;
    return room;
  }
  /// Gives back the end of the last take(), of which `used` bytes were needed.
  void keep(std::span<uint8_t> room, size_t used) {
    used_ = static_cast<size_t>(room.data() - memory_.get()) + used;
  }
  /// Everything taken since mark() is free again with release(mark).
  size_t mark() const { return used_; }
  void release(size_t mark) { used_ = mark; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t capacity_;
  size_t used_ = 0;
};

}  // namespace weir::inspection
