#include "inspection/detect/byte_matcher.h"

#include <algorithm>
#include <cstring>

#include "inspection/detect/base64.h"
#include "inspection/detect/detector.h"
#include "inspection/detect/numbers_in_bytes.h"

namespace weir::inspection {

namespace {

constexpr int64_t kNowhere = -1;

constexpr std::array<uint8_t, 256> kFold = [] {
  std::array<uint8_t, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<uint8_t>(i >= 'A' && i <= 'Z' ? i - 'A' + 'a' : i);
  }
  return table;
}();

bool equals_folded(const uint8_t* data, const std::string& folded) {
  for (size_t i = 0; i < folded.size(); ++i) {
    if (kFold[data[i]] != static_cast<uint8_t>(folded[i])) return false;
  }
  return true;
}

bool stands_at(const ContentCheck& content, const uint8_t* data) {
  if (content.content.nocase) return equals_folded(data, content.folded);
  return std::memcmp(data, content.folded.data(), content.folded.size()) == 0;
}

/// The check counts from where the one before it ended, or reads a value that an earlier one took.
struct Depends {
  static bool slot(const ast::Operand& operand) { return operand.is_slot(); }
  static bool slot(const std::optional<ast::Operand>& operand) { return operand && operand->is_slot(); }
  bool operator()(const ContentCheck& c) const {
    return c.content.is_relative() || slot(c.content.offset) || slot(c.content.depth);
  }
  bool operator()(const PcreCheck& c) const { return c.pcre.relative; }
  bool operator()(const ast::IsDataAt& c) const { return c.relative || slot(c.offset); }
  bool operator()(const ast::ByteTest& c) const {
    return c.relative || slot(c.offset) || slot(c.value) || slot(c.bytes);
  }
  bool operator()(const ast::ByteJump& c) const {
    return c.relative || slot(c.offset) || slot(c.bytes) || slot(c.post_offset);
  }
  bool operator()(const ast::ByteExtract& c) const { return c.relative || slot(c.offset); }
  bool operator()(const ast::ByteMath& c) const {
    return c.relative || slot(c.offset) || slot(c.bytes) || slot(c.rvalue);
  }
  bool operator()(const ast::BufferSize&) const { return false; }
  bool operator()(const Base64Check& c) const { return c.decode.relative; }
};

}  // namespace

int64_t find_bytes(const ContentCheck& content, std::span<const uint8_t> bytes, int64_t from, int64_t limit) {
  const auto length = static_cast<int64_t>(content.folded.size());
  const auto size = static_cast<int64_t>(bytes.size());
  const int64_t end = std::min(limit, size);
  from = std::max<int64_t>(from, 0);
  if (end - from < length) return kNowhere;
  const uint8_t* const data = bytes.data();
  if (content.content.ends_with) {
    // Only the very end of the buffer counts.
    const int64_t only = size - length;
    return only >= from && end == size && stands_at(content, data + only) ? only : kNowhere;
  }
  if (!content.content.nocase) {
    const void* found =
        memmem(data + from, static_cast<size_t>(end - from), content.folded.data(), content.folded.size());
    return found == nullptr ? kNowhere : static_cast<const uint8_t*>(found) - data;
  }
  const auto first = static_cast<uint8_t>(content.folded.front());
  for (int64_t at = from; at + length <= end; ++at) {
    if (kFold[data[at]] == first && equals_folded(data + at, content.folded)) return at;
  }
  return kNowhere;
}

bool ByteMatcher::match(std::span<const ByteCheck> checks) {
  checks_ = checks;
  hopeless_ = false;
  return run(0, {-static_cast<int64_t>(in_.base), 0});
}

bool ByteMatcher::run(size_t index, At at) {
  if (index == checks_.size()) {
    return !in_.must_be_new || at.furthest > static_cast<int64_t>(in_.old_size);
  }
  return std::visit([&](const auto& c) { return check(c, index, at); }, checks_[index]);
}

bool ByteMatcher::depends_on_place(size_t index) const {
  if (in_.must_be_new) return true;
  for (size_t i = index + 1; i < checks_.size(); ++i) {
    if (std::visit(Depends{}, checks_[i])) return true;
  }
  return false;
}

