#include "mgmt/config/shadowing.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "mgmt/config/rule_sets.h"
#include "mgmt/config/tag_expression.h"

namespace weir::config {

namespace {

using RuleNumber = uint32_t;

/// Finds the rules that may hold one end of another: those for which it is open, and those that have the
/// first thing that it names.
class EndIndex {
 public:
  void add(const EndSet& end, RuleNumber rule) {
    if (end.any_address) open_.push_back(rule);
    for (const GroupIndex group : end.all_groups) by_group_[group].push_back(rule);
    for (const net::Prefix& prefix : end.prefixes) by_prefix_[prefix].push_back(rule);
  }
  template <typename Visit>
  void visit(const EndSet& end, Visit&& visit) const {
    const auto all = [&](const auto& map, const auto& key) {
      if (const auto at = map.find(key); at != map.end())
        std::for_each(at->second.begin(), at->second.end(), visit);
    };
    std::for_each(open_.begin(), open_.end(), visit);
    if (!end.groups.empty()) return all(by_group_, end.groups.front());
    if (end.prefixes.empty()) return;
    for (const GroupIndex group : end.holders.front()) all(by_group_, group);
    net::any_around(end.prefixes.front(), [&](const net::Prefix& wider) {
      all(by_prefix_, wider);
      return false;
    });
  }

 private:
  std::vector<RuleNumber> open_;
  std::unordered_map<GroupIndex, std::vector<RuleNumber>> by_group_;
  std::map<net::Prefix, std::vector<RuleNumber>> by_prefix_;
};

/// The rules so far that decide.
class Takers {
 public:
  explicit Takers(const PolicyObjects& objects) : sets_(objects) {}

  RuleSet read(const PolicyRule& rule) const { return sets_.read(rule); }
  void add(RuleSet rule) {
    const auto number = static_cast<RuleNumber>(rules_.size());
    from_.add(rule.from, number);
    to_.add(rule.to, number);
    rules_.push_back(std::move(rule));
    seen_.push_back(0);
  }
  /// The first one that takes all that `rule` matches, or else several that do so together; empty: none do,
  /// or nothing more is looked for (exhausted()).
  std::vector<std::string_view> find(const RuleSet& rule) {
    Search search{rule, std::nullopt, {}};
    ++now_;
    // Who leaves open one part of one end holds the other end.
    const auto visit = [&](RuleNumber number) { compare(search, number); };
    from_.visit(rule.from, visit);
    if (!exhausted()) to_.visit(rule.to, visit);
    if (search.whole) return {rules_[*search.whole].config->id};
    for (size_t part = 0; part < kRuleParts; ++part) {
      std::vector<RuleNumber>& some = search.but[part];
      std::sort(some.begin(), some.end());
      std::vector<const RuleSet*> sets;
      for (const RuleNumber number : some) sets.push_back(&rules_[number]);
      if (sets.size() < 2 || exhausted() || !sets_.hold(static_cast<RulePart>(part), sets, rule, work_))
        continue;
      std::vector<std::string_view> names;
      for (const RuleSet* set : sets) names.emplace_back(set->config->id);
      return names;
    }
    return {};
  }
  bool exhausted() const { return work_ > kMostWork; }

 private:
  /// Comparisons of two rules, and prefixes looked at, over all rules: a second or two.
  static constexpr uint64_t kMostWork = 10'000'000;

  struct Search {
    const RuleSet& rule;
    std::optional<RuleNumber> whole;
    std::vector<RuleNumber> but[kRuleParts];  // those that hold all but that part, of which they have some
  };

  void compare(Search& search, RuleNumber number) {
    if (seen_[number] == now_ || exhausted()) return;
    seen_[number] = now_;
    ++work_;
    const RuleSet& taker = rules_[number];
    std::optional<RulePart> open;
    for (size_t p = 0; p < kRuleParts; ++p) {
      const auto part = static_cast<RulePart>(p);
      if (sets_.holds(part, taker, search.rule)) continue;
      if (open) return;
      open = part;
    }
    if (!open) {
      search.whole = std::min(search.whole.value_or(number), number);
    } else if (sets_.meets(*open, taker, search.rule)) {
      search.but[static_cast<size_t>(*open)].push_back(number);
    }
  }

