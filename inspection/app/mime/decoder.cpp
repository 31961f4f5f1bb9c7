#include "inspection/app/mime/decoder.h"

#include <algorithm>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kNone = 0xff;

constexpr std::array<uint8_t, 256> make_digits() {
  std::array<uint8_t, 256> table{};
  table.fill(kNone);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  return table;
}
constexpr std::array<uint8_t, 256> kDigits = make_digits();

bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

}  // namespace

size_t MimeDecoder::decode(Bytes content, Bytes end, std::span<uint8_t> out) {
  switch (encoding_) {
    case Encoding::plain:
      return plain(content, end, out);
    case Encoding::base64:
      return base64(content, out);
    case Encoding::quoted_printable:
      return quoted_printable(content, end, out);
  }
  return 0;
}

size_t MimeDecoder::plain(Bytes content, Bytes end, std::span<uint8_t> out) {
  size_t size = 0;
  for (uint8_t i = 0; i < end_size_; ++i) out[size++] = end_[i];
  std::copy(content.begin(), content.end(), out.begin() + static_cast<ptrdiff_t>(size));
  size += content.size();
  end_size_ = static_cast<uint8_t>(std::min(end.size(), end_.size()));
  std::copy_n(end.begin(), end_size_, end_.begin());
  return size;
}

/// What is no digit is left out, as section 6.8 asks; a group that is padded is over, and another may follow.
size_t MimeDecoder::base64(Bytes content, std::span<uint8_t> out) {
  size_t size = 0;
  for (const uint8_t c : content) {
    if (c == '=') {
      if (digits_ < 2) continue;
      if (++padding_ + digits_ >= 4) size += finish(out.subspan(size));
      continue;
    }
    const uint8_t digit = kDigits[c];
    if (digit == kNone) {
      invalid_ = invalid_ || !(is_blank(c) || c == '\r');
      continue;
    }
    if (padding_ > 0) size += finish(out.subspan(size));
    group_ = group_ << 6 | digit;
    if (++digits_ < 4) continue;
    out[size++] = static_cast<uint8_t>(group_ >> 16);
    out[size++] = static_cast<uint8_t>(group_ >> 8);
    out[size++] = static_cast<uint8_t>(group_);
    digits_ = 0;
    group_ = 0;
  }
  return size;
}

size_t MimeDecoder::quoted_printable(Bytes content, Bytes end, std::span<uint8_t> out) {
  size_t size = 0;
  for (uint8_t i = 0; i < end_size_; ++i) out[size++] = end_[i];
  end_size_ = 0;
  const auto take = [&](uint8_t c) {
    if (held_ == 0) {
      if (c == '=') {
        hold_[held_++] = c;
      } else {
        out[size++] = c;
      }
      return;
    }
    const int value = http::hex_value(static_cast<char>(c));
    if (held_ == 1 && value >= 0) {
      hold_[held_++] = c;
      return;
    }
    if (held_ == 2 && value >= 0) {
      out[size++] = static_cast<uint8_t>(http::hex_value(static_cast<char>(hold_[1])) << 4 | value);
      held_ = 0;
      return;
    }
    // No escape: as it came.
    invalid_ = true;
    for (uint8_t i = 0; i < held_; ++i) out[size++] = hold_[i];
    held_ = 0;
    if (c == '=') {
      hold_[held_++] = c;
    } else {
      out[size++] = c;
    }
  };
  if (!end.empty()) {
    // A soft line break may have blanks behind it that were added on the way.
    size_t last = content.size();
    while (last > 0 && is_blank(content[last - 1])) --last;
    if (last > 0 && content[last - 1] == '=') content = content.first(last);
  }
  for (const uint8_t c : content) take(c);
  if (end.empty()) return size;
  const bool soft = held_ == 1;
  if (held_ == 2) {
    invalid_ = true;
    for (uint8_t i = 0; i < held_; ++i) out[size++] = hold_[i];
  }
  held_ = 0;
  if (!soft) {
    end_size_ = static_cast<uint8_t>(std::min(end.size(), end_.size()));
    std::copy_n(end.begin(), end_size_, end_.begin());
  }
  return size;
}

size_t MimeDecoder::finish(std::span<uint8_t> out) {
  if (encoding_ != Encoding::base64) {
    held_ = end_size_ = 0;
    return 0;
  }
  size_t size = 0;
  // Six bits for each digit; what is no whole byte is nothing.
  if (digits_ >= 2) out[size++] = static_cast<uint8_t>(group_ << 6 * (4u - digits_) >> 16);
  if (digits_ == 3) out[size++] = static_cast<uint8_t>(group_ << 6 >> 8);
  digits_ = padding_ = 0;
  group_ = 0;
  return size;
}

}  // namespace weir::inspection
