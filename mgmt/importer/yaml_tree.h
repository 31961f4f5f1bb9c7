// A YAML file as a tree of values that know their lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/result.h"

namespace weir::importer {

struct YamlMember;

struct YamlNode {
  enum class Kind : uint8_t { nothing, text, list, map };
  Kind kind = Kind::nothing;
  std::string text;                 // of a scalar, as written without quotes
  uint32_t file = 0;                // index into YamlTree::files
  uint32_t line = 0;                // from 1; of a member of a map that of its key
  std::vector<YamlMember> members;  // of a map, in order; of a list without names
  bool taken = false;               // somebody has read it

  /// A member of a map; null: it has none of that name.
  const YamlNode* find(std::string_view name) const;
  YamlNode* find(std::string_view name) {
    return const_cast<YamlNode*>(static_cast<const YamlNode*>(this)->find(name));
  }
};

struct YamlMember {
  std::string name;
  YamlNode value;
};

struct YamlTree {
  std::vector<std::string> files;
  YamlNode root;
};

/// Reads a file, and the files that its `include` names: their members stand in the place of equal ones
/// before. The error names file and line.
Result<YamlTree> read_yaml(const std::string& file);
/// The same of a text, which may include nothing. `file` is a name for messages.
Result<YamlTree> parse_yaml(const std::string& file, std::string_view text);

}  // namespace weir::importer
