// Routing tables of the shape that the Internet's have, and a plain model of what they answer.
//
// For benchmarks and their tests. The same arguments give the same table on every machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <random>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::bench {

/// What a prefix leads to, as a number.
using TargetIndex = uint32_t;
struct Route {
  net::Prefix prefix;
  TargetIndex target = 0;
};
/// So many next hops share a table, as of a hub with as many spokes.
inline constexpr size_t kTargets = 1'000;
inline TargetIndex target_of(size_t i) { return static_cast<TargetIndex>(i % kTargets + 1); }

struct LengthShare {
  uint8_t length;
  uint32_t share;  // of all prefixes, in 1/100,000
};
/// Rounded from public reports on the global table of the middle 2020s.
inline constexpr LengthShare kLengths4[] = {{8, 2},       {9, 1},      {10, 4},     {11, 10},    {12, 30},
                                            {13, 60},     {14, 120},   {15, 210},   {16, 1'400}, {17, 870},
                                            {18, 1'450},  {19, 2'600}, {20, 4'600}, {21, 5'400}, {22, 11'300},
                                            {23, 10'400}, {24, 61'543}};
inline constexpr LengthShare kLengths6[] = {{29, 3'500}, {32, 12'000}, {33, 1'000}, {34, 800},   {36, 3'800},
                                            {38, 1'200}, {40, 9'000},  {42, 2'200}, {44, 9'500}, {45, 2'500},
                                            {46, 4'000}, {47, 3'500},  {48, 47'000}};

/// The first 64 bits of an address, from the top: all that a prefix of these tables covers.
inline uint64_t top_bits(const net::IpAddress& a) { return a.is_v4() ? a.bits.lo << 32 : a.bits.hi; }
/// A mask for top_bits(); `length` is 1 to 64.
inline uint64_t top_mask(unsigned length) { return ~0ULL << (64 - length); }
/// Names a prefix of at most 56 bits.
inline uint64_t prefix_key(uint64_t bits, unsigned length) { return (bits & top_mask(length)) | length; }

/// Draws prefixes, none twice.
class BgpRoutes {
 public:
  /// `count` prefixes in the order of addresses, with targets 1, 2, ... kTargets by that order, again and
  /// again. At most some millions of IPv4, so that enough are left to draw.
  static std::vector<Route> make(net::Family family, size_t count, uint64_t seed = 1) {
    BgpRoutes routes(family, count, seed);
    while (routes.bits_.size() < count) routes.draw();
    std::vector<Route> entries;
    entries.reserve(count);
    for (size_t i = 0; i < count; ++i) entries.push_back({routes.prefix(i), 0});
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.prefix < b.prefix; });
    for (size_t i = 0; i < count; ++i) entries[i].target = target_of(i);
    return entries;
  }

 private:
  BgpRoutes(net::Family family, size_t count, uint64_t seed)
      : ipv4_(family == net::Family::ipv4), random_(seed) {
    if (ipv4_) return;
    for (size_t i = 0; i < count / 4 + 1; ++i) allocate();
  }

  /// What a registry has given to a network, which announces it and parts of it.
  void allocate() {
    constexpr uint64_t kRegions[] = {0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00};
    const uint64_t region = kRegions[random_() % std::size(kRegions)];
    const unsigned region_length = region == 0x2001 ? 16 : 12;
    allocations_.push_back(region << 48 | (random_() & ~top_mask(region_length) & top_mask(32)));
  }

  net::Prefix prefix(size_t i) const {
    if (ipv4_) return {net::Ipv4{static_cast<uint32_t>(bits_[i] >> 32)}, lengths_[i]};
    return {net::Ipv6{bits_[i], 0}, lengths_[i]};
  }

  uint8_t draw_length() {
    const std::span<const LengthShare> shares =
        ipv4_ ? std::span<const LengthShare>(kLengths4) : std::span<const LengthShare>(kLengths6);
    uint64_t left = random_() % 100'000;
    for (const LengthShare& s : shares) {
      if (left < s.share) return s.length;
      left -= s.share;
    }
    return shares.back().length;
  }

  void draw() {
    const uint8_t length = draw_length();
    uint64_t bits = 0;
    do {
      bits = (ipv4_ ? draw4(length) : draw6(length)) & top_mask(length);
    } while (!taken_.insert(prefix_key(bits, length)).second);
    bits_.push_back(bits);
    lengths_.push_back(length);
  }

  /// About half of the table lies within wider prefixes of the table.
  uint64_t draw4(uint8_t length) {
    if (!bits_.empty() && random_() % 2 == 0) {
      for (int tries = 0; tries < 8; ++tries) {
        const size_t i = random_() % bits_.size();
        if (lengths_[i] < length) return bits_[i] | (random_() & ~top_mask(lengths_[i]));
      }
    }
    for (;;) {  // unicast, neither private nor loopback
      const uint64_t bits = random_();
      const uint64_t first = bits >> 56;
      if (first != 0 && first != 10 && first != 127 && first < 224) return bits;
    }
  }

  /// More than half of the networks announce the whole of what they have; few announce many parts of it, and
  /// most number those from the start.
  uint64_t draw6(uint8_t length) {
    if (length <= 32) {
      if (announced_ == allocations_.size()) allocate();
      return allocations_[announced_++];
    }
    const double place = static_cast<double>(random_() >> 11) * 0x1p-53;
    const auto i = static_cast<size_t>(place * place * static_cast<double>(allocations_.size()));
    const uint64_t subnet = random_() % 2 == 0 ? random_() % 16 : random_();
    return allocations_[i] | (subnet << (64 - length) & ~top_mask(32));
  }

  bool ipv4_;
  std::mt19937_64 random_;
  std::vector<uint64_t> allocations_;
  size_t announced_ = 0;  // of allocations_, whole
  std::vector<uint64_t> bits_;
  std::vector<uint8_t> lengths_;
  std::unordered_set<uint64_t> taken_;
};

/// `count` addresses that the table covers, each in a prefix drawn from it evenly.
inline std::vector<net::IpAddress> covered_addresses(std::span<const Route> entries, size_t count,
                                                     uint64_t seed = 2) {
  std::mt19937_64 random(seed);
  std::vector<net::IpAddress> addresses;
  addresses.reserve(count);
  while (addresses.size() < count) {
    const net::Prefix& p = entries[random() % entries.size()].prefix;
    const uint64_t bits = top_bits(p.address) | (random() & ~top_mask(p.length));
    if (p.address.is_v4()) {
      addresses.emplace_back(net::Ipv4{static_cast<uint32_t>(bits >> 32)});
    } else {
      addresses.emplace_back(net::Ipv6{bits, random()});
    }
  }
  return addresses;
}

/// The longest match as a look at each length in turn: slow, and of another kind than all that it judges.
class RouteModel {
 public:
  explicit RouteModel(std::span<const Route> entries) {
    targets_.reserve(entries.size());
    for (const auto& e : entries) {
      targets_[prefix_key(top_bits(e.prefix.address), e.prefix.length)] = e.target;
      if (std::find(lengths_.begin(), lengths_.end(), e.prefix.length) == lengths_.end()) {
        lengths_.push_back(e.prefix.length);
      }
    }
    std::sort(lengths_.rbegin(), lengths_.rend());
  }

  /// Of the longest prefix shorter than `below` that covers the address; 0 if there is none.
  uint8_t length(const net::IpAddress& address, unsigned below) const {
    for (const uint8_t length : lengths_) {
      if (length < below && targets_.contains(prefix_key(top_bits(address), length))) return length;
    }
    return 0;
  }

  /// 0 if there is no route, which is no target of these tables.
  TargetIndex lookup(const net::IpAddress& address) const {
    for (const uint8_t length : lengths_) {
      const auto found = targets_.find(prefix_key(top_bits(address), length));
      if (found != targets_.end()) return found->second;
    }
    return 0;
  }

 private:
  std::unordered_map<uint64_t, TargetIndex> targets_;
  std::vector<uint8_t> lengths_;  // longest first
};

}  // namespace weir::bench
