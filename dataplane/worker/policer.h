// Bounds on what one attachment may send into a worker, and on what it may make control do. Time is an input,
// memory is fixed, worker only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/core/time.h"
#include "dataplane/tunnel/attachment.h"

namespace weir::dataplane {

/// A bound on how often something happens, filled by the burst's clock.
class TokenBucket {
 public:
  explicit TokenBucket(uint32_t per_second) : per_second_(per_second), tokens_(per_second) {}
  /// Takes one if there is one; at most a second's worth is saved up.
  bool take(NanoTime now) {
    const NanoTime elapsed = now > last_ ? now - last_ : 0;
    if (elapsed >= kNanosPerMilli) {
      const uint64_t gained =
          elapsed >= kNanosPerSecond ? per_second_ : elapsed * per_second_ / kNanosPerSecond;
      if (gained != 0) {
        tokens_ = tokens_ + gained > per_second_ ? per_second_ : tokens_ + gained;
        last_ = now;
      }
    }
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  uint64_t per_second_;
  uint64_t tokens_;
  NanoTime last_ = 0;
};

/// One bucket for each attachment, by a hash of its slot: two that fall together share one, which is no worse
/// for either than one noisy neighbour, and an id that is given out again needs no clearing.
class AttachmentBuckets {
 public:
  static constexpr uint32_t kBuckets = 1'024;
  explicit AttachmentBuckets(uint32_t per_second) : buckets_(kBuckets, TokenBucket(per_second)) {}
  bool take(AttachmentId id, NanoTime now) { return buckets_[id.index() % kBuckets].take(now); }

 private:
  std::vector<TokenBucket> buckets_;
};

/// The generic cell rate algorithm: one time-stamp for each bound, so no clock tick and no rounding error
/// adds up. Of an attachment's rate a worker enforces its part.
class Policer {
 public:
  /// So much of what a rate allows may come at once.
  static constexpr NanoTime kBurst = kNanosPerSecond / 10;
  static constexpr uint32_t kSlots = 16'384;  // attachments beyond share the bounds of another

  explicit Policer(uint32_t workers) : workers_(workers), slots_(kSlots) {}

  bool take(AttachmentId id, const PoliceRate& rate, uint32_t bytes, NanoTime now) {
    Slot& slot = slots_[id.index() % kSlots];
    if (slot.id.index() == id.index() && slot.id != id) slot = {};  // the slot has a new owner
    slot.id = id;
    const uint64_t t = now << kShift;
    const uint64_t packets = std::max(slot.packets, t), data = std::max(slot.bytes, t);
    constexpr uint64_t kRoom = kBurst << kShift;
    if (rate.packets_per_second != 0 && packets - t > kRoom) return false;
    if (rate.bytes_per_second != 0 && data - t > kRoom) return false;
    slot.packets = packets + cost(rate.packets_per_second, 1);
    slot.bytes = data + cost(rate.bytes_per_second, bytes);
    return true;
  }

 private:
  static constexpr unsigned kShift = 4;  // time in sixteenths of a nanosecond
  struct Slot {
    AttachmentId id;
    uint64_t packets = 0, bytes = 0;  // when all that passed until now is paid for
  };
  uint64_t cost(uint32_t per_second, uint32_t n) const {
    return per_second == 0 ? 0 : uint64_t{n} * workers_ * (kNanosPerSecond << kShift) / per_second;
  }

  uint32_t workers_;
  std::vector<Slot> slots_;
};

}  // namespace weir::dataplane
