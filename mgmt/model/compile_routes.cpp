#include <algorithm>
#include <map>
#include <set>

#include "mgmt/model/compile_parts.h"

namespace weir::model {

using namespace dataplane;

namespace {

/// A route while it is gathered: who wrote it, and may another of the same prefix join it.
struct Draft {
  RouteRecord record;
  std::string source;
  bool ecmp = false;
};
using Drafts = std::map<net::Prefix, Draft>;  // of one domain

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

std::vector<RouteRecord> in_order(Drafts& drafts) {
  std::vector<RouteRecord> records;
  records.reserve(drafts.size());
  for (auto& [prefix, draft] : drafts) records.push_back(std::move(draft.record));
  return records;
}

/// Domains keep their entry while their name stays.
void build_domains(CompileState& state) {
  const Model& before = state.input.before;
  Model& model = state.out.model;
  model.domains.resize(model.ids.domains.slots());
  for (const auto& [name, id] : model.ids.domains.names()) {
    const size_t slot = id.index();
    const bool known =
        slot < before.domains.size() && before.domains[slot] != nullptr && before.domains[slot]->id == id;
    model.domains[slot] = known ? before.domains[slot] : std::make_shared<const Domain>(Domain{id, name});
  }
}

void connect(CompileState& state, const std::string& a, const std::string& b) {
  Model& model = state.out.model;
  const DomainId from = *model.ids.domains.find(a), to = *model.ids.domains.find(b);
  auto& peers = model.routes[from.index()].peers;
  const auto at = std::lower_bound(peers.begin(), peers.end(), to);
  if (from != to && (at == peers.end() || *at != to)) peers.insert(at, to);
}

void check_room(CompileState& state) {
  const Routes* routes = state.input.facts.routes;
  if (routes == nullptr) return;
  size_t count = 0;
  for (const DomainRoutes& domain : state.out.model.routes) count += domain.own.size();
  const size_t limit = size_t{routes->size()} + routes->room();
  if (count <= limit) return;
  state.problem(state.input.config.limits.where, "limits.routes: " + std::to_string(count) +
                                                     " routes are more than the " + std::to_string(limit) +
                                                     " that the hub was started for");
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
  check_room(state);
  if (!state.problems.empty()) return;
  for (const config::Connection& c : state.input.config.connections) {
    connect(state, c.a, c.b);
    connect(state, c.b, c.a);
  }
  build_domains(state);
}

}  // namespace weir::model
