#include "mgmt/control/nat_map.h"

#include <algorithm>

#include "dataplane/nat/port_plan.h"
#include "mgmt/control/views.h"

namespace weir::control {

namespace {

using namespace dataplane;

std::string ports_text(const PortPool::Ports& ports) {
  return std::to_string(ports.first) + "-" + std::to_string(ports.last);
}

class Finder {
 public:
  Finder(const Snapshot& snapshot, const NatMapQuery& query) : snapshot_(snapshot), query_(query) {}

  std::vector<NatMapping> run() && {
    const NatRules& rules = snapshot_.nat->rules();
    for (size_t i = 0; i < rules.fixed.size(); ++i) look_at(rules.fixed[i], static_cast<uint16_t>(i));
    for (const PublishedRule& rule : rules.published) look_at(rule);
    for (const PoolRule& rule : rules.pools) {
      if (rule.ports_per_host != 0) look_at(rule);
    }
    return std::move(found_);
  }

 private:
  /// `domain` is that of its inside addresses. Null: nobody asked for that.
  NatMapping* add(const std::string& rule, const char* kind, DomainId domain) {
    const std::string name = domain_name(snapshot_, domain);
    if (query_.domain && *query_.domain != name) return nullptr;
    return &found_.emplace_back(NatMapping{rule, kind, name, {}, {}, {}, {}});
  }

  void look_at(const StaticRule& rule, uint16_t index) {
    const auto add_pair = [&](const net::IpAddress& inside, const net::IpAddress& outside) {
      NatMapping* row = add(rule.name, rule.nptv6 ? "nptv6" : "static", rule.domain);
      if (row == nullptr) return;
      row->inside = net::to_string(inside);
      row->outside = net::to_string(outside);
    };
    const NatTable& nat = *snapshot_.nat;
    if (rule.inside.contains(query_.address)) {
      if (const auto outside = nat.outside_of(index, query_.address)) add_pair(query_.address, *outside);
    }
    if (rule.outside.contains(query_.address)) {
      if (const auto inside = nat.inside_of(index, query_.address)) add_pair(*inside, query_.address);
    }
  }

  void look_at(const PublishedRule& rule) {
    const bool is_outside = rule.address == query_.address && query_.port.value_or(rule.port) == rule.port;
    const auto look_at_server = [&](const net::IpAddress& server) {
      const bool is_inside =
          server == query_.address && query_.port.value_or(rule.server_port) == rule.server_port;
      if (!is_inside && !is_outside) return;
      NatMapping* row = add(rule.name, "dnat", rule.domain);
      if (row == nullptr) return;
      row->inside = net::to_string(server);
      row->inside_ports = std::to_string(rule.server_port);
      row->outside = net::to_string(rule.address);
      row->outside_ports = std::to_string(rule.port);
    };
    if (rule.servers.empty()) look_at_server(rule.server);
    for (const PublishedRule::Server& server : rule.servers) look_at_server(server.address);
  }

  void look_at(const PoolRule& rule) {
    add_host(rule, query_.address);
    if (!rule.pool->index_of(query_.address)) return;
    if (query_.port) {
      if (const auto host = host_of(rule, query_.address, *query_.port)) add_host(rule, *host);
      return;
    }
    for (uint32_t turn = 0; turn < hosts_per_address(rule); ++turn) {
      const auto port = static_cast<uint16_t>(rule.pool->first_port() + turn * rule.ports_per_host);
      if (const auto host = host_of(rule, query_.address, port)) add_host(rule, *host);
    }
  }

  void add_host(const PoolRule& rule, const net::IpAddress& host) {
    const auto plan = plan_of(rule, host);
    NatMapping* row = plan ? add(rule.name, "deterministic", rule.from.front()) : nullptr;
    if (row == nullptr) return;
    row->inside = net::to_string(host);
    row->outside = net::to_string(rule.pool->address(plan->address));
    row->outside_ports = ports_text(plan->ports);
  }

  const Snapshot& snapshot_;
  const NatMapQuery& query_;
  std::vector<NatMapping> found_;
};

}  // namespace

Result<std::vector<NatMapping>> nat_map(const Snapshot& snapshot, const NatMapQuery& query) {
  const auto& domains = snapshot.domains;
  if (query.domain && std::none_of(domains.begin(), domains.end(), [&](const auto& domain) {
        return domain != nullptr && domain->name == *query.domain;
      }))
    return fail(ErrorCode::not_found, no_such_domain(snapshot, *query.domain));
  if (snapshot.nat == nullptr) return std::vector<NatMapping>{};
  return Finder(snapshot, query).run();
}

}  // namespace weir::control
