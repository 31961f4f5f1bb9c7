#include "mgmt/control/underlay_paths.h"

namespace weir::control {

using dataplane::UnderlayHop;
using model::UnderlayPath;

std::vector<std::shared_ptr<UnderlayHop>> UnderlayPaths::use(const HopMap& hops) {
  std::vector<std::shared_ptr<UnderlayHop>> retired;
  for (auto at = paths_.begin(); at != paths_.end();) {
    const auto kept = hops.find(at->first);
    if (kept != hops.end() && kept->second == at->second.hop) {
      ++at;
      continue;
    }
    underlay_.forget(at->first.first, at->first.second);
    table_.erase(at->first);
    retired.push_back(std::move(at->second.hop));
    at = paths_.erase(at);
  }
  for (const auto& [path, hop] : hops) paths_.try_emplace(path, Watched{hop, false});
  return retired;
}

bool UnderlayPaths::refresh() {
  const model::PathTable before = table_;
  for (auto& [path, watched] : paths_) update(path, watched);
  return table_ != before;
}

bool UnderlayPaths::resolved(const UnderlayPath& path) const {
  const auto at = paths_.find(path);
  return at != paths_.end() && at->second.resolved;
}

void UnderlayPaths::update(const UnderlayPath& path, Watched& watched) {
  const auto hop = underlay_.resolve(path.first, path.second);
  const bool resolved = hop && hop->mac && hop->link_up;
  if (hop) table_.insert_or_assign(path, model::PathFacts{hop->port, mtus_.limit(path, hop->mtu)});
  if (resolved) {
    watched.hop->set(*hop->mac);
  } else {
    watched.hop->clear();
  }
  if (resolved == watched.resolved) return;
  watched.resolved = resolved;
  const std::string remote = net::to_string(path.second);
  if (resolved) {
    log_.info("underlay: {} is reached by {}", remote, net::to_string(*hop->mac));
  } else {
    log_.warn(
        "underlay: {} is no longer reached: {}", remote,
        !hop ? hop.error().message : (hop->link_up ? "its next hop does not answer" : "the link is down"));
  }
}

}  // namespace weir::control
