// Networks made up by chance, and changes of them.
#pragma once

#include "tests/model/network.h"
#include "tests/model/random.h"

namespace weir::model {

struct NetworkKind {
  unsigned workers = 1;
  bool translation = true;
  bool small_tables = false;  // sessions and pools are used up
  bool budgets = false;       // of new and of half-open sessions
  bool inspection = false;    // some rules have sessions inspected
  bool nat64 = false;         // translation has NAT64 as well
};
Network random_network(Random& random, const NetworkKind& kind);

/// Something of it becomes another. True: of the rules of translation.
bool change_something(Network& network, Random& random, const NetworkKind& kind);

/// Hosts that send by an attachment: on its link, and behind its routers. The last on-link one's MAC is never
/// known.
std::vector<Address> hosts_of(const Network& network, Attachment a);
/// Any address that somebody might send to, among them such as stand for others.
Address some_destination(const Network& network, Random& random, bool v6);

/// One routed prefix per domain and family, and one address of it.
Address routed_host(Domain d, bool v6, unsigned host);

}  // namespace weir::model
