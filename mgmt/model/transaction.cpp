// Gathering changes. What is wrong with them is in transaction_check.cpp, how they are made in
// transaction_plan.cpp.
#include "mgmt/model/transaction.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "mgmt/config/diff.h"
#include "mgmt/config/toml_values.h"
#include "mgmt/model/build_attachment.h"

namespace weir::model {

using config::ChangeVerb;
using config::in_quotes;

namespace {

LiveModel::Names names_of(const config::Connection& c) { return {std::min(c.a, c.b), std::max(c.a, c.b)}; }

bool same_hop(const config::Route& a, const config::Route& b) {
  return a.blackhole == b.blackhole && a.attachment == b.attachment && a.via == b.via;
}

}  // namespace

void Transaction::add(const config::ModelChange& change) {
  std::visit([&](const auto& subject) { apply(change.verb, change.place, subject); }, change.subject);
}

/// May `verb` be done to a thing that exists or not, and came from where? Else a problem is noted, but for a
/// thing that the file no longer names and that is gone already: then there is just nothing to do.
bool Transaction::may(Verb verb, bool exists, Origin origin, const config::Location& where,
                      const What& what) {
  const bool others = origin_ == Origin::file && origin == Origin::api;
  if (verb == ChangeVerb::add && exists) {
    problem(
        where, "",
        what() + (others ? " has been added at run time already; remove it there, or save the configuration"
                         : " is there already"));
    return false;
  }
  if (exists && others) {
    problem(where, "",
            what() +
                " has been changed in the file and at run time; undo one of them, or save the configuration");
    return false;
  }
  if (exists || verb == ChangeVerb::add) return true;
  if (origin_ == Origin::file) {
    if (verb == ChangeVerb::replace) {
      problem(where, "", what() + " has been changed in the file, and removed at run time");
    }
    return false;
  }
  if (verb == ChangeVerb::remove) problem(where, "", "there is no " + what());
  return verb == ChangeVerb::replace;
}

template <typename Edits, typename Records, typename Key, typename Config>
void Transaction::edit(Edits& edits, Records& records, const Key& key, Verb verb, const Config& subject,
                       const What& what) {
  const auto record = records.find(key);
  const auto known = edits.find(key);
  const bool exists = known != edits.end() ? known->second.after.has_value() : record != records.end();
  const Origin origin = known != edits.end()      ? known->second.origin
                        : record != records.end() ? record->second.origin
                                                  : origin_;
  const bool unedited = known == edits.end() && record != records.end();
  if (unedited && origin_ == Origin::file && origin == Origin::api && verb != ChangeVerb::remove &&
      config::same(record->second.config, subject)) {
    adopted_.push_back(&record->second.origin);
    return;
  }
  if (!may(verb, exists, origin, subject.where, what)) return;
  auto& entry = edits[key];
  entry.before = record != records.end() ? &record->second : nullptr;
  entry.origin = origin_;
  if (verb == ChangeVerb::remove) {
    entry.after.reset();
  } else {
    entry.after = subject;
  }
}

void Transaction::apply(Verb verb, const RulePlace&, const config::Domain& subject) {
  edit(domains_, model_.domains_, subject.name, verb, subject,
       [&] { return "domain " + in_quotes(subject.name); });
}

void Transaction::apply(Verb verb, const RulePlace&, const config::Attachment& subject) {
  edit(attachments_, model_.attachments_, subject.name, verb, subject,
       [&] { return "attachment " + in_quotes(subject.name); });
}

void Transaction::apply(Verb verb, const RulePlace&, const config::Group& subject) {
  if (config::is_of_members(verb)) return change_members(verb, subject);
  edit(groups_, model_.groups_, subject.name, verb, subject,
       [&] { return "group " + in_quotes(subject.name); });
}

namespace {

std::string text_of(const std::string& name) { return name; }
std::string text_of(const net::Prefix& prefix) { return net::to_string(prefix); }

/// Puts `members` behind `list`, or takes them out of it. Says what of them is there already, or is not.
template <typename Member, typename Say>
void change_list(ChangeVerb verb, const std::vector<Member>& members, std::vector<Member>& list,
                 const Say& say) {
  if (members.empty()) return;
  std::set<Member> known(list.begin(), list.end());
  const bool joins = verb == ChangeVerb::extend;
  for (const Member& member : members) {
    const bool done = joins ? known.insert(member).second : known.erase(member) != 0;
    if (!done) say(in_quotes(text_of(member)));
    if (done && joins) list.push_back(member);
  }
  if (!joins) std::erase_if(list, [&](const Member& member) { return !known.contains(member); });
}

}  // namespace

void Transaction::change_members(Verb verb, const config::Group& subject) {
  const auto edited = groups_.find(subject.name);
  const auto record = model_.groups_.find(subject.name);
  const config::Group* group = edited != groups_.end()
                                   ? (edited->second.after ? &*edited->second.after : nullptr)
                               : record != model_.groups_.end() ? &record->second.config
                                                                : nullptr;
  if (group == nullptr) {
    std::vector<std::string_view> names;
    for (const config::Group* known : groups()) names.push_back(known->name);
    return problem(subject.where, "group[].name", config::no_such("group", subject.name, names));
  }
  config::Group next = *group;
  const auto change = [&](const char* key, const auto& members, auto& list) {
    change_list(verb, members, list, [&](const std::string& member) {
      problem(subject.where, std::string("group[].") + key,
              "group " + in_quotes(subject.name) +
                  (verb == ChangeVerb::extend ? " has " + member + " already" : " has no " + member));
    });
  };
  change("domains", subject.domains, next.domains);
  change("attachments", subject.attachments, next.attachments);
  change("prefixes", subject.prefixes, next.prefixes);
  change("groups", subject.groups, next.groups);
  next.where = subject.where;
  apply(Verb::replace, {}, next);
}

void Transaction::apply(Verb verb, const RulePlace&, const config::Connection& subject) {
  edit(connections_, model_.connections_, names_of(subject), verb, subject,
       [&] { return "connection of " + in_quotes(subject.a) + " and " + in_quotes(subject.b); });
}

/// The routes to one prefix of one domain as they are, to be changed.
Transaction::RouteEdit& Transaction::route_edit(const std::string& name, const net::Prefix& prefix) {
  auto& edits = routes_[name];
  const size_t known = edits.size();
  RouteEdit& edit = edits.try_emplace(edits.end(), prefix)->second;  // they often come in order
  if (edits.size() == known) return edit;
  const DomainRecord* domain = model_.domain(name);
  if (domain == nullptr) return edit;
  const auto route = domain->routes.find(prefix);
  if (route == domain->routes.end()) return edit;
  edit.existed = true;
  if (route->second.on_link) {
    edit.on_link = domain->gateways.find(prefix)->second;
    return edit;
  }
  for (config::Route& member : model_.members_of(*domain, prefix)) {
    const uint64_t bit = uint64_t{1} << edit.members.size();
    edit.members.push_back({&owned_.emplace_back(std::move(member)),
                            (route->second.from_file & bit) != 0 ? Origin::file : Origin::api, false});
  }
  return edit;
}

const Transaction::RouteEdit* Transaction::find_edit(const std::string& domain,
                                                     const net::Prefix& prefix) const {
  const auto edits = routes_.find(domain);
  if (edits == routes_.end()) return nullptr;
  const auto at = edits->second.find(prefix);
  return at != edits->second.end() ? &at->second : nullptr;
}

void Transaction::apply(Verb verb, const RulePlace&, const config::Route& subject) {
  auto& members = route_edit(subject.domain, subject.prefix).members;
  const bool any = subject.attachment.empty() && !subject.blackhole && verb == ChangeVerb::remove;
  // A file names each member for itself; somebody at run time means what there is.
  const bool all = any || (verb == ChangeVerb::replace && !subject.ecmp && origin_ == Origin::api);
  const auto is_meant = [&](const Member& m) { return any || same_hop(*m.route, subject); };
  const auto known = std::find_if(members.begin(), members.end(), is_meant);
  const bool exists = known != members.end();
  if (exists && origin_ == Origin::file && known->origin == Origin::api && verb != ChangeVerb::remove &&
      config::same(*known->route, subject)) {
    known->origin = Origin::file;
    return;
  }
  const auto what = [&] { return "route " + name_of(subject); };
  if (!may(verb, exists, exists ? known->origin : origin_, subject.where, what)) return;
  if (verb == ChangeVerb::remove) {
    std::erase_if(members, is_meant);
    return;
  }
  const auto at = static_cast<size_t>(known - members.begin());
  if (exists) members[at] = {&subject, origin_, true};
  if (verb == ChangeVerb::replace && all) {
    std::erase_if(members, [&](const Member& m) { return !is_meant(m); });
  }
  if (!exists) members.push_back({&subject, origin_, true});
}

std::vector<RuleRecord>& Transaction::rules() {
  if (!rules_) rules_ = *model_.policy_;
  return *rules_;
}

void Transaction::apply(Verb verb, const RulePlace& place, const config::PolicyRule& subject) {
  auto& list = rules();
  const auto find = [&](const std::string& id) {
    return std::find_if(list.begin(), list.end(), [&](const RuleRecord& r) { return r.config.id == id; });
  };
  auto known = find(subject.id);
  const bool exists = known != list.end();
  const auto what = [&] { return "policy rule " + in_quotes(subject.id); };
  if (!may(verb, exists, exists ? known->origin : origin_, subject.where, what)) return;
  if (verb == ChangeVerb::remove) {
    list.erase(known);
    return;
  }
  using Side = config::RulePlace::Side;
  if (exists && place.side == Side::none) {
    *known = {subject, origin_};
    return;
  }
  if (exists) list.erase(known);
  auto at = list.end();
  if (place.side != Side::none) {
    at = find(place.rule);
    if (at == list.end()) {
      return problem(subject.where, "policy[]",
                     "there is no policy rule " + in_quotes(place.rule) + " to stand " +
                         (place.side == Side::before ? "before" : "after"));
    }
    if (place.side == Side::after) ++at;
  }
  list.insert(at, {subject, origin_});
}

std::vector<NatRecord>& Transaction::nat_rules() {
  if (!nat_rules_) nat_rules_ = model_.nat_rules_;
  return *nat_rules_;
}

void Transaction::apply(Verb verb, const RulePlace&, const config::Nat& subject) {
  auto& list = nat_rules();
  const auto known = std::find_if(list.begin(), list.end(),
                                  [&](const NatRecord& r) { return r.config.name == subject.name; });
  const bool exists = known != list.end();
  const auto what = [&] { return "nat rule " + in_quotes(subject.name); };
  if (!may(verb, exists, exists ? known->origin : origin_, subject.where, what)) return;
  if (verb == ChangeVerb::remove) {
    list.erase(known);
  } else if (exists) {
    *known = {subject, origin_};
  } else {
    list.push_back({subject, origin_});
  }
}

namespace {

const std::string& key_of(const config::PolicyRule& rule) { return rule.id; }
const std::string& key_of(const config::Nat& rule) { return rule.name; }

}  // namespace

template <typename Record, typename Config>
std::vector<Record> Transaction::merged(const std::vector<Config>& before, const std::vector<Config>& now,
                                        const std::vector<Record>& running_now, const char* kind) {
  std::unordered_map<std::string_view, const Config*> old_file;
  std::unordered_map<std::string_view, const Record*> running;
  for (const Config& rule : before) old_file.emplace(key_of(rule), &rule);
  for (const Record& record : running_now) running.emplace(key_of(record.config), &record);

  // The file's own, in its order; behind each those of run time that follow it, the first ones before all.
  std::vector<Record> own;
  std::unordered_map<std::string_view, size_t> place;  // in `own`
  for (const Config& rule : now) {
    const auto was = old_file.find(key_of(rule));
    const auto known = running.find(key_of(rule));
    const bool exists = known != running.end();
    const auto what = [&] { return kind + (" " + in_quotes(key_of(rule))); };
    if (was != old_file.end() && config::same(*was->second, rule)) {
      if (!exists || known->second->origin == Origin::api) continue;  // removed or replaced at run time
    } else {
      const bool others = exists && known->second->origin == Origin::api;
      const bool adopt = others && config::same(known->second->config, rule);
      const Verb verb = was == old_file.end() ? Verb::add : Verb::replace;
      if (!adopt && !may(verb, exists, others ? Origin::api : Origin::file, rule.where, what)) continue;
    }
    place.emplace(key_of(rule), own.size());
    own.push_back({rule, Origin::file});
  }
  std::vector<std::vector<Record>> behind(own.size() + 1);
  size_t follows = 0;
  for (const Record& record : running_now) {
    if (const auto at = place.find(key_of(record.config)); at != place.end()) {
      follows = at->second + 1;
    } else if (record.origin == Origin::api) {
      behind[follows].push_back(record);
    }
  }
  std::unordered_set<std::string_view> stay;
  for (const Config& rule : now) stay.insert(key_of(rule));
  for (const Config& rule : before) {
    const auto known = running.find(key_of(rule));
    if (stay.contains(key_of(rule)) || known == running.end() || known->second->origin == Origin::file)
      continue;
    may(Verb::remove, true, Origin::api, rule.where, [&] { return kind + (" " + in_quotes(key_of(rule))); });
  }
  std::vector<Record> next;
  for (size_t i = 0; i < behind.size(); ++i) {
    if (i > 0) next.push_back(std::move(own[i - 1]));
    std::move(behind[i].begin(), behind[i].end(), std::back_inserter(next));
  }
  return next;
}

void Transaction::file_policy(const std::vector<config::PolicyRule>& before,
                              const std::vector<config::PolicyRule>& now) {
  rules_ = merged(before, now, *model_.policy_, "policy rule");
}

void Transaction::file_nat(const std::vector<config::Nat>& before, const std::vector<config::Nat>& now) {
  nat_rules_ = merged(before, now, model_.nat_rules_, "nat rule");
}

void Transaction::for_each_attachment(const VisitAttachment& visit) const {
  for (const auto& [name, edit] : attachments_) {
    visit(edit.before != nullptr ? &edit.before->config : nullptr, edit.after ? &*edit.after : nullptr);
  }
}

namespace {

/// Gathers lines and counts of one kind of thing.
class Lines {
 public:
  Lines(ChangeList& list, std::string kind, const char* plural)
      : list_(list), kind_(std::move(kind)), plural_(plural) {}
  ~Lines() { end(); }
  /// No more of them.
  void end() {
    std::string text;
    for (const auto& [sign, n] : counts_) text += std::string(" ") + sign + std::to_string(n);
    if (!text.empty()) list_.counts += (list_.counts.empty() ? "" : ", ") + std::string(plural_) + text;
    counts_.clear();
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  template <typename Name>
  void add(char sign, const Name& name) {
    ++counts_[sign];
    if (++list_.total <= ChangeList::kMaxLines) list_.lines.push_back(sign + (" " + kind_ + " ") + name());
  }
  template <typename Thing>
  void changed(const Thing& before, const Thing& now) {
    if (config::same(before, now)) return;
    add('~', [&] { return name_of(now) + ":" + config::changed_leaves(before, now); });
  }

 private:
  ChangeList& list_;
  std::string kind_;
  const char* plural_;
  std::map<char, size_t> counts_;  // '+', '-', '~' in this order
};

template <typename Edits>
void list_edits(const Edits& edits, Lines lines) {
  for (const auto& entry : edits) {
    const auto& edit = entry.second;
    if (edit.before == nullptr && edit.after) lines.add('+', [&] { return name_of(*edit.after); });
    if (edit.before != nullptr && !edit.after) lines.add('-', [&] { return name_of(edit.before->config); });
    if (edit.before != nullptr && edit.after) lines.changed(edit.before->config, *edit.after);
  }
}

template <typename Record>
void list_rules(const std::vector<Record>& before, const std::vector<Record>& now, Lines lines) {
  std::unordered_map<std::string_view, const decltype(Record::config)*> old, next;
  for (const Record& rule : before) old.emplace(key_of(rule.config), &rule.config);
  for (const Record& rule : now) next.emplace(key_of(rule.config), &rule.config);
  std::vector<std::string_view> kept_before, kept_now;
  for (const Record& rule : before) {
    if (next.contains(key_of(rule.config))) {
      kept_before.push_back(key_of(rule.config));
    } else {
      lines.add('-', [&] { return key_of(rule.config); });
    }
  }
  for (const Record& rule : now) {
    const auto known = old.find(key_of(rule.config));
    if (known == old.end()) {
      lines.add('+', [&] { return key_of(rule.config); });
      continue;
    }
    kept_now.push_back(key_of(rule.config));
    lines.changed(*known->second, rule.config);
  }
  if (kept_before != kept_now) lines.add('~', [] { return "the order"; });
}

}  // namespace

ChangeList Transaction::changes() const {
  ChangeList list;
  list_edits(domains_, Lines(list, "domain", "domains"));
  list_edits(attachments_, Lines(list, "attachment", "attachments"));
  Lines routes(list, "route", "routes");
  for (const auto& [name, edits] : routes_) {
    for (const auto& [prefix, edit] : edits) {
      std::vector<config::Route> before;
      if (edit.existed) before = model_.members_of(*model_.domain(name), prefix);
      for (const config::Route& old : before) {
        const bool stays = std::any_of(edit.members.begin(), edit.members.end(),
                                       [&](const Member& m) { return same_hop(*m.route, old); });
        if (!stays) routes.add('-', [&] { return name_of(old); });
      }
      for (const Member& member : edit.members) {
        if (!member.is_new) continue;
        const auto old = std::find_if(before.begin(), before.end(),
                                      [&](const config::Route& r) { return same_hop(r, *member.route); });
        if (old == before.end()) {
          routes.add('+', [&] { return name_of(*member.route); });
        } else {
          routes.changed(*old, *member.route);
        }
      }
    }
  }
  routes.end();
  list_edits(connections_, Lines(list, "connection", "connections"));
  list_edits(groups_, Lines(list, "group", "groups"));
  if (rules_) list_rules(*model_.policy_, *rules_, Lines(list, "policy", "policy rules"));
  if (nat_rules_) list_rules(model_.nat_rules_, *nat_rules_, Lines(list, "nat", "nat rules"));
  return list;
}

std::vector<Problem> Transaction::warnings() const {
  std::vector<Problem> all;
  for (const auto& [name, edit] : attachments_) {
    if (!edit.after) continue;
    AttachmentPlace place;
    const auto way = path_of(*edit.after);
    const auto path = way ? model_.paths_.find(*way) : model_.paths_.end();
    if (path != model_.paths_.end() && path->second.facts) place.path = &*path->second.facts;
    build_attachment(*edit.after, model_.facts_, place, all);
  }
  return all;
}

}  // namespace weir::model
