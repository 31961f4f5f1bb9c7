#include "inspection/app/http/message_head.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "inspection/app/http/field_line.h"

namespace weir::inspection::http {

using detail::sketch_of;

namespace {

constexpr size_t kFirstRoom = 512;    // for the head, as far as so much came at once
constexpr size_t kFirstFields = 256;  // bytes, for fields
constexpr size_t kFewFields = 64;     // repeated names among so many are looked for without sorting
constexpr size_t kLookFor = 256;      // bytes of a line after white space within which a field has its colon

bool is_line_end(uint8_t byte) { return byte == '\r' || byte == '\n'; }

std::string_view without_end(std::string_view line) {
  while (!line.empty() && is_line_end(static_cast<uint8_t>(line.back()))) line.remove_suffix(1);
  return line;
}

/// Eight characters as lower() makes each of them.
uint64_t lower8(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  constexpr uint64_t kEach = 0x0101'0101'0101'0101;
  const uint64_t ascii = ~word & 0x80 * kEach, seven = word & 0x7f * kEach;
  const uint64_t from_a = seven + (0x80 - 'A') * kEach, beyond_z = seven + (0x7f - 'Z') * kEach;
  return word | (from_a & ~beyond_z & ascii) >> 2;
}

/// Whether both are the same but for their case.
bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const size_t size = a.size();
  if (size < 8) {
    for (size_t i = 0; i < size; ++i) {
      if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
  }
  for (size_t i = 0; i + 8 < size; i += 8) {
    if (lower8(a.data() + i) != lower8(b.data() + i)) return false;
  }
  return lower8(a.data() + size - 8) == lower8(b.data() + size - 8);
}

}  // namespace

void MessageHead::put(size_t index, const Entry& entry) {
  std::memcpy(fields_.bytes().data() + index * sizeof entry, &entry, sizeof entry);
}

std::string_view MessageHead::find(std::string_view name) const {
  const size_t index = index_of(name);
  if (index == field_count()) return {};
  const std::string_view value = field(index).value;
  return value.data() == nullptr ? std::string_view("") : value;
}

/// Bit i: the sketch of field i is that, of the first fields.
uint32_t MessageHead::alike(uint16_t sketch) const {
  const __m256i all = _mm256_load_si256(reinterpret_cast<const __m256i*>(sketches_.data()));
  const __m256i same = _mm256_cmpeq_epi16(all, _mm256_set1_epi16(static_cast<int16_t>(sketch)));
  // A byte of each, in order.
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(same), _mm256_extracti128_si256(same, 1));
  const uint32_t there = (uint32_t{1} << std::min(field_count(), sketches_.size())) - 1;
  return static_cast<uint32_t>(_mm_movemask_epi8(bytes)) & there;
}

size_t MessageHead::index_of(std::string_view wanted, uint16_t sketch) const {
  for (uint32_t same = alike(sketch); same != 0; same &= same - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(same));
    if (same_name(name(i), wanted)) return i;
  }
  const size_t count = field_count();
  for (size_t i = sketches_.size(); i < count; ++i) {
    if (entry(i).sketch == sketch && same_name(name(i), wanted)) return i;
  }
  return count;
}

bool MessageHead::all_plain() const {
  const std::string_view all = as_text(raw_.view());
  if (all.substr(first_line_size_, 2) != "\r\n") return false;
  size_t at = first_line_size_ + 2;
  for (size_t i = 0; i < field_count(); ++i) {
    const Entry e = entry(i);
    if (e.name_at != at || !e.is_plain()) return false;
    at = size_t{e.value_at} + e.value_size + 2;
  }
  return all.substr(at) == "\r\n";
}

