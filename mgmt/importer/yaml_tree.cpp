#include "mgmt/importer/yaml_tree.h"

#include <yaml.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace weir::importer {

namespace {

constexpr uintmax_t kMaxBytes = uintmax_t{8} << 20;
constexpr unsigned kMaxDepth = 64, kMaxFiles = 64;
constexpr size_t kMaxNodes = 200'000;  // with those that aliases repeat

tl::unexpected<Error> wrong(const std::string& file, size_t line, const std::string& sentence) {
  return fail(ErrorCode::invalid, file + ":" + std::to_string(line) + ": " + sentence);
}

/// Copies one document of libyaml.
class Copier {
 public:
  Copier(yaml_document_t& document, const std::string& name, uint32_t file)
      : document_(document), name_(name), file_(file) {}

  Result<YamlNode> copy(int id, unsigned depth = 0) {
    const yaml_node_t* const from = yaml_document_get_node(&document_, id);
    if (from == nullptr) return fail(ErrorCode::internal, name_ + ": the document is not whole");
    YamlNode node;
    node.file = file_;
    node.line = static_cast<uint32_t>(from->start_mark.line + 1);
    if (depth > kMaxDepth) return wrong(name_, node.line, "values lie more than 64 levels deep");
    if (++nodes_ > kMaxNodes) return wrong(name_, node.line, "there are more than 200000 values");
    if (from->type == YAML_SCALAR_NODE) {
      node.kind = YamlNode::Kind::text;
      node.text = text_of(*from);
      const bool plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      if (plain && (node.text.empty() || node.text == "~" || node.text == "null"))
        node.kind = YamlNode::Kind::nothing;
      return node;
    }
    if (from->type == YAML_SEQUENCE_NODE) {
      node.kind = YamlNode::Kind::list;
      for (auto item = from->data.sequence.items.start; item != from->data.sequence.items.top; ++item) {
        auto member = copy(*item, depth + 1);
        if (!member) return member;
        node.members.push_back({"", std::move(*member)});
      }
      return node;
    }
    node.kind = YamlNode::Kind::map;
    for (auto pair = from->data.mapping.pairs.start; pair != from->data.mapping.pairs.top; ++pair) {
      const yaml_node_t* const key = yaml_document_get_node(&document_, pair->key);
      if (key == nullptr || key->type != YAML_SCALAR_NODE)
        return wrong(name_, node.line, "the name of a value has to be a word");
      auto member = copy(pair->value, depth + 1);
      if (!member) return member;
      member->line = static_cast<uint32_t>(key->start_mark.line + 1);
      node.members.push_back({text_of(*key), std::move(*member)});
    }
    return node;
  }

 private:
  static std::string text_of(const yaml_node_t& node) {
    return {reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length};
  }

  yaml_document_t& document_;
  const std::string& name_;
  const uint32_t file_;
  size_t nodes_ = 0;
};

Result<YamlNode> parse_one(const std::string& name, std::string_view text, uint32_t file) {
  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) == 0) return fail(ErrorCode::exhausted, "there is no memory for YAML");
  const std::unique_ptr<yaml_parser_t, decltype(&yaml_parser_delete)> closes(&parser, &yaml_parser_delete);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  yaml_document_t document;
  if (yaml_parser_load(&parser, &document) == 0) {
    return wrong(
        name, parser.problem_mark.line + 1,
        parser.problem != nullptr ? std::string("this is no YAML: ") + parser.problem : "this is no YAML");
  }
  const std::unique_ptr<yaml_document_t, decltype(&yaml_document_delete)> deletes(&document,
                                                                                  &yaml_document_delete);
  if (yaml_document_get_root_node(&document) == nullptr) return wrong(name, 1, "the file has no values");
  auto root = Copier(document, name, file).copy(1);
  if (root && root->kind != YamlNode::Kind::map)
    return wrong(name, root->line, "a list of names and their values is needed");
  return root;
}

Result<std::string> text_of(const std::string& file) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(file, error);
  if (error) return fail(ErrorCode::io, file + ": " + error.message());
  if (!regular) return fail(ErrorCode::io, file + " is not a regular file");
  if (std::filesystem::file_size(file, error) > kMaxBytes || error)
    return fail(ErrorCode::invalid, file + " is larger than 8 MiB");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::io, file + " cannot be opened");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The members of `from` in the place of equal ones of `into`.
void merge(YamlNode& into, YamlNode&& from) {
  for (auto& [name, member] : from.members) {
    if (YamlNode* const before = into.find(name); before != nullptr) {
      *before = std::move(member);
    } else {
      into.members.push_back({std::move(name), std::move(member)});
    }
  }
}

Status read_into(YamlTree& tree, const std::string& file) {
  if (tree.files.size() >= kMaxFiles)
    return fail(ErrorCode::invalid, file + ": there are more than 64 files that include each other");
  const auto text = text_of(file);
  if (!text) return tl::unexpected(text.error());
  tree.files.push_back(file);
  auto root = parse_one(file, *text, static_cast<uint32_t>(tree.files.size() - 1));
  if (!root) return tl::unexpected(std::move(root.error()));
  std::vector<std::string> includes;
  for (auto& [name, member] : root->members) {
    if (name != "include") continue;
    member.taken = true;
    if (member.kind == YamlNode::Kind::text) includes.push_back(member.text);
    for (auto& [none, item] : member.members) {
      item.taken = true;
      includes.push_back(item.text);
    }
  }
  if (tree.root.kind == YamlNode::Kind::nothing) {
    tree.root = std::move(*root);
  } else {
    merge(tree.root, std::move(*root));
  }
  for (const std::string& include : includes) {
    if (auto status = read_into(tree, std::filesystem::path(file).parent_path() / include); !status)
      return status;
  }
  return {};
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view name) const {
  for (const auto& [key, member] : members) {
    if (kind == Kind::map && key == name) return &member;
  }
  return nullptr;
}

Result<YamlTree> read_yaml(const std::string& file) {
  YamlTree tree;
  if (auto status = read_into(tree, file); !status) return tl::unexpected(std::move(status.error()));
  return tree;
}

Result<YamlTree> parse_yaml(const std::string& file, std::string_view text) {
  auto root = parse_one(file, text, 0);
  if (!root) return tl::unexpected(std::move(root.error()));
  return YamlTree{{file}, std::move(*root)};
}

}  // namespace weir::importer
