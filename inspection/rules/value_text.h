// Reading the values of options: lists, numbers, comparisons, names. Pure; texts are hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/rules/option_values.h"
#include "inspection/rules/parse_support.h"

namespace weir::inspection::ast {

/// The pieces between the separators, blanks around them removed. An empty text has one empty piece.
std::vector<Token> split(Token text, char separator);
/// As split(), by blanks; never an empty piece.
std::vector<Token> words(Token text);

/// A whole text as a number, decimal or 0x-hexadecimal, at most `max`.
std::optional<uint64_t> read_number(std::string_view text, uint64_t max);
/// The same with an optional sign.
std::optional<int64_t> read_signed(std::string_view text, int64_t min, int64_t max);
/// The same with an optional unit behind it: kb, mb, gb (times 1024).
std::optional<uint64_t> read_size(std::string_view text, uint64_t max);

/// A comparison as the language's integer keywords write it: `5`, `=5`, `!5`, `!=5`, `<5`, `>5`, `<=5`,
/// `>=5`, `5<>9` and `5-9` (both ends excluded), `!5-9`, `&0x40=0x40`, `!&0x40=0x40`. `read` turns one
/// operand into a number.
template <typename Read>
std::optional<Compare> read_compare(std::string_view text, uint64_t max, Read&& read);
std::optional<Compare> read_compare(std::string_view text, uint64_t max);

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);
bool equal_nocase(std::string_view a, std::string_view b);

/// `text` begins with `prefix`, which is then removed, with blanks behind it.
bool take_prefix(std::string_view& text, std::string_view prefix);

namespace detail {

inline Compare equal_to(uint64_t value, bool negated) {
  return {negated ? Compare::Op::outside : Compare::Op::inside, value, value};
}

}  // namespace detail

template <typename Read>
std::optional<Compare> read_compare(std::string_view text, uint64_t max, Read&& read) {
  using Op = Compare::Op;
  text = trim(text);
  const bool not_equal = take_prefix(text, "!=");
  const bool negated = not_equal || take_prefix(text, "!");
  if (!not_equal && take_prefix(text, "&")) {
    const size_t sign = text.find('=');
    if (sign == std::string_view::npos || sign == 0) return std::nullopt;
    const bool differs = text[sign - 1] == '!';
    const auto mask = read_number(trim(text.substr(0, sign - (differs ? 1 : 0))), max);
    const auto value = read_number(trim(text.substr(sign + 1)), max);
    if (!mask || !value) return std::nullopt;
    return Compare{negated != differs ? Op::mask_differs : Op::mask_equal, *mask, *value};
  }
  if (!negated) {
    const bool le = take_prefix(text, "<="), ge = !le && take_prefix(text, ">=");
    const bool lt = !le && !ge && take_prefix(text, "<"), gt = !le && !ge && !lt && take_prefix(text, ">");
    if (le || ge || lt || gt) {
      const std::optional<uint64_t> value = read(text);
      if (!value || (lt && *value == 0) || (gt && *value == max)) return std::nullopt;  // never matches
      if (le) return Compare{Op::inside, 0, *value};
      if (ge) return Compare{Op::inside, *value, max};
      if (lt) return Compare{Op::inside, 0, *value - 1};
      return Compare{Op::inside, *value + 1, max};
    }
    take_prefix(text, "=");
  }
  if (const std::optional<uint64_t> value = read(text)) return detail::equal_to(*value, negated);
  size_t at = text.find("<>");
  size_t width = 2;
  if (at == std::string_view::npos) at = text.find('-'), width = 1;
  if (at == std::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> low = read(trim(text.substr(0, at)));
  const std::optional<uint64_t> high = read(trim(text.substr(at + width)));
  if (!low || !high || *high <= *low || *high - *low < 2) return std::nullopt;  // nothing lies between
  return Compare{negated ? Op::outside : Op::inside, *low + 1, *high - 1};
}

}  // namespace weir::inspection::ast
