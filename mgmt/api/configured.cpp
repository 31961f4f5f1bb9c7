#include "mgmt/api/configured.h"

#include <array>
#include <sstream>

#include "mgmt/config/diff.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/reader.h"
#include "mgmt/config/save.h"
#include "mgmt/config/writer.h"

namespace weir::api {

namespace {

using config::Config;

constexpr std::array<std::string_view, 6> kKinds = {"domain", "attachment", "connection",
                                                    "group",  "policy",     "nat"};

std::string_view word_of(model::Origin origin) { return origin == model::Origin::file ? "file" : "api"; }

/// Keys in the order of their table, those of inner tables in objects. Values in TOML as toml_values.h writes
/// them are JSON too: strings, numbers, truth values and lists of them.
Json keys_of(std::string_view kind, const config::Values& values) {
  Json json = Json::object();
  const std::string section = std::string(kind) + "[]";
  for (const config::KeySpec& key : config::keys()) {
    if (!key.path.starts_with(section)) continue;
    const auto found = values.find(key.path);
    if (found == values.end() || found->second.empty()) continue;
    const std::string_view table = config::section_of(key.path);
    Json& object = table == section ? json : json[std::string(config::leaf_of(table))];
    object[std::string(config::leaf_of(key.path))] = Json::parse(found->second, nullptr, false);
  }
  return json;
}

template <typename Thing>
Json list_of(std::string_view kind, const std::vector<Thing>& things,
             const std::vector<model::Origin>& origins) {
  Json rows = Json::array();
  for (size_t i = 0; i < things.size(); ++i) {
    Json row = keys_of(kind, values_of(things[i]));
    row["origin"] = word_of(origins[i]);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json row_of(const control::RuleCountView& count) {
  return {{"sessions", count.sessions}, {"last_s", count.last_s ? Json(*count.last_s) : Json()}};
}

Json list_of(std::string_view kind, const control::Configured& all) {
  const Config& config = all.config;
  const model::Origins& origins = all.origins;
  if (kind == "domain") return list_of(kind, config.domains, origins.domains);
  if (kind == "attachment") return list_of(kind, config.attachments, origins.attachments);
  if (kind == "connection") return list_of(kind, config.connections, origins.connections);
  if (kind == "group") return list_of(kind, config.objects.groups, origins.groups);
  if (kind == "nat") return list_of(kind, config.nat, origins.nat);
  Json rows = list_of(kind, config.policy, origins.policy);
  for (size_t i = 0; i < all.rules.size(); ++i) rows[i].update(row_of(all.rules[i]));
  return rows;
}

Response failure(const Error& error) { return {http_status(error.code), to_json(error)}; }

}  // namespace

std::span<const std::string_view> listed_kinds() { return kKinds; }

std::string plural_of(std::string_view kind) {
  return std::string(kind) + (kind == "policy" || kind == "nat" ? "" : "s");
}

Response get_configured(Source& source, std::string_view kind) {
  const auto all = source.configured({.counts = kind == "policy", .nat = kind == "nat"});
  if (!all) return failure(all.error());
  Json json = {{plural_of(kind), list_of(kind, **all)}};
  if (kind == "policy") json["default_deny"] = row_of((*all)->default_deny);
  if (kind == "nat") {
    json["pools"] = to_json((*all)->pools);
    json["servers"] = to_json((*all)->servers);
  }
  return {200, std::move(json)};
}

Response get_config(Source& source, const Parameter& parameter) {
  const auto in_force = source.configured({.routes = true});
  if (!in_force) return failure(in_force.error());
  Config config = (*in_force)->config;
  config.routes_file = parameter("routes_file").value_or(config::routes_file_for(config));
  Json json = {{"file", config.file}, {"toml", config::to_toml(config)}};
  if (!config.routes_file.empty()) {
    json["routes_file"] = config.routes_file;
    json["routes"] = config::routes_text(config);
  }
  return {200, std::move(json)};
}

Response get_config_diff(Source& source) {
  const auto in_force = source.configured({.routes = true});
  if (!in_force) return failure(in_force.error());
  const Config& config = (*in_force)->config;
  const auto file = config::read_config(config.file);
  if (!file) {
    Json json =
        to_json(Error{ErrorCode::refused, "the hub's file has problems, so that it cannot be compared"});
    for (const auto& problem : file.error()) json["error"]["problems"].push_back(config::to_string(problem));
    return {http_status(ErrorCode::refused), std::move(json)};
  }
  Json changes = Json::array();
  std::istringstream lines(config::to_string(config::diff(*file, config)));
  for (std::string line; std::getline(lines, line);) changes.push_back(line);
  return {200, {{"file", config.file}, {"changes", std::move(changes)}}};
}

Response post_save(Source& source, const Parameter& parameter) {
  const auto in_force = source.configured({.routes = true});
  if (!in_force) return failure(in_force.error());
  const auto saved = config::save_config((*in_force)->config, parameter("force") == "true");
  if (!saved) return failure({ErrorCode::refused, config::to_string(saved.error())});
  const auto reloaded = source.reload();
  if (!reloaded) return failure(reloaded.error());
  if (!reloaded->problems.empty()) {
    Json json = to_json(Error{ErrorCode::internal, "it is saved, but the hub could not read it again"});
    json["error"]["problems"] = reloaded->problems;
    return {http_status(ErrorCode::internal), std::move(json)};
  }
  return {200, {{"saved", *saved}, {"notes", reloaded->notes}}};
}

}  // namespace weir::api
