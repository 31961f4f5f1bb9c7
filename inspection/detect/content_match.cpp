#include "inspection/detect/content_match.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::inspection {

namespace {

constexpr int64_t kNowhere = -1;

constexpr std::array<uint8_t, 256> kLower = [] {
  std::array<uint8_t, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<uint8_t>(i >= 'A' && i <= 'Z' ? i - 'A' + 'a' : i);
  }
  return table;
}();

bool equals_nocase(const uint8_t* data, const std::string& lower) {
  for (size_t i = 0; i < lower.size(); ++i) {
    if (kLower[data[i]] != static_cast<uint8_t>(lower[i])) return false;
  }
  return true;
}

/// The first start at or after `from` at which the content stands and ends at or before `limit`.
int64_t find_content(const CompiledContent& content, std::span<const uint8_t> data, int64_t from,
                     int64_t limit) {
  const auto size = static_cast<int64_t>(content.pattern.size());
  const auto end = std::min(limit, static_cast<int64_t>(data.size()));
  from = std::max<int64_t>(from, 0);
  if (content.ends_with) {
    from = std::max(from, static_cast<int64_t>(data.size()) - size);
  }
  if (end - from < size) return kNowhere;
  if (!content.nocase) {
    const void* found = memmem(data.data() + from, static_cast<size_t>(end - from), content.pattern.data(),
                               content.pattern.size());
    return found == nullptr ? kNowhere : static_cast<const uint8_t*>(found) - data.data();
  }
  const auto first = static_cast<uint8_t>(content.pattern.front());
  for (int64_t at = from; at + size <= end; ++at) {
    if (kLower[data[static_cast<size_t>(at)]] == first && equals_nocase(data.data() + at, content.pattern))
      return at;
  }
  return kNowhere;
}

}  // namespace

/// One run over one chain. `ends_` is the sorted set of ends that the contents so far can have, as indexes
/// into data_ (before it, if the buffer's beginning is gone).
class ChainMatcher {
 public:
  ChainMatcher(std::span<const uint8_t> data, uint64_t base, MatchScratch& scratch)
      : data_(data),
        base_(static_cast<int64_t>(base)),
        capacity_(scratch.capacity_),
        ends_(scratch.current_.get()),
        next_(scratch.next_.get()) {
    ends_[0] = -base_;
    count_ = 1;
  }

  bool match(const std::vector<CompiledContent>& contents) {
    for (size_t i = 0; i < contents.size(); ++i) {
      const CompiledContent& content = contents[i];
      // All ends matter only if a content after this one counts from them.
      const bool all = std::any_of(contents.begin() + static_cast<std::ptrdiff_t>(i) + 1, contents.end(),
                                   [](const CompiledContent& c) { return c.relative; });
      bool ok = false;
      if (content.relative) {
        ok = content.negated ? keep_without(content) : follow(content, all);
      } else {
        ok = content.negated ? !stands(content) : collect(content, all);
      }
      if (!ok) return false;
    }
    return true;
  }

 private:
  int64_t size() const { return static_cast<int64_t>(data_.size()); }
  static int64_t length(const CompiledContent& c) { return static_cast<int64_t>(c.pattern.size()); }
  int64_t absolute_limit(const CompiledContent& c) const { return c.bounded ? c.last_end - base_ : size(); }

  bool stands(const CompiledContent& c) const {
    return find_content(c, data_, c.first_start - base_, absolute_limit(c)) != kNowhere;
  }

  /// The ends of a content that does not count from another one.
  bool collect(const CompiledContent& c, bool all) {
    const int64_t limit = absolute_limit(c);
    size_t count = 0;
    for (int64_t at = find_content(c, data_, c.first_start - base_, limit);
         at != kNowhere && count < capacity_; at = find_content(c, data_, at + 1, limit)) {
      next_[count++] = at + length(c);
      if (!all) break;
    }
    return take(count);
  }

  /// The ends of a content that stands after one of the ends so far. Only the last end before a start needs
  /// to be looked at: no earlier one allows the content to end later.
  bool follow(const CompiledContent& c, bool all) {
    const int64_t limit = c.bounded ? ends_[count_ - 1] + c.last_end : size();
    size_t count = 0, before = 0;
    for (int64_t at = find_content(c, data_, ends_[0] + c.first_start, limit);
         at != kNowhere && count < capacity_; at = find_content(c, data_, at + 1, limit)) {
      while (before + 1 < count_ && ends_[before + 1] + c.first_start <= at) ++before;
      if (c.bounded && at + length(c) > ends_[before] + c.last_end) continue;
      next_[count++] = at + length(c);
      if (!all) break;
    }
    return take(count);
  }

  /// Keeps those ends after which the negated content does not stand within its bounds.
  bool keep_without(const CompiledContent& c) {
    size_t count = 0;
    int64_t at = find_content(c, data_, ends_[0] + c.first_start, size());
    for (size_t i = 0; i < count_; ++i) {
      const int64_t from = ends_[i] + c.first_start;
      if (at != kNowhere && at < from) at = find_content(c, data_, from, size());
      const bool found = at != kNowhere && (!c.bounded || at + length(c) <= ends_[i] + c.last_end);
      if (!found) next_[count++] = ends_[i];
    }
    return take(count);
  }

  bool take(size_t count) {
    std::swap(ends_, next_);
    count_ = count;
    return count > 0;
  }

  std::span<const uint8_t> data_;
  int64_t base_;
  size_t capacity_;
  int64_t* ends_;
  int64_t* next_;
  size_t count_ = 0;
};

CompiledContent compile_content(const Content& content) {
  CompiledContent c;
  c.pattern = content.pattern;
  c.negated = content.negated;
  c.nocase = content.nocase;
  c.relative = content.is_relative();
  c.ends_with = content.ends_with;
  if (c.nocase) {
    std::transform(c.pattern.begin(), c.pattern.end(), c.pattern.begin(),
                   [](char byte) { return static_cast<char>(kLower[static_cast<uint8_t>(byte)]); });
  }
  const auto size = static_cast<int64_t>(c.pattern.size());
  if (c.relative) {
    c.first_start = content.distance.value_or(0);
    c.bounded = content.within.has_value();
    c.last_end = c.first_start + content.within.value_or(0);
  } else if (content.starts_with) {
    c.bounded = true;
    c.last_end = size;
  } else {
    c.first_start = content.offset.value_or(0);
    c.bounded = content.depth.has_value();
    c.last_end = c.first_start + content.depth.value_or(0);
  }
  return c;
}

bool chain_matches(const ContentChain& chain, std::span<const uint8_t> data, uint64_t base,
                   MatchScratch& scratch) {
  const uint64_t size = base + data.size();
  if (size < chain.min_size || size > chain.max_size) return false;
  return ChainMatcher(data, base, scratch).match(chain.contents);
}

}  // namespace weir::inspection
