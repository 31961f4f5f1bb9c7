// Rendezvous hashing: of several things that may serve a flow, each bids, and the highest bid wins.
//
// A bid depends on the flow and on the one who bids, not on the others. So whoever leaves moves only its own
// flows, and whoever comes takes only those that it wins. For first packets: a bid with a weight takes a
// logarithm. Any thread.
#pragma once

#include <cmath>
#include <cstdint>

namespace weir::dataplane {

/// splitmix64's finaliser: every bit of the result depends on every bit of `x`.
inline uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9ULL;
  x = (x ^ x >> 27) * 0x94d0'49bb'1331'11ebULL;
  return x ^ x >> 31;
}

/// What the one called `name` bids for a flow: all alike.
inline uint64_t rendezvous_bid(uint64_t name, uint32_t flow_hash) { return mixed(name ^ flow_hash); }

/// The same, so that it wins with probability weight / sum of weights. Of equal weights the one with the
/// highest rendezvous_bid() wins, so there is no need for this then. Over 0, if `weight` is.
inline double rendezvous_bid(uint64_t name, uint32_t flow_hash, uint32_t weight) {
  const uint64_t random = rendezvous_bid(name, flow_hash);
  const double uniform = (static_cast<double>(random >> 11) + 0.5) * 0x1p-53;  // in (0, 1)
  return -static_cast<double>(weight) / std::log(uniform);
}

}  // namespace weir::dataplane
