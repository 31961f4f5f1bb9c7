// Which ports of a pool a host has, where each has its own (deterministic mapping, RFC 7422).
//
// The hosts, all addresses of the rule's `sources` in their order, are dealt out over the pool's addresses in
// theirs: as many to one address as have room in its ports, `ports_per_host` each, one behind the other. So
// who had a port is known from the rule alone, without a record of any session. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/nat/nat_table.h"

namespace weir::dataplane {

struct PortPlan {
  uint32_t address = 0;  // of the pool, by index
  PortPool::Ports ports;
};

/// How many hosts share one address of the rule's pool. The rule is deterministic.
uint32_t hosts_per_address(const PoolRule& rule);
/// The addresses that `sources` have, or `most` if there are more.
uint64_t hosts_of(const std::vector<net::Prefix>& sources, uint64_t most);

/// What a host has. Nothing: it is none of the sources, or there is no room for it. The rule is
/// deterministic.
std::optional<PortPlan> plan_of(const PoolRule& rule, const net::IpAddress& host);
/// Whose a port of a pool's address is. Nothing: nobody's, as the last ones of an address may be.
std::optional<net::IpAddress> host_of(const PoolRule& rule, const net::IpAddress& outside, uint16_t port);

}  // namespace weir::dataplane
