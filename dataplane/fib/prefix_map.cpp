#include "dataplane/fib/prefix_map.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <tuple>
#include <vector>

#include "dataplane/core/huge_memory.h"
#include "dataplane/fib/route_store.h"

namespace weir::dataplane {

/// Makes the nodes of both families. One use.
class PrefixMap::Builder {
 public:
  explicit Builder(std::span<const Entry> entries) {
    nodes_.resize(2);
    std::vector<Item> items[2];
    for (const Entry& e : entries) {
      items[fib::family_index(e.prefix.address.family)].push_back(
          {fib::bits_of(e.prefix.address), e.prefix.length, e.value});
    }
    for (uint32_t family = 0; family < 2; ++family) {
      std::vector<Item>& all = items[family];
      // Wider ones stand before what they contain.
      if (!std::is_sorted(all.begin(), all.end())) std::sort(all.begin(), all.end());
      fill(family, 0, all, kNone);
    }
  }

  /// Puts everything into one piece of memory, where entries are counted from the first node on.
  void move_to(PrefixMap& map) {
    const size_t words = (nodes_.size() * sizeof(Node) + lones_.size() * sizeof(Lone)) / sizeof(Word);
    const size_t bytes = (words + entries_.size()) * sizeof(Word);
    map.memory_.reset(allocate_huge(bytes));
    for (uint32_t n = 0; n < nodes_.size(); ++n) {
      Node& node = nodes_[n];
      node.entries = node.entries == kInsideNode
                         ? static_cast<uint32_t>((n * sizeof(Node) + offsetof(Node, inside)) / sizeof(Word))
                         : static_cast<uint32_t>(words + node.entries);
    }
    auto* at = static_cast<uint8_t*>(map.memory_.get());
    const auto put = [&at](const auto& all) {
      const size_t size = all.size() * sizeof(all[0]);
      if (size != 0) std::memcpy(at, all.data(), size);
      at += size;
      return at - size;
    };
    map.nodes_ = reinterpret_cast<const Node*>(put(nodes_));
    map.lones_ = reinterpret_cast<const Lone*>(put(lones_));
    put(entries_);
    map.bytes_ = huge_bytes(bytes);
  }

 private:
  static constexpr uint32_t kInsideNode = ~0u;

  struct Item {
    fib::Bits bits;
    unsigned length = 0;
    uint32_t value = 0;
    friend bool operator<(const Item& a, const Item& b) {
      return std::tie(a.bits.hi, a.bits.lo, a.length) < std::tie(b.bits.hi, b.bits.lo, b.length);
    }
  };

  static unsigned byte_of(const fib::Bits& bits, unsigned depth) {
    return static_cast<unsigned>(depth < 64 ? bits.hi >> (56 - depth) : bits.lo >> (120 - depth)) & 0xff;
  }

  /// Fills the node of `depth`, all of whose addresses have `around` unless one of `items`, which lie in it,
  /// has them.
  void fill(uint32_t number, unsigned depth, std::span<const Item> items, Word around) {
    std::array<Word, 256> words;
    words.fill(around);
    for (size_t i = 0; i < items.size();) {
      const unsigned slot = byte_of(items[i].bits, depth);
      if (items[i].length <= depth + 8) {
        std::fill_n(words.begin() + slot, 1u << (depth + 8 - items[i].length), Word{items[i].value});
        ++i;
        continue;
      }
      size_t end = i + 1;
      while (end < items.size() && byte_of(items[end].bits, depth) == slot) ++end;
      words[slot] = below(depth + 8, items.subspan(i, end - i), words[slot]);
      i = end;
    }
    keep(nodes_[number], words);
  }

  Word below(unsigned depth, std::span<const Item> items, Word around) {
    if (items.size() == 1) {
      const Item& item = items.front();
      lones_.push_back({item.bits.hi, item.bits.lo, item.length, item.value, around, 0});
      return kLone | static_cast<Word>(lones_.size() - 1);
    }
    const auto number = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
    fill(number, depth, items, around);
    return kNode | number;
  }

  void keep(Node& node, const std::array<Word, 256>& words) {
    std::vector<Word>& kept = kept_;
    kept.clear();
    for (unsigned e = 0; e < 256; ++e) {
      if (e % 64 == 0) node.before[e / 64] = static_cast<uint8_t>(kept.size());
      if (e != 0 && words[e] == words[e - 1]) continue;
      node.starts[e / 64] |= uint64_t{1} << e % 64;
      kept.push_back(words[e]);
    }
    if (kept.size() <= Node::kInside) {
      std::copy(kept.begin(), kept.end(), node.inside.begin());
      node.entries = kInsideNode;
    } else {
      node.entries = static_cast<uint32_t>(entries_.size());
      entries_.insert(entries_.end(), kept.begin(), kept.end());
    }
  }

  std::vector<Node> nodes_;
  std::vector<Lone> lones_;
  std::vector<Word> entries_;
  std::vector<Word> kept_;  // of the node that is being filled
};

std::unique_ptr<const PrefixMap> PrefixMap::build(std::span<const Entry> entries) {
  std::unique_ptr<PrefixMap> map(new PrefixMap);
  Builder(entries).move_to(*map);
  return map;
}

/// The way down the trie to an address.
class PrefixMap::Walk {
 public:
  Walk(const PrefixMap& map, const net::IpAddress& address)
      : map_(map), address_(fib::bits_of(address)), left_(address_) {
    word_ = kNode | static_cast<Word>(fib::family_index(address.family));
  }

  /// False: there is no more way down.
  bool step() {
    if ((word_ & kNode) == 0) return false;
    const Node& node = map_.nodes_[word_ & kNumber];
    const auto entry = static_cast<unsigned>(left_.hi >> 56);
    left_ = {left_.hi << 8 | left_.lo >> 56, left_.lo << 8};
    const uint64_t up_to = node.starts[entry / 64] & ~uint64_t{0} >> (63 - entry % 64);
    const auto kept = node.before[entry / 64] + static_cast<uint32_t>(std::popcount(up_to)) - 1;
    word_ = reinterpret_cast<const Word*>(map_.nodes_)[node.entries + kept];
    return true;
  }
  void prefetch() const { __builtin_prefetch(&map_.lones_[word_ & kNumber]); }
  uint32_t finish() const {
    if ((word_ & kLone) == 0) return word_;
    const Lone& lone = map_.lones_[word_ & kNumber];
    // Longer than 0 bits: it lies below a root.
    const uint64_t hi = (address_.hi ^ lone.hi) >> (lone.length < 64 ? 64 - lone.length : 0);
    const uint64_t lo = lone.length <= 64 ? 0 : (address_.lo ^ lone.lo) >> (128 - lone.length);
    return (hi | lo) == 0 ? lone.value : lone.otherwise;
  }

 private:
  const PrefixMap& map_;
  fib::Bits address_, left_;
  Word word_;
};

uint32_t PrefixMap::find(const net::IpAddress& address) const {
  Walk walk(*this, address);
  while (walk.step()) {
  }
  return walk.finish();
}

std::array<uint32_t, 2> PrefixMap::find(const net::IpAddress& a, const net::IpAddress& b) const {
  Walk first(*this, a), second(*this, b);
  while (static_cast<int>(first.step()) | static_cast<int>(second.step())) {
  }
  first.prefetch();
  second.prefetch();
  return {first.finish(), second.finish()};
}

}  // namespace weir::dataplane
