// Prefix -> number by longest match, for both families: made once, then only read.
//
// A trie of 8 bits a level. A node is one cache line and keeps of its 256 entries only those that differ from
// the one before: a bit for each of the 256, and the entries themselves in the same line if they are few,
// else in an array. Every entry has the answer or leads on, so nothing ever looks back up; and a prefix that
// is alone below an entry is compared with the address there, however long it is. So a look-up among 100,000
// prefixes waits for two or three lines that are not in the nearest cache. Use it for what is compiled
// (policy), not for routes: they change one at a time (route_trie.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "dataplane/net/address.h"

namespace weir::dataplane {

class PrefixMap {
 public:
  struct Entry {
    net::Prefix prefix;
    uint32_t value = 0;  // kMaxValue at most
  };
  static constexpr uint32_t kNone = (1u << 30) - 1;
  static constexpr uint32_t kMaxValue = kNone - 1;

  /// Any thread. Each prefix stands in `entries` once. Throws std::bad_alloc.
  static std::unique_ptr<const PrefixMap> build(std::span<const Entry> entries);

  /// The value of the longest prefix around `address`, or kNone. Any thread.
  uint32_t find(const net::IpAddress& address) const;
  /// The same of two addresses, in hardly more time than one takes: the lines of both are waited for
  /// together.
  std::array<uint32_t, 2> find(const net::IpAddress& a, const net::IpAddress& b) const;
  /// Memory that it takes.
  size_t bytes() const { return bytes_; }

 private:
  /// An entry: a kind and a value, or a node's or a lone prefix's number.
  using Word = uint32_t;
  enum Kind : Word { kValue = 0, kNode = 1u << 30, kLone = 2u << 30 };
  static constexpr Word kNumber = kNode - 1;

  struct Node {
    static constexpr size_t kInside = 6;
    std::array<uint64_t, 4> starts{};  // a bit for each entry that is not as the one before; entry 0 has one
    std::array<uint8_t, 4> before{};   // bits in the words of `starts` before this one
    uint32_t entries = 0;              // where they are, in 4-byte words from the first node on
    std::array<Word, kInside> inside{};
  };
  static_assert(sizeof(Node) == 64);

  /// A prefix that is the only one below its entry.
  struct Lone {
    uint64_t hi = 0, lo = 0;
    uint32_t length = 0;
    uint32_t value = 0, otherwise = 0;
    uint32_t unused = 0;
  };
  static_assert(sizeof(Lone) == 32);

  class Builder;
  class Walk;

  PrefixMap() = default;

  std::unique_ptr<void, void (*)(void*)> memory_{nullptr, &std::free};  // nodes, lone prefixes, entries
  const Node* nodes_ = nullptr;                                         // the first two: the roots, by family
  const Lone* lones_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace weir::dataplane
