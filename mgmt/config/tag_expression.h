// An expression over tags, as in `prod and not (pci or lab)`.
//
//   expression = term { "or" term }
//   term       = factor { "and" factor }
//   factor     = "not" factor | "(" expression ")" | tag
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace weir::config {

class TagExpression {
 public:
  /// Fails with a sentence that says what is wrong where. At most 64 levels deep.
  static tl::expected<TagExpression, std::string> parse(std::string_view text);

  /// Does a thing with these tags fit?
  bool fits(const std::vector<std::string>& tags) const { return fits(root_, tags); }
  /// The tags that it names, in the order in which they are written.
  const std::vector<std::string>& tags() const { return tags_; }

 private:
  struct Node {
    enum class Kind : uint8_t { tag, both, either, negation };
    Kind kind;
    uint32_t a = 0, b = 0;  // nodes; of a tag: its place in tags_
  };
  class Parser;

  bool fits(uint32_t node, const std::vector<std::string>& tags) const;

  std::vector<Node> nodes_;
  std::vector<std::string> tags_;
  uint32_t root_ = 0;
};

/// A word of expressions, which is no tag.
bool is_tag_keyword(std::string_view word);

}  // namespace weir::config
