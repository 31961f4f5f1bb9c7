// Changes to routes and connections that belong together, judged before any of them is made.
//
// What counts is the state after all of them: a route may be withdrawn from one domain and be added to
// another one in either order. Domains that come with the same transaction need not be known to Routes yet.
// Control thread; keep it only as long as Routes is not changed.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/fib/routes.h"

namespace weir::dataplane {

class RouteChanges {
 public:
  explicit RouteChanges(const Routes& routes) : routes_(routes) {}

  void set(DomainId domain, const net::Prefix& prefix, bool blackhole);
  void remove(DomainId domain, const net::Prefix& prefix);
  void connect(DomainId a, DomainId b, const Routes::Exposure& a_exposes = {},
               const Routes::Exposure& b_exposes = {});
  void disconnect(DomainId a, DomainId b);
  /// With its routes and connections, but for those that set() and connect() name.
  void remove_domain(DomainId domain);

  /// At most `at_most` of them, each prefix once.
  std::vector<Routes::Conflict> conflicts(size_t at_most = 20) const;
  /// Routes that there will be beyond what the hub may have; 0: they fit. `others`: that were not told, and
  /// are to have room too.
  uint32_t excess(uint32_t others = 0) const;

 private:
  enum class Now : uint8_t { gone, blackhole, members };
  struct Route {
    net::Prefix prefix;
    DomainId domain;
    Now now;
  };
  struct Link {
    bool connected = false;
    Routes::Exposure exposes;  // what the second domain of the key lets the first one see
  };
  class Judge;

  const Routes& routes_;
  std::vector<Route> changed_;  // in the order in which they were told; the last one counts
  std::map<std::pair<DomainId, DomainId>, Link> links_;
  std::set<DomainId> removed_;
};

}  // namespace weir::dataplane
