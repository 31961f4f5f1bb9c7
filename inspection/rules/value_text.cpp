#include "inspection/rules/value_text.h"

#include <algorithm>

namespace weir::inspection::ast {

namespace {

char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::vector<Token> split(Token text, char separator) {
  std::vector<Token> pieces;
  size_t begin = 0;
  for (;;) {
    const size_t end = text.text.find(separator, begin);
    if (end == std::string_view::npos) break;
    pieces.push_back(text.sub(begin, end - begin).trimmed());
    begin = end + 1;
  }
  pieces.push_back(text.sub(begin).trimmed());
  return pieces;
}

std::vector<Token> words(Token text) {
  std::vector<Token> pieces;
  size_t at = 0;
  while (at < text.text.size()) {
    if (is_blank(text.text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.text.size() && !is_blank(text.text[end])) ++end;
    pieces.push_back(text.sub(at, end - at));
    at = end;
  }
  return pieces;
}

std::optional<uint64_t> read_number(std::string_view text, uint64_t max) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > max) {
    return std::nullopt;
  }
  return value;
}

std::optional<int64_t> read_signed(std::string_view text, int64_t min, int64_t max) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto magnitude = read_number(text, static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  if (!magnitude) return std::nullopt;
  const int64_t value = negative ? -static_cast<int64_t>(*magnitude) : static_cast<int64_t>(*magnitude);
  if (value < min || value > max) return std::nullopt;
  return value;
}

std::optional<uint64_t> read_size(std::string_view text, uint64_t max) {
  text = trim(text);
  static constexpr std::pair<std::string_view, unsigned> kUnits[] = {{"kib", 10}, {"kb", 10},  {"mib", 20},
                                                                     {"mb", 20},  {"gib", 30}, {"gb", 30}};
  unsigned shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (text.size() > unit.size() && equal_nocase(text.substr(text.size() - unit.size()), unit)) {
      shift = bits;
      text = trim(text.substr(0, text.size() - unit.size()));
      break;
    }
  }
  const auto value = read_number(text, max >> shift);
  if (!value) return std::nullopt;
  return *value << shift;
}

std::optional<Compare> read_compare(std::string_view text, uint64_t max) {
  return read_compare(text, max, [max](std::string_view operand) { return read_size(operand, max); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower_char);
  return result;
}

bool equal_nocase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_char(x) == lower_char(y); });
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  text = trim(text);
  return true;
}

}  // namespace weir::inspection::ast
