#include "mgmt/model/build_groups.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace weir::model {

using namespace dataplane;

namespace {

template <typename T>
void sort_out(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

/// Things by their tags: there are far fewer sets of tags than things.
struct Tagged {
  std::vector<const config::TaggedPrefix*> prefixes;
  std::vector<AttachmentId> attachments;
};
using ByTags = std::map<std::vector<std::string>, Tagged>;

ByTags by_tags(const GroupInput& input) {
  ByTags all;
  for (const config::TaggedPrefix& p : input.prefixes) {
    std::vector<std::string> tags = p.tags;
    sort_out(tags);
    all[std::move(tags)].prefixes.push_back(&p);
  }
  for (const GroupInput::Member& a : input.attachments) {
    std::vector<std::string> tags = a.config->tags;
    sort_out(tags);
    all[std::move(tags)].attachments.push_back(a.id);
  }
  return all;
}

void add_matching(PolicyGroup& group, const std::string& match, const ByTags& tagged,
                  const GroupInput& input) {
  const auto expression = config::TagExpression::parse(match);
  if (!expression) return;  // check() refuses it
  for (const auto& [tags, things] : tagged) {
    if (!expression->fits(tags)) continue;
    group.attachments.insert(group.attachments.end(), things.attachments.begin(), things.attachments.end());
    for (const config::TaggedPrefix* p : things.prefixes) {
      if (p->domain.empty()) {
        group.prefixes.push_back(p->prefix);
      } else {
        group.of_domains.emplace_back(input.domain(p->domain), p->prefix);
      }
    }
  }
}

}  // namespace

PolicyGroups build_groups(const GroupInput& input, const PolicyGroups& before) {
  const bool uses_tags = std::any_of(input.groups.begin(), input.groups.end(),
                                     [](const config::Group* g) { return !g->match.empty(); });
  const ByTags tagged = uses_tags ? by_tags(input) : ByTags();
  std::unordered_map<std::string_view, AttachmentId> ids;
  for (const GroupInput::Member& a : input.attachments) ids.emplace(a.config->name, a.id);
  PolicyGroups groups;
  for (const config::Group* configured : input.groups) {
    const config::Group& g = *configured;
    PolicyGroup group;
    group.name = g.name;
    for (const std::string& name : g.domains) group.domains.push_back(input.domain(name));
    for (const std::string& name : g.attachments) group.attachments.push_back(ids.at(name));
    group.prefixes = g.prefixes;
    if (!g.match.empty()) add_matching(group, g.match, tagged, input);
    sort_out(group.domains);
    sort_out(group.attachments);
    sort_out(group.prefixes);
    sort_out(group.of_domains);
    const auto known = before.find(g.name);
    const bool same = known != before.end() && *known->second == group;
    groups.emplace(g.name, same ? known->second : std::make_shared<const PolicyGroup>(std::move(group)));
  }
  return groups;
}

GroupClosures close_groups(const std::vector<const config::Group*>& configured, const PolicyGroups& groups) {
  std::unordered_map<std::string_view, const config::Group*> by_name;
  for (const config::Group* g : configured) by_name.emplace(g->name, g);
  GroupClosures closures;
  for (const config::Group* g : configured) {
    std::set<std::string_view> all{g->name};
    std::vector<const config::Group*> left{g};
    while (!left.empty()) {
      const config::Group* next = left.back();
      left.pop_back();
      for (const std::string& name : next->groups) {
        if (all.insert(name).second) left.push_back(by_name.at(name));
      }
    }
    auto& closure = closures[g->name];
    for (const std::string_view name : all) closure.push_back(groups.find(name)->second);
  }
  return closures;
}

GroupedAttachments::GroupedAttachments(const std::vector<const config::Group*>& groups) {
  for (const config::Group* g : groups) {
    named_.insert(g->attachments.begin(), g->attachments.end());
    if (auto expression = config::TagExpression::parse(g->match))
      expressions_.push_back(std::move(*expression));
  }
}

bool GroupedAttachments::touched(const config::Attachment* before, const config::Attachment* after) const {
  if (before == nullptr && after == nullptr) return false;
  const config::Attachment& any = after != nullptr ? *after : *before;
  const bool stays = before != nullptr && after != nullptr && before->domain == after->domain;
  if (!stays && named_.contains(any.name)) return true;
  return std::any_of(expressions_.begin(), expressions_.end(), [&](const config::TagExpression& e) {
    const bool was = before != nullptr && e.fits(before->tags), is = after != nullptr && e.fits(after->tags);
    return was != is || (is && !stays);
  });
}

}  // namespace weir::model
