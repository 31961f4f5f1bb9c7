#include "inspection/rules/class_table.h"

#include "inspection/rules/classification.h"
#include "inspection/rules/source_text.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

ClassTable ClassTable::defaults() {
  ClassTable table;
  for (const Classification& c : all_classifications()) {
    table.classes_[std::string(c.name)] = {std::string(c.category), c.priority};
  }
  return table;
}

size_t ClassTable::read(std::string_view config) {
  size_t wrong = 0;
  for (const LogicalLine& line : split_rule_lines(config)) {
    std::string_view text = trim(line.text);
    const bool begins =
        take_prefix(text, "config") && take_prefix(text, "classification") && take_prefix(text, ":");
    const size_t first = text.find(','), last = text.rfind(',');
    const auto priority = first == last ? std::nullopt : read_number(trim(text.substr(last + 1)), 255);
    if (!begins || !priority || *priority == 0 || first == 0) {
      ++wrong;
      continue;
    }
    classes_[std::string(trim(text.substr(0, first)))] = {
        std::string(trim(text.substr(first + 1, last - first - 1))), static_cast<uint8_t>(*priority)};
  }
  return wrong;
}

const RuleClass* ClassTable::find(std::string_view name) const {
  const auto found = classes_.find(name);
  return found == classes_.end() ? nullptr : &found->second;
}

}  // namespace weir::inspection::ast
