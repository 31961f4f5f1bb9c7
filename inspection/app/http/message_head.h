// First line and fields of one request or response, as they come.
//
// Lines end at LF; in responses also at a CR that no other CR or LF follows (browsers split there). An empty
// line ends the head. So does one white character and LF unless another line end follows (libhtp reads it
// so), and a line of white space when what follows cannot be a field. Fields go on in lines that begin with a
// space, a tab or NUL.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "inspection/app/http/framing.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/http/text.h"
#include "inspection/direction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

namespace detail {
/// Tells most names apart, in some cycles; the same for names that differ in case alone.
constexpr uint16_t sketch_of(std::string_view name) {
  if (name.empty()) return 0;
  const auto folded = [](char c) { return static_cast<unsigned>(lower(c)) & 0x1f; };
  return static_cast<uint16_t>(
      (name.size() & 0x3f) << 10 | folded(name.front()) << 5 |
      (folded(name.back()) ^ folded(name[name.size() / 2]) << 2 ^ folded(name[name.size() / 4])) % 32);
}
}  // namespace detail

class MessageHead {
 public:
  static constexpr size_t kMaxFields = 4096;  // whatever the limits say

  enum class Take : uint8_t {
    more,        // all bytes are taken, the head goes on
    first_line,  // the first line is complete: parse it, then go on
    end,         // the head is complete
    body_early,  // complete, and its last bytes are the body's: early_body()
    too_long,
    too_many,
    no_memory,
  };

  MessageHead(BytePool& pool, Direction direction)
      : raw_(pool), fields_(pool), unfolded_(pool), direction_(direction) {}

  /// Takes from the front of `bytes`.
  Take take(Bytes& bytes, const HttpLimits& limits);
  /// The stream is over: what there is, is the head.
  Take finish(const HttpLimits& limits);
  /// After Take::body_early, once: the bytes that belong to the body; valid until the next call that is not
  /// const.
  Bytes early_body() const { return raw_.view().subspan(line_at_); }
  void drop_early_body() { raw_.shrink(line_at_); }

  struct Field {
    std::string_view name;   // without white space; empty: the line had no colon
    std::string_view value;  // trimmed, unfolded
  };
  size_t field_count() const { return fields_.size() / sizeof(Entry); }
  Field field(size_t index) const {
    const Entry e = entry(index);
    const std::string_view from = e.unfolded ? as_text(unfolded_.view()) : as_text(raw_.view());
    return {text(e.name_at, e.name_size), from.substr(e.value_at, e.value_size)};
  }
  std::string_view name(size_t index) const {
    const Entry e = entry(index);
    return text(e.name_at, e.name_size);
  }
  /// Whether a field before it has the same name; and the next one that has, 0 if there is none.
  bool came_before(size_t index) const { return entry(index).again; }
  size_t next_of_name(size_t index) const { return entry(index).next; }
  /// The first field of that name (lower case); field_count() if there is none.
  size_t index_of(std::string_view name) const { return index_of(name, detail::sketch_of(name)); }
  /// Its value; nullptr text if there is none.
  std::string_view find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name).data() != nullptr; }

  /// The first line without its end. Never nullptr text once there is one.
  std::string_view first_line() const { return text(0, first_line_size_); }
  /// The field stands in the head as "Name: value" and CRLF, and its name there once: plain_field() is that.
  bool is_plain(size_t index) const { return entry(index).is_plain(); }
  /// Of one that is plain; the next begins where it ends, if nothing lies between them.
  std::string_view plain_field(size_t index) const {
    const Entry e = entry(index);
    return text(e.name_at, e.value_at + e.value_size + 2 - e.name_at);
  }
  /// All fields are, and nothing else stands between the first line and the empty one; each ends with CRLF.
  bool all_plain() const;
  /// The whole head as it came, with the empty line.
  Bytes raw() const { return raw_.view(); }
  /// All behind the first line, with the empty line, as it came.
  Bytes raw_fields() const {
    return raw_.view().subspan(fields_at_ < raw_.size() ? fields_at_ : raw_.size());
  }
  bool started() const { return !raw_.empty(); }
  /// The head ends with its first line (HTTP/0.9).
  void end_at_first_line() { ended_ = true; }
  /// Every field and odd line, for the body's framing.
  const Framing& framing() const { return framing_; }

  bool missing_colon() const { return missing_colon_; }
  bool bad_folding() const { return bad_folding_; }
  bool invalid_name() const { return invalid_name_; }
  /// Two fields have one name.
  bool repeated() const { return repeated_; }

 private:
  struct Entry {
    uint32_t name_at, value_at;
    uint32_t value_size;
    uint16_t name_size;
    bool unfolded : 1;  // the value lies in unfolded_
    bool plain : 1;     // as long as it is not unfolded, the line is "Name: value" and CRLF
    bool again : 1;     // the name came before
    uint16_t next;      // field of the same name; 0: none
    uint16_t sketch;    // of the name
    bool is_plain() const { return plain && !unfolded && !again && next == 0; }
  };
  enum class Line : uint8_t { more, complete, no_memory };

  std::string_view text(size_t at, size_t size) const { return as_text(raw_.view()).substr(at, size); }
  Entry entry(size_t index) const {
    Entry entry;
    std::memcpy(&entry, fields_.view().data() + index * sizeof entry, sizeof entry);
    return entry;
  }
  void put(size_t index, const Entry& entry);
  void keep_sketch(size_t index, uint16_t sketch) {
    if (index < sketches_.size()) sketches_[index] = sketch;
  }
  uint32_t alike(uint16_t sketch) const;
  size_t index_of(std::string_view name, uint16_t sketch) const;
  bool take_fields(Bytes& bytes, const HttpLimits& limits);
  Line take_line(Bytes& bytes);
  Take on_line(const HttpLimits& limits);
  bool add_field(std::string_view line, std::string_view end, size_t at);
  bool fold(std::string_view line);
  void odd_parts(std::string_view line);
  bool cannot_be_field(bool line_is_complete) const;
  Take end();
  void link_repeated();

  alignas(32) std::array<uint16_t, 16> sketches_{};  // of the first fields, once more
  PoolBytes raw_;
  PoolBytes fields_;    // Entry
  PoolBytes unfolded_;  // values of more than one line
  Framing framing_;
  Direction direction_;
  uint32_t line_at_ = 0;  // where the line under way begins
  uint32_t first_line_size_ = 0;
  uint32_t fields_at_ = 0;
  bool has_first_line_ = false, ended_ = false;
  bool after_cr_ = false;     // the line under way ends with CR
  bool one_white_ = false;    // one white character and LF: the next byte says what it was
  bool after_white_ = false;  // the line before was white space only
  bool missing_colon_ = false, bad_folding_ = false, invalid_name_ = false, repeated_ = false;
};

}  // namespace weir::inspection::http
