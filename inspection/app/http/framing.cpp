#include "inspection/app/http/framing.h"

#include <algorithm>

#include "inspection/app/http/text.h"

namespace weir::inspection::http {
namespace {

/// Letters, digits and dashes of `text` in lower case, as far as they fit; nothing else counts when somebody
/// wants to be understood by one receiver and not by another.
class Essence {
 public:
  explicit Essence(std::string_view text) {
    for (const char c : text) {
      if (!is_alnum(c) && c != '-') continue;
      if (size_ == text_.size()) {
        size_ = 0;  // longer than any word that is asked for
        return;
      }
      text_[size_++] = lower(c);
    }
  }
  std::string_view view() const { return {text_.data(), size_}; }
  bool holds(std::string_view word) const { return view().find(word) != std::string_view::npos; }

 private:
  std::array<char, 64> text_;
  size_t size_ = 0;
};

bool is_refused_coding(std::string_view word) {
  constexpr std::array<std::string_view, 8> kNames{"br",       "zstd",       "lzma",  "xz",
                                                   "compress", "x-compress", "bzip2", "dcb"};
  return std::find(kNames.begin(), kNames.end(), word) != kNames.end();
}

/// Calls `f` for each part of `text` between commas and white space.
template <typename F>
void each_word(std::string_view text, F&& f) {
  while (!text.empty()) {
    const size_t end = text.find_first_of(", \t\r\n\v\f");
    const std::string_view word = text.substr(0, end);
    if (!word.empty()) f(word);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

void Framing::field(std::string_view name, std::string_view value, bool odd) {
  if (name.size() > 64 || !may_say(name)) return;
  // Most names are told by their first letter.
  const auto first = std::find_if(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-'; });
  if (first == name.end() || (lower(*first) != 'c' && lower(*first) != 't')) return;
  const Essence essence(name);
  if (essence.view() == "content-length") {
    if (!odd) content_length(value);
  } else if (essence.view() == "transfer-encoding") {
    transfer_encoding(value, odd || name.size() != essence.view().size());
  } else if (essence.view() == "content-encoding") {
    content_encoding(value);
  }
}

void Framing::odd_line(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos) field(line.substr(0, colon), line.substr(colon + 1), true);
}

void Framing::content_length(std::string_view value) {
  if (has_length) length_repeated = true;
  // Every number in it: "68, 34", "68 34", ",68".
  size_t numbers = 0;
  uint64_t greatest = 0;
  bool differ = false;
  for (size_t i = 0; i < value.size();) {
    if (!is_digit(value[i])) {
      if (!is_space(value[i])) length_invalid = true;
      ++i;
      continue;
    }
    uint64_t number = 0;
    for (; i < value.size() && is_digit(value[i]); ++i) {
      const auto digit = static_cast<uint64_t>(value[i] - '0');
      number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    if (number == UINT64_MAX) length_invalid = true;
    differ |= numbers > 0 && number != greatest;
    greatest = std::max(greatest, number);
    ++numbers;
  }
  if (numbers != 1) length_invalid = true;
  if (numbers == 0) return;
  lengths_differ |= differ || (has_length && length != greatest);
  length = std::max(has_length ? length : 0, greatest);
  has_length = true;
}

void Framing::transfer_encoding(std::string_view value, bool odd) {
  const std::string_view plain = trim(value);
  if (value.size() <= 256 && Essence(value).holds("chunked")) {
    chunked = true;
    chunked_odd |= odd || !equals_nocase(plain, "chunked");
    // "gzip, chunked": the chunks hold a coded body.
    each_word(value, [&](std::string_view word) {
      if (!Essence(word).holds("chunked")) coding(word);
    });
    return;
  }
  chunked_odd = true;
  each_word(value, [&](std::string_view word) { coding(word); });
}

bool Framing::coding(std::string_view word) {
  const Essence essence(word);
  if (essence.holds("gzip") || essence.holds("deflate")) {
    if (codings < kMaxCodings) ++codings;
    return true;
  }
  if (is_refused_coding(essence.view())) return coding_refused = true;
  return essence.view().empty() || essence.view() == "identity" || essence.view() == "none";
}

void Framing::content_encoding(std::string_view value) {
  if (value.size() > 256) value = value.substr(0, 256);
  each_word(value, [&](std::string_view word) {
    if (!coding(word)) encoding_abnormal = true;
  });
}

}  // namespace weir::inspection::http
