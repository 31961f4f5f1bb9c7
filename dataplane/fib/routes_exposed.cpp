// What one domain sees of another: look-ups, and prefixes that two domains expose to a third.
#include <algorithm>

#include "dataplane/fib/routes_impl.h"

namespace weir::dataplane {

namespace fib {

Filter make_filter(const Routes::Exposure& exposure) {
  if (!exposure) return nullptr;
  std::vector<net::Prefix> list = *exposure;
  std::sort(list.begin(), list.end());  // a wider prefix comes before those in it
  std::vector<net::Prefix> kept;
  for (const net::Prefix& p : list) {
    if (kept.empty() || !kept.back().contains(p)) kept.push_back(p);
  }
  return std::make_shared<const std::vector<net::Prefix>>(std::move(kept));
}

bool lets_through(const Filter& filter, const net::Prefix& prefix) {
  if (filter == nullptr) return true;
  const auto after = std::upper_bound(filter->begin(), filter->end(), prefix);
  return after != filter->begin() && std::prev(after)->contains(prefix);
}

const Peer* Peers::find(uint32_t slot) const {
  const auto at = std::lower_bound(list.begin(), list.end(), slot,
                                   [](const Peer& p, uint32_t s) { return p.domain.index() < s; });
  return at != list.end() && at->domain.index() == slot ? &*at : nullptr;
}

const Holder* find(const Holders& holders, uint32_t slot) {
  const auto at = std::lower_bound(holders.begin(), holders.end(), slot,
                                   [](const Holder& h, uint32_t s) { return h.slot < s; });
  return at != holders.end() && at->slot == slot ? &*at : nullptr;
}

}  // namespace fib

using namespace fib;

// --- records as one domain sees them ---

Routes::Impl::RecordIndex Routes::Impl::own_route(const DomainEntry& d, const net::Prefix& prefix) const {
  const size_t f = family_index(prefix.address.family);
  if (d.root[f].load(std::memory_order_relaxed) == 0) return 0;
  return const_cast<Impl*>(this)->own_trie(d, f).find(bits_of(prefix.address), prefix.length);
}

Routes::Impl::RecordIndex Routes::Impl::shared_of(const net::Prefix& prefix) const {
  const size_t f = family_index(prefix.address.family);
  return const_cast<Impl*>(this)->shared_trie(f).find(bits_of(prefix.address), prefix.length);
}

Routes::Impl::RecordIndex Routes::Impl::own_of(const Viewer& viewer, RecordIndex shared) const {
  const Record& r = store.records[shared];
  if (r.kind == Record::route) return r.slot == viewer.slot ? shared : 0;
  const Holder* holder = fib::find(holders(shared), viewer.slot);
  return holder == nullptr ? 0 : holder->route;
}

Routes::Impl::RecordIndex Routes::Impl::exposed_of(const Viewer& viewer, RecordIndex shared,
                                                   net::Family family, bool& elsewhere, uint32_t skip) const {
  const Record& r = store.records[shared];
  const size_t peers = viewer.peers == nullptr ? 0 : viewer.peers->list.size();
  const auto seen = [&](uint32_t slot, RecordIndex route) -> RecordIndex {
    if (slot == viewer.slot || slot == skip) return 0;
    const Peer* peer = peers == 0 ? nullptr : viewer.peers->find(slot);
    if (peer == nullptr) {
      elsewhere = true;
      return 0;
    }
    if (peer->exposes == nullptr) return route;
    return lets_through(peer->exposes, prefix_of(route, family)) ? route : 0;
  };
  if (r.kind == Record::route) return seen(r.slot, shared);
  const Holders& list = holders(shared);
  if (list.size() <= peers) {
    for (const Holder& h : list) {
      if (const RecordIndex route = seen(h.slot, h.route)) return route;
    }
    return 0;
  }
  // More have the prefix than are connected.
  elsewhere = true;
  for (size_t i = 0; i < peers; ++i) {
    const Holder* h = fib::find(list, viewer.peers->list[i].domain.index());
    if (h == nullptr) continue;
    if (const RecordIndex route = seen(h->slot, h->route)) return route;
  }
  return 0;
}

// --- look-ups ---

Routes::Match Routes::Impl::match(RecordIndex route, net::Family family, const Bits& address) const {
  const Record& r = store.records[route];
  Match match;
  match.target = &target_of(route);
  match.cell = cell(route, family, address);
  match.domain.value = domains[r.slot + 1u].id.load(std::memory_order_acquire);
  match.length = r.length;
  return match;
}

Routes::Match Routes::lookup_own(DomainId id, const net::IpAddress& address) const {
  const DomainEntry* d = impl_->domain(id);
  if (d == nullptr) return {};
  const uint32_t root = d->root[family_index(address.family)].load(std::memory_order_acquire);
  if (root == 0) return {};
  const Bits bits = bits_of(address);
  const RecordIndex route = Covers(impl_->store, kOwn, impl_->store.roots[root], bits).next();
  return route == 0 ? Match{} : impl_->match(route, address.family, bits);
}

Routes::ExposedMatch Routes::lookup_exposed(DomainId id, const net::IpAddress& address,
                                            int longer_than) const {
  ExposedMatch found;
  const DomainEntry* d = impl_->domain(id);
  if (d == nullptr) return found;
  const Viewer viewer = Impl::viewer(id.index(), *d);
  const Bits bits = bits_of(address);
  const uint32_t root = impl_->shared_root[family_index(address.family)];
  Covers covers(impl_->store, kShared, impl_->store.roots[root], bits);
  while (const RecordIndex shared = covers.next()) {
    if (impl_->store.records[shared].length <= longer_than) break;
    if (const RecordIndex route = impl_->exposed_of(viewer, shared, address.family, found.elsewhere)) {
      static_cast<Match&>(found) = impl_->match(route, address.family, bits);
      break;
    }
  }
  return found;
}

// --- conflicts ---

std::optional<Routes::Conflict> Routes::conflict(DomainId id, const net::Prefix& prefix,
                                                 bool blackhole) const {
  const DomainEntry* d = impl_->domain(id);
  const RecordIndex shared = d == nullptr ? 0 : impl_->shared_of(prefix);
  const Peers* peers = d == nullptr ? nullptr : d->peers.load(std::memory_order_relaxed);
  if (shared == 0 || peers == nullptr) return {};
  for (const Peer& peer : peers->list) {
    const DomainEntry* p = impl_->domain(peer.domain);
    if (p == nullptr || !is_exposed(peer.domain, id, prefix)) continue;
    bool elsewhere = false;
    const RecordIndex other = impl_->exposed_of(Impl::viewer(peer.domain.index(), *p), shared,
                                                prefix.address.family, elsewhere, id.index());
    if (other == 0 || (blackhole && impl_->target_of(other).members.empty())) continue;
    const uint32_t slot = impl_->store.records[other].slot;
    return Conflict{peer.domain, id, {impl_->domains[slot + 1].id.load(std::memory_order_relaxed)}, prefix};
  }
  return {};
}

std::optional<Routes::Conflict> Routes::conflict_if_connected(DomainId a, DomainId b,
                                                              const Exposure& a_exposes,
                                                              const Exposure& b_exposes) const {
  if (a == b || !has_domain(a) || !has_domain(b)) return {};
  if (auto found = impl_->conflict_in(a, b, make_filter(b_exposes))) return found;
  return impl_->conflict_in(b, a, make_filter(a_exposes));
}

std::optional<Routes::Conflict> Routes::Impl::conflict_in(DomainId to, DomainId from,
                                                          const Filter& exposes) const {
  const DomainEntry &viewing = *domain(to), &seen = *domain(from);
  const Viewer view = viewer(to.index(), viewing);
  if (view.peers == nullptr) return {};
  std::optional<Conflict> found;
  const auto clash = [&](RecordIndex one, RecordIndex other, DomainId of, const net::Prefix& prefix) {
    if (target_of(one).members.empty() && target_of(other).members.empty()) return;
    found = Conflict{to, from, of, prefix};
  };
  size_t seen_now = 0;
  for (const Peer& peer : view.peers->list) {
    const DomainEntry* p = peer.domain == from ? nullptr : domain(peer.domain);
    if (p != nullptr) seen_now += p->routes;
  }
  if (seen_now < seen.routes) {
    // Fewer are seen already: look for each of those among the new ones.
    for (const Peer& peer : view.peers->list) {
      const DomainEntry* p = peer.domain == from ? nullptr : domain(peer.domain);
      if (p == nullptr) continue;
      for_each_route(*p, [&](RecordIndex route, net::Family family) {
        const net::Prefix prefix = prefix_of(route, family);
        if (!lets_through(peer.exposes, prefix) || !lets_through(exposes, prefix)) return true;
        if (const RecordIndex one = own_route(seen, prefix)) clash(one, route, peer.domain, prefix);
        return !found.has_value();
      });
      if (found) break;
    }
    return found;
  }
  for_each_route(seen, [&](RecordIndex route, net::Family family) {
    const net::Prefix prefix = prefix_of(route, family);
    if (!lets_through(exposes, prefix)) return true;
    bool elsewhere = false;
    const RecordIndex other = exposed_of(view, shared_of(prefix), family, elsewhere, from.index());
    if (other != 0) {
      const uint32_t slot = store.records[other].slot;
      clash(route, other, {domains[slot + 1].id.load(std::memory_order_relaxed)}, prefix);
    }
    return !found.has_value();
  });
  return found;
}

void Routes::for_each_holder(const net::Prefix& prefix,
                             const std::function<void(DomainId, bool)>& visit) const {
  const RecordIndex shared = impl_->shared_of(prefix);
  if (shared == 0) return;
  const auto tell = [&](uint32_t slot, RecordIndex route) {
    visit({impl_->domains[slot + 1].id.load(std::memory_order_relaxed)},
          impl_->target_of(route).members.empty());
  };
  const Impl::Record& r = impl_->store.records[shared];
  if (r.kind == Impl::Record::route) return tell(r.slot, shared);
  for (const Holder& h : impl_->holders(shared)) tell(h.slot, h.route);
}

bool Routes::is_exposed(DomainId id, DomainId peer, const net::Prefix& prefix) const {
  const DomainEntry* d = impl_->domain(id);
  const Peers* peers = d == nullptr ? nullptr : d->peers.load(std::memory_order_relaxed);
  const Peer* p = peers == nullptr ? nullptr : peers->find(peer.index());
  return p != nullptr && p->domain == peer && lets_through(p->exposes, prefix);
}

}  // namespace weir::dataplane
