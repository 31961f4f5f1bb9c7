#include "inspection/rules/content_bytes.h"

namespace weir::inspection::ast {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Parsed<std::string> read_content_bytes(Token value, std::string_view keyword) {
  static constexpr std::string_view kEscapable = "\"\\;:";
  const auto wrong = [&](size_t at, const char* message) { return refuse(value.at + at, keyword, message); };
  std::string bytes;
  bool in_hex = false;
  int high = -1;  // the first digit of a pair, or -1
  for (size_t i = 0; i < value.text.size(); ++i) {
    const char c = value.text[i];
    if (c == '|') {
      if (high >= 0) return wrong(i, "A hexadecimal digit lacks its second half.");
      in_hex = !in_hex;
    } else if (in_hex) {
      if (c == ' ') continue;
      const int digit = hex_digit(c);
      if (digit < 0) return wrong(i, "Between bars only hexadecimal digits may stand.");
      if (high >= 0) bytes.push_back(static_cast<char>(high << 4 | digit));
      high = high < 0 ? digit : -1;
    } else if (c == '\\') {
      if (i + 1 == value.text.size() || kEscapable.find(value.text[i + 1]) == std::string_view::npos) {
        return wrong(i, "A backslash has to stand before one of \" ; : \\.");
      }
      bytes.push_back(value.text[++i]);
    } else if (c == '"') {
      return wrong(i, "A quotation mark inside a content has to be escaped.");
    } else {
      bytes.push_back(c);
    }
  }
  if (in_hex) return wrong(0, "A bar opens hexadecimal bytes and no bar closes them.");
  if (bytes.empty()) return wrong(0, "The content is empty.");
  if (bytes.size() > kMaxContentBytes) return wrong(0, "The content is longer than 8192 bytes.");
  return bytes;
}

}  // namespace weir::inspection::ast
