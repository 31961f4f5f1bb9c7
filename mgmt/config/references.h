// Names of things in one file: finding duplicates, and what a reference means.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mgmt/config/problem.h"
#include "mgmt/config/sections.h"

namespace weir::config {

/// Reports one value or table of a draft.
class Reporter {
 public:
  Reporter(const Draft& draft, Problems& problems) : draft_(draft), problems_(problems) {}

  /// At the value of `leaf` in `table` (or at the table if it is absent); `path` as in the key table.
  void at(const Node& table, std::string_view leaf, std::string_view path, std::string message) const {
    const Node* value = table.find(leaf);
    at(value != nullptr ? *value : table, path, std::move(message));
  }
  void at(const Node& value, std::string_view path, std::string message) const {
    problems_.add(draft_.document.at(value), std::string(path), std::move(message));
  }
  void at(const Location& where, std::string_view path, std::string message) const {
    problems_.add(where, std::string(path), std::move(message));
  }
  bool full() const { return problems_.full(); }

 private:
  const Draft& draft_;
  Problems& problems_;
};

/// "line 12" of a table, to point back at it.
inline std::string at_line(const Node& node) { return "line " + std::to_string(node.line); }

/// The names of one kind of thing.
class Names {
 public:
  /// `kind` as in "no domain is called"; `leaf` is the key that holds the name. Reports each name that was
  /// used before.
  template <typename Things>
  Names(std::string_view kind, const Things& things, const std::vector<const Node*>& sources,
        std::string_view leaf, const Reporter& report)
      : kind_(kind) {
    for (size_t i = 0; i < things.size(); ++i) add(name_of_thing(things[i]), *sources[i], i, leaf, report);
  }

  /// The index of the thing with this name, or nothing after reporting that there is none. An empty name
  /// (absent or bad, reported elsewhere) is not reported.
  const size_t* resolve(const std::string& name, const Node& value, std::string_view path,
                        const Reporter& report) const {
    const auto found = index_.find(name);
    if (found != index_.end()) return &found->second;
    if (!name.empty() && !report.full()) report.at(value, path, unknown(name));
    return nullptr;
  }
  /// Each name of a list, `values` its node; of elements that are bad nothing is said.
  void resolve_all(const Node& values, std::string_view path, const Reporter& report) const {
    for (const Node& name : values.children) {
      if (!name.bad) resolve(name.text, name, path, report);
    }
  }
  /// The same of a name that stands in no node.
  const size_t* resolve(const std::string& name, const Location& where, std::string_view path,
                        const Reporter& report) const {
    const size_t* index = find(name);
    if (index == nullptr && !report.full()) report.at(where, path, unknown(name));
    return index;
  }
  /// Without reporting.
  const size_t* find(const std::string& name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &found->second;
  }

 private:
  static const std::string& name_of_thing(const PolicyRule& rule) { return rule.id; }
  template <typename Thing>
  static const std::string& name_of_thing(const Thing& thing) {
    return thing.name;
  }

  void add(const std::string& name, const Node& table, size_t index, std::string_view leaf,
           const Reporter& report);
  std::string unknown(const std::string& name) const;

  std::string kind_;
  std::unordered_map<std::string, size_t> index_;
  std::unordered_map<std::string, const Node*> first_;
  std::vector<std::string_view> in_order_;
};

}  // namespace weir::config
