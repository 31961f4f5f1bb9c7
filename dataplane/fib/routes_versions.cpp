// Which versions a change moves: those of the routes that sessions may have been decided by which would be
// decided by another one now. They move when no look-up that began before the change is under way any more
// (Routes::finish()), so that nobody keeps an old answer with a new version.
#include "dataplane/fib/routes_impl.h"

namespace weir::dataplane {

using namespace fib;

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
}

uint32_t Routes::Impl::block_of(RecordIndex route, net::Family family) const {
  const Record& r = store.records[route];
  return Record::is_wide(family, r.length) ? static_cast<uint32_t>(r.lo.load(std::memory_order_acquire)) : 0;
}

RouteCell Routes::Impl::cell(RecordIndex route, net::Family family, const Bits& address) const {
  const uint32_t block = block_of(route, family);
  return block == 0 ? route : first_block_cell + (block - 1) * kBlockCells + part_of(family, address.hi);
}

void Routes::Impl::moved(RecordIndex route, net::Family family) {
  pending->moved.push_back({route, 1});
  if (const uint32_t block = block_of(route, family)) {
    pending->moved.push_back({first_block_cell + (block - 1) * kBlockCells, kBlockCells});
  }
}

void Routes::Impl::moved_within(RecordIndex route, const net::Prefix& prefix) {
  const net::Family family = prefix.address.family;
  Record& r = store.records[route];
  uint32_t block = block_of(route, family);
  if (block == 0) {
    moved(route, family);
    if (!Record::is_wide(family, r.length)) return;
    // From the next look-up on it has many. One that comes before the change itself is decided by the route
    // still, and by those.
    if (!free_blocks.empty()) {
      block = free_blocks.back();
      free_blocks.pop_back();
    } else if (blocks_used < kBlocks) {
      block = ++blocks_used;
    }
    r.lo.store(block, std::memory_order_release);
    if (block == 0) return;
  }
  const unsigned bits = 64 - part_shift(family);
  const unsigned missing = bits > prefix.length ? bits - prefix.length : 0;
  if (missing >= 10) return moved(route, family);
  static_assert(kBlockCells == 1u << 10);
  const RouteCell first = first_block_cell + (block - 1) * kBlockCells;
  // A prefix is aligned, so it does not wrap around.
  pending->moved.push_back({first + part_of(family, bits_of(prefix.address).hi), 1u << missing});
}

void Routes::Impl::move_decider(const Viewer& viewer, const net::Prefix& prefix) {
  const net::Family family = prefix.address.family;
  Covers covers(store, kShared, store.roots[shared_root[family_index(family)]], bits_of(prefix.address));
  while (const RecordIndex shared = covers.next()) {
    if (store.records[shared].length > prefix.length) continue;
    RecordIndex decides = own_of(viewer, shared);
    bool elsewhere = false;
    if (decides == 0) decides = exposed_of(viewer, shared, family, elsewhere);
    if (decides != 0) return moved_within(decides, prefix);
  }
}

void Routes::Impl::prepare_route(DomainId id, const DomainEntry& d, const net::Prefix& prefix) {
  const net::Family family = prefix.address.family;
  const Bits bits = bits_of(prefix.address);
  // The reverse-path check looks at own routes only.
  RecordIndex own = 0;
  Covers covers(store, kOwn, store.roots[d.root[family_index(family)].load(kRelaxed)], bits);
  do {
    own = covers.next();
  } while (own != 0 && store.records[own].length > prefix.length);
  if (own != 0) moved_within(own, prefix);

  // Nobody sees a wider route: nothing was decided for these addresses.
  Covers shared(store, kShared, store.roots[shared_root[family_index(family)]], bits);
  RecordIndex next = 0;
  do {
    next = shared.next();
  } while (next != 0 && store.records[next].length > prefix.length);
  if (next == 0) return;
  const Viewer self = viewer(id.index(), d);
  // The next wider one is the domain's own, and who sees the new route sees that one.
  if (next == own && d.filtered == 0) return;
  move_decider(self, prefix);
  if (self.peers == nullptr) return;
  for (const Peer& peer : self.peers->list) {
    const DomainEntry* p = domain(peer.domain);
    if (p == nullptr) continue;
    const Viewer other = viewer(peer.domain.index(), *p);
    const Peer* me = other.peers == nullptr ? nullptr : other.peers->find(id.index());
    if (me != nullptr && lets_through(me->exposes, prefix)) move_decider(other, prefix);
  }
}

void Routes::Impl::prepare_view(uint32_t to_slot, const DomainEntry& to, const DomainEntry& from,
                                const Peer* before, const Filter& after) {
  const Viewer view = viewer(to_slot, to);
  size_t seen_now = to.routes;
  if (view.peers != nullptr) {
    for (const Peer& peer : view.peers->list) {
      if (const DomainEntry* p = domain(peer.domain)) seen_now += p->routes;
    }
  }
  if (before == nullptr && from.routes > seen_now) {
    // Much is new to a domain that sees little: cheaper to move all that may have decided there.
    const auto move_all = [this](const DomainEntry& d) {
      for_each_route(d, [this](RecordIndex route, net::Family family) {
        moved(route, family);
        return true;
      });
    };
    move_all(to);
    if (view.peers == nullptr) return;
    for (const Peer& peer : view.peers->list) {
      if (const DomainEntry* p = domain(peer.domain)) move_all(*p);
    }
    return;
  }
  if (before != nullptr && before->exposes == nullptr && after == nullptr) return;
  for_each_route(from, [&](RecordIndex route, net::Family family) {
    const net::Prefix prefix = prefix_of(route, family);
    const bool was = before != nullptr && lets_through(before->exposes, prefix);
    const bool is = lets_through(after, prefix);
    if (was && !is) moved(route, family);
    if (is && !was) move_decider(view, prefix);
    return true;
  });
}

}  // namespace weir::dataplane
