// Gathering changes. What is wrong with them is in transaction_check.cpp, how they are made in
// transaction_plan.cpp.
#include "mgmt/model/transaction.h"

#include <algorithm>
#include <iterator>

#include "mgmt/config/toml_values.h"

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
  std::visit([&](const auto& subject) { apply(change, subject); }, change.subject);
}

/// May `verb` be done to a thing that exists or not, and came from where? Else a problem is noted, but for a
/// thing that the file no longer names and that is gone already: then there is just nothing to do.
bool Transaction::may(ChangeVerb verb, bool exists, Origin origin, const config::Location& where,
                      const std::string& what) {
  const bool others = origin_ == Origin::file && origin == Origin::api;
  if (verb == ChangeVerb::add && exists) {
    problem(where, "",
            what + (others ? " has been added at run time already; remove it there, or save the configuration"
                           : " is there already"));
    return false;
  }
  if (exists && others) {
    problem(
        where, "",
        what + " has been changed in the file and at run time; undo one of them, or save the configuration");
    return false;
  }
  if (exists || verb == ChangeVerb::add) return true;
  if (origin_ == Origin::file) {
    if (verb == ChangeVerb::replace) {
      problem(where, "", what + " has been changed in the file, and removed at run time");
    }
    return false;
  }
  if (verb == ChangeVerb::remove) problem(where, "", "there is no " + what);
  return verb == ChangeVerb::replace;
}

template <typename Edits, typename Records, typename Key, typename Config>
void Transaction::edit(Edits& edits, const Records& records, const Key& key,
                       const config::ModelChange& change, const Config& subject, const std::string& what) {
  const auto record = records.find(key);
  const auto known = edits.find(key);
  const bool exists = known != edits.end() ? known->second.after.has_value() : record != records.end();
  const Origin origin = known != edits.end()      ? known->second.origin
                        : record != records.end() ? record->second.origin
                                                  : origin_;
  if (!may(change.verb, exists, origin, subject.where, what)) return;
  auto& entry = edits[key];
  entry.before = record != records.end() ? &record->second : nullptr;
  entry.origin = origin_;
  if (change.verb == ChangeVerb::remove) {
    entry.after.reset();
  } else {
    entry.after = subject;
  }
}

void Transaction::apply(const config::ModelChange& change, const config::Domain& subject) {
  edit(domains_, model_.domains_, subject.name, change, subject, "domain " + in_quotes(subject.name));
}

void Transaction::apply(const config::ModelChange& change, const config::Attachment& subject) {
  edit(attachments_, model_.attachments_, subject.name, change, subject,
       "attachment " + in_quotes(subject.name));
}

void Transaction::apply(const config::ModelChange& change, const config::Connection& subject) {
  edit(connections_, model_.connections_, names_of(subject), change, subject,
       "connection of " + in_quotes(subject.a) + " and " + in_quotes(subject.b));
}

/// The routes to one prefix of one domain as they are, to be changed.
Transaction::RouteEdit& Transaction::route_edit(const Place& place) {
  const auto [at, is_new] = routes_.try_emplace(place);
  RouteEdit& edit = at->second;
  if (!is_new) return edit;
  const DomainRecord* domain = model_.domain(place.first);
  if (domain == nullptr) return edit;
  const auto route = domain->routes.find(place.second);
  if (route == domain->routes.end()) return edit;
  edit.existed = true;
  if (route->second.on_link) {
    edit.on_link = domain->gateways.find(place.second)->second;
    return edit;
  }
  for (config::Route& member : model_.members_of(*domain, place.second)) {
    const uint64_t bit = uint64_t{1} << edit.members.size();
    if (!member.attachment.empty()) ++looked_at_[member.attachment];
    edit.members.push_back(
        {std::move(member), (route->second.from_file & bit) != 0 ? Origin::file : Origin::api, false});
  }
  return edit;
}

void Transaction::apply(const config::ModelChange& change, const config::Route& subject) {
  auto& members = route_edit({subject.domain, subject.prefix}).members;
  const bool any = subject.attachment.empty() && !subject.blackhole && change.verb == ChangeVerb::remove;
  const bool all = any || (change.verb == ChangeVerb::replace && !subject.ecmp);
  const auto is_meant = [&](const Member& m) { return any || same_hop(m.route, subject); };
  const auto known = std::find_if(members.begin(), members.end(), is_meant);
  const bool exists = known != members.end();
  if (!may(change.verb, exists, exists ? known->origin : origin_, subject.where, "route " + name_of(subject)))
    return;
  if (change.verb == ChangeVerb::remove) {
    std::erase_if(members, is_meant);
    return;
  }
  const auto at = static_cast<size_t>(known - members.begin());
  if (exists) members[at] = {subject, origin_, true};
  if (change.verb == ChangeVerb::replace && all) {
    std::erase_if(members, [&](const Member& m) { return !is_meant(m); });
  }
  if (!exists) members.push_back({subject, origin_, true});
}

std::vector<RuleRecord>& Transaction::rules() {
  if (!rules_) rules_ = *model_.policy_;
  return *rules_;
}

void Transaction::apply(const config::ModelChange& change, const config::PolicyRule& subject) {
  auto& list = rules();
  const auto find = [&](const std::string& id) {
    return std::find_if(list.begin(), list.end(), [&](const RuleRecord& r) { return r.config.id == id; });
  };
  auto known = find(subject.id);
  const bool exists = known != list.end();
  if (!may(change.verb, exists, exists ? known->origin : origin_, subject.where,
           "policy rule " + in_quotes(subject.id))) {
    return;
  }
  if (change.verb == ChangeVerb::remove) {
    list.erase(known);
    return;
  }
  using Side = config::RulePlace::Side;
  if (exists && change.place.side == Side::none) {
    *known = {subject, origin_};
    return;
  }
  if (exists) list.erase(known);
  auto at = list.end();
  if (change.place.side != Side::none) {
    at = find(change.place.rule);
    if (at == list.end()) {
      return problem(subject.where, "policy[]",
                     "there is no policy rule " + in_quotes(change.place.rule) + " to stand " +
                         (change.place.side == Side::before ? "before" : "after"));
    }
    if (change.place.side == Side::after) ++at;
  }
  list.insert(at, {subject, origin_});
}

void Transaction::file_policy(const std::vector<config::PolicyRule>& from_file) {
  std::vector<RuleRecord> next;
  for (const config::PolicyRule& rule : from_file) next.push_back({rule, Origin::file});
  const auto find = [&](const std::string& id) {
    return std::find_if(next.begin(), next.end(), [&](const RuleRecord& r) { return r.config.id == id; });
  };
  std::string after;  // the last rule passed that is still there
  for (const RuleRecord& old : *model_.policy_) {
    const auto at = find(old.config.id);
    if (old.origin == Origin::file) {
      if (at != next.end()) after = old.config.id;
      continue;
    }
    if (at != next.end()) {
      may(ChangeVerb::add, true, Origin::api, at->config.where, "policy rule " + in_quotes(old.config.id));
      continue;
    }
    next.insert(after.empty() ? next.begin() : std::next(find(after)), old);
    after = old.config.id;
  }
  rules_ = std::move(next);
}

}  // namespace weir::model
