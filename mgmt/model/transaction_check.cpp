// What is wrong with a transaction, judged by how things will be after it.
#include <algorithm>
#include <set>

#include "dataplane/policy/policy.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/fit.h"
#include "mgmt/config/toml_values.h"
#include "mgmt/config/values.h"
#include "mgmt/model/build_attachment.h"
#include "mgmt/model/transaction.h"

namespace weir::model {

using namespace dataplane;
using config::in_quotes;

namespace {

std::string count(size_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

}  // namespace

/// As it will be. Only from check() on, when nothing is added any more.
const config::Attachment* Transaction::attachment(const std::string& name) const {
  if (last_attachment_ != nullptr && last_attachment_->name == name) return last_attachment_;
  if (const auto edit = attachments_.find(name); edit != attachments_.end()) {
    return edit->second.after ? last_attachment_ = &*edit->second.after : nullptr;
  }
  const AttachmentRecord* record = model_.attachment(name);
  return record != nullptr ? last_attachment_ = &record->config : nullptr;
}

bool Transaction::has_domain(const std::string& name) const {
  if (const auto edit = domains_.find(name); edit != domains_.end()) return edit->second.after.has_value();
  return model_.domain(name) != nullptr;
}

/// Of one that will be there.
DomainId Transaction::domain_id(const std::string& name) const {
  if (const DomainRecord* record = model_.domain(name)) return record->id;
  const auto id = new_domains_.find(name);
  return id != new_domains_.end() ? id->second : DomainId{};
}

/// That it will not be there, and what resembles it; not once more has been found wrong than anybody reads,
/// since that looks through all names.
std::string Transaction::no_such(Named kind, const std::string& name) const {
  constexpr size_t kNearestTold = 16;
  std::vector<std::string_view> names;
  const auto gather = [&](const auto& edits, const auto& records) {
    for (const auto& [its, edit] : edits) {
      if (edit.after) names.push_back(its);
    }
    for (const auto& [its, record] : records) {
      if (!edits.contains(its)) names.push_back(its);
    }
  };
  if (problems_.size() < kNearestTold) {
    if (kind == Named::domain) {
      gather(domains_, model_.domains_);
    } else {
      gather(attachments_, model_.attachments_);
    }
  }
  return config::no_such(kind == Named::domain ? "domain" : "attachment", name, names);
}

std::vector<Problem> Transaction::check() {
  uint32_t fresh = 0;
  for (const auto& [name, edit] : domains_) {
    if (edit.after && edit.before == nullptr) new_domains_.emplace(name, model_.domain_ids_.next(fresh++));
  }
  // A subnet may go from one attachment to another.
  for (const auto& [name, edit] : attachments_) gateways_go(edit);
  for (const auto& [name, edit] : attachments_) gateways_come(edit);
  check_room();
  if (problems_.empty()) {
    check_attachments();
    check_tunnels();
    check_udp_ports();
    check_gateways();
    check_routes();
    check_connections();
    check_policy();
    check_nat();
    check_objects();
    check_domains();
  }
  if (problems_.empty()) check_exposed();
  return problems_;
}

/// The routes that an attachment's gateways bring follow it.
void Transaction::gateways_go(const AttachmentEdit& edit) {
  if (edit.before == nullptr) return;
  const config::Attachment& old = edit.before->config;
  for (const auto& gateway : old.gateways) {
    RouteEdit& route = route_edit(old.domain, gateway.subnet());
    if (route.on_link == old.name) route.on_link.clear();
  }
}

void Transaction::gateways_come(const AttachmentEdit& edit) {
  if (!edit.after) return;
  for (const auto& gateway : edit.after->gateways) {
    RouteEdit& route = route_edit(edit.after->domain, gateway.subnet());
    if (route.on_link.empty()) route.on_link = edit.after->name;
  }
}

void Transaction::check_room() {
  uint32_t domains = 0, attachments = 0;
  size_t keys = 0;
  for (const auto& [name, edit] : domains_) domains += edit.after && edit.before == nullptr;
  for (const auto& [name, edit] : attachments_) {
    if (!edit.after) continue;
    attachments += edit.before == nullptr || edit.before->config.domain != edit.after->domain;
    for (const TunnelKey& key : keys_of(*edit.after, model_.facts_)) keys += !model_.tunnels_.contains(key);
    const auto way = path_of(*edit.after);
    keys += way && !model_.paths_.contains(*way);  // that its far end is a peer
  }
  const auto full = [&](const char* what) {
    problem({}, "",
            std::string("there is no room for so many ") + what +
                "; what was removed a moment ago takes room until no packet names it any more");
  };
  if (domains > model_.domain_ids_.room()) full("domains");
  if (attachments > model_.attachment_ids_.room()) full("attachments");
  const TunnelTable& tunnels = *model_.tables_.tunnels;
  if (keys > tunnels.room()) full("tunnels");
}

void Transaction::check_domains() {
  const bool some_go = std::any_of(domains_.begin(), domains_.end(),
                                   [](const auto& d) { return d.second.before && !d.second.after; });
  if (!some_go) return;
  for (const auto& [name, edit] : domains_) {
    if (edit.before == nullptr || edit.after) continue;
    int64_t attachments = edit.before->attachments, connections = edit.before->connections;
    auto routes = static_cast<int64_t>(edit.before->routes.size());
    for (const auto& [n, a] : attachments_) {
      attachments +=
          (a.after && a.after->domain == name) - (a.before != nullptr && a.before->config.domain == name);
    }
    for (const auto& [names, c] : connections_) {
      if (names.first == name || names.second == name)
        connections += c.after.has_value() - (c.before != nullptr);
    }
    if (const auto edits = routes_.find(name); edits != routes_.end()) {
      for (const auto& [prefix, e] : edits->second)
        routes += (!e.members.empty() || !e.on_link.empty()) - e.existed;
    }
    const auto still = [&, &name = name, &edit = edit](int64_t n, const char* one, const char* many) {
      if (n <= 0) return;
      problem(edit.before->config.where, "domain[]",
              "domain " + in_quotes(name) + " still has " + count(static_cast<size_t>(n), one, many) +
                  "; remove " + (n == 1 ? "it" : "them") + " too");
    };
    still(attachments, "attachment", "attachments");
    still(connections, "connection", "connections");
    if (attachments <= 0) still(routes, "route", "routes");
  }
  if (!nat_rules_) {  // else check_nat() has looked at all of them
    for (const NatRecord& record : model_.nat_rules_) {
      const config::Nat& rule = record.config;
      for (const std::string& name : domains_of(rule)) {
        if (has_domain(name)) continue;
        problem(rule.where, "nat[]",
                "nat rule " + in_quotes(rule.name) + " names domain " + in_quotes(name) +
                    ", which would be gone");
      }
    }
  }
  if (!rules_) {  // else check_policy() has looked at all of them
    for (const RuleRecord& rule : *model_.policy_) {
      for (const auto* side : {&rule.config.from.domains, &rule.config.to.domains}) {
        for (const std::string& name : *side) {
          if (!has_domain(name)) {
            problem(rule.config.where, "policy[]",
                    "policy rule " + in_quotes(rule.config.id) + " names domain " + in_quotes(name) +
                        ", which would be gone");
          }
        }
      }
    }
  }
}

void Transaction::check_attachments() {
  for (const auto& [name, edit] : attachments_) {
    if (edit.after) check_attachment(edit);
    if (edit.before != nullptr) check_routes_through(edit);
  }
}

void Transaction::check_remote_end(const config::Attachment& a) {
  const net::IpAddress& remote = a.tunnel.remote;
  const std::string path =
      "attachment[]." + std::string(name_of(config::kTunnelKinds, a.tunnel.kind)) + ".remote";
  const std::string text = net::to_string(remote);
  if (net::is_martian(remote)) problem(a.where, path, in_quotes(text) + " is not a routable unicast address");
  if (remote.family != a.tunnel.local.family)
    problem(a.where, path, text + " is of another family than local");
  for (const PortFacts& port : model_.facts_.ports) {
    for (const auto& own : port.addresses) {
      if (own.address == remote)
        problem(a.where, path, text + " is an address of the hub itself; the remote end is the peer's");
    }
  }
}

void Transaction::check_attachment(const AttachmentEdit& edit) {
  const config::Attachment& a = *edit.after;
  if (!has_domain(a.domain)) problem(a.where, "attachment[].domain", no_such(Named::domain, a.domain));
  if (std::string why = local_end_problem(a, model_.facts_); !why.empty()) {
    problem(a.local_where.file.empty() ? a.where : a.local_where, "", std::move(why));
  }
  if (a.tunnel.kind != TunnelKind::native) check_remote_end(a);
  for (const auto& gateway : a.gateways) {
    if (std::string why = config::not_a_host_address(gateway); !why.empty()) {
      problem(a.where, "attachment[].gateway", in_quotes(net::to_string(gateway)) + " " + why);
    }
  }
}

/// Routes that the transaction does not name, through an attachment that goes or is another one now. Those
/// that it names are judged by check_routes().
void Transaction::check_routes_through(const AttachmentEdit& edit) {
  const config::Attachment& old = edit.before->config;
  const DomainRecord& domain = *model_.domain(old.domain);
  const bool stays = edit.after && edit.after->domain == old.domain;
  const bool lost_gateway =
      stays && !std::all_of(old.gateways.begin(), old.gateways.end(), [&](const auto& g) {
        return std::find(edit.after->gateways.begin(), edit.after->gateways.end(), g) !=
               edit.after->gateways.end();
      });
  if (stays && !lost_gateway) return;
  for (const net::Prefix& prefix : edit.before->routes) {
    if (find_edit(old.domain, prefix) != nullptr) continue;
    for (const config::Route& member : model_.members_of(domain, prefix)) {
      if (member.attachment != old.name) continue;
      std::string why = "attachment " + in_quotes(old.name) + " would be gone";
      if (stays)
        why = member.via ? config::misfit_of_via(member, *edit.after)
                         : config::misfit_of_family(member, *edit.after);
      if (!why.empty()) {
        problem(edit.after ? edit.after->where : old.where, "route[].attachment",
                "route " + name_of(member) + ": " + why);
      }
      if (problems_.size() > config::Problems::kMax) return;
    }
  }
}

void Transaction::check_tunnels() {
  std::map<TunnelKey, const config::Attachment*> fresh;
  const auto goes = [&](const std::string& name) { return attachments_.contains(name); };
  for (const auto& [name, edit] : attachments_) {
    if (!edit.after) continue;
    for (const TunnelKey& key : keys_of(*edit.after, model_.facts_)) {
      const auto known = model_.tunnels_.find(key);
      const auto [at, is_new] = fresh.emplace(key, &*edit.after);
      const std::string* other = nullptr;
      if (!is_new) other = &at->second->name;
      if (known != model_.tunnels_.end() && !goes(known->second)) other = &known->second;
      if (other == nullptr) continue;
      problem(
          edit.after->where,
          "attachment[]." + std::string(name_of(config::kTunnelKinds, edit.after->tunnel.kind)),
          "attachment " + in_quotes(*other) + " has the same tunnel already: " + dataplane::to_string(key));
    }
  }
}

/// Each UDP port is for one kind of tunnel, and there are not too many.
void Transaction::check_udp_ports() {
  auto counts = model_.udp_ports_;
  const auto count = [&](const config::Attachment& a, int by) {
    if (over_udp(a.tunnel.kind))
      counts[{a.tunnel.udp_port, udp_kind(a.tunnel.kind)}] += static_cast<uint32_t>(by);
  };
  for (const auto& [name, edit] : attachments_) {
    if (edit.before != nullptr) count(edit.before->config, -1);
    if (edit.after) count(*edit.after, 1);
  }
  UdpTunnels all;
  for (const auto& [port, users] : counts) {
    if (users == 0 || all.add(port.first, port.second)) continue;
    const auto uses = [&, &port = port](const auto& e) {
      return e.second.after && over_udp(e.second.after->tunnel.kind) &&
             e.second.after->tunnel.udp_port == port.first;
    };
    const auto blamed = std::find_if(attachments_.begin(), attachments_.end(), uses);
    problem(blamed != attachments_.end() ? blamed->second.after->where : config::Location{}, "",
            "UDP port " + std::to_string(port.first) +
                " is another kind of tunnel's already, or one of more than " +
                std::to_string(UdpTunnels::kMax) + " different ones");
  }
}

void Transaction::check_gateways() {
  std::map<Place, std::string> fresh;
  const auto judge = [&](const config::Attachment& a, const net::Prefix& subnet, const net::Prefix& other,
                         const std::string& name) {
    if (name == a.name) return true;
    problem(a.where, "attachment[].gateway",
            net::to_string(subnet) + " overlaps " + net::to_string(other) + " of attachment " +
                in_quotes(name) + " in the same domain");
    return false;
  };
  // Whose gateway subnet a prefix will be; empty: nobody's.
  const auto owner = [&](const DomainRecord* domain, const Place& place) -> std::string {
    if (const auto at = fresh.find(place); at != fresh.end()) return at->second;
    if (domain == nullptr) return "";
    const auto at = domain->gateways.find(place.second);
    return at == domain->gateways.end() || attachments_.contains(at->second) ? "" : at->second;
  };
  for (const auto& [name, edit] : attachments_) {
    if (!edit.after) continue;
    const config::Attachment& a = *edit.after;
    const DomainRecord* domain = model_.domain(a.domain);
    std::set<net::Prefix> own;
    for (const auto& gateway : a.gateways) {
      const net::Prefix subnet = gateway.subnet();
      if (!own.insert(subnet).second) {
        problem(a.where, "attachment[].gateway",
                "the attachment has an address in " + net::to_string(subnet) + " already; one is enough");
        continue;
      }
      bool good = !net::any_around(subnet, [&](const net::Prefix& wider) {
        const std::string other = owner(domain, {a.domain, wider});
        return !other.empty() && !judge(a, subnet, wider, other);
      });
      if (domain != nullptr) {
        for (auto at = domain->gateways.lower_bound(subnet);
             good && at != domain->gateways.end() && subnet.contains(at->first); ++at) {
          if (!attachments_.contains(at->second)) good = judge(a, subnet, at->first, at->second);
        }
      }
      for (auto at = fresh.lower_bound({a.domain, subnet});
           good && at != fresh.end() && at->first.first == a.domain && subnet.contains(at->first.second);
           ++at) {
        good = judge(a, subnet, at->first.second, at->second);
      }
      fresh.emplace(Place{a.domain, subnet}, a.name);
    }
  }
}

void Transaction::check_routes() {
  for (const auto& [domain, edits] : routes_) {
    for (const auto& [prefix, edit] : edits) {
      if (problems_.size() > config::Problems::kMax) return;
      if (!edit.members.empty()) check_route(domain, prefix, edit);
    }
  }
}

void Transaction::check_route(const std::string& domain, const net::Prefix& prefix, const RouteEdit& edit) {
  const auto newest =
      std::find_if(edit.members.rbegin(), edit.members.rend(), [](const Member& m) { return m.is_new; });
  const config::Location& where =
      newest != edit.members.rend() ? newest->route->where : edit.members.front().route->where;
  if (!has_domain(domain)) return problem(where, "route[].domain", no_such(Named::domain, domain));
  if (!edit.on_link.empty()) {
    return problem(where, "route[].prefix",
                   net::to_string(prefix) + " is a gateway subnet of attachment " + in_quotes(edit.on_link) +
                       " already");
  }
  if (edit.members.size() > DomainRecord::kMaxMembers) {
    problem(where, "route[].prefix",
            "a prefix has at most " + std::to_string(DomainRecord::kMaxMembers) + " next hops");
  }
  if (edit.members.size() > 1) {
    const auto is = [&](auto flag) { return [flag](const Member& m) { return m.route->*flag; }; };
    const std::string twice =
        "domain " + in_quotes(domain) + " has a route to " + net::to_string(prefix) + " already";
    if (std::any_of(edit.members.begin(), edit.members.end(), is(&config::Route::blackhole))) {
      problem(where, "route[].prefix", twice + "; a blackhole cannot share its prefix");
    } else if (!std::all_of(edit.members.begin(), edit.members.end(), is(&config::Route::ecmp))) {
      problem(where, "route[].prefix", twice + "; if both are meant, set ecmp = true on each");
    }
  }
  for (const Member& member : edit.members) check_member(domain, member);
}

void Transaction::check_member(const std::string& domain, const Member& member) {
  const config::Route& route = *member.route;
  if (route.blackhole) {
    if (!route.attachment.empty() || route.via || route.ecmp) {
      problem(route.where, "route[].blackhole", "a blackhole route leads nowhere; leave the key out");
    }
    return;
  }
  if (route.attachment.empty()) {
    return problem(route.where, "route[].attachment",
                   "missing; a route needs an attachment, or blackhole = true");
  }
  const config::Attachment* a = attachment(route.attachment);
  if (a == nullptr) {
    const std::string which = no_such(Named::attachment, route.attachment);
    return problem(route.where, "route[].attachment",
                   member.is_new ? which : "route " + name_of(route) + ": " + which);
  }
  if (a->domain != domain) {
    return problem(route.where, "route[].attachment",
                   "attachment " + in_quotes(a->name) + " belongs to domain " + in_quotes(a->domain) +
                       ", not to " + in_quotes(domain));
  }
  std::string why = route.via ? config::misfit_of_via(route, *a) : config::misfit_of_family(route, *a);
  if (!why.empty()) problem(route.where, route.via ? "route[].via" : "route[].attachment", std::move(why));
}

void Transaction::check_connections() {
  size_t connections = model_.connections_.size(), domains = model_.domains_.size();
  for (const auto& [names, edit] : connections_) {
    connections += edit.after.has_value();
    connections -= edit.before != nullptr;
    if (!edit.after) continue;
    const config::Connection& c = *edit.after;
    for (const std::string& name : {c.a, c.b}) {
      if (!has_domain(name)) problem(c.where, "connection[].domains", no_such(Named::domain, name));
    }
    if (c.a == c.b) {
      problem(c.where, "connection[].domains", "a domain is always connected to itself; name another one");
    }
  }
  for (const auto& [name, edit] : domains_) {
    domains += edit.after.has_value();
    domains -= edit.before != nullptr;
  }
  if (2 * connections + domains >= PolicyTable::kMaxConnections) {
    problem({}, "connection",
            "too many: twice the connections and the domains together may be " +
                std::to_string(PolicyTable::kMaxConnections - 1));
  }
}

/// Where a route to the prefix was written that the transaction makes.
const config::Location& Transaction::place_of(const net::Prefix& prefix,
                                              const config::Location& otherwise) const {
  for (const auto& [name, edits] : routes_) {
    const auto at = edits.find(prefix);
    if (at == edits.end()) continue;
    if (!at->second.members.empty()) return at->second.members.front().route->where;
    if (!at->second.on_link.empty()) return attachment(at->second.on_link)->where;
  }
  return otherwise;
}

/// What is withheld may come back at any time. It counts where a route of the same prefix comes; where
/// domains are connected, all of it does. How many were not told.
uint32_t Transaction::tell_absent(RouteChanges& changes) const {
  const auto& absent = model_.absent_;
  auto untold = static_cast<uint32_t>(absent.size());
  const auto tell = [&](auto from, const auto& goes_on) {
    for (; from != absent.end() && goes_on(from->first); ++from, --untold)
      changes.set(from->second, from->first, false);
  };
  if (absent.empty()) return untold;
  const bool connects = std::any_of(connections_.begin(), connections_.end(),
                                    [](const auto& c) { return c.second.after.has_value(); });
  if (connects) {
    tell(absent.begin(), [](const net::Prefix&) { return true; });
    return untold;
  }
  std::set<net::Prefix> told;
  for (const auto& [name, edits] : routes_) {
    for (const auto& [prefix, edit] : edits) {
      if (told.insert(prefix).second)
        tell(absent.lower_bound({prefix, DomainId{}}),
             [&equal = prefix](const net::Prefix& p) { return p == equal; });
    }
  }
  return untold;
}

void Transaction::check_exposed() {
  RouteChanges changes(model_.tables_.routes);
  const uint32_t untold = tell_absent(changes);
  for (const auto& [name, edits] : routes_) {
    const DomainId domain = domain_id(name);
    for (const auto& [prefix, edit] : edits) {
      if (!edit.members.empty() || !edit.on_link.empty()) {
        changes.set(domain, prefix, !edit.members.empty() && edit.members.front().route->blackhole);
      } else if (edit.existed) {
        changes.remove(domain, prefix);
      }
    }
  }
  config::Location connection;
  for (const auto& [names, edit] : connections_) {
    if (!edit.after && edit.before == nullptr) continue;  // added and removed
    const config::Connection& c = edit.after ? *edit.after : edit.before->config;
    if (edit.after) {
      changes.connect(domain_id(c.a), domain_id(c.b), c.expose, c.expose);
      connection = c.where;
    } else {
      changes.disconnect(domain_id(c.a), domain_id(c.b));
    }
  }
  for (const auto& [name, edit] : domains_) {
    if (!edit.after && edit.before != nullptr) changes.remove_domain(edit.before->id);
  }
  const auto name_of_id = [&](DomainId id) {
    for (const auto& [name, fresh] : new_domains_) {
      if (fresh == id) return in_quotes(name);
    }
    return in_quotes(model_.domain_name(id));
  };
  for (const Routes::Conflict& conflict : changes.conflicts()) {
    problem(place_of(conflict.prefix, connection), "",
            "domains " + name_of_id(conflict.first) + " and " + name_of_id(conflict.second) +
                " both expose " + net::to_string(conflict.prefix) + " to domain " +
                name_of_id(conflict.seen_by));
  }
  if (const uint32_t excess = changes.excess(untold); excess != 0) {
    problem({}, "route", "there is no room for so many routes; " + std::to_string(excess) + " are too many");
  }
}

}  // namespace weir::model
