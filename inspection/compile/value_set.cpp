#include "inspection/compile/value_set.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "dataplane/net/address.h"
#include "inspection/detect/base64.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection {

namespace {

using Json = nlohmann::json;

constexpr uintmax_t kMaxFileBytes = uintmax_t{256} << 20;

std::optional<std::string> from_hex(std::string_view text, size_t bytes) {
  if (text.size() != 2 * bytes) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 2) {
    const auto byte = ast::read_number("0x" + std::string(text.substr(i, 2)), 255);
    if (!byte) return std::nullopt;
    out.push_back(static_cast<char>(*byte));
  }
  return out;
}

std::optional<std::string> from_address(std::string_view text, bool ipv4_alone) {
  const auto address = net::parse_ip(text);
  if (!address || (ipv4_alone && !address->is_v4())) return std::nullopt;
  std::string out;
  if (address->is_v4()) {
    const uint32_t value = address->v4().value;
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  } else {
    out.resize(16);
    address->v6().store(reinterpret_cast<uint8_t*>(out.data()));
  }
  return out;
}

std::optional<std::string> from_text_base64(std::string_view text) {
  const std::span<const uint8_t> in(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  std::string out(base64_room(text.size()), '\0');
  out.resize(decode_base64(in, {reinterpret_cast<uint8_t*>(out.data()), out.size()}, Base64Rule::strict));
  return out.empty() ? std::nullopt : std::optional(out);
}

/// A value as it stands in buffers. `plain`: strings are as they are, not in base64.
std::optional<std::string> value_of(ast::DatasetType type, std::string_view text, bool plain) {
  switch (type) {
    case ast::DatasetType::string:
      return plain ? std::optional(std::string(text)) : from_text_base64(text);
    case ast::DatasetType::md5:
      return from_hex(text, 16);
    case ast::DatasetType::sha256:
      return from_hex(text, 32);
    case ast::DatasetType::ip:
      return from_address(text, false);
    case ast::DatasetType::ipv4:
      return from_address(text, true);
  }
  return std::nullopt;
}

/// Calls `take` with each line that says something; false from it refuses that line.
template <typename F>
Status each_line(std::string_view text, F&& take) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = ast::trim(line);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (!take(line)) return fail(ErrorCode::invalid, "line " + std::to_string(number) + " is no value");
  }
  return {};
}

/// The member at "ioc.host"; null: there is none. An empty path is `root` itself.
const Json* member_at(const Json& root, std::string_view path) {
  const Json* here = &root;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    const auto found = here->is_object() ? here->find(path.substr(0, dot)) : here->end();
    if (!here->is_object() || found == here->end()) return nullptr;
    here = &*found;
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  return here;
}

void erase_at(Json& root, std::string_view path) {
  const size_t dot = path.rfind('.');
  const std::string_view parent = dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
  auto* const of = const_cast<Json*>(member_at(root, parent));
  if (of != nullptr) of->erase(std::string(dot == std::string_view::npos ? path : path.substr(dot + 1)));
}

}  // namespace

Result<ValueSet> ValueSet::from_lines(ast::DatasetType type, std::string_view text) {
  ValueSet out;
  const Status status = each_line(text, [&](std::string_view line) {
    auto value = value_of(type, line, false);
    if (value) out.entries_.try_emplace(std::move(*value));
    return value.has_value();
  });
  if (!status) return tl::unexpected(status.error());
  return out;
}

Result<ValueSet> ValueSet::from_reputations(ast::DatasetType type, std::string_view text) {
  ValueSet out;
  const Status status = each_line(text, [&](std::string_view line) {
    const size_t comma = line.rfind(',');
    if (comma == std::string_view::npos) return false;
    const auto reputation = ast::read_number(ast::trim(line.substr(comma + 1)), 65'535);
    auto value = value_of(type, ast::trim(line.substr(0, comma)), false);
    if (!reputation || !value) return false;
    out.entries_.insert_or_assign(std::move(*value), Entry{static_cast<uint16_t>(*reputation), 0});
    return true;
  });
  if (!status) return tl::unexpected(status.error());
  return out;
}

Result<ValueSet> ValueSet::from_json(const ast::Dataset& set, std::string_view text) {
  ValueSet out;
  const auto take = [&](Json object) {
    const Json* const member = member_at(object, set.value_key);
    if (member == nullptr || !member->is_string()) return false;
    auto value = value_of(set.type, member->get<std::string>(), true);
    if (!value) return false;
    if (set.remove_key) erase_at(object, set.value_key);
    // Of two objects with one value the first stands.
    const auto [entry, is_new] = out.entries_.try_emplace(std::move(*value));
    if (!is_new) return true;
    entry->second.context = static_cast<uint32_t>(out.contexts_.size());
    out.contexts_.push_back(object.dump(-1, ' ', false, Json::error_handler_t::replace));
    return true;
  };
  if (set.format == ast::Dataset::Format::json_lines) {
    const Status status = each_line(text, [&](std::string_view line) {
      Json object = Json::parse(line, nullptr, false);
      return !object.is_discarded() && take(std::move(object));
    });
    if (!status) return tl::unexpected(status.error());
    return out;
  }
  const Json root = Json::parse(text, nullptr, false);
  const Json* const list = root.is_discarded() ? nullptr : member_at(root, set.array_key);
  if (list == nullptr || !list->is_array()) return fail(ErrorCode::invalid, "it holds no list of objects");
  for (const Json& object : *list) {
    if (!take(object)) return fail(ErrorCode::invalid, "an object has no value of that key and type");
  }
  return out;
}

Result<ValueSet> ValueSet::from_checksums(ast::FileHash::Kind kind, std::string_view text) {
  const size_t bytes = kind == ast::FileHash::Kind::md5 ? 16 : kind == ast::FileHash::Kind::sha1 ? 20 : 32;
  ValueSet out;
  const Status status = each_line(text, [&](std::string_view line) {
    auto value = from_hex(line.substr(0, line.find_first_of(" \t,")), bytes);
    if (value) out.entries_.try_emplace(std::move(*value));
    return value.has_value();
  });
  if (!status) return tl::unexpected(status.error());
  return out;
}

Result<std::string> read_list_file(const std::string& rule_file, const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(rule_file).parent_path() / name;
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return fail(ErrorCode::io, "the list " + path.string() + " cannot be read");
  if (size > kMaxFileBytes)
    return fail(ErrorCode::invalid, "the list " + path.string() + " is larger than 256 MiB");
  std::string text(size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    return fail(ErrorCode::io, "the list " + path.string() + " cannot be read to its end");
  return text;
}

}  // namespace weir::inspection
