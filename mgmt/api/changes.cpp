#include "mgmt/api/changes.h"

#include <limits>

#include "mgmt/config/change_reader.h"
#include "mgmt/config/route_lines.h"

namespace weir::api {

namespace {

using config::ModelChanges;
using config::Node;
using config::Problem;
using Read = tl::expected<ModelChanges, std::vector<Problem>>;

constexpr unsigned kMaxDepth = 8;

/// A change lies at root -> verb -> kind -> list -> table.
constexpr unsigned kTableDepth = 3;

/// Makes the tree that TOML of the same shape would be; false if it is nested too deeply for any change.
class Converter {
 public:
  explicit Converter(bool has_verbs) : table_depth_(has_verbs ? kTableDepth : kTableDepth - 1) {}

  bool convert(const Json& from, unsigned depth, Node& to) {
    if (depth > kMaxDepth) return false;
    if (depth == table_depth_ && from.is_object()) ++number_;
    to.line = to.key_line = number_;
    if (from.is_object()) return convert_object(from, depth, to);
    if (from.is_array()) return convert_array(from, depth, to);
    if (from.is_string()) {
      to.kind = Node::Kind::text;
      to.text = from.get<std::string>();
    } else if (from.is_boolean()) {
      to.kind = Node::Kind::boolean;
      to.boolean = from.get<bool>();
    } else if (from.is_number_integer()) {
      to.kind = Node::Kind::integer;
      constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
      const bool too_large = from.is_number_unsigned() && from.get<uint64_t>() > kMax;
      to.integer = too_large ? std::numeric_limits<int64_t>::max() : from.get<int64_t>();
    } else {
      to.kind = Node::Kind::real;
    }
    return true;
  }

 private:
  bool convert_object(const Json& from, unsigned depth, Node& to) {
    to.kind = Node::Kind::table;
    for (const auto& [key, value] : from.items()) {
      if (value.is_null()) continue;  // as if it were not there
      Node& child = to.children.emplace_back();
      child.key = key;
      if (!convert(value, depth + 1, child)) return false;
    }
    return true;
  }
  bool convert_array(const Json& from, unsigned depth, Node& to) {
    to.kind = Node::Kind::list;
    for (const Json& value : from) {
      if (!convert(value, depth + 1, to.children.emplace_back())) return false;
    }
    return true;
  }

  unsigned table_depth_;
  uint32_t number_ = 0;
};

Read wrong(const std::string& source, std::string message) {
  return tl::unexpected(std::vector<Problem>{{{source, 0, 0}, "", std::move(message)}});
}

Read read(const Body& body, const std::string& source, std::optional<config::ChangeVerb> verb) {
  if (body.type.starts_with("application/json")) return read_json_changes(body.text, source, verb);
  if (body.type.starts_with("text/plain")) return config::read_route_changes(body.text, source, verb);
  return config::read_changes_text(body.text, source, verb);
}

Response refuse(std::string message) { return {400, to_json(Error{ErrorCode::invalid, std::move(message)})}; }

}  // namespace

Read read_json_changes(std::string_view text, const std::string& source,
                       std::optional<config::ChangeVerb> verb) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return wrong(source, "this is not JSON");
  if (!json.is_object()) return wrong(source, "expected an object such as {\"add\": {\"route\": [...]}}");
  config::Document document;
  document.file = source.empty() ? "request" : source;
  if (!Converter(!verb).convert(json, 0, document.root))
    return wrong(source, "nested more deeply than any change is");
  return config::read_changes(std::move(document), verb);
}

Response post_changes(Source& source, const Parameter& parameter, const Body& body) {
  const std::string dry_run = parameter("dry_run").value_or("false");
  if (dry_run != "true" && dry_run != "false") return refuse("dry_run has to be true or false");
  std::optional<config::ChangeVerb> verb;
  if (const auto word = parameter("verb")) {
    verb = config::verb_of(*word);
    if (!verb) return refuse("verb has to be add, remove, replace, extend or reduce");
  }
  const std::string name = config::escaped(parameter("source").value_or("request"), 4'096);
  auto changes = read(body, name, verb);
  if (!changes) {
    control::ChangeView view;
    for (const Problem& problem : changes.error()) view.problems.push_back(config::to_string(problem));
    return {400, changes_json(view, ErrorCode::invalid)};
  }
  const auto answer = source.change(std::move(*changes), dry_run == "true");
  if (!answer) return {http_status(answer.error().code), to_json(answer.error())};
  const bool refused = !answer->problems.empty();
  return {refused ? http_status(ErrorCode::refused) : 200, changes_json(*answer, ErrorCode::refused)};
}

}  // namespace weir::api
