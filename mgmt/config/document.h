// A TOML file as a plain tree in which everything knows its line and column.
//
// The rest of the reader works on this tree alone; only document.cpp sees the TOML library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "mgmt/config/problem.h"

namespace weir::config {

struct Node {
  enum class Kind : uint8_t { table, list, text, integer, real, boolean, time };

  Kind kind = Kind::table;
  bool boolean = false;
  /// Set by check_schema(): this value, or something inside it, is wrong and was reported; do not use it
  /// further.
  bool bad = false;
  uint32_t line = 0, column = 0;          // of the value
  uint32_t key_line = 0, key_column = 0;  // of its key, inside a table
  int64_t integer = 0;
  std::string key;             // inside a table
  std::string text;            // of a string
  std::vector<Node> children;  // of a table or list, in the order of the file

  /// A table's member, or null.
  const Node* find(std::string_view name) const;
  /// The member unless it is absent or bad.
  const Node* get(std::string_view name) const;
};

/// "a string", "a list", ...
std::string_view describe(Node::Kind kind);

struct Document {
  std::string file;  // as in messages
  Node root;

  Location at(const Node& node) const { return {file, node.line, node.column}; }
  Location at_key(const Node& node) const { return {file, node.key_line, node.key_column}; }
};

/// Parses TOML 1.0. Fails with one problem, at its line and column; the tree is at most some dozens of levels
/// deep, whatever the text, so that walking it recursively is safe.
tl::expected<Document, Problem> parse_document(std::string_view text, std::string_view file);

inline constexpr size_t kMaxFileBytes = 64u << 20;
inline constexpr size_t kMaxRoutesFileBytes = 1'024u << 20;
/// A file's bytes; fails if it cannot be read or is larger than `max` (whole MiB).
tl::expected<std::string, Problem> read_whole_file(const std::string& path, size_t max = kMaxFileBytes);

}  // namespace weir::config
