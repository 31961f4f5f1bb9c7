#include "mgmt/config/references.h"

namespace weir::config {

void Names::add(const std::string& name, const Node& table, size_t index, std::string_view leaf,
                const Reporter& report) {
  if (name.empty()) return;
  const auto [it, added] = index_.emplace(name, index);
  if (added) {
    first_.emplace(name, &table);
    in_order_.push_back(it->first);
    return;
  }
  const std::string path = kind_.substr(0, kind_.find(' ')) + "[]";  // of a "policy rule"
  report.at(
      table, leaf, path + "." + std::string(leaf),
      "another " + kind_ + " is called " + in_quotes(name) + " already, on " + at_line(*first_.at(name)));
}

std::string Names::unknown(const std::string& name) const {
  std::string text = no_such(kind_, name, in_order_);
  if (in_order_.empty()) return text + "; the file has none";
  if (!nearest(name, in_order_).empty()) return text;
  return text + "; there " + (in_order_.size() == 1 ? "is " : "are ") + listed(in_order_, 5);
}

}  // namespace weir::config
