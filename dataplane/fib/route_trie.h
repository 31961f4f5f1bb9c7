// Longest-prefix match as a trie whose nodes are one cache line: a root of 8 bits, then 4 bits a level.
//
// Internal to dataplane/fib. What makes changes small and atomic:
// - A prefix has its home in one node, the one whose bits contain its last bit, and stands in each of that
//   node's entries that it covers. Of several in one entry the longest stands there; `Record::cover` leads to
//   the shorter ones of the same node. Nothing is pushed from a node into those below, so a change touches
//   entries of one node only; a look-up that finds nothing in a node goes back up by RouteStore::above.
// - A prefix that is alone below an entry stands in the entry itself, however long it is (a look-up compares
//   it with the address anyway), unless a prefix of the node covers the entry. So there are about as few
//   nodes as prefixes that compete, and sparse tables stay small. Such a prefix has no cover.
// - A node is filled before it is linked to, and stays as it was when it is unlinked, until no reader can be
//   in it. Each entry is one word. So a reader sees each prefix before or after a change, never a part of it.
#pragma once

#include "dataplane/fib/route_store.h"

namespace weir::dataplane::fib {

/// The prefixes around an address, from the longest to the shortest. Any thread.
class Covers {
 public:
  Covers(const RouteStore& store, Link link, const Root& root, const Bits& address)
      : store_(store), address_(address), link_(link) {
    Word word = root.entries[address.hi >> 56].load(std::memory_order_acquire);
    for (unsigned depth = 8; (word & kChild) != 0; depth += 4) {
      path_[levels_++] = word & ~kChild;
      word = store.nodes[word & ~kChild].entries[nibble(address, depth)].load(std::memory_order_acquire);
    }
    next_ = word;
  }

  /// 0: there are no more.
  RecordIndex next() {
    for (;;) {
      const RecordIndex index = next_;
      if (index == 0) {
        if (levels_ == 0) return 0;
        next_ = store_.above[path_[--levels_]].load(std::memory_order_acquire);
        continue;
      }
      const Record& record = store_.records[index];
      next_ = record.cover[link_].load(std::memory_order_acquire);
      if (record.covers(address_)) return index;
    }
  }

  static unsigned nibble(const Bits& a, unsigned depth) {
    return static_cast<unsigned>(depth < 64 ? a.hi >> (60 - depth) : a.lo >> (124 - depth)) & 15;
  }

 private:
  const RouteStore& store_;
  Bits address_;
  Link link_;
  unsigned levels_ = 0;
  RecordIndex next_ = 0;
  uint32_t path_[30];  // the nodes below the root
};

/// Changes one trie. Control thread.
class Trie {
 public:
  Trie(RouteStore& store, Link link, Root& root) : store_(store), link_(link), root_(root) {}

  /// Nodes that insert() may take: in each of the entries of one node, and on the way down.
  static uint32_t most_nodes(unsigned length) { return length <= 8 ? 256 : 16 + 30; }
  /// Precondition: most_nodes() are reserved, and no record of this prefix is in the trie.
  void insert(RecordIndex index);
  /// Precondition: it is in the trie. The record may be given to others after a grace period.
  void remove(RecordIndex index);
  /// `to` takes the place of `from`, of the same prefix.
  void replace(RecordIndex from, RecordIndex to);
  /// The record of just this prefix, or 0.
  RecordIndex find(const Bits& bits, unsigned length) const;
  /// Every record, in the order of addresses, wider ones first; false from `visit` ends it and is returned.
  template <typename Visit>
  bool for_each(Visit&& visit) const {
    return visit_node(root_place(), visit);
  }

 private:
  /// A node or the root.
  struct Place {
    std::atomic<Word>* entries;
    unsigned depth;  // bits above it
    unsigned bits;   // of it
    unsigned end() const { return depth + bits; }
    unsigned slot(const Bits& a) const {
      return depth == 0 ? static_cast<unsigned>(a.hi >> 56) : Covers::nibble(a, depth);
    }
  };
  Place root_place() const { return {root_.entries.data(), 0, 8}; }
  Place node_place(Word child, unsigned depth) const {
    return {store_.nodes[child & ~kChild].entries.data(), depth, 4};
  }
  Place below(const Place& place, Word child) const { return node_place(child, place.end()); }

  Record& record(RecordIndex index) const { return store_.records[index]; }
  unsigned length(RecordIndex index) const { return record(index).length; }
  std::atomic<RecordIndex>& cover(RecordIndex index) const { return record(index).cover[link_]; }
  Bits bits(RecordIndex index) const;
  /// Where the longest prefix of `place` that covers an entry is named.
  std::atomic<Word>& longest(std::atomic<Word>& entry) const;
  RecordIndex longest_at(const Place& place, unsigned slot) const;

  void insert_here(const Place& place, RecordIndex index);
  void link_in(std::atomic<Word>& longest, RecordIndex index);
  void take_out(std::atomic<Word>& longest, RecordIndex index, RecordIndex instead);
  /// Puts a node below an entry, which gets the entry's record and is covered by `above`.
  Word push_down(const Place& place, std::atomic<Word>& entry, RecordIndex alone, RecordIndex above);
  bool collapse(std::atomic<Word>& entry);
  template <typename Visit>
  bool visit_node(const Place& place, Visit&& visit) const;

  RouteStore& store_;
  Link link_;
  Root& root_;
};

template <typename Visit>
bool Trie::visit_node(const Place& place, Visit&& visit) const {
  const unsigned slots = 1u << place.bits;
  for (unsigned slot = 0; slot < slots; ++slot) {
    const Word word = place.entries[slot].load(std::memory_order_relaxed);
    // Prefixes of this node that begin here: the chain has the longest first.
    RecordIndex chain[9];
    size_t count = 0;
    for (RecordIndex r = longest_at(place, slot); r != 0; r = cover(r).load(std::memory_order_relaxed)) {
      if (place.slot(bits(r)) == slot) chain[count++] = r;
    }
    while (count > 0) {
      if (!visit(chain[--count])) return false;
    }
    if ((word & kChild) != 0) {
      if (!visit_node(below(place, word), visit)) return false;
    } else if (word != 0 && length(word) > place.end()) {
      if (!visit(word)) return false;
    }
  }
  return true;
}

}  // namespace weir::dataplane::fib
