#include "dataplane/fib/route_changes.h"

#include <algorithm>
#include <tuple>

#include "dataplane/fib/routes_impl.h"

namespace weir::dataplane {

using fib::Filter;

void RouteChanges::set(DomainId domain, const net::Prefix& prefix, bool blackhole) {
  changed_.push_back({prefix, domain, blackhole ? Now::blackhole : Now::members});
}
void RouteChanges::remove(DomainId domain, const net::Prefix& prefix) {
  changed_.push_back({prefix, domain, Now::gone});
}
void RouteChanges::connect(DomainId a, DomainId b, const Routes::Exposure& a_exposes,
                           const Routes::Exposure& b_exposes) {
  if (a == b) return;
  links_[{a, b}] = {true, b_exposes};
  links_[{b, a}] = {true, a_exposes};
}
void RouteChanges::disconnect(DomainId a, DomainId b) { links_[{a, b}] = links_[{b, a}] = {}; }
void RouteChanges::remove_domain(DomainId domain) { removed_.insert(domain); }

/// The hub as it will be.
class RouteChanges::Judge {
 public:
  explicit Judge(const RouteChanges& changes) : changes_(changes), changed_(changes.changed_) {
    std::stable_sort(changed_.begin(), changed_.end(), [](const Route& a, const Route& b) {
      return std::tie(a.prefix, a.domain) < std::tie(b.prefix, b.domain);
    });
    // The last one of each.
    size_t kept = 0;
    for (size_t i = 0; i < changed_.size(); ++i) {
      const bool again = i + 1 < changed_.size() && changed_[i + 1].prefix == changed_[i].prefix &&
                         changed_[i + 1].domain == changed_[i].domain;
      if (!again) changed_[kept++] = changed_[i];
    }
    changed_.resize(kept);
  }

  const std::vector<Route>& changed() const { return changed_; }
  bool removed(DomainId domain) const { return changes_.removed_.contains(domain); }

  Now before(DomainId domain, const net::Prefix& prefix) const {
    const RouteTarget* target = changes_.routes_.find(domain, prefix);
    if (target == nullptr) return Now::gone;
    return target->members.empty() ? Now::blackhole : Now::members;
  }
  Now now(DomainId domain, const net::Prefix& prefix) const {
    const auto at =
        std::lower_bound(changed_.begin(), changed_.end(), std::tie(prefix, domain),
                         [](const Route& r, const auto& key) { return std::tie(r.prefix, r.domain) < key; });
    if (at != changed_.end() && at->prefix == prefix && at->domain == domain) return at->now;
    return removed(domain) ? Now::gone : before(domain, prefix);
  }

  using Peers = std::map<DomainId, Filter>;
  const Peers& peers(DomainId domain) {
    const auto [at, is_new] = peers_.try_emplace(domain);
    if (!is_new) return at->second;
    Peers& list = at->second;
    if (!removed(domain)) {
      changes_.routes_.for_each_connection(domain, [&](DomainId peer, const Routes::Exposure& exposes) {
        if (!removed(peer)) list[peer] = fib::make_filter(exposes);
      });
    }
    for (auto link = changes_.links_.lower_bound({domain, DomainId{}});
         link != changes_.links_.end() && link->first.first == domain; ++link) {
      if (link->second.connected) {
        list[link->first.second] = fib::make_filter(link->second.exposes);
      } else {
        list.erase(link->first.second);
      }
    }
    return list;
  }

  /// All that will have a route of the prefix.
  std::vector<std::pair<DomainId, Now>> holders(const net::Prefix& prefix) const {
    std::vector<std::pair<DomainId, Now>> list;
    changes_.routes_.for_each_holder(prefix, [&](DomainId domain, bool) {
      if (const Now n = now(domain, prefix); n != Now::gone) list.emplace_back(domain, n);
    });
    const size_t known = list.size();
    const auto is_known = [&](DomainId domain) {
      return std::any_of(list.begin(), list.begin() + static_cast<ptrdiff_t>(known),
                         [&](const auto& h) { return h.first == domain; });
    };
    const auto first = std::lower_bound(changed_.begin(), changed_.end(), prefix,
                                        [](const Route& r, const net::Prefix& p) { return r.prefix < p; });
    for (auto at = first; at != changed_.end() && at->prefix == prefix; ++at) {
      if (at->now != Now::gone && !is_known(at->domain)) list.emplace_back(at->domain, at->now);
    }
    std::sort(list.begin(), list.end());
    return list;
  }

