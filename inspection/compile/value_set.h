// A set of values that rules name: data sets, reputations, lists of checksums.
//
// Read from a file by the builder, immutable afterwards; lookups take no memory. Values lie as they stand in
// buffers: bytes of strings, digests as 16, 20 or 32 bytes, addresses as 4 or 16.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/rules/option_values.h"

namespace weir::inspection {

class ValueSet {
 public:
  struct Entry {
    uint16_t reputation = 0;
    uint32_t context = 0;  // index into contexts(); 0: none
  };

  /// One value a line: strings in base64, others as text. `#` begins a comment where it stands first.
  static Result<ValueSet> from_lines(ast::DatasetType type, std::string_view text);
  /// `value,reputation` in each line.
  static Result<ValueSet> from_reputations(ast::DatasetType type, std::string_view text);
  /// Objects of JSON, in a list or one a line, whose member `value_key` is the value. The object is the
  /// entry's context; without that member if `remove_key`.
  static Result<ValueSet> from_json(const ast::Dataset& set, std::string_view text);
  /// As md5sum and its like write them: a checksum in hexadecimal, then anything.
  static Result<ValueSet> from_checksums(ast::FileHash::Kind kind, std::string_view text);

  /// Null: it is not in the set.
  const Entry* find(std::string_view value) const {
    const auto found = entries_.find(value);
    return found == entries_.end() ? nullptr : &found->second;
  }
  /// The context as JSON; empty: the entry has none.
  std::string_view context(const Entry& entry) const { return contexts_[entry.context]; }
  size_t size() const { return entries_.size(); }
  /// Calls `take(value)` for each, in no order.
  template <typename Take>
  void for_each(Take&& take) const {
    for (const auto& entry : entries_) take(entry.first);
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::vector<std::string> contexts_{""};
};

/// The text of a file that a rule names, which lies beside the rule's own file unless its path is absolute.
Result<std::string> read_list_file(const std::string& rule_file, const std::string& name);

}  // namespace weir::inspection
