// What the header and the option parser share: an error with its place, and reading numbers and words.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace weir::inspection {

/// The first thing that is wrong in a rule. `at` counts bytes from the beginning of the logical line.
struct ParseError {
  size_t at = 0;
  std::string keyword;
  std::string message;
};

template <typename T>
using Parsed = tl::expected<T, ParseError>;

inline tl::unexpected<ParseError> refuse(size_t at, std::string_view keyword, std::string message) {
  return tl::unexpected<ParseError>(ParseError{at, std::string(keyword), std::move(message)});
}

/// A piece of the logical line that knows where it lies.
struct Token {
  std::string_view text;
  size_t at = 0;

  Token sub(size_t begin, size_t count = std::string_view::npos) const {
    return {text.substr(begin, count), at + begin};
  }
  /// Without blanks at both ends.
  Token trimmed() const {
    const size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {text.substr(0, 0), at};
    return sub(first, text.find_last_not_of(" \t") - first + 1);
  }
};

/// The whole of `text` as a decimal number.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace weir::inspection
