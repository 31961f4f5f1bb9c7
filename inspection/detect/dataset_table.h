// What rules have added to data sets, and taken out of them.
//
// One table for all workers, of fixed size. Found by 128 bits of SHA-256 over a secret, so that nobody can
// choose values that are taken for one another; the values lie beside, for whoever saves them. Nothing ever
// leaves: a value that is taken out stays as one that is not in. A full bucket, or memory for values that is
// used up, refuses what is new.
//
// Nobody waits. An entry is claimed by a compare-and-swap, filled, then published; whoever finds one that
// another thread is just filling takes it that the other was first.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/net/result.h"

namespace weir::inspection {

class DatasetTable {
 public:
  /// Bytes of values, for each entry on average. Longer ones are at the cost of others.
  static constexpr size_t kValueBytes = 64;
  /// A longer value is not added.
  static constexpr size_t kLongestValue = 4'096;
  static constexpr uint32_t kMost = 1U << 24;

  /// Room for `entries`, rounded up. Fails with `exhausted` without memory, with `invalid` beyond kMost. At
  /// the start.
  static Result<std::unique_ptr<DatasetTable>> create(uint32_t entries, uint64_t secret);
  static size_t bytes_for(uint32_t entries);

  // --- any worker ---
  /// Whether the value is in the set; nullopt: no rule has said so or otherwise.
  std::optional<bool> has(uint16_t set, std::span<const uint8_t> value) const;
  enum class Change : uint8_t { made, none, no_room };
  /// Puts the value in, or takes it out. `loaded`: it is in as long as no rule says otherwise. none: it is so
  /// already, or another thread makes it so at this moment.
  [[nodiscard]] Change change(uint16_t set, std::span<const uint8_t> value, bool in, bool loaded);

  // --- any thread ---
  /// Calls `take(value, in)` for each value of the set that rules have added or taken out.
  template <typename Take>
  void for_each(uint16_t set, Take&& take) const {
    for (size_t i = 0; i < buckets_ * kWays; ++i) {
      const Entry& entry = entries_[i];
      const uint64_t state = entry.second.load(std::memory_order_acquire) & kStates;
      if (state == kFilling || entry.set != set) continue;
      take(std::span<const uint8_t>(values_.get() + entry.value_at, entry.value_size), state == kIn);
    }
  }

 private:
  static constexpr size_t kWays = 8;
  static constexpr uint64_t kFilling = 0, kIn = 1, kOut = 2, kStates = 3;  // the last two bits of `second`

  struct Digest {
    uint64_t first = 0, second = 0;  // first is not 0; the last two bits of second are
  };
  struct Entry {
    std::atomic<uint64_t> first{0};   // 0: free
    std::atomic<uint64_t> second{0};  // published with the state
    uint32_t value_at = 0;
    uint16_t value_size = 0;
    uint16_t set = 0;
  };

  DatasetTable(size_t buckets, uint64_t secret);
  Digest digest_of(uint16_t set, std::span<const uint8_t> value) const;
  Entry* bucket_of(const Digest& digest) const {
    return &entries_[((digest.first >> 32) & (buckets_ - 1)) * kWays];
  }
  Change settle(Entry& entry, uint64_t second, bool in) const;

  const size_t buckets_, value_bytes_;
  const uint64_t secret_;
  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<uint8_t[]> values_;
  std::atomic<uint64_t> values_used_{0};
};

}  // namespace weir::inspection