/// Takes the lines at the front that are fields as nearly all are, whole and in one piece, as on_line() would
/// line by line. What comes then, and all that is not so, is left.
bool MessageHead::take_fields(Bytes& bytes, const HttpLimits& limits) {
  if (line_at_ != raw_.size() || after_white_) return true;
  const size_t most = std::min(limits.head_bytes, BytePool::kLargest);
  const Bytes all = bytes.first(std::min(bytes.size(), most - std::min(most, raw_.size())));
  const size_t before = field_count();
  const size_t room = std::min<size_t>(limits.fields, kMaxFields) - before;
  std::array<Entry, 16> entries;
  size_t taken = 0, count = 0;
  const size_t at = raw_.size();
  const char* const text = as_text(all).data();
  while (count < std::min(room, entries.size())) {
    const FieldLine line = field_line(all.subspan(taken));
    if (line.name == 0) break;
    Entry& e = entries[count++] = {};
    e.name_at = static_cast<uint32_t>(at + taken);
    e.name_size = static_cast<uint16_t>(line.name);
    e.value_at = static_cast<uint32_t>(e.name_at + line.name + 2);
    e.value_size = static_cast<uint32_t>(line.value);
    e.plain = true;
    e.sketch = sketch_of({text + taken, line.name});
    keep_sketch(before + count - 1, e.sketch);
    taken += line.size();
  }
  if (count == 0) return true;
  if (!raw_.append(all.first(taken)) || !fields_.reserve(kFirstFields) ||
      !fields_.append({reinterpret_cast<const uint8_t*>(entries.data()), count * sizeof(Entry)}))
    return false;
  line_at_ = static_cast<uint32_t>(raw_.size());
  bytes = bytes.subspan(taken);
  return true;
}

/// Takes bytes up to the end of the line. In responses a CR ends it too, once the byte behind it is seen.
MessageHead::Line MessageHead::take_line(Bytes& bytes) {
  const bool cr_ends = direction_ == Direction::to_client;
  size_t size = 0;
  Line result = Line::more;
  for (; size < bytes.size(); ++size) {
    const uint8_t byte = bytes[size];
    if (after_cr_ && cr_ends && !is_line_end(byte)) {
      result = Line::complete;  // this byte is the next line's
      break;
    }
    after_cr_ = byte == '\r';
    if (byte == '\n') {
      ++size;
      result = Line::complete;
      break;
    }
    if (!after_cr_) {  // go to the next byte that matters
      const Bytes rest = bytes.subspan(size + 1);
      size_t skip = rest.size();
      if (const void* lf = std::memchr(rest.data(), '\n', rest.size()); lf != nullptr) {
        skip = static_cast<size_t>(static_cast<const uint8_t*>(lf) - rest.data());
      }
      if (const void* cr = skip == 0 ? nullptr : std::memchr(rest.data(), '\r', skip); cr != nullptr) {
        skip = static_cast<size_t>(static_cast<const uint8_t*>(cr) - rest.data());
      }
      size += skip;
    }
  }
  if (raw_.empty() && !raw_.reserve(std::min(bytes.size(), kFirstRoom))) return Line::no_memory;
  if (!raw_.append(bytes.first(size))) return Line::no_memory;
  bytes = bytes.subspan(size);
  if (result == Line::complete) after_cr_ = false;
  return result;
}

/// After a line of white space: whether the line under way has shown that it is no field.
bool MessageHead::cannot_be_field(bool line_is_complete) const {
  const std::string_view line = as_text(raw_.view()).substr(line_at_);
  if (line.empty() || is_folding(line.front()) || is_line_end(static_cast<uint8_t>(line.front())))
    return false;
  for (size_t i = 0; i < std::min(line.size(), kLookFor); ++i) {
    const char c = line[i];
    if (c == ':') return i == 0;
    if (is_line_end(static_cast<uint8_t>(c))) return line_is_complete;
    if (c != '\t' && (static_cast<uint8_t>(c) < ' ' || static_cast<uint8_t>(c) >= 0x7f)) return true;
  }
  return line.size() >= kLookFor;
}

