// What is wrong with what a transaction says of groups, policy and address translation.
#include <set>

#include "mgmt/config/choices.h"
#include "mgmt/config/fit.h"
#include "mgmt/config/group_cycles.h"
#include "mgmt/config/nat_fit.h"
#include "mgmt/config/toml_values.h"
#include "mgmt/config/values.h"
#include "mgmt/model/transaction.h"

namespace weir::model {

using config::in_quotes;

std::vector<std::string> domains_of(const config::Nat& rule) {
  std::vector<std::string> names = rule.from;
  names.push_back(rule.domain);
  return names;
}

namespace {

/// The names of some things, to be found and to be named when one is not.
class KnownNames {
 public:
  explicit KnownNames(const char* kind) : kind_(kind) {}
  template <typename Things>
  KnownNames(const char* kind, const Things& things) : kind_(kind) {
    for (const auto& thing : things) add(thing.name);
  }
  void add(std::string_view name) { names_.insert(name); }
  /// Empty if there is such a thing.
  std::string missing(const std::string& name) const {
    if (names_.contains(name)) return "";
    return config::no_such(kind_, name, {names_.begin(), names_.end()});
  }

 private:
  const char* kind_;
  std::set<std::string_view> names_;
};

KnownNames names_of(const std::vector<const config::Group*>& groups) {
  KnownNames names("group");
  for (const config::Group* group : groups) names.add(group->name);
  return names;
}

}  // namespace

/// As they will be, in the order of their names. Only once nothing is added any more.
std::vector<const config::Group*> Transaction::groups() const {
  std::vector<const config::Group*> all;
  for (const auto& [name, edit] : groups_) {
    if (edit.after) all.push_back(&*edit.after);
  }
  for (const auto& [name, record] : model_.groups_) {
    if (!groups_.contains(name)) all.push_back(&record.config);
  }
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return all;
}

/// What is named by groups and prefixes has to be there.
void Transaction::check_objects() {
  const bool domains_go = std::any_of(domains_.begin(), domains_.end(), [](const auto& e) {
    return e.second.before != nullptr && !e.second.after;
  });
  const bool members_go = std::any_of(attachments_.begin(), attachments_.end(), [&](const auto& e) {
    return e.second.before != nullptr && !e.second.after && model_.grouped_.names(e.first);
  });
  if (settings_ || domains_go) {
    for (const config::TaggedPrefix& p : settings().prefixes) {
      if (!p.domain.empty() && !has_domain(p.domain))
        problem(p.where, "prefix[].domain",
                "prefix " + name_of(p) + " names " + in_quotes(p.domain) + ", which would not be there");
    }
  }
  if (!domains_go && !members_go && groups_.empty()) return;
  for (const config::Group* group : groups()) check_group(*group);
  if (!groups_.empty()) check_group_cycles();
}

void Transaction::check_group(const config::Group& group) {
  const bool is_new = groups_.contains(group.name);
  const auto say = [&](const char* key, const std::string& why) {
    if (!why.empty())
      problem(group.where, std::string("group[]") + key, "group " + in_quotes(group.name) + ": " + why);
  };
  const auto missing = [&](const char* key, const std::string& name, const std::string& why) {
    if (is_new) return say(key, why);
    problem(group.where, std::string("group[]") + key,
            "group " + in_quotes(group.name) + " names " + in_quotes(name) + ", which would not be there");
  };
  for (const std::string& name : group.domains) {
    if (!has_domain(name)) missing(".domains", name, no_such(Named::domain, name));
  }
  for (const std::string& name : group.attachments) {
    if (attachment(name) == nullptr) missing(".attachments", name, no_such(Named::attachment, name));
  }
  if (!is_new) return;
  say("", config::misfit_of_parts(group));
  if (!group.match.empty()) say(".match", config::misfit_of_match(group));
}

/// Also names groups that are not there: both need to know all of them.
void Transaction::check_group_cycles() {
  const std::vector<const config::Group*> all = groups();
  const KnownNames known = names_of(all);
  std::map<std::string_view, size_t> places;
  for (size_t i = 0; i < all.size(); ++i) {
    places.emplace(all[i]->name, i);
    for (const std::string& name : all[i]->groups) {
      if (std::string why = known.missing(name); !why.empty())
        problem(all[i]->where, "group[].groups", "group " + in_quotes(all[i]->name) + ": " + std::move(why));
    }
  }
  const auto find = [&](const std::string& name) {
    const auto at = places.find(name);
    return at != places.end() ? &at->second : nullptr;
  };
  config::find_group_cycles(all, find, [&](const config::GroupCycle& cycle) {
    problem(all[cycle.group]->where, "group[].groups", cycle.message);
  });
}

void Transaction::check_policy() {
  const auto& profiles = settings().profiles;
  if (settings_) {
    for (const config::Profile& p : profiles) {
      const auto rules = settings_->rulesets.find(p.name);
      if (rules == settings_->rulesets.end() || rules->second == nullptr) {
        problem(p.where, "", "profile " + in_quotes(p.name) + " has no compiled rules");
      }
    }
  }
  if (!rules_ && !settings_ && groups_.empty()) return;
  if (rules_ && rules_->size() > model_.facts_.policy_rules) {
    problem({}, "policy[]",
            "there would be " + std::to_string(rules_->size()) + " rules, and limits.policy_rules allows " +
                std::to_string(model_.facts_.policy_rules));
  }
  std::vector<const config::PolicyRule*> rules;
  for (const RuleRecord& record : rules_ ? *rules_ : *model_.policy_) rules.push_back(&record.config);
  if (std::string why = config::misfit_of_timeouts(rules); !why.empty())
    problem({}, "policy[].timeouts", std::move(why));
  const KnownNames groups = names_of(this->groups()), services("service", settings().services);
  const KnownNames known_profiles("profile", profiles);
  for (const config::PolicyRule* at : rules) {
    const config::PolicyRule& rule = *at;
    const auto say = [&](const char* key, std::string why) {
      if (!why.empty())
        problem(rule.where, std::string("policy[].") + key,
                "rule " + in_quotes(rule.id) + ": " + std::move(why));
    };
    for (const std::string& name : rule.from.domains)
      say("from.domains", has_domain(name) ? "" : no_such(Named::domain, name));
    for (const std::string& name : rule.to.domains)
      say("to.domains", has_domain(name) ? "" : no_such(Named::domain, name));
    for (const std::string& name : rule.from.groups) say("from.groups", groups.missing(name));
    for (const std::string& name : rule.to.groups) say("to.groups", groups.missing(name));
    for (const std::string& name : rule.services) say("services", services.missing(name));
    say("services", config::misfit_of_services(rule));
    say("ports", config::misfit_of_ports(rule));
    say("names", config::misfit_of_names(rule));
    say("unknown", config::misfit_of_unknown(rule));
    say("to.prefixes", config::misfit_of_sides(rule));
    say("protocol", config::misfit_of_protocol(rule));
    say("profile", config::misfit_of_profile(rule));
    if (rule.action != config::PolicyAction::inspect) continue;
    if (rule.profile.empty()) {
      say("profile", "missing; action \"inspect\" needs a profile");
    } else {
      say("profile", known_profiles.missing(rule.profile));
    }
  }
}

/// By a gateway or otherwise, to all of the prefix.
bool Transaction::will_have_route(const std::string& domain, const net::Prefix& prefix) const {
  const DomainRecord* record = model_.domain(domain);
  return net::any_around(prefix, [&](const net::Prefix& wider) {
    if (const RouteEdit* edit = find_edit(domain, wider))
      return !edit->members.empty() || !edit->on_link.empty();
    return record != nullptr && record->routes.contains(wider);
  });
}

void Transaction::check_nat() {
  if (!nat_rules_) return;
  std::vector<const config::Nat*> rules;
  for (const NatRecord& record : *nat_rules_) {
    const config::Nat& rule = record.config;
    rules.push_back(&rule);
    for (const std::string& name : domains_of(rule)) {
      if (!has_domain(name))
        problem(rule.where, "nat[]",
                "nat rule " + in_quotes(rule.name) + ": " + no_such(Named::domain, name));
    }
  }
  config::NatSurroundings around;
  around.workers = model_.facts_.workers;
  for (const auto& [name, record] : model_.domains_) {
    if (has_domain(name)) around.domains.push_back(name);
  }
  for (const auto& [name, id] : new_domains_) around.domains.push_back(name);
  for (const auto& [name, record] : model_.attachments_) {
    if (!attachments_.contains(name)) around.attachments.push_back(&record.config);
  }
  for (const auto& [name, edit] : attachments_) {
    if (edit.after) around.attachments.push_back(&*edit.after);
  }
  around.has_route = [this](const std::string& domain, const net::Prefix& prefix) {
    return will_have_route(domain, prefix);
  };
  around.usable = [](size_t, std::string_view) { return true; };
  around.is_bad = [](size_t, std::string_view) { return false; };
  around.place = [](size_t, std::string_view, size_t) { return std::string(); };
  config::find_nat_misfits(rules, around, [&](config::NatMisfit misfit) {
    const config::Nat& rule = *rules[misfit.rule];
    problem(rule.where, std::string(misfit.key),
            "nat rule " + in_quotes(rule.name) + ": " + std::move(misfit.message));
    return problems_.size() < config::Problems::kMax;
  });
}

}  // namespace weir::model
