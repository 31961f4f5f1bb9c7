// Changes of a running hub's model, as people and programs ask for them: the words of a transaction.
//
// A list of changes is all or nothing (control::Control::transact()). References are judged by what holds
// after all of them, so their order matters only where two name the same thing. `where` of a subject tells
// where it was written: a file with line and column, or in the file's place what the API calls its source;
// problems quote it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "mgmt/config/config.h"

namespace weir::config {

/// `replace` is `add`, but what has that name already gives way and its name keeps its id: sessions, counters
/// and next hops of what stays the same stay. `extend` and `reduce` are of groups only: the subject's members
/// join the group of its name, which has none of them yet, or leave it, which has all of them.
enum class ChangeVerb : uint8_t { add, remove, replace, extend, reduce };

constexpr bool is_of_members(ChangeVerb verb) {
  return verb == ChangeVerb::extend || verb == ChangeVerb::reduce;
}

/// What a change is about, and by what it is known:
///   Domain, Attachment, Group   their name
///   Connection           its two domains, in either order
///   PolicyRule           its id
///   Nat                  its name; one that is added goes behind the others
///   Route                domain, prefix, attachment and via. `remove` of a route that names no attachment
///   and is no
///                        blackhole takes all routes to that prefix; `replace` by one that is not `ecmp` does
///                        too.
/// `remove` looks at nothing else of the subject.
using ChangeSubject = std::variant<Domain, Attachment, Route, Connection, PolicyRule, Nat, Group>;

/// Where a policy rule goes. `add` without one: to the end. `replace` without one: it stays where it is.
struct RulePlace {
  enum class Side : uint8_t { none, before, after };
  Side side = Side::none;
  std::string rule;  // the id of the rule to stand before or after
};

struct ModelChange {
  ChangeVerb verb = ChangeVerb::add;
  ChangeSubject subject;
  RulePlace place = {};  // policy rules only
};

using ModelChanges = std::vector<ModelChange>;

}  // namespace weir::config
