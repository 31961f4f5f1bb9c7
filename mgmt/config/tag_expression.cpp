#include "mgmt/config/tag_expression.h"

#include <algorithm>
#include <optional>

#include "mgmt/config/problem.h"
#include "mgmt/config/values.h"

namespace weir::config {

bool is_tag_keyword(std::string_view word) { return word == "and" || word == "or" || word == "not"; }

/// By recursive descent. After the first error the rest is not looked at.
class TagExpression::Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) { next(); }

  tl::expected<TagExpression, std::string> run() {
    out_.root_ = expression();
    if (!error_ && !word_.empty()) complain("expected \"and\" or \"or\"");
    if (error_) return tl::unexpected(std::move(*error_));
    return std::move(out_);
  }

 private:
  static constexpr int kMaxDepth = 64;

  void next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
    const bool single = rest_.starts_with('(') || rest_.starts_with(')');
    const size_t length = single ? 1 : std::min(rest_.find_first_of(" \t()"), rest_.size());
    word_ = rest_.substr(0, length);
    rest_.remove_prefix(length);
  }
  uint32_t complain(const std::string& expected) {
    if (!error_) error_ = expected + ", found " + (word_.empty() ? std::string("the end") : in_quotes(word_));
    return 0;
  }
  uint32_t add(Node node) {
    out_.nodes_.push_back(node);
    return static_cast<uint32_t>(out_.nodes_.size() - 1);
  }

  uint32_t expression() {
    uint32_t left = term();
    while (!error_ && word_ == "or") {
      next();
      const uint32_t right = term();
      left = add({Node::Kind::either, left, right});
    }
    return left;
  }
  uint32_t term() {
    uint32_t left = factor();
    while (!error_ && word_ == "and") {
      next();
      const uint32_t right = factor();
      left = add({Node::Kind::both, left, right});
    }
    return left;
  }
  uint32_t factor() {
    if (word_ == "not" || word_ == "(") {
      if (depth_ == kMaxDepth) return complain("at most 64 levels of parentheses and \"not\"");
      const bool negation = word_ == "not";
      ++depth_;
      next();
      const uint32_t inner = negation ? factor() : expression();
      --depth_;
      if (negation) return add({Node::Kind::negation, inner, 0});
      if (error_) return 0;
      if (word_ != ")") return complain("expected \")\"");
      next();
      return inner;
    }
    if (error_) return 0;
    if (!is_name(word_) || is_tag_keyword(word_)) return complain("expected a tag, \"not\" or \"(\"");
    out_.tags_.emplace_back(word_);
    next();
    return add({Node::Kind::tag, static_cast<uint32_t>(out_.tags_.size() - 1), 0});
  }

  std::string_view rest_, word_;
  std::optional<std::string> error_;
  int depth_ = 0;
  TagExpression out_;
};

tl::expected<TagExpression, std::string> TagExpression::parse(std::string_view text) {
  return Parser(text).run();
}

bool TagExpression::fits(uint32_t index, const std::vector<std::string>& tags) const {
  const Node& node = nodes_[index];
  switch (node.kind) {
    case Node::Kind::tag:
      return std::find(tags.begin(), tags.end(), tags_[node.a]) != tags.end();
    case Node::Kind::both:
      return fits(node.a, tags) && fits(node.b, tags);
    case Node::Kind::either:
      return fits(node.a, tags) || fits(node.b, tags);
    case Node::Kind::negation:
      return !fits(node.a, tags);
  }
  return false;
}

}  // namespace weir::config
