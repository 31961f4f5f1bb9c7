#include "mgmt/config/document.h"

// The only file that includes the TOML library: header-only, so that it reports errors as values.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <tuple>

namespace weir::config {

namespace {

constexpr size_t kMaxFileBytes = 64u << 20;
/// Parts of one dotted key or header. The TOML library limits nested values but not these, and it destroys
/// its tree recursively.
constexpr unsigned kMaxKeyParts = 16;

/// Finds a dotted key of too many parts. A tokenizer that knows just strings, comments and what ends a key;
/// where the text is not TOML at all it may lose its way, but then the library stops at that place too.
class KeyDepthScan {
 public:
  explicit KeyDepthScan(std::string_view text) : text_(text) {}

  /// The place of the first key that is too deep.
  std::optional<std::pair<uint32_t, uint32_t>> run() {
    unsigned dots = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (c == '.' && ++dots >= kMaxKeyParts)
        return std::pair(line_, static_cast<uint32_t>(at_ - line_start_ + 1));
      if (std::strchr("\n=[]{},", c) != nullptr && c != '\0') dots = 0;
      advance();
    }
    return std::nullopt;
  }

 private:
  void advance() {
    if (text_[at_] == '\n') {
      ++line_;
      line_start_ = at_ + 1;
    }
    ++at_;
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        advance();
      } else if (multi_line && text_.substr(at_, 3) == triple) {
        at_ += 3;
        for (int extra = 0; extra < 2 && at_ < text_.size() && text_[at_] == quote; ++extra) ++at_;
        return;
      } else if (!multi_line && (text_[at_] == quote || text_[at_] == '\n')) {
        if (text_[at_] == quote) ++at_;
        return;
      } else {
        advance();
      }
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  uint32_t line_ = 1;
};

Node convert(const toml::node& from) {
  Node node;
  node.line = from.source().begin.line;
  node.column = from.source().begin.column;
  if (const auto* table = from.as_table()) {
    node.kind = Node::Kind::table;
    for (const auto& [key, value] : *table) {
      Node child = convert(value);
      child.key = key.str();
      child.key_line = key.source().begin.line;
      child.key_column = key.source().begin.column;
      node.children.push_back(std::move(child));
    }
    std::stable_sort(node.children.begin(), node.children.end(), [](const Node& a, const Node& b) {
      return std::tie(a.key_line, a.key_column) < std::tie(b.key_line, b.key_column);
    });
  } else if (const auto* list = from.as_array()) {
    node.kind = Node::Kind::list;
    for (const auto& value : *list) node.children.push_back(convert(value));
  } else if (const auto* text = from.as_string()) {
    node.kind = Node::Kind::text;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Node::Kind::integer;
    node.integer = integer->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.kind = Node::Kind::boolean;
    node.boolean = boolean->get();
  } else {
    node.kind = from.is_floating_point() ? Node::Kind::real : Node::Kind::time;
  }
  return node;
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto it =
      std::find_if(children.begin(), children.end(), [&](const Node& n) { return n.key == name; });
  return kind == Kind::table && it != children.end() ? &*it : nullptr;
}

const Node* Node::get(std::string_view name) const {
  const Node* node = find(name);
  return node != nullptr && !node->bad ? node : nullptr;
}

std::string_view describe(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::table:
      return "a table";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::text:
      return "a string";
    case Node::Kind::integer:
      return "a whole number";
    case Node::Kind::real:
      return "a number with a fraction";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::time:
      return "a date or time";
  }
  return "something else";
}

tl::expected<Document, Problem> parse_document(std::string_view text, std::string_view file) {
  Document document;
  document.file = file;
  if (const auto deep = KeyDepthScan(text).run()) {
    return tl::unexpected(Problem{{document.file, deep->first, deep->second},
                                  "",
                                  "a key of more than " + std::to_string(kMaxKeyParts) + " dotted parts"});
  }
  const toml::parse_result result = toml::parse(text, file);
  if (!result) {
    const toml::parse_error& error = result.error();
    return tl::unexpected(Problem{{document.file, error.source().begin.line, error.source().begin.column},
                                  "",
                                  "this is not TOML: " + std::string(error.description())});
  }
  document.root = convert(result.table());
  document.root.line = document.root.column = 1;
  return document;
}

tl::expected<std::string, Problem> read_whole_file(const std::string& path) {
  const auto failed = [&](const std::string& why) {
    return tl::unexpected(Problem{{path, 0, 0}, "", "the file cannot be read: " + why});
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return failed(std::strerror(errno));
  std::string text;
  std::string chunk(1u << 16, '\0');
  for (size_t n = 0; (n = std::fread(chunk.data(), 1, chunk.size(), file.get())) > 0;) {
    text.append(chunk, 0, n);
    if (text.size() > kMaxFileBytes) return failed("it is larger than 64 MiB");
  }
  if (std::ferror(file.get()) != 0) return failed(std::strerror(errno));
  return text;
}

}  // namespace weir::config