bool ByteMatcher::step() {
  if (steps_ > 0) {
    --steps_;
    return true;
  }
  return give_up(memory_.counters->step_limits);
}

/// False: the rule has looked at as much as it may.
bool ByteMatcher::spend(uint64_t work) {
  memory_.counters->match_work += work;
  const bool enough = work <= work_left_;
  work_left_ -= std::min(work, work_left_);
  return enough;
}

bool ByteMatcher::give_up(EventCount& limit) {
  if (!hopeless_) ++limit;
  hopeless_ = true;
  return false;
}

ByteMatcher::Window ByteMatcher::window_of(const ast::Content& content, const At& at) const {
  const auto length = static_cast<int64_t>(content.bytes.size());
  Window window{0, size()};
  if (content.is_relative()) {
    const int64_t distance = content.distance ? value_of(*content.distance) : 0;
    window.from = at.cursor + distance;
    if (content.within)
      window.limit = std::min(window.limit, at.cursor + distance + value_of(*content.within));
    if (content.depth) window.limit = std::min(window.limit, at.cursor + value_of(*content.depth));
    if (content.offset) window.from = std::max(window.from, place(value_of(*content.offset), false, at));
    return window;
  }
  if (content.starts_with) {
    window.from = place(0, false, at);
    window.limit = std::min(window.limit, window.from + length);
    // The beginning is no longer in the window: it cannot be told any more.
    if (window.from < 0) window.limit = -1;
    return window;
  }
  const int64_t offset = content.offset ? value_of(*content.offset) : 0;
  window.from = place(offset, false, at);
  if (content.depth) window.limit = std::min(window.limit, window.from + value_of(*content.depth));
  return window;
}

/// Bytes that find_bytes() has looked at.
uint64_t ByteMatcher::looked_at(const ContentCheck& c, const Window& window, int64_t found) const {
  const auto length = static_cast<int64_t>(c.folded.size());
  if (c.content.ends_with) return static_cast<uint64_t>(length);
  const int64_t from = std::clamp<int64_t>(window.from, 0, size());
  const int64_t end = found == kNowhere ? std::min(window.limit, size()) : found + length;
  return static_cast<uint64_t>(std::max<int64_t>(end - from, 0));
}

bool ByteMatcher::check(const ContentCheck& c, size_t index, At at) {
  const ast::Content& content = c.content;
  const auto length = static_cast<int64_t>(c.folded.size());
  Window window = window_of(content, at);
  // Where bodies grow, only their real end is one.
  const bool no_end_yet = content.ends_with && !in_.complete && !in_.packet_like;
  const bool fixed = !Depends{}(c);
  if (content.negated) {
    if (!step()) return false;
    const int64_t found = no_end_yet ? kNowhere : find_bytes(c, in_.bytes, window.from, window.limit);
    if (!spend(looked_at(c, window, found))) return give_up(memory_.counters->step_limits);
    if (found != kNowhere) {
      hopeless_ |= fixed;
      return false;
    }
    return run(index + 1, at);
  }
  if (no_end_yet) return false;
  bool first = true;
  while (step()) {
    const int64_t found = find_bytes(c, in_.bytes, window.from, window.limit);
    if (!spend(looked_at(c, window, found))) return give_up(memory_.counters->step_limits);
    if (found == kNowhere) {
      hopeless_ |= first && fixed;
      return false;
    }
    first = false;
    if (run(index + 1, {found + length, std::max(at.furthest, found + length)})) return true;
    if (hopeless_ || !depends_on_place(index)) return false;
    window.from = found + 1;
  }
  return false;
}

