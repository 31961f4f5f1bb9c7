#include "inspection/rules/reference_table.h"

#include "inspection/rules/source_text.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

size_t ReferenceTable::read(std::string_view config) {
  size_t wrong = 0;
  for (const LogicalLine& line : split_rule_lines(config)) {
    std::string_view text = trim(line.text);
    const bool begins =
        take_prefix(text, "config") && take_prefix(text, "reference") && take_prefix(text, ":");
    const size_t blank = text.find_first_of(" \t");
    if (!begins || blank == 0 || blank == std::string_view::npos) {
      ++wrong;
      continue;
    }
    prefixes_[lower(text.substr(0, blank))] = std::string(trim(text.substr(blank)));
  }
  return wrong;
}

std::string_view ReferenceTable::prefix(std::string_view type) const {
  const auto found = prefixes_.find(lower(type));
  return found == prefixes_.end() ? std::string_view{} : std::string_view(found->second);
}

}  // namespace weir::inspection::ast
