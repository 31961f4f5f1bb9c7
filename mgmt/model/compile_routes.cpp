#include <algorithm>
#include <map>
#include <set>

#include "mgmt/model/compile_parts.h"

namespace weir::model {

using namespace dataplane;

bool same(const NextHop& a, const NextHop& b) {
  return a.attachment == b.attachment && a.domain == b.domain && a.has_via == b.has_via &&
         (!a.has_via || a.via == b.via) && a.weight == b.weight;
}

namespace {

/// A route while it is gathered: who wrote it, and may another of the same prefix join it.
struct Draft {
  RouteRecord record;
  std::string source;
  bool ecmp = false;
};
using Drafts = std::map<net::Prefix, Draft>;  // of one domain

bool same_routes(const std::vector<RouteRecord>& a, const std::vector<RouteRecord>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const RouteRecord& x, const RouteRecord& y) {
    return x.prefix == y.prefix &&
           std::equal(x.members.begin(), x.members.end(), y.members.begin(), y.members.end(),
                      [](const NextHop& m, const NextHop& n) { return same(m, n); });
  });
}

void add(CompileState& state, const config::Location& where, Drafts& drafts, Draft draft) {
  const net::Prefix prefix = draft.record.prefix;
  const auto [at, is_new] = drafts.try_emplace(prefix, draft);
  if (is_new) return;
  Draft& first = at->second;
  if (!first.ecmp || !draft.ecmp) {
    state.problem(where, net::to_string(prefix) + " is there twice in one domain, by " + first.source +
                             " and by " + draft.source + "; set ecmp = true on both routes if that is meant");
    return;
  }
  for (NextHop& hop : draft.record.members) first.record.members.push_back(hop);
}

/// A route's next hop. The name has been looked up in the route's own domain.
NextHop next_hop(const config::Route& route, AttachmentId attachment, DomainId domain) {
  NextHop hop;
  hop.attachment = attachment;
  hop.domain = domain;
  hop.has_via = route.via.has_value();
  if (route.via) hop.via = *route.via;
  hop.weight = std::max<uint32_t>(route.weight, 1);
  return hop;
}

void gather_on_link(CompileState& state, std::vector<Drafts>& drafts) {
  for (const config::Attachment& a : state.input.config.attachments) {
    const AttachmentId id = *state.out.model.ids.attachments.find(attachment_key(a.domain, a.name));
    const DomainId domain = *state.out.model.ids.domains.find(a.domain);
    if (state.input.withdrawn.contains(id)) continue;
    std::set<net::Prefix> subnets;  // two gateway addresses may lie in one subnet
    for (const auto& gateway : a.gateways) {
      if (!subnets.insert(gateway.subnet()).second) continue;
      NextHop hop;
      hop.attachment = id;
      hop.domain = domain;
      add(state, a.where, drafts[domain.index()],
          {{gateway.subnet(), {hop}, domain},
           "the gateway of attachment " + config::in_quotes(a.name),
           false});
    }
  }
}

void gather_configured(CompileState& state, std::vector<Drafts>& drafts) {
  const Identities& ids = state.out.model.ids;
  for (const config::Route& route : state.input.config.routes) {
    const auto domain = ids.domains.find(route.domain);
    if (!domain) {
      state.problem(route.where, "there is no domain " + config::in_quotes(route.domain));
      continue;
    }
    Draft draft{{route.prefix, {}, *domain}, "a blackhole route", false};
    if (!route.blackhole) {
      const auto attachment = ids.attachments.find(attachment_key(route.domain, route.attachment));
      if (!attachment) {
        state.problem(route.where, "there is no attachment " + config::in_quotes(route.attachment) +
                                       " in domain " + config::in_quotes(route.domain));
        continue;
      }
      if (state.input.withdrawn.contains(*attachment)) continue;
      draft.record.members = {next_hop(route, *attachment, *domain)};
      draft.source = "a route through attachment " + config::in_quotes(route.attachment);
      draft.ecmp = route.ecmp;
    }
    add(state, route.where, drafts[domain->index()], std::move(draft));
  }
}

