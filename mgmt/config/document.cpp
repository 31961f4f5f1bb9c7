#include "mgmt/config/document.h"

// The only file that includes the TOML library: header-only, so that it reports errors as values. Its
// assertions are switched off: some of them do not hold for hostile text (`[=]`), where the check that
// follows finds the error. With NDEBUG the library would make promises to the compiler of them, so that is
// undone for this file.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
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

/// Parts of one dotted key or header. The TOML library limits nested values but not these, and it destroys
/// its tree recursively.
constexpr unsigned kMaxKeyParts = 16;

/// Refuses, before the library sees it, what the library does not survive: dotted keys of any number of
/// parts, and characters other than ASCII outside of strings and comments, where TOML has none (for some of
/// them version 3.3 runs into
/// __builtin_unreachable). A tokenizer that knows just strings, comments and what ends a key; where the text
/// is not TOML at all it may lose its way, but then the library stops at that place too.
class Prescan {
 public:
  Prescan(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  std::optional<Problem> run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
    unsigned dots = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') advance();
        continue;
      }
      if (static_cast<uint8_t>(c) >= 0x80)
        return here("outside of quotes and comments only ASCII characters are possible");
      if (c == '.' && ++dots >= kMaxKeyParts) {
        return here("a key of more than " + std::to_string(kMaxKeyParts) + " dotted parts");
      }
      if (std::string_view("\n=[]{},").find(c) != std::string_view::npos) dots = 0;
      advance();
    }
    return std::nullopt;
  }

 private:
  Problem here(std::string message) const {
    return {{std::string(file_), line_, column_}, "", std::move(message)};
  }

  void advance() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((static_cast<uint8_t>(c) & 0xc0) != 0x80) {  // columns count characters
      ++column_;
    }
  }
  void advance(size_t count) {
    while (count-- > 0 && at_ < text_.size()) advance();
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    advance(multi_line ? 3 : 1);
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        advance(2);
      } else if (multi_line && text_.substr(at_, 3) == triple) {
        advance(3);
        // Up to two quotes may stand right before the closing ones.
        for (int extra = 0; extra < 2 && at_ < text_.size() && text_[at_] == quote; ++extra) advance();
        return;
      } else if (!multi_line && text_[at_] == '\n') {
        return;
      } else {
        const bool end = !multi_line && text_[at_] == quote;
        advance();
        if (end) return;
      }
    }
  }

  std::string_view text_;
  std::string_view file_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
};

/// The library's words as part of a line of ours; they may quote the text.
std::string printable(std::string_view description) {
  std::string text = escaped(description, 200);
  if (text.starts_with("Error")) text[0] = 'e';
  return text;
}

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
  if (auto problem = Prescan(text, file).run()) return tl::unexpected(*std::move(problem));
  const toml::parse_result result = toml::parse(text, file);
  if (!result) {
    const toml::parse_error& error = result.error();
    return tl::unexpected(Problem{{document.file, error.source().begin.line, error.source().begin.column},
                                  "",
                                  "this is not TOML: " + printable(error.description())});
  }
  document.root = convert(result.table());
  document.root.line = document.root.column = 1;
  return document;
}

tl::expected<std::string, Problem> read_whole_file(const std::string& path, size_t max) {
  const auto failed = [&](const std::string& why) {
    return tl::unexpected(Problem{{path, 0, 0}, "", "the file cannot be read: " + why});
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return failed(std::strerror(errno));
  std::string text;
  std::string chunk(1u << 16, '\0');
  for (size_t n = 0; (n = std::fread(chunk.data(), 1, chunk.size(), file.get())) > 0;) {
    text.append(chunk, 0, n);
    if (text.size() > max) return failed("it is larger than " + std::to_string(max >> 20) + " MiB");
  }
  if (std::ferror(file.get()) != 0) return failed(std::strerror(errno));
  return text;
}

}  // namespace weir::config
