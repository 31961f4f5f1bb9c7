// What an address is translated to, or stands for, as the rules alone say it: `weirctl nat map`.
//
// Of static rules, checksum-neutral ones included, of published services, and of deterministic pools; what a
// pool gives out as it is asked for is seen in the sessions only. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "dataplane/net/result.h"

namespace weir::control {

struct NatMapQuery {
  net::IpAddress address;             // inside or outside
  std::optional<uint16_t> port;       // of an outside address of a pool: whose that port is
  std::optional<std::string> domain;  // only rules of this domain's inside addresses
};

struct NatMapping {
  std::string rule;
  std::string kind;                  // static, nptv6, dnat, deterministic
  std::string domain;                // of the inside address
  std::string inside, inside_ports;  // no ports: all of them, as they are
  std::string outside, outside_ports;
};

/// Every pair that has the address on either side; of a deterministic pool's address without a port all hosts
/// that share it, at most some 1,000. In the order of the rules. Fails with `not_found` if it names a domain
/// that is not there.
Result<std::vector<NatMapping>> nat_map(const dataplane::Snapshot& snapshot, const NatMapQuery& query);

}  // namespace weir::control
