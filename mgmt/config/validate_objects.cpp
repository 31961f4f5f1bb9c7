// What policy rules speak of: tags, prefixes with tags, groups, services.
#include <algorithm>
#include <map>

#include "mgmt/config/fit.h"
#include "mgmt/config/group_cycles.h"
#include "mgmt/config/tag_expression.h"
#include "mgmt/config/toml_values.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

void check_tags(const Validation& v, const Node& table, std::string_view path) {
  const Node* tags = table.get("tags");
  if (tags == nullptr) return;
  for (const Node& tag : tags->children) {
    if (!is_tag_keyword(tag.text)) continue;
    v.report.at(tag, path, in_quotes(tag.text) + " is a word of group[].match, not a tag");
  }
}

void check_names(const Validation& v, const Names& names, const Node& table, std::string_view key) {
  const Node* list = table.get(key);
  if (list == nullptr) return;
  names.resolve_all(*list, "group[]." + std::string(key), v.report);
}

void check_prefixes(const Validation& v) {
  const auto& prefixes = v.draft.config.objects.prefixes;
  std::map<std::pair<std::string, net::Prefix>, const Node*> known;
  for (size_t i = 0; i < prefixes.size() && !v.report.full(); ++i) {
    const Node& table = *v.draft.prefixes[i];
    check_tags(v, table, "prefix[].tags");
    if (const Node* domain = table.get("domain"))
      v.domains.resolve(prefixes[i].domain, *domain, "prefix[].domain", v.report);
    if (table.get("prefix") == nullptr) continue;
    const auto [at, is_new] = known.emplace(std::pair(prefixes[i].domain, prefixes[i].prefix), &table);
    if (is_new) continue;
    v.report.at(table, "prefix", "prefix[].prefix",
                in_quotes(name_of(prefixes[i])) + " has its tags already, on " + at_line(*at->second));
  }
}

void check_group(const Validation& v, const Group& group, const Node& table) {
  constexpr std::string_view kParts[] = {"domains", "attachments", "prefixes", "groups", "match"};
  if (std::none_of(std::begin(kParts), std::end(kParts),
                   [&](std::string_view part) { return table.find(part) != nullptr; })) {
    v.report.at(table, "group[]", misfit_of_parts(group));
  }
  check_names(v, v.domains, table, "domains");
  check_names(v, v.attachments, table, "attachments");
  check_names(v, v.groups, table, "groups");
  const Node* match = table.get("match");
  if (match == nullptr) return;
  if (std::string why = misfit_of_match(group); !why.empty())
    v.report.at(*match, "group[].match", std::move(why));
}

/// At the name that closes the cycle; the list may have bad elements beside it.
void check_cycles(const Validation& v) {
  std::vector<const Group*> groups;
  for (const Group& group : v.draft.config.objects.groups) groups.push_back(&group);
  const auto find = [&](const std::string& name) { return v.groups.find(name); };
  find_group_cycles(groups, find, [&](const GroupCycle& cycle) {
    const Node& list = *v.draft.groups[cycle.group]->find("groups");
    const auto at = std::find_if(list.children.begin(), list.children.end(),
                                 [&](const Node& element) { return element.text == cycle.name; });
    v.report.at(*at, "group[].groups", cycle.message);
  });
}

void check_service(const Validation& v, const Service& service, const Node& table) {
  if (table.get("protocol") == nullptr) return;
  if (std::string why = misfit_of_ports(service); !why.empty())
    v.report.at(table, "ports", "service[].ports", std::move(why));
  if (std::string why = misfit_of_types(service); !why.empty())
    v.report.at(table, "icmp_types", "service[].icmp_types", std::move(why));
}

}  // namespace

void validate_objects(const Validation& v) {
  const PolicyObjects& objects = v.draft.config.objects;
  for (const Node* attachment : v.draft.attachments) check_tags(v, *attachment, "attachment[].tags");
  check_prefixes(v);
  for (size_t i = 0; i < objects.groups.size() && !v.report.full(); ++i)
    check_group(v, objects.groups[i], *v.draft.groups[i]);
  check_cycles(v);
  for (size_t i = 0; i < objects.services.size() && !v.report.full(); ++i)
    check_service(v, objects.services[i], *v.draft.services[i]);
}

}  // namespace weir::config
