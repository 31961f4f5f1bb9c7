#include "mgmt/config/diff.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "mgmt/config/key_table.h"
#include "mgmt/config/toml_values.h"

namespace weir::config {

namespace {

/// The keys whose values differ; both have the same keys. In which order a connection names its domains is no
/// difference.
std::vector<std::string> changed_keys(const Values& old, const Values& next) {
  std::vector<std::string> keys;
  const auto value_in = [](const Values& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? std::string() : found->second;
  };
  for (const auto& [key, value] : old) {
    if (key != "connection[].domains" && value_in(next, key) != value) keys.push_back(key);
  }
  // Of tables of which a thing has one of several: a tunnel of another kind.
  for (const auto& [key, value] : next) {
    if (!old.contains(key) && !value.empty()) keys.push_back(key);
  }
  return keys;
}

template <typename Thing>
std::unordered_map<std::string, const Thing*> by_name(const std::vector<Thing>& things) {
  std::unordered_map<std::string, const Thing*> map;
  for (const Thing& thing : things) map.emplace(name_of(thing), &thing);
  return map;
}

template <typename Thing>
ListDiff diff_list(const std::vector<Thing>& old, const std::vector<Thing>& next) {
  const auto before = by_name(old), after = by_name(next);
  ListDiff result;
  for (const Thing& thing : old) {
    if (!after.contains(name_of(thing))) result.removed.push_back(name_of(thing));
  }
  for (const Thing& thing : next) {
    const auto found = before.find(name_of(thing));
    if (found == before.end()) {
      result.added.push_back(name_of(thing));
    } else if (auto keys = changed_keys(values_of(*found->second), values_of(thing)); !keys.empty()) {
      result.changed.push_back({name_of(thing), std::move(keys)});
    }
  }
  return result;
}

/// The names that both lists have stand in another order.
template <typename Thing>
bool reordered(const std::vector<Thing>& old, const std::vector<Thing>& next) {
  const auto before = by_name(old), after = by_name(next);
  std::vector<std::string> kept_old, kept_next;
  for (const Thing& thing : old) {
    if (after.contains(name_of(thing))) kept_old.push_back(name_of(thing));
  }
  for (const Thing& thing : next) {
    if (before.contains(name_of(thing))) kept_next.push_back(name_of(thing));
  }
  return kept_old != kept_next;
}

bool needs_restart(std::string_view key) {
  for (const KeySpec& spec : keys()) {
    if (spec.path == key) return spec.change == Change::restart;
  }
  return true;
}

Location place_of(const Config& config, const std::string& path) {
  const auto found = config.key_where.find(path);
  return found != config.key_where.end() ? found->second : Location{config.file, 0, 0};
}

void diff_ports(const Config& old, const Config& next, std::vector<ConfigDiff::Key>& out) {
  const ListDiff ports = diff_list(old.ports, next.ports);
  const auto after = by_name(next.ports);
  for (const std::string& name : ports.removed) out.push_back({"port[" + name + "]", {next.file, 0, 0}});
  for (const std::string& name : ports.added) out.push_back({"port[" + name + "]", after.at(name)->where});
  for (const auto& [name, keys] : ports.changed) {
    for (const std::string& key : keys) {
      const std::string path = "port[" + name + "]." + std::string(leaf_of(key));
      const Location where = place_of(next, path);
      out.push_back({path, where.line != 0 ? where : after.at(name)->where});
    }
  }
  // The hub numbers its ports in the order of the file.
  if (reordered(old.ports, next.ports)) out.push_back({"port", next.ports.front().where});
}

void describe(const char* kind, const ListDiff& list, std::string& text) {
  for (const auto& name : list.removed) text += std::string("- ") + kind + " " + name + "\n";
  for (const auto& name : list.added) text += std::string("+ ") + kind + " " + name + "\n";
  for (const auto& [name, keys] : list.changed) {
    text += std::string("~ ") + kind + " " + name + ":";
    for (const auto& key : keys) text += " " + key.substr(key.find("].") + 2);
    text += "\n";
  }
  if (list.reordered) text += std::string("~ ") + kind + ": the order\n";
}

}  // namespace

bool ConfigDiff::empty() const {
  return restart.empty() && live.empty() && domains.empty() && attachments.empty() && routes.empty() &&
         connections.empty() && policy.empty() && profiles.empty();
}

ConfigDiff diff(const Config& old, const Config& next) {
  ConfigDiff result;
  for (const std::string& key : changed_keys(single_values(old), single_values(next))) {
    if (needs_restart(key)) {
      result.restart.push_back({key, place_of(next, key)});
    } else {
      result.live.push_back(key);
    }
  }
  diff_ports(old, next, result.restart);
  result.domains = diff_list(old.domains, next.domains);
  result.attachments = diff_list(old.attachments, next.attachments);
  result.routes = diff_list(old.routes, next.routes);
  result.connections = diff_list(old.connections, next.connections);
  result.policy = diff_list(old.policy, next.policy);
  result.policy.reordered = reordered(old.policy, next.policy);
  result.profiles = diff_list(old.profiles, next.profiles);
  return result;
}

std::vector<Problem> refusals(const ConfigDiff& diff) {
  std::vector<Problem> problems;
  for (const auto& [path, where] : diff.restart) {
    problems.push_back({where, path, "it has changed, and only a restart of the hub can carry that out"});
  }
  return problems;
}

std::string to_string(const ConfigDiff& diff) {
  std::string text;
  for (const auto& key : diff.restart) text += "! " + key.path + " (restart)\n";
  for (const auto& key : diff.live) text += "~ " + key + "\n";
  describe("domain", diff.domains, text);
  describe("attachment", diff.attachments, text);
  describe("route", diff.routes, text);
  describe("connection", diff.connections, text);
  describe("policy", diff.policy, text);
  describe("profile", diff.profiles, text);
  return text;
}

}  // namespace weir::config