  /// Another domain than `one` that exposes the prefix to `viewer`.
  std::optional<DomainId> other(DomainId viewer, DomainId one, Now what, const net::Prefix& prefix,
                                const std::vector<std::pair<DomainId, Now>>& holders) {
    const Peers& seen = peers(viewer);
    const auto clashes = [&](DomainId domain, Now n, const Filter& filter) {
      return domain != one && domain != viewer && (what != Now::blackhole || n != Now::blackhole) &&
             fib::lets_through(filter, prefix);
    };
    if (holders.size() <= seen.size()) {
      for (const auto& [domain, n] : holders) {
        const auto peer = seen.find(domain);
        if (peer != seen.end() && clashes(domain, n, peer->second)) return domain;
      }
      return {};
    }
    for (const auto& [domain, filter] : seen) {
      const auto h = std::lower_bound(holders.begin(), holders.end(), domain,
                                      [](const auto& holder, DomainId d) { return holder.first < d; });
      if (h != holders.end() && h->first == domain && clashes(domain, h->second, filter)) return domain;
    }
    return {};
  }

 private:
  const RouteChanges& changes_;
  std::vector<Route> changed_;
  std::map<DomainId, Peers> peers_;
};

std::vector<Routes::Conflict> RouteChanges::conflicts(size_t at_most) const {
  Judge judge(*this);
  std::vector<Routes::Conflict> found;
  std::set<net::Prefix> named;
  const auto tell = [&](DomainId viewer, DomainId one, DomainId other, const net::Prefix& prefix) {
    if (named.insert(prefix).second) found.push_back({viewer, one, other, prefix});
    return found.size() < at_most;
  };
  // Routes that come, in whomever will see them.
  for (const Route& route : judge.changed()) {
    if (route.now == Now::gone) continue;
    const auto& viewers = judge.peers(route.domain);
    if (viewers.empty()) continue;
    const auto holders = judge.holders(route.prefix);
    if (holders.size() < 2) continue;
    for (const auto& [viewer, unused] : viewers) {
      const auto& seen = judge.peers(viewer);
      const auto me = seen.find(route.domain);
      if (me == seen.end() || !fib::lets_through(me->second, route.prefix)) continue;
      const auto other = judge.other(viewer, route.domain, route.now, route.prefix, holders);
      if (other && !tell(viewer, route.domain, *other, route.prefix)) return found;
    }
  }
  // Connections that come, with the routes that were there before.
  for (const auto& [pair, link] : links_) {
    const DomainId viewer = pair.first, peer = pair.second;
    if (!link.connected || judge.removed(peer)) continue;
    const auto& seen = judge.peers(viewer);
    const Filter& filter = seen.at(peer);
    size_t others = 0;
    for (const auto& [domain, unused] : seen) {
      if (domain != peer && !judge.removed(domain)) others += routes_.size(domain);
    }
    bool go_on = true;
    const auto judge_route = [&](DomainId holder, const net::Prefix& prefix) {
      const Filter& its = seen.at(holder);
      const Now now = judge.now(holder, prefix);
      if (now == Now::gone || !fib::lets_through(its, prefix) || !fib::lets_through(filter, prefix))
        return true;
      const Now peers = judge.now(peer, prefix);
      if (peers == Now::gone) return true;
      const auto other = judge.other(viewer, peer, peers, prefix, judge.holders(prefix));
      return go_on = !other || tell(viewer, peer, *other, prefix);
    };
    // Whichever side has fewer routes.
    if (others < routes_.size(peer)) {
      for (const auto& [domain, unused] : seen) {
        if (domain == peer || judge.removed(domain) || !go_on) continue;
        routes_.for_each(domain, [&, of = domain](const net::Prefix& prefix, const RouteTarget&) {
          return judge_route(of, prefix);
        });
      }
    } else if (seen.size() > 1) {
      routes_.for_each(
          peer, [&](const net::Prefix& prefix, const RouteTarget&) { return judge_route(peer, prefix); });
    }
    if (!go_on) return found;
  }
  return found;
}

uint32_t RouteChanges::excess(uint32_t others) const {
  const Judge judge(*this);
  int64_t more = others;
  for (const DomainId domain : removed_) more -= routes_.size(domain);
  for (const Route& route : judge.changed()) {
    const bool was = !judge.removed(route.domain) && judge.before(route.domain, route.prefix) != Now::gone;
    more += (route.now != Now::gone ? 1 : 0) - (was ? 1 : 0);
  }
  return more <= routes_.room() ? 0 : static_cast<uint32_t>(more - routes_.room());
}

}  // namespace weir::dataplane
