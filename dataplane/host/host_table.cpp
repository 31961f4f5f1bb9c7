#include "dataplane/host/host_table.h"

#include <bit>
#include <new>
#include <string>

namespace weir::dataplane {

namespace {

__extension__ using Both = unsigned __int128;

uint64_t load(const uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); }

/// murmur3's finish: every bit depends on every bit.
uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51'afd7'ed55'8ccdULL;
  x = (x ^ x >> 33) * 0xc4ce'b9fe'1a85'ec53ULL;
  return x ^ x >> 33;
}

}  // namespace

HostTable::HostTable(uint32_t buckets, uint64_t secret)
    : buckets_(new (std::nothrow) Bucket[buckets]()), mask_(buckets - 1), secret_(secret) {}

size_t HostTable::bytes_for(uint32_t hosts) {
  return std::bit_ceil((hosts + kBucketEntries - 1) / kBucketEntries) * sizeof(Bucket);
}

Result<std::unique_ptr<HostTable>> HostTable::create(uint32_t hosts, uint64_t secret) {
  if (hosts == 0 || hosts > kMaxHosts)
    return fail(ErrorCode::invalid, "the number of hosts must be between 1 and " + std::to_string(kMaxHosts) +
                                        ", not " + std::to_string(hosts));
  const auto buckets = static_cast<uint32_t>(bytes_for(hosts) / sizeof(Bucket));
  std::unique_ptr<HostTable> table(new HostTable(buckets, secret));
  if (table->buckets_ == nullptr)
    return fail(ErrorCode::exhausted, "no memory for " + std::to_string(hosts) + " hosts");
  return table;
}

HostName HostTable::name_of(uint16_t domain_slot, const net::IpAddress& address) const {
  const uint64_t family = address.is_v4() ? 4 : 6;
  uint64_t name = mixed(secret_ ^ address.bits.hi);
  name = mixed(name ^ address.bits.lo);
  name = mixed(name ^ (family << 16 | domain_slot));
  return name == 0 ? 1 : name;
}

bool HostTable::replace(Entry& entry, const Entry& seen, const Entry& next) {
  const auto as_one = [](const Entry& e) { return static_cast<Both>(e.word) << 64 | e.host; };
  return __sync_bool_compare_and_swap(reinterpret_cast<Both*>(&entry), as_one(seen), as_one(next));
}

/// Finds or takes the host's entry and changes its word as `step` says. Begins anew when another thread was
/// quicker: each time one of them has got on.
template <typename Step>
HostTable::Answer HostTable::change(HostName host, NanoTime now, Step&& step) {
  Bucket& bucket = bucket_of(host);
  for (;;) {
    Entry* entry = nullptr;
    Entry* spare = nullptr;
    Entry seen;
    for (Entry& candidate : bucket.entries) {
      const Entry found{load(candidate.host), load(candidate.word)};
      if (found.host == host) {
        entry = &candidate;
        seen = found;
        break;
      }
      const bool usable = found.host == 0 || BudgetWord(found.word).is_idle(now);
      if (usable && spare == nullptr) {
        spare = &candidate;
        seen = found;
      }
    }
    const bool fresh = entry == nullptr;
    if (fresh) entry = spare;
    if (entry == nullptr) return Answer::no_room;
    const std::optional<BudgetWord> next = step(fresh ? BudgetWord() : BudgetWord(seen.word));
    if (!next) return Answer::over_limit;
    if (replace(*entry, seen, {host, next->word()})) return Answer::yes;
  }
}

HostTable::Answer HostTable::take_new(HostName host, const BudgetLimits& limits, NanoTime now) {
  return change(host, now, [&](BudgetWord word) { return word.with_new(limits, now); });
}

HostTable::Answer HostTable::begin_half_open(HostName host, const BudgetLimits& limits, NanoTime now) {
  return change(host, now, [&](BudgetWord word) { return word.with_half_open(limits); });
}

void HostTable::end_half_open(HostName host) {
  // What was begun is in some entry of the host. Others may move it from under our eyes from one of two
  // entries to the other; that they do so each time is a mistake in the caller, not a race.
  constexpr int kTries = 64;
  for (int tries = 0; tries < kTries; ++tries) {
    for (Entry& entry : bucket_of(host).entries) {
      const Entry seen{load(entry.host), load(entry.word)};
      if (seen.host != host || BudgetWord(seen.word).half_open() == 0) continue;
      if (replace(entry, seen, {host, BudgetWord(seen.word).without_half_open().word()})) return;
    }
  }
}

uint32_t HostTable::half_open(HostName host) const {
  uint32_t sum = 0;
  for (const Entry& entry : bucket_of(host).entries) {
    if (load(entry.host) == host) sum += BudgetWord(load(entry.word)).half_open();
  }
  return sum;
}

}  // namespace weir::dataplane