/// The routes of `to` become visible in `from`, blackholes too: without them a wider route of `to` would lead
/// `from` to what `to` itself does not reach. Two domains that expose the same prefix to a third are an
/// error: which of them was meant? Two blackholes are none, since they mean the same.
void expose(CompileState& state, const config::Connection& connection, const std::string& from,
            const std::string& to, std::vector<Drafts>& exposed) {
  const Identities& ids = state.out.model.ids;
  const auto from_id = ids.domains.find(from), to_id = ids.domains.find(to);
  if (!from_id || !to_id) {
    state.problem(connection.where, "there is no domain " + config::in_quotes((from_id ? to : from)));
    return;
  }
  for (const RouteRecord& record : state.out.model.routes[to_id->index()].own) {
    const auto [at, is_new] = exposed[from_id->index()].try_emplace(record.prefix, Draft{record, to, false});
    const bool both_blackholes = record.blackhole() && at->second.record.blackhole();
    if (!is_new && at->second.source != to && !both_blackholes) {
      state.problem(connection.where, "domains " + config::in_quotes(at->second.source) + " and " +
                                          config::in_quotes(to) + " both expose " +
                                          net::to_string(record.prefix) + " to domain " +
                                          config::in_quotes(from));
    }
  }
}

void add_targets(const std::vector<RouteRecord>& routes, Domain& domain, RouteTable& table) {
  std::vector<RouteTable::Entry> entries;
  entries.reserve(routes.size());
  for (const RouteRecord& route : routes) {
    RouteTarget target{route.members, 0};
    for (const NextHop& hop : target.members) target.total_weight += hop.weight;
    entries.push_back({route.prefix, static_cast<TargetIndex>(domain.targets.size())});
    domain.targets.push_back(std::move(target));
  }
  table = RouteTable::build(entries);
}

std::shared_ptr<const Domain> build_domain(DomainId id, const std::string& name, const DomainRoutes& routes,
                                           uint32_t version) {
  auto domain = std::make_shared<Domain>();
  domain->id = id;
  domain->name = name;
  domain->route_version = version;
  add_targets(routes.own, *domain, domain->own);
  add_targets(routes.exposed, *domain, domain->exposed);
  return domain;
}

std::vector<RouteRecord> in_order(Drafts& drafts) {
  std::vector<RouteRecord> records;
  records.reserve(drafts.size());
  for (auto& [prefix, draft] : drafts) records.push_back(std::move(draft.record));
  return records;
}

std::shared_ptr<const AllRoutes> build_all_routes(const std::vector<DomainRoutes>& routes) {
  std::vector<RouteTable::Entry> entries;
  for (uint32_t slot = 0; slot < routes.size(); ++slot) {
    for (const RouteRecord& route : routes[slot].own) entries.push_back({route.prefix, slot});
  }
  auto all = std::make_shared<AllRoutes>();
  all->table = RouteTable::build(entries);
  return all;
}

/// Domains whose routes did not change are shared, version and all.
void build_domains(CompileState& state) {
  const Model& before = state.input.before;
  Model& model = state.out.model;
  model.domains.resize(model.ids.domains.slots());
  bool own_changed = before.all_routes == nullptr || before.routes.size() != model.routes.size();
  for (size_t slot = 0; slot < model.routes.size() && !own_changed; ++slot) {
    own_changed = !same_routes(before.routes[slot].own, model.routes[slot].own);
  }
  for (const auto& [name, id] : model.ids.domains.names()) {
    const size_t slot = id.index();
    const DomainRoutes& routes = model.routes[slot];
    const bool known = slot < before.domains.size() && before.domains[slot] != nullptr &&
                       before.domains[slot]->id == id && same_routes(before.routes[slot].own, routes.own) &&
                       same_routes(before.routes[slot].exposed, routes.exposed);
    model.domains[slot] =
        known ? before.domains[slot] : build_domain(id, name, routes, model.ids.next_version());
  }
  model.all_routes = own_changed ? build_all_routes(model.routes) : before.all_routes;
}

}  // namespace

void compile_routes(CompileState& state) {
  Model& model = state.out.model;
  const size_t slots = model.ids.domains.slots();
  std::vector<Drafts> own(slots), exposed(slots);
  gather_on_link(state, own);
  gather_configured(state, own);
  model.routes.resize(slots);
  for (size_t slot = 0; slot < slots; ++slot) model.routes[slot].own = in_order(own[slot]);
  for (const config::Connection& c : state.input.config.connections) {
    expose(state, c, c.a, c.b, exposed);
    expose(state, c, c.b, c.a, exposed);
  }
  if (!state.problems.empty()) return;
  for (size_t slot = 0; slot < slots; ++slot) model.routes[slot].exposed = in_order(exposed[slot]);
  build_domains(state);
}

}  // namespace weir::model