MessageHead::Take MessageHead::take(Bytes& bytes, const HttpLimits& limits) {
  while (!ended_) {
    if (one_white_) {
      if (bytes.empty()) return Take::more;
      one_white_ = false;
      if (!is_line_end(bytes.front())) return end();
    }
    if (has_first_line_ && !take_fields(bytes, limits)) return Take::no_memory;
    if (bytes.empty()) return Take::more;
    // One byte beyond the limit shows that it is passed.
    const size_t room = std::min(limits.head_bytes, BytePool::kLargest) - raw_.size();
    if (room == 0) return Take::too_long;
    // What may turn out to be the body is looked at in small portions.
    Bytes part = bytes.first(std::min({room, bytes.size(), after_white_ ? kLookFor : bytes.size()}));
    const size_t before = part.size();
    const Line line = take_line(part);
    bytes = bytes.subspan(before - part.size());
    if (line == Line::no_memory) return Take::no_memory;
    if (after_white_ && has_first_line_ && cannot_be_field(line == Line::complete)) {
      end();
      return Take::body_early;
    }
    if (line == Line::more) continue;
    const Take take = on_line(limits);
    if (take != Take::more) return take;
  }
  return Take::end;
}

/// Sorted by name, so that a thousand fields of one name cost no more than others.
void MessageHead::link_repeated() {
  std::array<uint16_t, kMaxFields> order;
  const size_t count = field_count();
  if (count <= sketches_.size()) {
    bool same = false;
    for (size_t i = 0; i < count; ++i) same |= alike(sketches_[i]) != uint32_t{1} << i;
    if (!same) return;
  } else if (count <= kFewFields) {
    std::array<uint16_t, kFewFields> sketches;
    bool same = false;
    for (size_t i = 0; i < count; ++i) {
      sketches[i] = entry(i).sketch;
      for (size_t before = 0; before < i; ++before) same |= sketches[before] == sketches[i];
    }
    if (!same) return;
  }
  for (size_t i = 0; i < count; ++i) order[i] = static_cast<uint16_t>(i);
  const auto compare = [&](size_t a, size_t b) {
    const std::string_view left = field(a).name, right = field(b).name;
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      if (const int difference = lower(left[i]) - lower(right[i]); difference != 0) return difference;
    }
    return static_cast<int>(left.size()) - static_cast<int>(right.size());
  };
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), [&](uint16_t a, uint16_t b) {
    const int difference = compare(a, b);
    return difference != 0 ? difference < 0 : a < b;
  });
  for (size_t i = 1; i < count; ++i) {
    const size_t before = order[i - 1], now = order[i];
    if (field(now).name.empty() || compare(before, now) != 0) continue;
    Entry e = entry(before);
    e.next = static_cast<uint16_t>(now);
    put(before, e);
    e = entry(now);
    e.again = true;
    put(now, e);
    repeated_ = true;
  }
}

MessageHead::Take MessageHead::end() {
  ended_ = true;
  if (field_count() > 1) link_repeated();
  // What each field says once it is unfolded.
  for (size_t i = 0; i < field_count(); ++i) {
    const Field f = field(i);
    if (f.name.empty()) {
      framing_.odd_line(f.value);
    } else if (Framing::may_say(f.name)) {
      framing_.field(f.name, f.value, false);
    }
  }
  return Take::end;
}

MessageHead::Take MessageHead::on_line(const HttpLimits& limits) {
  const size_t at = line_at_;
  const std::string_view whole = as_text(raw_.view()).substr(at);
  const std::string_view line = without_end(whole);
  line_at_ = static_cast<uint32_t>(raw_.size());
  if (!has_first_line_) {
    has_first_line_ = true;
    first_line_size_ = static_cast<uint32_t>(line.size());
    fields_at_ = line_at_;
    odd_parts(line);
    return Take::first_line;
  }
  if (whole == "\n" || whole == "\r\n") return end();
  const bool white = !line.empty() && trim(line).empty();
  after_white_ = white;
  if (white && whole.size() == 2 && whole[1] == '\n') {
    one_white_ = true;
    return Take::more;
  }
  if (line.empty() || white) return Take::more;
  if (field_count() >= std::min<size_t>(limits.fields, kMaxFields)) return Take::too_many;
  const bool goes_on = is_folding(line.front());
  odd_parts(line);
  if (goes_on && field_count() > 0) return fold(line) ? Take::more : Take::no_memory;
  bad_folding_ |= goes_on;
  return add_field(line, whole.substr(line.size()), at) ? Take::more : Take::no_memory;
}

