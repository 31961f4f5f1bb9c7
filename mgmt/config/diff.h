// What a reload would change: a pure comparison of two configurations.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// Of one kind of live thing. A route has no name of its own: it is called by its domain, prefix and next
/// hop, as `prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2`; a connection by its domains, as `prod -
/// shared`.
struct ListDiff {
  struct Changed {
    std::string name;
    std::vector<std::string> keys;  // "attachment[].mtu"
  };
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<Changed> changed;
  bool reordered = false;  // policy and nat, where order decides: rules that both have stand in another order

  bool empty() const { return added.empty() && removed.empty() && changed.empty() && !reordered; }
};

struct ConfigDiff {
  struct Key {
    std::string path;  // "worker.burst", "port[wan0].mtu", "port[wan1]" for a whole port
    Location where;    // in the new file; only the file is known where the key or port is no longer there
  };
  std::vector<Key> restart;       // if there is any, the reload is refused
  std::vector<std::string> live;  // "timeouts.udp", "log.level"
  ListDiff domains, attachments, routes, connections, prefixes, groups, services, policy, profiles, nat;

  bool empty() const;
};

/// Rule files are compared by name; whether their contents changed is for the caller, who reads them.
ConfigDiff diff(const Config& old, const Config& next);
/// The same of what only the file has: all but domains, attachments, routes, connections, policy and nat.
ConfigDiff diff_settings(const Config& old, const Config& next);

/// A problem for each key that only a restart can change.
std::vector<Problem> refusals(const ConfigDiff& diff);

/// A line for each thing that changes, for people; empty if nothing does.
std::string to_string(const ConfigDiff& diff);

// For Port, Domain, Attachment, Route, Connection, PolicyRule, Profile and Nat:

/// Equal, wherever they were written.
template <typename Thing>
bool same(const Thing& a, const Thing& b);
template <>
bool same(const Route& a, const Route& b);

/// The keys that differ, as " mtu health.probe".
template <typename Thing>
std::string changed_leaves(const Thing& before, const Thing& now);

/// What one list has beside another, each in the order of its list. Two things are the same one if
/// name_of() is. A million routes take a second, and next to nothing where the lists are equal.
template <typename Thing>
struct Difference {
  std::vector<const Thing*> added, removed;
  std::vector<std::pair<const Thing*, const Thing*>> changed;  // before, now

  bool empty() const { return added.empty() && removed.empty() && changed.empty(); }
};
template <typename Thing>
Difference<Thing> difference(const std::vector<Thing>& before, const std::vector<Thing>& now);

}  // namespace weir::config
