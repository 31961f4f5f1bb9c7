#include "dataplane/fib/route_trie.h"

namespace weir::dataplane::fib {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;  // control reads what it wrote itself
constexpr auto kRelease = std::memory_order_release;
}  // namespace

Bits Trie::bits(RecordIndex index) const {
  const Record& r = record(index);
  return {r.hi, r.length > 64 ? r.lo.load(kRelaxed) : 0};
}

std::atomic<Word>& Trie::longest(std::atomic<Word>& entry) const {
  const Word word = entry.load(kRelaxed);
  return (word & kChild) != 0 ? store_.above[word & ~kChild] : entry;
}

RecordIndex Trie::longest_at(const Place& place, unsigned slot) const {
  const RecordIndex r = longest(place.entries[slot]).load(kRelaxed);
  return r != 0 && length(r) <= place.end() ? r : 0;
}

void Trie::insert(RecordIndex index) {
  const Bits at = bits(index);
  cover(index).store(0, kRelaxed);
  for (Place place = root_place();;) {
    if (length(index) <= place.end()) return insert_here(place, index);
    std::atomic<Word>& entry = place.entries[place.slot(at)];
    Word word = entry.load(kRelaxed);
    if (word == 0) return entry.store(index, kRelease);
    if ((word & kChild) == 0) {
      const bool alone = length(word) > place.end();
      word = push_down(place, entry, alone ? word : 0, alone ? 0 : word);
    }
    place = below(place, word);
  }
}

void Trie::insert_here(const Place& place, RecordIndex index) {
  const unsigned first = place.slot(bits(index));
  const unsigned end = first + (1u << (place.end() - length(index)));
  RecordIndex shorter = longest_at(place, first);
  while (shorter != 0 && length(shorter) > length(index)) shorter = cover(shorter).load(kRelaxed);
  cover(index).store(shorter, kRelease);
  for (unsigned slot = first; slot < end; ++slot) {
    std::atomic<Word>& entry = place.entries[slot];
    const Word word = entry.load(kRelaxed);
    if (word != 0 && (word & kChild) == 0 && length(word) > place.end()) {
      push_down(place, entry, word, index);
    } else {
      link_in(longest(entry), index);
    }
  }
}

void Trie::link_in(std::atomic<Word>& top, RecordIndex index) {
  RecordIndex r = top.load(kRelaxed);
  if (r == 0 || length(r) < length(index)) return top.store(index, kRelease);
  for (;;) {
    const RecordIndex shorter = cover(r).load(kRelaxed);
    if (shorter == index) return;
    if (shorter == 0 || length(shorter) < length(index)) return cover(r).store(index, kRelease);
    r = shorter;
  }
}

Word Trie::push_down(const Place& place, std::atomic<Word>& entry, RecordIndex alone, RecordIndex above) {
  const uint32_t node = store_.nodes.take();
  [[maybe_unused]] const uint32_t same = store_.above.take();  // they go in step
  for (auto& e : store_.nodes[node].entries) e.store(0, kRelaxed);
  store_.above[node].store(above, kRelaxed);
  const Word child = kChild | node;
  if (alone != 0) {
    const Place inside = below(place, child);
    const unsigned first = inside.slot(bits(alone));
    const unsigned count = length(alone) < inside.end() ? 1u << (inside.end() - length(alone)) : 1;
    for (unsigned slot = first; slot < first + count; ++slot) inside.entries[slot].store(alone, kRelaxed);
  }
  entry.store(child, kRelease);
  return child;
}

void Trie::take_out(std::atomic<Word>& top, RecordIndex index, RecordIndex instead) {
  RecordIndex r = top.load(kRelaxed);
  if (r == index) return top.store(instead, kRelease);
  while (r != 0) {
    const RecordIndex shorter = cover(r).load(kRelaxed);
    if (shorter == index) return cover(r).store(instead, kRelease);
    r = shorter;
  }
}

void Trie::remove(RecordIndex index) {
  const Bits at = bits(index);
  std::atomic<Word>* path[30];
  size_t levels = 0;
  for (Place place = root_place();;) {
    std::atomic<Word>& entry = place.entries[place.slot(at)];
    if (length(index) <= place.end()) {
      const RecordIndex instead = cover(index).load(kRelaxed);
      const unsigned first = place.slot(at), end = first + (1u << (place.end() - length(index)));
      for (unsigned slot = first; slot < end; ++slot) {
        take_out(longest(place.entries[slot]), index, instead);
        collapse(place.entries[slot]);
      }
      break;
    }
    const Word word = entry.load(kRelaxed);
    if ((word & kChild) == 0) {
      entry.store(0, kRelease);
      break;
    }
    path[levels++] = &entry;
    place = below(place, word);
  }
  while (levels > 0 && collapse(*path[--levels])) {
  }
}

bool Trie::collapse(std::atomic<Word>& entry) {
  const Word word = entry.load(kRelaxed);
  if ((word & kChild) == 0) return false;
  const uint32_t node = word & ~kChild;
  RecordIndex only = 0;
  for (const auto& e : store_.nodes[node].entries) {
    const Word inside = e.load(kRelaxed);
    if (inside == 0 || inside == only) continue;
    if ((inside & kChild) != 0 || only != 0) return false;
    only = inside;
  }
  const RecordIndex above = store_.above[node].load(kRelaxed);
  if (only != 0 && above != 0) return false;
  entry.store(only != 0 ? only : above, kRelease);
  store_.retired_nodes.push_back(node);
  return true;
}

void Trie::replace(RecordIndex from, RecordIndex to) {
  const Bits at = bits(from);
  cover(to).store(cover(from).load(kRelaxed), kRelease);
  for (Place place = root_place();;) {
    if (length(from) <= place.end()) {
      const unsigned first = place.slot(at), end = first + (1u << (place.end() - length(from)));
      for (unsigned slot = first; slot < end; ++slot) take_out(longest(place.entries[slot]), from, to);
      return;
    }
    std::atomic<Word>& entry = place.entries[place.slot(at)];
    const Word word = entry.load(kRelaxed);
    if ((word & kChild) == 0) return entry.store(to, kRelease);
    place = below(place, word);
  }
}

RecordIndex Trie::find(const Bits& at, unsigned wanted) const {
  for (Place place = root_place();;) {
    const unsigned slot = place.slot(at);
    if (wanted <= place.end()) {
      RecordIndex r = longest_at(place, slot);
      while (r != 0 && length(r) > wanted) r = cover(r).load(kRelaxed);
      return r != 0 && length(r) == wanted ? r : 0;
    }
    const Word word = place.entries[slot].load(kRelaxed);
    if (word == 0) return 0;
    if ((word & kChild) == 0) return length(word) == wanted && bits(word) == at ? word : 0;
    place = below(place, word);
  }
}

}  // namespace weir::dataplane::fib