/// What some receivers would take for a line of its own.
void MessageHead::odd_parts(std::string_view line) {
  if (!line.empty() && is_folding(line.front())) framing_.odd_line(trim(line));
  for (size_t cr = line.find('\r'); cr != std::string_view::npos; cr = line.find('\r')) {
    line.remove_prefix(cr + 1);
    framing_.odd_line(line.substr(0, line.find('\r')));
  }
}

bool MessageHead::add_field(std::string_view line, std::string_view end, size_t at) {
  const size_t colon = line.find(':');
  Entry e{};
  std::string_view value = line;
  if (colon == std::string_view::npos) {
    missing_colon_ = true;
  } else {
    const std::string_view name = trim(line.substr(0, colon));
    e.name_size = static_cast<uint16_t>(std::min<size_t>(name.size(), UINT16_MAX));
    e.name_at = static_cast<uint32_t>(at + static_cast<size_t>(name.data() - line.data()));
    e.sketch = sketch_of(text(e.name_at, e.name_size));
    keep_sketch(field_count(), e.sketch);
    invalid_name_ |= name.empty() || name.size() != colon ||
                     std::any_of(name.begin(), name.end(), [](char c) { return !is_token(c); });
    value = line.substr(colon + 1);
  }
  value = trim(value);
  e.value_at = static_cast<uint32_t>(at + static_cast<size_t>(value.data() - line.data()));
  e.value_size = static_cast<uint32_t>(value.size());
  e.plain = e.name_size > 0 && e.name_at == at && colon == e.name_size && line.substr(colon + 1, 1) == " " &&
            value.data() == line.data() + colon + 2 && value.end() == line.end() && end == "\r\n";
  return fields_.reserve(kFirstFields) && fields_.append({reinterpret_cast<const uint8_t*>(&e), sizeof e});
}

/// Joins the line to the field before with one space.
bool MessageHead::fold(std::string_view line) {
  const size_t index = field_count() - 1;
  Entry e = entry(index);
  const std::string_view more = trim(line);
  if (e.name_size == 0 && !e.unfolded) {
    // "Name\r\n : value": the name is read now.
    const size_t colon = more.find(':');
    const std::string_view name = text(e.value_at, e.value_size);
    if (colon == 0 && name.size() <= UINT16_MAX && name.find(':') == std::string_view::npos) {
      const std::string_view value = trim(more.substr(1));
      e.name_at = e.value_at;
      e.name_size = static_cast<uint16_t>(name.size());
      e.sketch = sketch_of(name);
      keep_sketch(index, e.sketch);
      e.value_at = static_cast<uint32_t>(value.data() - reinterpret_cast<const char*>(raw_.view().data()));
      e.value_size = static_cast<uint32_t>(value.size());
      e.plain = false;
      put(index, e);
      invalid_name_ = true;
      return true;
    }
  }
  if (!e.unfolded) {
    const auto at = static_cast<uint32_t>(unfolded_.size());
    if (!unfolded_.append(raw_.view().subspan(e.value_at, e.value_size))) return false;
    e.value_at = at;
    e.unfolded = true;
  }
  if (e.value_size > 0 && !more.empty()) {
    if (!unfolded_.append(as_bytes(" "))) return false;
    ++e.value_size;
  }
  if (!unfolded_.append(as_bytes(more))) return false;
  e.value_size += static_cast<uint32_t>(more.size());
  put(index, e);
  return true;
}

MessageHead::Take MessageHead::finish(const HttpLimits& limits) {
  if (ended_) return Take::end;
  one_white_ = false;
  if (line_at_ < raw_.size()) {
    const Take take = on_line(limits);
    if (take != Take::more && take != Take::first_line) return take;
  }
  return end();
}

}  // namespace weir::inspection::http
