#include "mgmt/model/apply_routes.h"

#include <algorithm>

namespace weir::model {

using namespace dataplane;

namespace {

const Domain* domain_of(const Model& model, size_t slot) {
  return slot < model.domains.size() ? model.domains[slot].get() : nullptr;
}
/// Empty unless the model has that very domain.
const DomainRoutes& routes_of(const Model& model, const Domain& domain) {
  static const DomainRoutes none;
  const Domain* there = domain_of(model, domain.id.index());
  return there != nullptr && there->id == domain.id ? model.routes[domain.id.index()] : none;
}

const RouteRecord* find(const std::vector<RouteRecord>& list, const net::Prefix& prefix) {
  const auto at = std::lower_bound(list.begin(), list.end(), prefix,
                                   [](const RouteRecord& r, const net::Prefix& p) { return r.prefix < p; });
  return at != list.end() && at->prefix == prefix ? &*at : nullptr;
}

}  // namespace

void withdraw_routes(Routes& routes, const Model& before, const Model& after) {
  for (const auto& domain : before.domains) {
    if (domain == nullptr) continue;
    const Domain* there = domain_of(after, domain->id.index());
    if (there == nullptr || there->id != domain->id) {
      routes.remove_domain(domain->id);
      continue;
    }
    const DomainRoutes &old = routes_of(before, *domain), &now = routes_of(after, *domain);
    for (const DomainId peer : old.peers) {
      if (!std::binary_search(now.peers.begin(), now.peers.end(), peer)) routes.disconnect(domain->id, peer);
    }
    for (const RouteRecord& route : old.own) {
      if (find(now.own, route.prefix) == nullptr) routes.remove(domain->id, route.prefix);
    }
  }
}

Status add_routes(Routes& routes, const Model& before, const Model& after) {
  for (const auto& domain : after.domains) {
    if (domain == nullptr) continue;
    if (const Status added = routes.add_domain(domain->id); !added) return added;
  }
  for (const auto& domain : after.domains) {
    if (domain == nullptr) continue;
    const DomainRoutes &old = routes_of(before, *domain), &now = routes_of(after, *domain);
    for (const RouteRecord& route : now.own) {
      const RouteRecord* known = find(old.own, route.prefix);
      if (known != nullptr && known->members == route.members) continue;
      if (const Status set = routes.set(domain->id, route.prefix, route.members); !set) return set;
    }
    for (const DomainId peer : now.peers) {
      if (std::binary_search(old.peers.begin(), old.peers.end(), peer)) continue;
      if (const Status connected = routes.connect(domain->id, peer); !connected) return connected;
    }
  }
  return {};
}

}  // namespace weir::model
