// What Routes shall answer, as scans over plain maps: slow, and of another kind than what it judges.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/fib/routes.h"

namespace weir::test {

class SlowRoutes {
 public:
  using DomainId = dataplane::DomainId;
  using Members = std::vector<dataplane::NextHop>;
  struct Answer {
    DomainId domain;
    net::Prefix prefix;
    Members members;
    friend bool operator==(const Answer&, const Answer&) = default;
  };

  std::map<DomainId, std::map<net::Prefix, Members>> routes;
  /// (viewer, peer) -> what the viewer sees of the peer.
  std::map<std::pair<DomainId, DomainId>, dataplane::Routes::Exposure> links;

  bool sees(DomainId viewer, DomainId peer, const net::Prefix& prefix) const {
    const auto link = links.find({viewer, peer});
    if (link == links.end()) return false;
    if (!link->second) return true;
    for (const net::Prefix& p : *link->second) {
      if (p.contains(prefix)) return true;
    }
    return false;
  }

  std::optional<Answer> own(DomainId domain, const net::IpAddress& address) const {
    std::optional<Answer> best;
    const auto at = routes.find(domain);
    if (at == routes.end()) return best;
    for (const auto& [prefix, members] : at->second) {
      if (prefix.contains(address) && (!best || prefix.length >= best->prefix.length)) {
        best = {domain, prefix, members};
      }
    }
    return best;
  }

  std::optional<Answer> exposed(DomainId domain, const net::IpAddress& address, int longer_than) const {
    std::optional<Answer> best;
    for (const auto& [peer, list] : routes) {
      if (peer == domain) continue;
      for (const auto& [prefix, members] : list) {
        if (prefix.length > longer_than && prefix.contains(address) && sees(domain, peer, prefix) &&
            (!best || prefix.length > best->prefix.length)) {
          best = {peer, prefix, members};
        }
      }
    }
    return best;
  }

  /// A domain that is neither the asking one nor connected has a route to the address.
  bool elsewhere(DomainId domain, const net::IpAddress& address) const {
    for (const auto& [other, list] : routes) {
      if (other == domain || links.contains({domain, other})) continue;
      for (const auto& [prefix, members] : list) {
        if (prefix.contains(address)) return true;
      }
    }
    return false;
  }

  /// Prefixes that two domains expose to a third, but for two blackholes.
  std::set<net::Prefix> conflicts() const {
    std::set<net::Prefix> found;
    for (const auto& [viewer, unused] : routes) {
      std::map<net::Prefix, std::pair<DomainId, bool>> seen;
      for (const auto& [peer, list] : routes) {
        if (peer == viewer) continue;
        for (const auto& [prefix, members] : list) {
          if (!sees(viewer, peer, prefix)) continue;
          const auto [at, is_new] = seen.try_emplace(prefix, peer, members.empty());
          if (!is_new && !(at->second.second && members.empty())) found.insert(prefix);
        }
      }
    }
    return found;
  }
};

}  // namespace weir::test
