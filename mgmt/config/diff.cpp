#include "mgmt/config/diff.h"

#include <algorithm>
#include <string_view>
#include <tuple>
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

// By what a thing is known among its kind.
const std::string& key_of(const Port& x) { return x.name; }
const std::string& key_of(const Domain& x) { return x.name; }
const std::string& key_of(const Attachment& x) { return x.name; }
auto key_of(const TaggedPrefix& x) { return std::tie(x.domain, x.prefix); }
const std::string& key_of(const Group& x) { return x.name; }
const std::string& key_of(const Service& x) { return x.name; }
const std::string& key_of(const PolicyRule& x) { return x.id; }
const std::string& key_of(const Profile& x) { return x.name; }
const std::string& key_of(const Nat& x) { return x.name; }
auto key_of(const Connection& x) { return std::minmax(x.a, x.b); }
auto key_of(const Route& x) { return std::tie(x.domain, x.prefix, x.attachment, x.via); }

template <typename Thing>
std::vector<const Thing*> by_key(const std::vector<Thing>& things, size_t first, size_t last) {
  std::vector<const Thing*> all;
  for (size_t i = first; i < last; ++i) all.push_back(&things[i]);
  std::sort(all.begin(), all.end(), [](const Thing* a, const Thing* b) { return key_of(*a) < key_of(*b); });
  return all;
}

template <typename Thing>
ListDiff diff_list(const std::vector<Thing>& old, const std::vector<Thing>& next) {
  const Difference<Thing> all = difference(old, next);
  ListDiff result;
  for (const Thing* thing : all.removed) result.removed.push_back(name_of(*thing));
  for (const Thing* thing : all.added) result.added.push_back(name_of(*thing));
  for (const auto& [before, now] : all.changed) {
    result.changed.push_back({name_of(*now), changed_keys(values_of(*before), values_of(*now))});
  }
  return result;
}

template <typename Thing>
std::unordered_map<std::string, const Thing*> by_name(const std::vector<Thing>& things) {
  std::unordered_map<std::string, const Thing*> map;
  for (const Thing& thing : things) map.emplace(name_of(thing), &thing);
  return map;
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

std::string leaf_words(const std::vector<std::string>& keys) {
  std::string text;
  for (const auto& key : keys) text += " " + key.substr(key.find("].") + 2);
  return text;
}

void describe(const char* kind, const ListDiff& list, std::string& text) {
  for (const auto& name : list.removed) text += std::string("- ") + kind + " " + name + "\n";
  for (const auto& name : list.added) text += std::string("+ ") + kind + " " + name + "\n";
  for (const auto& [name, keys] : list.changed)
    text += std::string("~ ") + kind + " " + name + ":" + leaf_words(keys) + "\n";
  if (list.reordered) text += std::string("~ ") + kind + ": the order\n";
}

}  // namespace

bool ConfigDiff::empty() const {
  return restart.empty() && live.empty() && domains.empty() && attachments.empty() && routes.empty() &&
         connections.empty() && prefixes.empty() && groups.empty() && services.empty() && policy.empty() &&
         profiles.empty() && nat.empty();
}

ConfigDiff diff_settings(const Config& old, const Config& next) {
  ConfigDiff result;
  for (const std::string& key : changed_keys(single_values(old), single_values(next))) {
    if (needs_restart(key)) {
      result.restart.push_back({key, place_of(next, key)});
    } else {
      result.live.push_back(key);
    }
  }
  diff_ports(old, next, result.restart);
  result.prefixes = diff_list(old.objects.prefixes, next.objects.prefixes);
  result.services = diff_list(old.objects.services, next.objects.services);
  result.profiles = diff_list(old.profiles, next.profiles);
  return result;
}

