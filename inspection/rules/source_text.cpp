#include "inspection/rules/source_text.h"

#include <algorithm>

namespace weir::inspection {

SourcePosition LogicalLine::position(size_t at) const {
  auto after = std::upper_bound(pieces.begin(), pieces.end(), at,
                                [](size_t value, const Piece& piece) { return value < piece.at; });
  if (after == pieces.begin()) return {};
  const Piece& piece = *std::prev(after);
  return {piece.line, static_cast<uint32_t>(at - piece.at) + 1};
}

std::vector<LogicalLine> split_rule_lines(std::string_view text, bool with_comments) {
  std::vector<LogicalLine> lines;
  LogicalLine current;
  uint32_t number = 0;
  const auto flush = [&] {
    const size_t first = current.text.find_first_not_of(" \t");
    current.comment = first != std::string::npos && current.text[first] == '#';
    if (first != std::string::npos && (with_comments || !current.comment))
      lines.push_back(std::move(current));
    current = {};
  };
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Blanks behind the backslash are not seen by whoever writes it, and do not count.
    const size_t last = line.find_last_not_of(" \t");
    const bool continues = last != std::string_view::npos && line[last] == '\\';
    if (continues) line = line.substr(0, last);
    current.pieces.push_back({current.text.size(), ++number});
    current.text += line;
    // A comment does not swallow the rule below it, whatever its last byte is.
    const size_t first = current.text.find_first_not_of(" \t");
    const bool comment = first != std::string::npos && current.text[first] == '#';
    if (!continues || comment) flush();
  }
  flush();
  return lines;
}

}  // namespace weir::inspection
