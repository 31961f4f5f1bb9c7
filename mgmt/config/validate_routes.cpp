// Routes and connections.
#include <map>
#include <tuple>

#include "mgmt/config/fit.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

/// The policy table numbers connected pairs, one per direction and one per domain, with 16 bits.
constexpr size_t kMaxConnectedPairs = 65'534;

/// True if the key is absent or its value is good, so that what it says can be judged.
bool usable(const Node& table, std::string_view key) {
  const Node* value = table.find(key);
  return value == nullptr || !value->bad;
}

/// Whether attachment and blackhole fit together.
void check_shape(const Validation& v, const Route& route, const Node& table) {
  if (!usable(table, "attachment") || !usable(table, "blackhole")) return;
  if (!route.blackhole) {
    if (table.find("attachment") == nullptr) {
      v.report.at(table, "route[].attachment", "missing; a route needs an attachment, or blackhole = true");
    }
    return;
  }
  for (const std::string_view key : {"attachment", "via", "ecmp"}) {
    const Node* value = table.find(key);
    if (value == nullptr || (key == "ecmp" && !route.ecmp)) continue;
    v.report.at(*value, "route[]." + std::string(key), "a blackhole route leads nowhere; leave the key out");
  }
}

void check_next_hop(const Validation& v, const Route& route, const Node& table) {
  const Node* name = table.get("attachment");
  if (name == nullptr || route.blackhole) return;
  const size_t* index = v.attachments.resolve(route.attachment, *name, "route[].attachment", v.report);
  if (index == nullptr) return;
  const Attachment& attachment = v.draft.config.attachments[*index];
  const Node& source = *v.draft.attachments[*index];
  if (source.get("domain") != nullptr && table.get("domain") != nullptr &&
      attachment.domain != route.domain && v.domains.find(route.domain) != nullptr) {
    v.report.at(*name, "route[].attachment",
                "attachment " + in_quotes(attachment.name) + " belongs to domain " +
                    in_quotes(attachment.domain) + ", not to " + in_quotes(route.domain));
  }
  if (source.get("gateway") == nullptr || table.get("prefix") == nullptr) return;
  if (const Node* via = table.get("via")) {
    if (std::string why = misfit_of_via(route, attachment); !why.empty()) {
      v.report.at(*via, "route[].via", std::move(why));
    }
  } else if (table.find("via") == nullptr) {
    if (std::string why = misfit_of_family(route, attachment); !why.empty()) {
      v.report.at(*name, "route[].attachment", std::move(why));
    }
  }
}

using Place = std::pair<std::string_view, net::Prefix>;  // domain and prefix

/// A prefix may stand twice in a domain only if all of its routes say that this is meant.
class Prefixes {
 public:
  explicit Prefixes(const Validation& v) : v_(v) {
    const auto& attachments = v.draft.config.attachments;
    for (size_t i = 0; i < attachments.size(); ++i) {
      if (v.draft.attachments[i]->get("gateway") == nullptr) continue;
      for (const auto& g : attachments[i].gateways)
        on_link_.emplace(Place(attachments[i].domain, g.subnet()), i);
    }
  }

  void add(const Route& route, const Node& table) {
    if (table.get("domain") == nullptr || table.get("prefix") == nullptr) return;
    const Place place(route.domain, route.prefix);
    if (const auto on_link = on_link_.find(place); on_link != on_link_.end()) {
      const auto& attachment = v_.draft.config.attachments[on_link->second];
      return v_.report.at(table, "prefix", "route[].prefix",
                          net::to_string(route.prefix) + " is a gateway subnet of attachment " +
                              in_quotes(attachment.name) + " already, on " +
                              at_line(*v_.draft.attachments[on_link->second]));
    }
    const auto [first, added] = first_.emplace(place, std::pair(&route, &table));
    const auto [same, fresh] =
        hops_.emplace(std::tuple(place, std::string_view(route.attachment), route.via), &table);
    if (added) return;
    const auto& [other, other_table] = first->second;
    const std::string text = net::to_string(route.prefix);
    if (route.blackhole || other->blackhole) {
      v_.report.at(table, "prefix", "route[].prefix",
                   "domain " + in_quotes(route.domain) + " has a route to " + text + " already, on " +
                       at_line(*other_table) + "; a blackhole cannot share its prefix");
    } else if (!route.ecmp || !other->ecmp) {
      v_.report.at(table, "prefix", "route[].prefix",
                   "domain " + in_quotes(route.domain) + " has a route to " + text + " already, on " +
                       at_line(*other_table) + "; if both are meant, set ecmp = true on each");
    } else if (!fresh) {
      v_.report.at(table, "prefix", "route[].prefix",
                   "the same route stands on " + at_line(*same->second) + " already");
    }
  }

 private:
  const Validation& v_;
  std::map<Place, size_t> on_link_;
  std::map<Place, std::pair<const Route*, const Node*>> first_;
  std::map<std::tuple<Place, std::string_view, std::optional<net::IpAddress>>, const Node*> hops_;
};

void check_connections(const Validation& v) {
  const auto& connections = v.draft.config.connections;
  std::map<std::pair<std::string_view, std::string_view>, const Node*> seen;
  for (size_t i = 0; i < connections.size() && !v.report.full(); ++i) {
    const Connection& c = connections[i];
    const Node* list = v.draft.connections[i]->get("domains");
    if (list == nullptr) continue;
    const size_t* a = v.domains.resolve(c.a, list->children[0], "connection[].domains", v.report);
    const size_t* b = v.domains.resolve(c.b, list->children[1], "connection[].domains", v.report);
    if (a == nullptr || b == nullptr) continue;
    if (a == b) {
      v.report.at(list->children[1], "connection[].domains",
                  "a domain is always connected to itself; name another one");
      continue;
    }
    const auto [first, added] = seen.emplace(std::minmax<std::string_view>(c.a, c.b), v.draft.connections[i]);
    if (!added) {
      v.report.at(*list, "connection[].domains",
                  in_quotes(c.a) + " and " + in_quotes(c.b) + " are connected already, on " +
                      at_line(*first->second));
    }
  }
  if (2 * seen.size() + v.draft.domains.size() > kMaxConnectedPairs) {
    v.report.at(*v.draft.connections.back(), "connection",
                "too many: twice the connections and the domains together may be " +
                    std::to_string(kMaxConnectedPairs));
  }
}

}  // namespace

void validate_routes(const Validation& v) {
  Prefixes prefixes(v);
  for (size_t i = 0; i < v.draft.routes.size() && !v.report.full(); ++i) {
    const Route& route = v.draft.config.routes[i];
    const Node& table = *v.draft.routes[i];
    if (const Node* domain = table.get("domain"))
      v.domains.resolve(route.domain, *domain, "route[].domain", v.report);
    check_shape(v, route, table);
    check_next_hop(v, route, table);
    prefixes.add(route, table);
  }
  check_connections(v);
}

}  // namespace weir::config