ConfigDiff diff(const Config& old, const Config& next) {
  ConfigDiff result = diff_settings(old, next);
  result.domains = diff_list(old.domains, next.domains);
  result.attachments = diff_list(old.attachments, next.attachments);
  result.routes = diff_list(old.routes, next.routes);
  result.connections = diff_list(old.connections, next.connections);
  result.groups = diff_list(old.objects.groups, next.objects.groups);
  result.policy = diff_list(old.policy, next.policy);
  result.policy.reordered = reordered(old.policy, next.policy);
  result.nat = diff_list(old.nat, next.nat);
  result.nat.reordered = reordered(old.nat, next.nat);
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
  describe("prefix", diff.prefixes, text);
  describe("group", diff.groups, text);
  describe("service", diff.services, text);
  describe("policy", diff.policy, text);
  describe("profile", diff.profiles, text);
  describe("nat", diff.nat, text);
  return text;
}

template <typename Thing>
bool same(const Thing& a, const Thing& b) {
  return key_of(a) == key_of(b) && changed_keys(values_of(a), values_of(b)).empty();
}
/// There may be a million.
template <>
bool same(const Route& a, const Route& b) {
  return key_of(a) == key_of(b) && a.weight == b.weight && a.ecmp == b.ecmp && a.blackhole == b.blackhole;
}

template <typename Thing>
std::string changed_leaves(const Thing& before, const Thing& now) {
  return leaf_words(changed_keys(values_of(before), values_of(now)));
}

template <typename Thing>
Difference<Thing> difference(const std::vector<Thing>& before, const std::vector<Thing>& now) {
  // Mostly only a part in the midst is another one.
  size_t first = 0, before_end = before.size(), now_end = now.size();
  while (first < std::min(before_end, now_end) && same(before[first], now[first])) ++first;
  while (before_end > first && now_end > first && same(before[before_end - 1], now[now_end - 1])) {
    --before_end;
    --now_end;
  }
  Difference<Thing> result;
  if (first == before_end) {
    for (size_t i = first; i < now_end; ++i) result.added.push_back(&now[i]);
    return result;
  }
  const auto old = by_key(before, first, before_end), next = by_key(now, first, now_end);
  auto a = old.begin();
  auto b = next.begin();
  while (a != old.end() || b != next.end()) {
    if (b == next.end() || (a != old.end() && key_of(**a) < key_of(**b))) {
      result.removed.push_back(*a++);
    } else if (a == old.end() || key_of(**b) < key_of(**a)) {
      result.added.push_back(*b++);
    } else {
      if (!same(**a, **b)) result.changed.emplace_back(*a, *b);
      ++a;
      ++b;
    }
  }
  // Each in the order of its list, which lies in one piece.
  std::sort(result.removed.begin(), result.removed.end());
  std::sort(result.added.begin(), result.added.end());
  std::sort(result.changed.begin(), result.changed.end(),
            [](const auto& x, const auto& y) { return x.second < y.second; });
  return result;
}

#define WEIR_CONFIG_THING(Thing)                                   \
  template std::string changed_leaves(const Thing&, const Thing&); \
  template Difference<Thing> difference(const std::vector<Thing>&, const std::vector<Thing>&);
WEIR_CONFIG_THING(Port)
WEIR_CONFIG_THING(Domain)
WEIR_CONFIG_THING(Attachment)
WEIR_CONFIG_THING(Route)
WEIR_CONFIG_THING(Connection)
WEIR_CONFIG_THING(TaggedPrefix)
WEIR_CONFIG_THING(Group)
WEIR_CONFIG_THING(Service)
WEIR_CONFIG_THING(PolicyRule)
WEIR_CONFIG_THING(Profile)
WEIR_CONFIG_THING(Nat)
#undef WEIR_CONFIG_THING
template bool same(const Port&, const Port&);
template bool same(const Domain&, const Domain&);
template bool same(const Attachment&, const Attachment&);
template bool same(const Connection&, const Connection&);
template bool same(const TaggedPrefix&, const TaggedPrefix&);
template bool same(const Group&, const Group&);
template bool same(const Service&, const Service&);
template bool same(const PolicyRule&, const PolicyRule&);
template bool same(const Profile&, const Profile&);
template bool same(const Nat&, const Nat&);

}  // namespace weir::config
