#include "inspection/rules/option_parser.h"
#include "inspection/rules/rule_parser.h"

namespace weir::inspection {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Parsed<std::string> parse_content_pattern(Token value) {
  static constexpr std::string_view kEscapable = "\"\\;:";
  std::string bytes;
  bool in_hex = false;
  int high = -1;  // the first digit of a pair, or -1
  for (size_t i = 0; i < value.text.size(); ++i) {
    const char c = value.text[i];
    if (c == '|') {
      if (high >= 0) return refuse(value.at + i, "content", "A hexadecimal digit lacks its second half.");
      in_hex = !in_hex;
    } else if (in_hex) {
      if (c == ' ') continue;
      const int digit = hex_digit(c);
      if (digit < 0)
        return refuse(value.at + i, "content", "Between bars only hexadecimal digits may stand.");
      if (high < 0) {
        high = digit;
      } else {
        bytes.push_back(static_cast<char>(high << 4 | digit));
        high = -1;
      }
    } else if (c == '\\') {
      if (++i == value.text.size() || kEscapable.find(value.text[i]) == std::string_view::npos) {
        return refuse(value.at + i - 1, "content", "A backslash has to stand before one of \" ; : \\.");
      }
      bytes.push_back(value.text[i]);
    } else if (c == '"') {
      return refuse(value.at + i, "content", "A quotation mark inside a content has to be escaped.");
    } else {
      bytes.push_back(c);
    }
  }
  if (in_hex) return refuse(value.at, "content", "A bar opens hexadecimal bytes and no bar closes them.");
  if (bytes.empty()) return refuse(value.at, "content", "The content is empty.");
  if (bytes.size() > kMaxPatternBytes) {
    return refuse(value.at, "content", "The content is longer than 1024 bytes.");
  }
  return bytes;
}

}  // namespace weir::inspection