  RuleSets sets_;
  EndIndex from_, to_;
  std::vector<RuleSet> rules_;
  std::vector<uint32_t> seen_;  // by rule: in which search
  uint32_t now_ = 0;
  uint64_t work_ = 0;
};

void note_groups(const Config& config, std::vector<Problem>& notes) {
  std::vector<std::string_view> known;
  for (const Attachment& a : config.attachments) known.insert(known.end(), a.tags.begin(), a.tags.end());
  for (const TaggedPrefix& p : config.objects.prefixes)
    known.insert(known.end(), p.tags.begin(), p.tags.end());
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  for (const Group& g : config.objects.groups) {
    if (g.match.empty()) continue;
    const auto expression = TagExpression::parse(g.match);
    if (!expression) continue;
    for (const std::string& tag : expression->tags()) {
      if (std::binary_search(known.begin(), known.end(), tag)) continue;
      const auto near = nearest(tag, known);
      notes.push_back({g.where, "group[].match",
                       "group " + in_quotes(g.name) + ": nothing has the tag " + in_quotes(tag) +
                           (near.empty() ? "" : "; the nearest is " + in_quotes(near))});
    }
    const auto fits = [&](const auto& thing) { return expression->fits(thing.tags); };
    const bool empty = std::none_of(config.attachments.begin(), config.attachments.end(), fits) &&
                       std::none_of(config.objects.prefixes.begin(), config.objects.prefixes.end(), fits);
    if (empty) {
      notes.push_back(
          {g.where, "group[].match", "group " + in_quotes(g.name) + ": its expression chooses nothing now"});
    }
  }
}

bool asks_for_names(const PolicyRule& rule) {
  return std::any_of(rule.names.begin(), rule.names.end(), [](const auto& some) { return !some.empty(); });
}

/// Nobody verifies a certificate here, and tickets can be sent by whoever has seen them.
void note_identities(const Config& config, std::vector<Problem>& notes) {
  using inspection::NameKind;
  for (const PolicyRule& rule : config.policy) {
    const bool allows = rule.action == PolicyAction::allow || rule.action == PolicyAction::inspect;
    const bool by_identity = !rule.names[static_cast<size_t>(NameKind::spiffe)].empty();
    if (!rule.enabled || !allows || !by_identity || !rule.from.prefixes.empty() || !rule.from.groups.empty())
      continue;
    notes.push_back(
        {rule.where, "policy[].names.spiffe",
         "rule " + in_quotes(rule.id) +
             " lets through whoever shows such a SPIFFE ID, which nobody verifies on the way; say in "
             "from, by prefixes or groups, where it may come from"});
  }
}

}  // namespace

void take_policy_notes(const Config& config, std::vector<Problem>& notes) {
  note_groups(config, notes);
  note_identities(config, notes);
  Takers takers(config.objects);
  for (const PolicyRule& rule : config.policy) {
    if (!rule.enabled) continue;
    RuleSet set = takers.read(rule);
    const auto names = takers.find(set);
    if (takers.exhausted()) {
      notes.push_back({rule.where, "policy[]",
                       "from rule " + in_quotes(rule.id) +
                           " on it was not looked for rules that never decide: there are too many alike"});
      return;
    }
    if (!names.empty()) {
      notes.push_back({rule.where, "policy[]",
                       "rule " + in_quotes(rule.id) + " never decides: " +
                           (names.size() == 1 ? "rule " + listed(names) + " before it takes"
                                              : "rules " + listed(names, 5) + " before it together take") +
                           " all that it matches"});
    } else if (!rule.watch && !asks_for_names(rule)) {
      takers.add(std::move(set));
    }
  }
}

}  // namespace weir::config