bool ByteMatcher::check(const PcreCheck& c, size_t index, At at) {
  const int64_t start = c.pcre.relative ? std::clamp<int64_t>(at.cursor, 0, size()) : 0;
  const std::span<const uint8_t> subject = in_.bytes.subspan(static_cast<size_t>(start));
  size_t from = 0;
  while (step()) {
    const PcreCode::Found found =
        c.code.match(subject, from, *memory_.pcre, {memory_.pcre_steps, work_left_});
    if (!spend(found.work)) return give_up(memory_.counters->pcre_limits);
    switch (found.outcome) {
      case PcreCode::Outcome::limit:
        return give_up(memory_.counters->pcre_limits);
      case PcreCode::Outcome::error:
        ++memory_.counters->pcre_errors;
        hopeless_ = true;
        return false;
      case PcreCode::Outcome::no_match:
        if (!c.pcre.negated) {
          hopeless_ |= from == 0 && !c.pcre.relative;
          return false;
        }
        return run(index + 1, at);
      case PcreCode::Outcome::match:
        break;
    }
    if (c.pcre.negated) {
      hopeless_ |= !c.pcre.relative;
      return false;
    }
    const int64_t end = start + static_cast<int64_t>(found.end);
    // What an assertion looked at lies behind the match, nobody knows how far.
    const int64_t needed = c.looks_ahead ? size() : end;
    if (run(index + 1, {end, std::max(at.furthest, needed)})) return true;
    if (hopeless_ || !depends_on_place(index)) return false;
    from = found.begin + 1;
    if (from > subject.size()) return false;
  }
  return false;
}

bool ByteMatcher::check(const ast::IsDataAt& c, size_t index, At at) {
  const int64_t offset = value_of(c.offset);
  // Relative, `offset` bytes have to follow; from the begin, there has to be a byte at `offset`.
  const bool there = c.relative ? at.cursor + offset <= size() : place(offset, false, at) < size();
  if (there == c.negated) return false;
  if (!c.negated)
    at.furthest = std::max(at.furthest, c.relative ? at.cursor + offset : place(offset, false, at) + 1);
  return run(index + 1, at);
}

bool ByteMatcher::check(const ast::ByteTest& c, size_t index, At at) {
  const int64_t bytes = value_of(c.bytes);
  const int64_t from = place(value_of(c.offset), c.relative, at);
  if (bytes <= 0 || bytes > 23 || from < 0 || from > size() || bytes > size() - from) return false;
  const auto read =
      read_number(in_.bytes.subspan(static_cast<size_t>(from), static_cast<size_t>(bytes)), c.format);
  if (!read) return false;
  const uint64_t value = apply_bitmask(*read, c.bitmask);
  const auto other = number_of(c.value);
  bool holds = false;
  switch (c.op) {
    case ast::ByteTest::Op::less:
      holds = value < other;
      break;
    case ast::ByteTest::Op::greater:
      holds = value > other;
      break;
    case ast::ByteTest::Op::equal:
      holds = value == other;
      break;
    case ast::ByteTest::Op::less_equal:
      holds = value <= other;
      break;
    case ast::ByteTest::Op::greater_equal:
      holds = value >= other;
      break;
    case ast::ByteTest::Op::bit_and:
      holds = (value & other) != 0;
      break;
    case ast::ByteTest::Op::bit_or:
      holds = (value ^ other) != 0;
      break;
  }
  at.furthest = std::max(at.furthest, from + bytes);
  return holds != c.negated && run(index + 1, at);
}

bool ByteMatcher::check(const ast::ByteJump& c, size_t index, At at) {
  const int64_t bytes = value_of(c.bytes);
  const int64_t from = place(value_of(c.offset), c.relative, at);
  if (bytes < 0 || bytes > 23 || from < 0 || from > size() || bytes > size() - from) return false;
  uint64_t value = 0;
  if (bytes > 0) {
    const auto read =
        read_number(in_.bytes.subspan(static_cast<size_t>(from), static_cast<size_t>(bytes)), c.format);
    if (!read) return false;
    value = apply_bitmask(*read, c.bitmask);
  }
  value *= c.multiplier;
  if (c.align && value % 4 != 0) value += 4 - value % 4;
  // Whatever jumps further than a buffer can be has left it.
  constexpr uint64_t kFar = uint64_t{1} << 40;
  if (value > kFar) return false;
  int64_t to = static_cast<int64_t>(value) + value_of(c.post_offset);
  if (c.from_beginning) {
    to += place(0, false, at);
  } else if (c.from_end) {
    to += size();
  } else {
    to += from + bytes;
  }
  if (to < 0 || to >= size()) return false;
  at.cursor = to;
  at.furthest = std::max({at.furthest, from + bytes, to});
  return run(index + 1, at);
}

