// The classes that `classtype` names: Suricata's own, and those of a classification.config.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir::inspection::ast {

struct RuleClass {
  std::string text;      // as written in an event
  uint8_t priority = 3;  // 1 is the most severe
};

/// Builder thread.
class ClassTable {
 public:
  /// The classes that Suricata ships.
  static ClassTable defaults();
  /// Adds the classes of a classification.config: `config classification: name,text,priority`. Later lines
  /// win. Lines that are not of this form are left out; the answer counts them (comments and blanks do not
  /// count).
  size_t read(std::string_view config);
  /// The class of that name, or null.
  const RuleClass* find(std::string_view name) const;
  size_t size() const { return classes_.size(); }

 private:
  std::map<std::string, RuleClass, std::less<>> classes_;
};

}  // namespace weir::inspection::ast
