// reference.config: what stands before the id of each kind of `reference`, as in
// `config reference: cve http://cve.mitre.org/cgi-bin/cvename.cgi?name=`.
//
// Builder thread. Source: Suricata 8's documentation, "Meta Keywords".
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace weir::inspection::ast {

class ReferenceTable {
 public:
  /// Adds the lines of a file; later ones win. How many lines are not of this form.
  size_t read(std::string_view config);
  /// What stands before the id; empty: the kind is not known. Upper and lower case of `type` are equal.
  std::string_view prefix(std::string_view type) const;

 private:
  std::map<std::string, std::string, std::less<>> prefixes_;  // by the kind in lower case
};

}  // namespace weir::inspection::ast
