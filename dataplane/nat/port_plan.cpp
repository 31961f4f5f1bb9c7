#include "dataplane/nat/port_plan.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

/// How many addresses lie between two of one family, at most `most`.
uint64_t distance(const net::IpAddress& from, const net::IpAddress& to, uint64_t most) {
  const uint64_t low = to.bits.lo - from.bits.lo;
  const uint64_t high = to.bits.hi - from.bits.hi - (to.bits.lo < from.bits.lo);
  return high != 0 ? most : std::min(low, most);
}

}  // namespace

uint32_t hosts_per_address(const PoolRule& rule) {
  return (rule.pool->last_port() - rule.pool->first_port() + 1u) / rule.ports_per_host;
}

uint64_t hosts_of(const std::vector<net::Prefix>& sources, uint64_t most) {
  uint64_t hosts = 0;
  for (const net::Prefix& prefix : sources) {
    const uint64_t before_last = distance(prefix.first(), prefix.last(), most);
    if (before_last >= most - hosts) return most;
    hosts += before_last + 1;
  }
  return hosts;
}

std::optional<PortPlan> plan_of(const PoolRule& rule, const net::IpAddress& host) {
  const uint32_t per_address = hosts_per_address(rule);
  const uint64_t room = uint64_t{per_address} * rule.pool->addresses();
  uint64_t before = 0;
  for (const net::Prefix& prefix : rule.sources) {
    if (!prefix.contains(host)) {
      before += distance(prefix.first(), prefix.last(), room) + 1;
      continue;
    }
    const uint64_t index = before + distance(prefix.first(), host, room);
    if (index >= room) return {};
    const auto first =
        static_cast<uint32_t>(rule.pool->first_port() + index % per_address * rule.ports_per_host);
    return PortPlan{static_cast<uint32_t>(index / per_address),
                    {static_cast<uint16_t>(first), static_cast<uint16_t>(first + rule.ports_per_host - 1u)}};
  }
  return {};
}

std::optional<net::IpAddress> host_of(const PoolRule& rule, const net::IpAddress& outside, uint16_t port) {
  const std::optional<uint32_t> address = rule.pool->index_of(outside);
  if (!address || !rule.pool->has_port(port)) return {};
  const uint32_t per_address = hosts_per_address(rule);
  const uint32_t turn = (port - rule.pool->first_port()) / uint32_t{rule.ports_per_host};
  if (turn >= per_address) return {};
  uint64_t index = uint64_t{*address} * per_address + turn;
  for (const net::Prefix& prefix : rule.sources) {
    const uint64_t size = distance(prefix.first(), prefix.last(), UINT64_MAX - 1) + 1;
    if (index >= size) {
      index -= size;
      continue;
    }
    net::IpAddress host = prefix.first();
    host.bits.lo += index;
    if (host.bits.lo < index) ++host.bits.hi;
    return host;
  }
  return {};
}

}  // namespace weir::dataplane
