// The sets that the rules of one ruleset name, each read once. Builder thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "inspection/compile/value_set.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection {

/// (the rule's file, the list's name as written) -> its text.
using ListReader = std::function<Result<std::string>(const std::string&, const std::string&)>;
using SharedSet = std::shared_ptr<const ValueSet>;

/// A set whose values are written to a file.
struct SavedSet {
  uint16_t number = 0;  // SetCheck::name
  ast::DatasetType type = ast::DatasetType::string;
  std::string file;
  SharedSet loaded;  // null: it began empty
};

class ValueSets {
 public:
  /// Rules may name a set before the rule that says which file it is: all are looked through.
  ValueSets(const ast::ParsedRuleset& parsed, ListReader read);

  /// What a file holds of the set; null: it begins empty.
  Result<SharedSet> of(const ast::Rule& rule, const ast::Dataset& set);
  Result<SharedSet> of(const ast::Rule& rule, const ast::Datarep& reputation);
  Result<SharedSet> of(const ast::Rule& rule, const ast::FileHash& list);

 private:
  struct Definition {
    const ast::Rule* rule = nullptr;
    const ast::Dataset* set = nullptr;
  };
  template <typename Make>
  Result<SharedSet> once(const std::string& kind, const ast::Rule& rule, const std::string& list,
                         bool may_miss, Make&& make);

  const ast::ParsedRuleset& parsed_;
  ListReader read_;
  std::map<std::string, Definition> definitions_;  // of data sets, by name
  std::map<std::string, SharedSet> known_;
};

}  // namespace weir::inspection
