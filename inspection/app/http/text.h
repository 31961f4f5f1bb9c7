// Characters and words of HTTP/1, as lenient receivers read them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir::inspection::http {

using Bytes = std::span<const uint8_t>;

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alnum(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }
/// Space and the controls that C calls space.
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
namespace detail {
constexpr std::array<bool, 256> token_characters() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) table[c] = is_alnum(static_cast<char>(c));
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> kTokenCharacters = token_characters();
}  // namespace detail
/// RFC 9110 5.6.2.
constexpr bool is_token(char c) { return detail::kTokenCharacters[static_cast<unsigned char>(c)]; }
/// The first character of a line that goes on with the field before (NUL: some receivers do).
constexpr bool is_folding(char c) { return c == ' ' || c == '\t' || c == '\0'; }
constexpr int hex_value(char c) {
  return is_digit(c) ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

constexpr std::string_view trim_end(std::string_view text) {
  while (!text.empty() && (is_space(text.back()) || text.back() == '\0')) text.remove_suffix(1);
  return text;
}
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (is_space(text.front()) || text.front() == '\0')) text.remove_prefix(1);
  return trim_end(text);
}
/// `word` in lower case.
constexpr bool equals_nocase(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (lower(text[i]) != word[i]) return false;
  }
  return true;
}
constexpr bool starts_nocase(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && equals_nocase(text.substr(0, word.size()), word);
}

}  // namespace weir::inspection::http
