#include "mgmt/control/underlay_paths.h"

#include <algorithm>
#include <utility>

namespace weir::control {

using dataplane::UnderlayHop;
using model::UnderlayPath;

void UnderlayPaths::add(const UnderlayPath& path, std::shared_ptr<UnderlayHop> hop) {
  const auto [at, is_new] = paths_.try_emplace(path);
  at->second.hop = std::move(hop);
  update(path, at->second);
}

void UnderlayPaths::remove(const UnderlayPath& path) {
  if (paths_.erase(path) == 0) return;
  underlay_.forget(path.first, path.second);
  changed_.erase(path);
}

void UnderlayPaths::ask(const UnderlayPath& path) {
  if (const auto at = paths_.find(path); at != paths_.end()) update(path, at->second);
}

bool UnderlayPaths::step() {
  left_ = std::min(left_, paths_.size());
  auto at = paths_.upper_bound(last_);
  for (size_t i = 0; i < kPerStep && left_ > 0; ++i, --left_) {
    if (at == paths_.end()) at = paths_.begin();
    update(at->first, at->second);
    last_ = at->first;
    ++at;
  }
  return left_ > 0;
}

UnderlayPaths::Changed UnderlayPaths::take_changed() {
  Changed all(changed_.begin(), changed_.end());
  changed_.clear();
  return all;
}

bool UnderlayPaths::resolved(const UnderlayPath& path) const {
  const auto at = paths_.find(path);
  return at != paths_.end() && at->second.resolved;
}

void UnderlayPaths::update(const UnderlayPath& path, Watched& watched) {
  const auto hop = underlay_.resolve(path.first, path.second);
  const bool resolved = hop && hop->mac && hop->link_up;
  const auto facts =
      hop ? std::optional(model::PathFacts{hop->port, mtus_.limit(path, hop->mtu)}) : std::nullopt;
  if (facts && facts != watched.facts) {
    watched.facts = facts;
    changed_.insert_or_assign(path, *facts);
  }
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
