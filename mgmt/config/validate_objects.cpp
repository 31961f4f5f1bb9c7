// What policy rules speak of: tags, prefixes with tags, groups, services.
#include <algorithm>
#include <map>

#include "mgmt/config/fit.h"
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
    v.report.at(table, "group[]",
                "the group is empty; it needs domains, attachments, prefixes, groups or match");
  }
  check_names(v, v.domains, table, "domains");
  check_names(v, v.attachments, table, "attachments");
  check_names(v, v.groups, table, "groups");
  const Node* match = table.get("match");
  if (match == nullptr) return;
  if (const auto expression = TagExpression::parse(group.match); !expression)
    v.report.at(*match, "group[].match", expression.error());
}

/// Finds groups that contain themselves. Each cycle is told once, at the name that closes it.
class Cycles {
 public:
  explicit Cycles(const Validation& v) : v_(v), states_(v.draft.groups.size()) {}

  void run() {
    for (size_t g = 0; g < states_.size(); ++g) visit(g);
  }

 private:
  enum class State : uint8_t { fresh, open, done };
  struct Open {
    size_t group;
    size_t next = 0;  // in its list
  };

  const Group& group(size_t g) const { return v_.draft.config.objects.groups[g]; }

  /// Without recursion: a file may nest them as deep as it likes.
  void visit(size_t first) {
    if (states_[first] != State::fresh) return;
    open(first);
    while (!path_.empty()) {
      Open& top = path_.back();
      const auto& inner = group(top.group).groups;
      if (top.next == inner.size()) {
        states_[top.group] = State::done;
        path_.pop_back();
        continue;
      }
      const std::string& name = inner[top.next++];
      const size_t* found = v_.groups.find(name);
      if (found == nullptr) continue;
      if (states_[*found] == State::open) {
        report(*v_.draft.groups[top.group]->find("groups"), name, *found);
      } else if (states_[*found] == State::fresh) {
        open(*found);
      }
    }
  }
  void open(size_t g) {
    states_[g] = State::open;
    path_.push_back({g});
  }
  /// `list` is where the group's `name` stands, which may have bad elements beside it.
  void report(const Node& list, const std::string& name, size_t closes) const {
    const auto at = std::find_if(list.children.begin(), list.children.end(),
                                 [&](const Node& element) { return element.text == name; });
    std::string names;
    const auto from =
        std::find_if(path_.begin(), path_.end(), [&](const Open& o) { return o.group == closes; });
    for (auto o = from; o != path_.end(); ++o) names += in_quotes(group(o->group).name) + " contains ";
    v_.report.at(*at, "group[].groups",
                 "groups contain each other: " + names + in_quotes(group(closes).name));
  }

  const Validation& v_;
  std::vector<State> states_;
  std::vector<Open> path_;
};

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
  Cycles(v).run();
  for (size_t i = 0; i < objects.services.size() && !v.report.full(); ++i)
    check_service(v, objects.services[i], *v.draft.services[i]);
}

}  // namespace weir::config
