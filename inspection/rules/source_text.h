// Rule files as logical lines: lines joined by a backslash at their end, with a way back to line and column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inspection {

struct SourcePosition {
  uint32_t line = 1;    // from 1
  uint32_t column = 1;  // from 1, in bytes
};

/// One logical line, its end-of-line and continuation marks removed.
struct LogicalLine {
  struct Piece {
    size_t at;      // where the piece begins in `text`
    uint32_t line;  // the physical line it comes from
  };
  std::string text;
  std::vector<Piece> pieces;
  bool comment = false;

  SourcePosition position(size_t at) const;
};

/// Splits a file. LF and CRLF end a line; a backslash before it joins the next one. Blank lines and comments
/// (first non-blank byte '#') are left out; comments stay if they are wanted, as a line each.
std::vector<LogicalLine> split_rule_lines(std::string_view text, bool with_comments = false);

}  // namespace weir::inspection
