#include "mgmt/model/build_nat.h"

#include <algorithm>

namespace weir::model {

using namespace dataplane;

namespace {

std::vector<DomainId> ids_of(const NatInput& input, const std::vector<std::string>& names) {
  std::vector<DomainId> ids;
  for (const std::string& name : names) ids.push_back(input.domain(name));
  return ids;
}

std::shared_ptr<PortPool> pool_of(const config::Nat& rule, uint16_t workers, const NatTable* before) {
  std::vector<PortPool::Range> ranges;
  for (const net::Prefix& prefix : rule.pool) ranges.push_back({prefix.first(), prefix.last()});
  if (before != nullptr) {
    for (const PoolRule& old : before->rules().pools) {
      const PortPool& pool = *old.pool;
      if (old.name == rule.name && pool.ranges() == ranges && pool.first_port() == rule.ports.first &&
          pool.last_port() == rule.ports.last)
        return old.pool;
    }
  }
  return std::make_shared<PortPool>(std::move(ranges), rule.ports.first, rule.ports.last, workers);
}

}  // namespace

std::shared_ptr<const NatTable> build_nat(const NatInput& input,
                                          const std::shared_ptr<const NatTable>& before) {
  NatRules rules;
  for (const config::Nat* configured : input.rules) {
    const config::Nat& from = *configured;
    switch (from.kind) {
      case config::NatKind::fixed: {
        StaticRule& rule = rules.fixed.emplace_back();
        rule.name = from.name;
        rule.domain = input.domain(from.domain);
        rule.inside = from.inside;
        rule.outside = from.outside;
        rule.seen_by = ids_of(input, from.from);
        if (from.from.empty()) {
          rule.seen_by = input.domains;
          std::erase(rule.seen_by, rule.domain);
        }
        rule.ftp = from.ftp;
        rule.nptv6 = from.nptv6;
        break;
      }
      case config::NatKind::dnat: {
        PublishedRule& rule = rules.published.emplace_back();
        rule.name = from.name;
        rule.seen_by = ids_of(input, from.from);
        rule.protocol = static_cast<uint8_t>(from.protocol);
        rule.address = from.address;
        rule.port = from.port;
        rule.domain = input.domain(from.domain);
        for (size_t i = 0; i < from.servers.size(); ++i)
          rule.servers.push_back({from.servers[i], i < from.weights.size() ? from.weights[i] : 1});
        rule.server = from.server ? *from.server : from.servers.front();
        rule.server_port = from.server_port != 0 ? from.server_port : from.port;
        rule.ftp = from.ftp;
        break;
      }
      case config::NatKind::nat64:
      case config::NatKind::snat: {
        PoolRule& rule = rules.pools.emplace_back();
        rule.name = from.name;
        rule.from = ids_of(input, from.from);
        rule.to = input.domain(from.domain);
        rule.sources = from.sources;
        rule.destinations = from.destinations;
        if (from.kind == config::NatKind::nat64) rule.prefix64 = from.prefix;
        rule.ports_per_host = static_cast<uint16_t>(from.ports_per_host);
        rule.pool = pool_of(from, input.workers, before.get());
        rule.ftp = from.ftp;
        break;
      }
    }
  }
  if (rules.empty()) return nullptr;
  if (before != nullptr && before->rules() == rules) return before;
  return std::make_shared<const NatTable>(std::move(rules), input.workers);
}

}  // namespace weir::model
