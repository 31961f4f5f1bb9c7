#include "inspection/detect/host_marks.h"

#include <bit>
#include <new>
#include <string>

namespace weir::inspection {

namespace {

__extension__ using Both = unsigned __int128;

constexpr unsigned kTimeBits = 52;

/// murmur3's finish: every bit depends on every bit.
uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51'afd7'ed55'8ccdULL;
  x = (x ^ x >> 33) * 0xc4ce'b9fe'1a85'ec53ULL;
  return x ^ x >> 33;
}

}  // namespace

MarkKey MarkKey::of_pair(MarkKey key, const MarkedHost& a, const MarkedHost& b) {
  key.pair = true;
  key.one = std::min(a, b);
  key.other = std::max(a, b);
  return key;
}

HostMarks::HostMarks(uint32_t buckets, uint64_t secret)
    : buckets_(new (std::nothrow) Bucket[buckets]()), mask_(buckets - 1), secret_(secret) {}

size_t HostMarks::bytes_for(uint32_t entries) {
  return std::bit_ceil((size_t{entries} + kBucketEntries - 1) / kBucketEntries) * sizeof(Bucket);
}

Result<std::unique_ptr<HostMarks>> HostMarks::create(uint32_t entries, uint64_t secret) {
  if (entries == 0 || entries > kMost) {
    return fail(ErrorCode::invalid, "the number of host marks must be between 1 and " +
                                        std::to_string(kMost) + ", not " + std::to_string(entries));
  }
  const auto buckets = static_cast<uint32_t>(bytes_for(entries) / sizeof(Bucket));
  std::unique_ptr<HostMarks> marks(new HostMarks(buckets, secret));
  if (marks->buckets_ == nullptr)
    return fail(ErrorCode::exhausted, "no memory for " + std::to_string(entries) + " host marks");
  return marks;
}

HostMarks::Name HostMarks::name_of(const MarkKey& key) const {
  const auto with = [](uint64_t h, const MarkedHost& host) {
    h = mixed(h ^ host.address.bits.hi);
    h = mixed(h ^ host.address.bits.lo);
    return mixed(h ^ (uint64_t{host.domain} << 32 | (host.address.is_v4() ? 4 : 6)));
  };
  uint64_t h = mixed(secret_ ^ (static_cast<uint64_t>(key.what) << 1 | (key.pair ? 1 : 0)));
  h = mixed(h ^ (uint64_t{key.gid} << 32 | key.sid));
  h = mixed(h ^ (uint64_t{key.part} << 32 | key.ports));
  h = mixed(h ^ key.session);
  h = with(with(h, key.one), key.other);
  return {static_cast<uint32_t>(h) & mask_, std::max<uint64_t>(h >> 20, 1)};
}

HostMarks::Words HostMarks::Words::of(const Name& name, const Mark& mark) {
  const uint64_t count = std::min(mark.count, Mark::kMaxCount);
  return {name.tag >> 12 << 32 | count << 1 | (mark.flag ? 1 : 0),
          name.tag << kTimeBits | std::min(mark.until_us, kForever)};
}

Mark HostMarks::Words::mark() const {
  return {static_cast<uint32_t>(first) >> 1, (first & 1) != 0, second & kForever};
}

HostMarks::Words HostMarks::load(const Words& entry) {
  for (;;) {
    const uint64_t first = __atomic_load_n(&entry.first, __ATOMIC_ACQUIRE);
    const uint64_t second = __atomic_load_n(&entry.second, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&entry.first, __ATOMIC_RELAXED) == first) return {first, second};
  }
}

bool HostMarks::replace(Words& entry, const Words& seen, const Words& next) {
  const auto as_one = [](const Words& w) { return static_cast<Both>(w.second) << 64 | w.first; };
  return __sync_bool_compare_and_swap(reinterpret_cast<Both*>(&entry), as_one(seen), as_one(next));
}

std::optional<Mark> HostMarks::find(const Name& name) const {
  for (const Words& entry : buckets_[name.bucket].entries) {
    if (const Words seen = load(entry); seen.tag() == name.tag) return seen.mark();
  }
  return std::nullopt;
}

HostMarks::Place HostMarks::place_of(const Name& name) const {
  Place least;
  for (Words& entry : buckets_[name.bucket].entries) {
    const Words seen = load(entry);
    if (seen.tag() == name.tag) return {&entry, seen, true};
    if (least.entry == nullptr || seen.mark().until_us < least.seen.mark().until_us)
      least = {&entry, seen, false};
  }
  return least;
}

MarkKey HostBits::of_host(uint16_t bit, const MarkedHost& host) {
  MarkKey key;
  key.what = MarkKey::What::bit;
  key.sid = bit;
  key.one = host;
  return key;
}

MarkKey HostBits::of_pair(uint16_t bit, const MarkedHost& a, const MarkedHost& b) {
  return MarkKey::of_pair(of_host(bit, {}), a, b);
}

// A bit that was unset keeps its entry, marked, until its time is over: were it free at once, two threads
// that look for a place might find different ones.

static bool is_set(const Mark& mark, uint64_t now_ns) { return !mark.flag && mark.until_us > now_ns / 1'000; }

bool HostBits::has(const MarkKey& key, uint64_t now_ns) const {
  const std::optional<Mark> mark = marks_.find(marks_.name_of(key));
  return mark && is_set(*mark, now_ns);
}

bool HostBits::set(const MarkKey& key, uint64_t now_ns, uint32_t seconds) {
  return marks_.change(marks_.name_of(key), now_ns / 1'000, [&](const Mark&) {
    return std::optional(Mark{0, false, HostMarks::end_of(now_ns / 1'000, seconds)});
  });
}

bool HostBits::toggle(const MarkKey& key, uint64_t now_ns, uint32_t seconds) {
  return marks_.change(marks_.name_of(key), now_ns / 1'000, [&](Mark mark) {
    if (is_set(mark, now_ns)) {
      mark.flag = true;
    } else {
      mark = {0, false, HostMarks::end_of(now_ns / 1'000, seconds)};
    }
    return std::optional(mark);
  });
}

void HostBits::unset(const MarkKey& key) {
  // What is not there is not made for this, so nothing has to go.
  marks_.change(marks_.name_of(key), HostMarks::kForever, [](Mark mark) {
    if (mark.until_us == 0) return std::optional<Mark>();
    mark.flag = true;
    return std::optional(mark);
  });
}

}  // namespace weir::inspection
