// Each keyword of the rule language with options that load and options that must not.
#pragma once

#include <span>
#include <string_view>

namespace weir::inspection::ast {

struct KeywordRow {
  std::string_view keyword;
  std::string_view protocol;  // of the rule's header
  std::string_view options;   // before `sid:1;`
  bool good = true;
  std::string_view at = {};  // of bad rows: the keyword that the issue names, if it is another one
};

std::span<const KeywordRow> keyword_rows();

}  // namespace weir::inspection::ast
