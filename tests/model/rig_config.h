// A Network as the hub's own configuration.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "tests/model/network.h"
#include "tests/support/snapshot_builder.h"

namespace weir::model {

net::IpAddress address_of(const Address& address);
Address address_from(const net::IpAddress& address);
/// A MAC as net::Mac::word() has it.
uint64_t mac_word(Mac mac);

class RigConfig {
 public:
  explicit RigConfig(const Network& network);
  std::unique_ptr<dataplane::Snapshot> snapshot(const Network& network);
  /// A new snapshot, or null if routes at most have changed, which are changed in place.
  std::unique_ptr<dataplane::Snapshot> change(const Network& before, const Network& after);
  /// Next hops come and go; those that went, to be release()d.
  std::vector<dataplane::AdjacencyId> neighbours(const Network& before, const Network& after);
  void release(const std::vector<dataplane::AdjacencyId>& gone);
  /// Of all pools.
  uint64_t ports_taken() const;

 private:
  void write_routes(const Network& network);
  void write_policy(const Network& network);
  void write_nat(const Network& network);

  test::SnapshotBuilder builder_;
  std::vector<std::pair<Pool, std::shared_ptr<dataplane::PortPool>>> pools_;
};

}  // namespace weir::model
