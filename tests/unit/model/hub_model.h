// A live model with tables of its own, and what lies in it as text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/fib/routes.h"
#include "mgmt/model/build_attachment.h"
#include "mgmt/model/transaction.h"

namespace weir::test {

using config::ChangeVerb;
using config::ModelChange;
using config::ModelChanges;

inline net::IpAddress ip(const std::string& text) { return *net::parse_ip(text); }
inline net::Prefix prefix(const std::string& text) { return *net::parse_prefix(text); }

inline model::StartFacts one_port() {
  model::PortFacts port;
  port.name = "wan0";
  port.mac = net::Mac::from_u64(0x0200'0000'0001);
  port.addresses = {*net::parse_interface_address("198.18.0.1/15")};
  model::StartFacts facts;
  facts.ports = {port};
  return facts;
}

inline config::Domain domain(const std::string& name) {
  config::Domain d;
  d.name = name;
  return d;
}
inline config::Attachment spoke(const std::string& name, const std::string& domain, uint32_t vni,
                                std::vector<std::string> gateways) {
  config::Attachment a;
  a.name = name;
  a.domain = domain;
  a.tunnel.id = vni;
  a.tunnel.local = ip("198.18.0.1");
  a.tunnel.remote = net::Ipv4{ip("198.19.0.0").v4().value + 1 + vni % 1'000};
  for (const auto& g : gateways) a.gateways.push_back(*net::parse_interface_address(g));
  return a;
}
inline config::Route route(const std::string& domain, const std::string& to, const std::string& attachment,
                           const std::string& via = "") {
  config::Route r;
  r.domain = domain;
  r.prefix = prefix(to);
  r.attachment = attachment;
  r.blackhole = attachment.empty();
  if (!via.empty()) r.via = ip(via);
  return r;
}
inline config::Connection connection(const std::string& a, const std::string& b) {
  config::Connection c;
  c.a = a;
  c.b = b;
  return c;
}

struct HubModel {
  explicit HubModel(uint32_t attachments = 64, uint32_t route_limit = 100'000)
      : routes(dataplane::Routes::create({route_limit, 65'535}).value()),
        live(one_port(),
             {*routes, std::make_shared<dataplane::AttachmentTable>(attachments),
              std::make_shared<dataplane::TunnelTable>(model::tunnel_entries(attachments)), nullptr}) {}

  /// What is wrong; nothing: done, as if no worker ever looked.
  std::vector<std::string> transact(const ModelChanges& changes, model::Origin origin = model::Origin::api) {
    model::Transaction transaction(live, origin);
    for (const ModelChange& change : changes) transaction.add(change);
    return finish(transaction);
  }
  std::vector<std::string> finish(model::Transaction& transaction) {
    std::vector<std::string> lines;
    for (const auto& problem : transaction.check()) lines.push_back(problem.message);
    if (!lines.empty()) return lines;
    last_changes = transaction.changes().lines;
    model::Plan plan = transaction.plan();
    plan.narrow();
    if (plan.snapshot) snapshot = std::move(plan.snapshot);
    plan.widen();
    live.tables().tunnels->release(plan.removed_slots);
    routes->finish(routes->take_pending());
    last_removed = plan.removed_attachments;
    return {};
  }
  /// All that is configured, into an empty model.
  static ModelChanges changes_for(const config::Config& c) {
    ModelChanges all;
    const auto add = [&](const auto& list) {
      for (const auto& x : list) all.push_back({ChangeVerb::add, x, {}});
    };
    add(c.domains);
    add(c.attachments);
    add(c.routes);
    add(c.connections);
    add(c.policy);
    add(c.nat);
    return all;
  }
  config::Config config() const {
    config::Config c;
    live.write_to(c);
    return c;
  }
  dataplane::AttachmentId attachment(const std::string& name) const {
    const auto at = live.attachments().find(name);
    return at != live.attachments().end() ? at->second.id : dataplane::AttachmentId{};
  }

  /// The tables in names, so that two hubs compare whatever ids they gave out.
  std::string dump() const;

  std::unique_ptr<dataplane::Routes> routes;
  model::LiveModel live;
  std::unique_ptr<dataplane::Snapshot> snapshot;
  std::vector<dataplane::AttachmentId> last_removed;
  std::vector<std::string> last_changes;
};

inline std::string HubModel::dump() const {
  std::string text;
  for (const auto& [name, d] : live.domains()) {
    text += "domain " + name + " attachments " + std::to_string(d.attachments) + " connections " +
            std::to_string(d.connections) + "\n";
    routes->for_each(d.id, [&, id = d.id](const net::Prefix& p, const dataplane::RouteTarget& target) {
      text += "  " + net::to_string(p) + (target.members.empty() ? " blackhole" : "");
      std::vector<std::string> hops;
      for (const auto& hop : target.members) {
        hops.push_back(" " + live.attachment_name(hop.attachment) +
                       (hop.has_via ? " via " + net::to_string(hop.via) : "") + " x" +
                       std::to_string(hop.weight) + (hop.domain == id ? "" : " of another domain"));
      }
      std::sort(hops.begin(), hops.end());
      for (const auto& hop : hops) text += hop;
      text += "\n";
      return true;
    });
    for (const auto& [subnet, owner] : d.gateways)
      text += "  gateway " + net::to_string(subnet) + " " + owner + "\n";
    std::vector<std::string> peers;
    routes->for_each_connection(d.id,
                                [&](dataplane::DomainId peer, const dataplane::Routes::Exposure& exposure) {
                                  std::string line = "  sees " + live.domain_name(peer);
                                  for (const auto& p : exposure.value_or(std::vector<net::Prefix>{}))
                                    line += " " + net::to_string(p);
                                  peers.push_back(line + "\n");
                                });
    std::sort(peers.begin(), peers.end());
    for (const auto& peer : peers) text += peer;
    if (snapshot == nullptr) continue;
    for (const auto& [other, o] : live.domains()) {
      if (snapshot->policy->find(d.id, o.id) != dataplane::PolicyTable::kNotConnected)
        text += "  reaches " + other + "\n";
    }
  }
  for (const auto& [name, record] : live.attachments()) {
    const dataplane::Attachment* a = live.tables().attachments->find(record.id);
    text += "attachment " + name;
    if (a == nullptr) {
      text += " is not in the table\n";
      continue;
    }
    text += " of " + live.domain_name(a->domain) + " vni " + std::to_string(a->tunnel.id) + " remote " +
            net::to_string(a->tunnel.remote) + " mtu " + std::to_string(a->mtu) + " routes " +
            std::to_string(record.routes.size());
    for (const auto& g : a->gateways) text += " " + net::to_string(g);
    for (const auto& key : model::keys_of(record.config, one_port())) {
      if (live.tables().tunnels->find(key) != record.id) text += " not found by its key";
    }
    text += "\n";
  }
  size_t in_table = 0;
  live.tables().attachments->for_each([&](const dataplane::Attachment&) { ++in_table; });
  text += std::to_string(in_table) + " attachments, " + std::to_string(live.tables().tunnels->size()) +
          " tunnels, " + std::to_string(routes->size()) + " routes\n";
  if (snapshot != nullptr) {
    for (const auto& rule : live.policy()) text += "rule " + rule.config.id + "\n";
  }
  return text;
}

}  // namespace weir::test