bool ByteMatcher::check(const ast::ByteExtract& c, size_t index, At at) {
  const int64_t bytes = c.bytes;
  const int64_t from = place(value_of(c.offset), c.relative, at);
  if (bytes <= 0 || from < 0 || from > size() || bytes > size() - from) return false;
  const auto read =
      read_number(in_.bytes.subspan(static_cast<size_t>(from), static_cast<size_t>(bytes)), c.format);
  if (!read || c.slot < 0 || static_cast<size_t>(c.slot) >= kSlots) return false;
  uint64_t value = *read * c.multiplier;
  if (c.align > 0 && value % c.align != 0) value += c.align - value % c.align;
  slots_[static_cast<size_t>(c.slot)] = value;
  at.cursor = from + bytes;
  at.furthest = std::max(at.furthest, from + bytes);
  return run(index + 1, at);
}

bool ByteMatcher::check(const ast::ByteMath& c, size_t index, At at) {
  const int64_t bytes = value_of(c.bytes);
  const int64_t from = place(value_of(c.offset), c.relative, at);
  if (bytes <= 0 || bytes > 10 || from < 0 || from > size() || bytes > size() - from) return false;
  const auto read =
      read_number(in_.bytes.subspan(static_cast<size_t>(from), static_cast<size_t>(bytes)), c.format);
  if (!read || c.slot < 0 || static_cast<size_t>(c.slot) >= kSlots) return false;
  uint64_t value = *read;
  const auto other = number_of(c.rvalue);
  switch (c.op) {
    case ast::ByteMath::Op::add:
      value += other;
      break;
    case ast::ByteMath::Op::subtract:
      value -= other;
      break;
    case ast::ByteMath::Op::multiply:
      value *= other;
      break;
    case ast::ByteMath::Op::divide:
      if (other == 0) return false;
      value /= other;
      break;
    case ast::ByteMath::Op::shift_left:
      value = other < 64 ? value << other : 0;
      break;
    case ast::ByteMath::Op::shift_right:
      value = other < 64 ? value >> other : 0;
      break;
  }
  slots_[static_cast<size_t>(c.slot)] = apply_bitmask(value, c.bitmask);
  at.cursor = from + bytes;
  at.furthest = std::max(at.furthest, from + bytes);
  return run(index + 1, at);
}

bool ByteMatcher::check(const ast::BufferSize& c, size_t index, At at) {
  if (!in_.complete && !in_.packet_like) return false;
  return c.size.matches(in_.base + in_.bytes.size()) && run(index + 1, at);
}

bool ByteMatcher::check(const Base64Check& c, size_t index, At at) {
  const int64_t from = place(c.decode.offset, c.decode.relative, at);
  if (from < 0 || from >= size()) return false;
  std::span<const uint8_t> piece = in_.bytes.subspan(static_cast<size_t>(from));
  if (c.decode.bytes > 0) piece = piece.first(std::min<size_t>(piece.size(), c.decode.bytes));
  const size_t mark = memory_.scratch->mark();
  const std::span<uint8_t> room = memory_.scratch->take(base64_room(piece.size()));
  if (room.empty()) {
    ++memory_.counters->transforms_lost;
    return false;
  }
  const size_t decoded = decode_base64(piece, room, Base64Rule::skip_blanks);
  bool ok = decoded > 0;
  if (ok && !c.inner.empty()) {
    MatchBytes inner;
    inner.bytes = room.first(decoded);
    ByteMatcher matcher(inner, memory_);
    matcher.slots_ = slots_;
    ok = matcher.match(c.inner);
    slots_ = matcher.slots_;
  }
  memory_.scratch->release(mark);
  at.furthest = std::max(at.furthest, from + static_cast<int64_t>(piece.size()));
  return ok && run(index + 1, at);
}

}  // namespace weir::inspection
