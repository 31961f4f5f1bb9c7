#include "dataplane/fib/prefix_map.h"

#include "dataplane/fib/route_trie.h"

namespace weir::dataplane {

using fib::Trie;

struct PrefixMap::Tries {
  fib::RouteStore store;
  fib::Root roots[2];  // by family_index()
};

PrefixMap::PrefixMap() : tries_(std::make_unique<Tries>()) {}
PrefixMap::~PrefixMap() = default;

std::unique_ptr<const PrefixMap> PrefixMap::build(std::span<const Entry> entries) {
  std::unique_ptr<PrefixMap> map(new PrefixMap);
  fib::RouteStore& store = map->tries_->store;
  // Address space for the worst shape, which costs nothing; memory as it is taken.
  const auto count = static_cast<uint32_t>(entries.size());
  const uint32_t nodes = 256 + count * 30;
  if (!store.records.create(count) || !store.nodes.create(nodes) || !store.above.create(nodes))
    return nullptr;
  if (!store.records.reserve(count)) return nullptr;
  for (const Entry& entry : entries) {
    const uint32_t most = Trie::most_nodes(entry.prefix.length);
    if (!store.nodes.reserve(most) || !store.above.reserve(most)) return nullptr;
    const fib::RecordIndex index = store.records.take();
    fib::Record& record = store.records[index];
    const fib::Bits bits = fib::bits_of(entry.prefix.address);
    record.hi = bits.hi;
    record.lo.store(bits.lo, std::memory_order_relaxed);
    record.length = entry.prefix.length;
    record.target.store(entry.value, std::memory_order_relaxed);
    Trie(store, fib::kOwn, map->tries_->roots[fib::family_index(entry.prefix.address.family)]).insert(index);
  }
  return map;
}

/// The way down a trie to an address, and back up to the longest prefix around it.
class PrefixMap::Walk {
 public:
  Walk(const Tries& tries, const net::IpAddress& address)
      : store_(tries.store),
        address_(fib::bits_of(address)),
        word_(tries.roots[fib::family_index(address.family)].entries[address_.hi >> 56].load(kRelaxed)) {}

  /// False: there is no more way down.
  bool step() {
    if ((word_ & fib::kChild) == 0) return false;
    const uint32_t node = word_ & ~fib::kChild;
    path_[levels_++] = node;
    word_ = store_.nodes[node].entries[fib::Covers::nibble(address_, depth_)].load(kRelaxed);
    depth_ += 4;
    return true;
  }
  uint32_t finish() {
    fib::RecordIndex index = word_;
    for (;;) {
      if (index == 0) {
        if (levels_ == 0) return kNone;
        index = store_.above[path_[--levels_]].load(kRelaxed);
        continue;
      }
      const fib::Record& record = store_.records[index];
      if (record.covers(address_)) return record.target.load(kRelaxed);
      index = record.cover[fib::kOwn].load(kRelaxed);
    }
  }
  void prefetch() const { __builtin_prefetch(&store_.records[word_]); }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;  // nothing changes any more
  const fib::RouteStore& store_;
  fib::Bits address_;
  fib::Word word_;
  unsigned depth_ = 8;
  unsigned levels_ = 0;
  uint32_t path_[30];  // the nodes below the root
};

uint32_t PrefixMap::find(const net::IpAddress& address) const {
  Walk walk(*tries_, address);
  while (walk.step()) {
  }
  return walk.finish();
}

std::array<uint32_t, 2> PrefixMap::find(const net::IpAddress& a, const net::IpAddress& b) const {
  Walk first(*tries_, a), second(*tries_, b);
  while (static_cast<int>(first.step()) | static_cast<int>(second.step())) {
  }
  first.prefetch();
  second.prefetch();
  return {first.finish(), second.finish()};
}

size_t PrefixMap::bytes() const {
  const fib::RouteStore& s = tries_->store;
  return sizeof(Tries) + s.records.bytes() + s.nodes.bytes() + s.above.bytes();
}

}  // namespace weir::dataplane
