// The host table: the budget of new sessions of a host whose sessions live on several workers.
//
// With inspection's table of host marks (inspection/detect/host_marks.h) the one structure of the data path
// that several workers write (no locks and no atomic read-modify-write elsewhere). Fixed size; buckets of one
// cache line with four entries; an entry is a name and a word, changed together by one 16-byte
// compare-and-swap, so that nobody counts for a host that has just lost its entry. A host without an entry
// takes a free one of its bucket, or one that says no more than a fresh one would. Two threads that do so at
// once may give it two entries: then its bound is the double for a moment, until one of them is idle; what
// was begun is always ended. If there is no entry the host is not tracked: the caller counts that, and the
// coarser budgets of attachment and domain still hold.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/core/ids.h"
#include "dataplane/host/budget.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

/// A host in the table: a 64-bit name under a secret of this start, never 0. Two hosts with one name would
/// share a budget; nobody outside can look for such.
using HostName = uint64_t;

class HostTable {
 public:
  static constexpr uint32_t kBucketEntries = 4;
  static constexpr uint32_t kMaxHosts = 1u << 26;

  enum class Answer : uint8_t { yes, over_limit, no_room };

  /// Room for `hosts`, rounded up to a power of two of buckets. `secret` should be random. Fails with
  /// `invalid` for 0 or more than kMaxHosts, with `exhausted` without memory.
  static Result<std::unique_ptr<HostTable>> create(uint32_t hosts, uint64_t secret);
  static size_t bytes_for(uint32_t hosts);

  // --- any thread ---
  HostName name_of(uint16_t domain_slot, const net::IpAddress& address) const;
  /// A new session, if the rate allows it.
  Answer take_new(HostName host, const BudgetLimits& limits, NanoTime now);
  /// A half-open session, to be ended by end_half_open() if the answer is yes.
  Answer begin_half_open(HostName host, const BudgetLimits& limits, NanoTime now);
  void end_half_open(HostName host);
  /// For tests and for looking in.
  uint32_t half_open(HostName host) const;
  uint32_t capacity() const { return (mask_ + 1) * kBucketEntries; }

 private:
  struct alignas(16) Entry {
    uint64_t host = 0;  // 0: free
    uint64_t word = 0;  // BudgetWord
  };
  struct alignas(64) Bucket {
    Entry entries[kBucketEntries];
  };
  static_assert(sizeof(Bucket) == 64);

  HostTable(uint32_t buckets, uint64_t secret);
  Bucket& bucket_of(HostName host) const { return buckets_[host & mask_]; }
  /// False: another thread was quicker.
  static bool replace(Entry& entry, const Entry& seen, const Entry& next);
  template <typename Step>
  Answer change(HostName host, NanoTime now, Step&& step);

  std::unique_ptr<Bucket[]> buckets_;
  uint32_t mask_;
  uint64_t secret_;
};

}  // namespace weir::dataplane
