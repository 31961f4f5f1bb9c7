// What rules have added to data sets, and taken out of them.
//
// A table of fixed size that keeps digests, not values: 128 bits of SHA-256, so that nobody can choose values
// that are taken for one another. A full bucket refuses what is new. One worker.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weir::inspection {

class DatasetTable {
 public:
  explicit DatasetTable(uint32_t entries);

  /// Whether the value is in the set; nullopt: no rule has said so or otherwise.
  std::optional<bool> has(uint16_t set, std::span<const uint8_t> value) const;
  /// False: there is no room.
  [[nodiscard]] bool put(uint16_t set, std::span<const uint8_t> value, bool in);

 private:
  using Digest = std::array<uint64_t, 2>;
  struct Entry {
    Digest digest{};
    bool used = false, in = false;
  };
  static constexpr size_t kWays = 8;
  static Digest digest_of(uint16_t set, std::span<const uint8_t> value);
  size_t bucket_of(const Digest& digest) const { return (digest[0] & (buckets_ - 1)) * kWays; }

  size_t buckets_;
  std::vector<Entry> entries_;
};

}  // namespace weir::inspection
