// The part of a body that rules can see: what was judged lately, and what came since. Worker thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "inspection/app/http/limits.h"
#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

class BodyWindow {
 public:
  /// Two buffers look at one window and are judged apart.
  enum Reader : uint8_t { body = 0, file = 1 };

  explicit BodyWindow(BytePool& pool) : bytes_(pool) {}

  /// What is in it has been shown to detection, whether it asked for it or not.
  void shown() { shown_ = total_; }
  /// As long as the whole is said to become, if it is said.
  void expect(uint64_t total) { expected_ = total; }
  /// How much can be appended before it has to be judged.
  size_t room(const HttpLimits& limits) const {
    const uint64_t waiting = unjudged();
    return waiting >= limits.fresh ? 0 : static_cast<size_t>(limits.fresh - waiting);
  }
  /// At most room(). False: the pool is at its ceiling.
  [[nodiscard]] bool append(std::span<const uint8_t> more, const HttpLimits& limits) {
    if (bytes_.size() + more.size() > limits.window + limits.fresh) {
      // What was judged goes first; the window always keeps limits.window bytes of it.
      const size_t keep = limits.window + static_cast<size_t>(unjudged());
      if (bytes_.size() > keep) {
        base_ += bytes_.size() - keep;
        bytes_.drop_front(bytes_.size() - keep);
      }
    }
    // Room for what is to come, of which a part is there, so that it does not move each time that it grows.
    constexpr uint64_t kTimes = 8;
    const uint64_t size = bytes_.size() + more.size();
    const uint64_t room = std::min<uint64_t>({expected_, limits.window + limits.fresh, kTimes * size});
    if (room > size) (void)bytes_.reserve(static_cast<size_t>(room));  // else as far as it goes
    if (!bytes_.append(more)) return false;
    total_ += more.size();
    return true;
  }
  /// `size` bytes are missing: nothing matches across them.
  void gap(uint64_t size) {
    bytes_.reset();
    total_ += size;
    base_ = shown_ = judged_[0] = judged_[1] = total_;
  }
  void complete() { complete_ = true; }
  bool is_complete() const { return complete_; }
  void judged(Reader reader) { judged_[reader] = total_; }
  uint64_t total() const { return total_; }

  BufferView view(Reader reader) const {
    const uint64_t old = std::max(judged_[reader], base_) - base_;
    return {bytes_.view(), static_cast<size_t>(old), base_, complete_};
  }
  /// Begins anew, with the memory given back.
  void reset() {
    bytes_.reset();
    base_ = total_ = shown_ = judged_[0] = judged_[1] = expected_ = 0;
    complete_ = false;
  }
  /// Nobody will ask any more; the counts stay.
  void give_back() {
    base_ += bytes_.size();
    bytes_.reset();
  }

  /// The bytes from `place` of the whole on; empty if they are gone.
  std::span<const uint8_t> from(uint64_t place) const {
    if (place < base_ || place > total_) return {};
    return bytes_.view().subspan(static_cast<size_t>(place - base_));
  }

 private:
  uint64_t unjudged() const { return total_ - std::max({shown_, judged_[0], judged_[1]}); }

  PoolBytes bytes_;
  uint64_t base_ = 0;   // the place of the first byte
  uint64_t total_ = 0;  // bytes appended so far
  uint64_t expected_ = 0;
  uint64_t shown_ = 0;
  uint64_t judged_[2] = {};
  bool complete_ = false;
};

}  // namespace weir::inspection::http
