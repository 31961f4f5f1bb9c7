// What rules remember of hosts beyond one session: how often they matched (`threshold`, `detection_filter`,
// rate filters), and named bits (`hostbits`, `xbits`).
//
// One table for all workers, since sessions of one host live on several of them: 1, 2 and 4 workers count
// alike. Fixed size; buckets of one cache line with four entries; an entry is a name and what is known under
// it, changed together by one 16-byte compare-and-swap. Nobody waits: who was too slow begins anew, and
// another has got on then. In a full bucket the entry whose time ends first gives way, which is told if it
// was not over yet. Which one that is does not hang on who asks, so that two threads that make an entry of
// one name at once want the same place, and one of them finds the other's. The exception is a neighbour whose
// time is made shorter at that very moment: then a name may have two entries until one's time is over.
//
// Any thread.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>

#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::inspection {

/// A host as rules track it. Address spaces of domains overlap: one address in two of them is two hosts.
struct MarkedHost {
  net::IpAddress address;
  uint32_t domain = 0;
  friend auto operator<=>(const MarkedHost&, const MarkedHost&) = default;
};

/// What is remembered, and of whom.
struct MarkKey {
  enum class What : uint8_t { threshold, rate_filter, bit };
  What what = What::threshold;
  bool pair = false;  // of `one` and `other`, in either order
  uint32_t gid = 0;
  uint32_t sid = 0;      // the number of its name for a bit
  uint32_t part = 0;     // which of the rule's thresholds
  uint32_t ports = 0;    // of a session
  uint64_t session = 0;  // when it began; 0: of no session
  MarkedHost one, other;
  /// As said by `pair`.
  static MarkKey of_pair(MarkKey key, const MarkedHost& a, const MarkedHost& b);
};

/// What is known under a name. A value.
struct Mark {
  static constexpr uint32_t kMaxCount = (1U << 31) - 1;
  uint32_t count = 0;
  bool flag = false;
  uint64_t until_us = 0;  // from then on it says no more than a fresh one
};

class HostMarks {
 public:
  static constexpr uint32_t kBucketEntries = 4;
  static constexpr uint32_t kMost = 1U << 28;
  static constexpr uint64_t kForever = (uint64_t{1} << 52) - 1;  // us

  /// Room for `entries`, rounded up to a power of two of buckets. `secret`: names are made with it, so that
  /// nobody outside can look for two keys with one name. Fails with `invalid` for 0 or more than kMost, with
  /// `exhausted` without memory. At the start.
  static Result<std::unique_ptr<HostMarks>> create(uint32_t entries, uint64_t secret);
  static size_t bytes_for(uint32_t entries);
  /// When a time of `seconds` that begins now is over.
  static uint64_t end_of(uint64_t now_us, uint64_t seconds) {
    return std::min(now_us + seconds * 1'000'000, kForever);
  }

  /// Where a key's entry is, and how it is known there.
  struct Name {
    uint32_t bucket = 0;
    uint64_t tag = 0;  // 44 bits, not 0
  };
  Name name_of(const MarkKey& key) const;

  /// Nothing: there is no entry.
  std::optional<Mark> find(const Name& name) const;
  /// Replaces what is known by `step(what was known)`, a default Mark if there was no entry; nothing is
  /// changed if step returns nothing. step() may be called several times; the last call counts. True: another
  /// entry had to go before its time.
  template <typename Step>
  bool change(const Name& name, uint64_t now_us, Step&& step) {
    for (;;) {
      const Place place = place_of(name);
      const std::optional<Mark> next = step(place.known ? place.seen.mark() : Mark{});
      if (!next) return false;
      if (!replace(*place.entry, place.seen, Words::of(name, *next))) continue;
      return !place.known && place.seen.mark().until_us > now_us;
    }
  }
  uint32_t capacity() const { return (mask_ + 1) * kBucketEntries; }

 private:
  /// 32 bits of tag, 31 of count, the flag; 52 bits of time, 12 of tag. All zero: never used.
  struct alignas(16) Words {
    uint64_t first = 0, second = 0;
    static Words of(const Name& name, const Mark& mark);
    Mark mark() const;
    uint64_t tag() const { return first >> 32 << 12 | second >> 52; }
  };
  struct alignas(64) Bucket {
    Words entries[kBucketEntries];
  };
  static_assert(sizeof(Bucket) == 64);
  struct Place {
    Words* entry = nullptr;
    Words seen;
    bool known = false;  // else it is the one that gives way
  };

  HostMarks(uint32_t buckets, uint64_t secret);
  /// Both words as they were together.
  static Words load(const Words& entry);
  /// False: another thread was quicker.
  static bool replace(Words& entry, const Words& seen, const Words& next);
  Place place_of(const Name& name) const;

  std::unique_ptr<Bucket[]> buckets_;
  uint32_t mask_;
  uint64_t secret_;
};

/// Bits of hosts and of pairs of hosts.
class HostBits {
 public:
  explicit HostBits(HostMarks& marks) : marks_(marks) {}
  static MarkKey of_host(uint16_t bit, const MarkedHost& host);
  static MarkKey of_pair(uint16_t bit, const MarkedHost& a, const MarkedHost& b);

  bool has(const MarkKey& key, uint64_t now_ns) const;
  // True: another entry had to go before its time.
  bool set(const MarkKey& key, uint64_t now_ns, uint32_t seconds);
  bool toggle(const MarkKey& key, uint64_t now_ns, uint32_t seconds);
  void unset(const MarkKey& key);

 private:
  HostMarks& marks_;
};

}  // namespace weir::inspection
