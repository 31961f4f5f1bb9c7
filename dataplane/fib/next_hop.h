// What a route leads to.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"

namespace weir::dataplane {

/// One member of a route. An attachment is reached through a router inside it (`via`), or the destination is
/// on-link.
struct NextHop {
  AttachmentId attachment;
  DomainId domain;  // the attachment's: the packet's to-domain
  bool has_via = false;
  net::IpAddress via;
  uint32_t weight = 1;

  /// `via` counts only where there is one.
  friend bool operator==(const NextHop& a, const NextHop& b) {
    return a.attachment == b.attachment && a.domain == b.domain && a.has_via == b.has_via &&
           (!a.has_via || a.via == b.via) && a.weight == b.weight;
  }
};

/// What a route leads to: members, or a blackhole if there are none. Immutable once a route leads to it.
struct RouteTarget {
  std::vector<NextHop> members;
  bool equal_weights = true;  // of all members
};

}  // namespace weir::dataplane
