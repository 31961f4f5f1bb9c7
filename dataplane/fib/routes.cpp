#include "dataplane/fib/routes.h"

#include <algorithm>
#include <string>

#include "dataplane/fib/routes_impl.h"

namespace weir::dataplane {

using namespace fib;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kRelease = std::memory_order_release;
constexpr uint32_t kBlackhole = 1;  // target
constexpr uint32_t kMostRoutes = 1u << 24;

size_t bytes_of(const RouteTarget& t) { return sizeof t + t.members.capacity() * sizeof(NextHop); }
size_t bytes_of(const Holders& h) { return sizeof(Holders) + h.capacity() * sizeof(Holder); }
size_t bytes_of(const Peers& p) { return sizeof p + p.list.capacity() * sizeof(Peer); }

auto no_domain() { return fail(ErrorCode::not_found, "there is no such domain"); }

}  // namespace

// --- made and unmade ---

Result<std::unique_ptr<Routes>> Routes::create(const Limits& limits) {
  if (limits.routes == 0 || limits.routes > kMostRoutes || limits.domains == 0 || limits.domains > 65'535) {
    return fail(ErrorCode::invalid, "a hub has 1 to 16777216 routes and 1 to 65535 domains");
  }
  auto impl = std::make_unique<Impl>(limits);
  if (!impl->create()) {
    return fail(ErrorCode::exhausted, "no address space for " + std::to_string(limits.routes) + " routes");
  }
  return std::unique_ptr<Routes>(new Routes(std::move(impl)));
}

Routes::Routes(std::unique_ptr<Impl> impl) : versions_(impl->cells.data()), impl_(std::move(impl)) {}
Routes::~Routes() = default;

bool Routes::Impl::create() {
  // Twice the routes: groups, of which there are at most half as many, and what waits to be freed.
  const uint32_t records = 2 * limits.routes;
  first_block_cell = records + 1;
  // A route needs at most 30 nodes in each trie, which a table of any real shape is far from.
  const auto nodes =
      static_cast<uint32_t>(std::min<uint64_t>(uint64_t{limits.routes} * 60 + 1'024, kChild - 2));
  const uint32_t all_cells = records + kBlocks * kBlockCells;
  if (!store.records.create(records) || !store.nodes.create(nodes) || !store.above.create(nodes) ||
      !store.roots.create(2 * (limits.domains * 2 + 2)) || !groups.create(records) ||
      !targets.create(records) || !domains.create(limits.domains) || !cells.create(all_cells)) {
    return false;
  }
  // Read by ids that may be stale, so accessible throughout; memory only where it is written.
  if (!domains.reserve(limits.domains) || !cells.reserve(all_cells)) return false;
  if (!store.roots.reserve(2) || !targets.reserve(1)) return false;
  for (uint32_t& root : shared_root) root = store.roots.take();
  const uint32_t blackhole = targets.take();
  targets[blackhole].store(new RouteTarget, kRelease);
  target_uses.assign(blackhole + 1, 1);
  return true;
}

Routes::Impl::~Impl() {
  for (uint32_t t = 1; t < target_uses.size(); ++t) delete targets[t].load(kRelaxed);
  for (uint32_t g = 1; g < groups.end(); ++g) delete groups[g].load(kRelaxed);
  for (uint32_t slot = 0; slot < domains_used; ++slot) delete domains[slot + 1].peers.load(kRelaxed);
}

// --- domains ---

Status Routes::add_domain(DomainId id) {
  if (!id.valid() || id.index() >= impl_->limits.domains) return no_domain();
  DomainEntry& d = impl_->domains[id.index() + 1];
  if (d.id.load(kRelaxed) == id.value) return {};
  if (d.id.load(kRelaxed) != 0) return fail(ErrorCode::in_use, "another domain has this index still");
  d.id.store(id.value, kRelease);
  impl_->domains_used = std::max(impl_->domains_used, id.index() + 1);
  return {};
}

void Routes::remove_domain(DomainId id) {
  begin_change();
  DomainEntry* d = impl_->entry(id);
  if (d == nullptr) return;
  if (const Peers* peers = d->peers.load(kRelaxed)) {
    const std::vector<Peer> list = peers->list;
    for (const Peer& peer : list) disconnect(id, peer.domain);
  }
  std::vector<std::pair<RecordIndex, net::Prefix>> routes;
  routes.reserve(d->routes);
  impl_->for_each_route(*d, [&](RecordIndex route, net::Family family) {
    routes.emplace_back(route, impl_->prefix_of(route, family));
    return true;
  });
  for (const auto& [route, prefix] : routes) impl_->withdraw(*d, route, prefix);
  d->id.store(0, kRelease);
  for (auto& root : d->root) {
    if (root.load(kRelaxed) != 0) impl_->pending->roots.push_back(root.load(kRelaxed));
    root.store(0, kRelease);
  }
}

// --- routes ---

Status Routes::set(DomainId id, const net::Prefix& prefix, std::span<const NextHop> members) {
  begin_change();
  Impl& impl = *impl_;
  DomainEntry* d = impl.entry(id);
  if (d == nullptr) return no_domain();
  const net::Family family = prefix.address.family;
  if (!impl.targets.reserve(1)) return fail(ErrorCode::exhausted, "no memory for more next hops");
  if (const RecordIndex route = impl.own_route(*d, prefix)) {
    auto& target = impl.store.records[route].target;
    const uint32_t before = target.load(kRelaxed);
    const uint32_t after = impl.use_target(members);
    target.store(after, kRelease);
    if (before != after) impl.moved(route, family);
    impl.drop_target(before);
    return {};
  }
  if (impl.size >= impl.limits.routes)
    return fail(ErrorCode::exhausted, "the hub has no room for more routes");
  if (!impl.reserve(prefix)) return fail(ErrorCode::exhausted, "no memory for more routes");
  const size_t f = family_index(family);
  if (d->root[f].load(kRelaxed) == 0) d->root[f].store(impl.take_root(), kRelease);
  impl.prepare_route(id, *d, prefix);
  const RecordIndex route = impl.make_record(prefix, Record::route, id.index(), impl.use_target(members));
  impl.own_trie(*d, f).insert(route);
  impl.share(route, prefix);
  impl.retire_nodes();
  ++d->routes;
  ++impl.size;
  return {};
}

bool Routes::remove(DomainId id, const net::Prefix& prefix) {
  begin_change();
  DomainEntry* d = impl_->entry(id);
  const RecordIndex route = d == nullptr ? 0 : impl_->own_route(*d, prefix);
  if (route == 0) return false;
  impl_->withdraw(*d, route, prefix);
  return true;
}

void Routes::Impl::withdraw(DomainEntry& d, RecordIndex route, const net::Prefix& prefix) {
  unshare(route, prefix);
  own_trie(d, family_index(prefix.address.family)).remove(route);
  retire_nodes();
  moved(route, prefix.address.family);
  if (const uint32_t block = block_of(route, prefix.address.family)) pending->blocks.push_back(block);
  drop_target(store.records[route].target.load(kRelaxed));
  pending->records.push_back(route);
  --d.routes;
  --size;
}

bool Routes::Impl::reserve(const net::Prefix& prefix) {
  const uint32_t nodes = 2 * Trie::most_nodes(prefix.length);
  return store.records.reserve(2) && store.nodes.reserve(nodes) && store.above.reserve(nodes) &&
         store.roots.reserve(1) && groups.reserve(1);
}

uint32_t Routes::Impl::take_root() {
  const uint32_t root = store.roots.take();
  for (auto& entry : store.roots[root].entries) entry.store(0, kRelaxed);
  return root;
}

Routes::Impl::RecordIndex Routes::Impl::make_record(const net::Prefix& prefix, Record::Kind kind,
                                                    uint32_t slot, uint32_t target) {
  const RecordIndex index = store.records.take();
  Record& r = store.records[index];
  const Bits bits = bits_of(prefix.address);
  r.hi = bits.hi;
  r.lo.store(bits.lo, kRelaxed);
  r.length = prefix.length;
  r.kind = kind;
  r.slot = static_cast<uint16_t>(slot);
  r.target.store(target, kRelaxed);
  return index;
}

void Routes::Impl::retire_nodes() {
  pending->nodes.insert(pending->nodes.end(), store.retired_nodes.begin(), store.retired_nodes.end());
  store.retired_nodes.clear();
}

// --- the shared trie ---

void Routes::Impl::share(RecordIndex route, const net::Prefix& prefix) {
  Trie trie = shared_trie(family_index(prefix.address.family));
  const RecordIndex there = trie.find(bits_of(prefix.address), prefix.length);
  const Holder holder{store.records[route].slot, route};
  if (there == 0) {
    trie.insert(route);
  } else if (store.records[there].kind == Record::route) {
    const uint32_t group = groups.take();
    auto list = std::make_unique<Holders>(Holders{{store.records[there].slot, there}, holder});
    std::sort(list->begin(), list->end(), [](const Holder& a, const Holder& b) { return a.slot < b.slot; });
    set_holders(group, std::move(list));
    trie.replace(there, make_record(prefix, Record::group, 0, group));
  } else {
    auto list = std::make_unique<Holders>();
    const Holders& before = holders(there);
    list->reserve(before.size() + 1);
    *list = before;
    list->insert(std::upper_bound(list->begin(), list->end(), holder,
                                  [](const Holder& a, const Holder& b) { return a.slot < b.slot; }),
                 holder);
    set_holders(store.records[there].target.load(kRelaxed), std::move(list));
  }
}

void Routes::Impl::unshare(RecordIndex route, const net::Prefix& prefix) {
  Trie trie = shared_trie(family_index(prefix.address.family));
  const RecordIndex there = trie.find(bits_of(prefix.address), prefix.length);
  if (there == route) return trie.remove(route);
  auto list = std::make_unique<Holders>(holders(there));
  std::erase_if(*list, [&](const Holder& h) { return h.route == route; });
  const uint32_t group = store.records[there].target.load(kRelaxed);
  if (list->size() > 1) return set_holders(group, std::move(list));
  trie.replace(there, list->front().route);
  pending->records.push_back(there);
  pending->groups.push_back(group);
}

void Routes::Impl::set_holders(uint32_t group, std::unique_ptr<const Holders> next) {
  auto& slot = groups[group];
  if (const Holders* before = slot.load(kRelaxed)) pending->holders.emplace_back(before);
  list_bytes += bytes_of(*next);
  slot.store(next.release(), kRelease);
}

// --- next hops ---

uint32_t Routes::Impl::use_target(std::span<const NextHop> members) {
  if (members.empty()) return kBlackhole;
  if (const auto known = interned.find(members); known != interned.end()) {
    ++target_uses[*known];
    return *known;
  }
  auto made = std::make_unique<RouteTarget>();
  made->members.assign(members.begin(), members.end());
  for (const NextHop& m : members) made->equal_weights &= m.weight == members.front().weight;
  list_bytes += bytes_of(*made);
  const uint32_t target = targets.take();
  targets[target].store(made.release(), kRelease);
  if (target_uses.size() <= target) target_uses.resize(target + 1);
  target_uses[target] = 1;
  interned.insert(target);
  return target;
}

void Routes::Impl::drop_target(uint32_t target) {
  if (target == kBlackhole || --target_uses[target] > 0) return;
  interned.erase(target);
  pending->targets.push_back(target);
}

size_t Routes::Impl::TargetHash::operator()(std::span<const NextHop> members) const {
  uint64_t hash = members.size();
  const auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15ULL;
    hash ^= hash >> 29;
  };
  for (const NextHop& m : members) {
    mix(uint64_t{m.attachment.value} << 32 | m.weight);
    if (!m.has_via) continue;
    mix(m.via.bits.hi);
    mix(m.via.bits.lo);
  }
  return hash;
}
size_t Routes::Impl::TargetHash::operator()(uint32_t target) const {
  return (*this)(std::span(impl->targets[target].load(kRelaxed)->members));
}
bool Routes::Impl::TargetEqual::operator()(std::span<const NextHop> a, uint32_t b) const {
  return std::ranges::equal(a, impl->targets[b].load(kRelaxed)->members);
}

// --- connections ---

Status Routes::connect(DomainId a, DomainId b, const Exposure& a_exposes, const Exposure& b_exposes) {
  begin_change();
  DomainEntry *da = impl_->entry(a), *db = impl_->entry(b);
  if (da == nullptr || db == nullptr) return no_domain();
  if (a == b) return {};  // a domain sees its own routes anyway
  const Peer peer_of_a{b, make_filter(b_exposes)}, peer_of_b{a, make_filter(a_exposes)};
  const auto before = [](const DomainEntry& d, DomainId peer) {
    const Peers* peers = d.peers.load(kRelaxed);
    return peers == nullptr ? nullptr : peers->find(peer.index());
  };
  impl_->prepare_view(a.index(), *da, *db, before(*da, b), peer_of_a.exposes);
  impl_->prepare_view(b.index(), *db, *da, before(*db, a), peer_of_b.exposes);
  impl_->set_peer(*da, *db, peer_of_a);
  impl_->set_peer(*db, *da, peer_of_b);
  return {};
}

void Routes::disconnect(DomainId a, DomainId b) {
  begin_change();
  DomainEntry *da = impl_->entry(a), *db = impl_->entry(b);
  if (da == nullptr || db == nullptr) return;
  impl_->drop_peer(*da, *db, b.index());
  impl_->drop_peer(*db, *da, a.index());
}

void Routes::Impl::set_peer(DomainEntry& to, DomainEntry& from, const Peer& peer) {
  auto next = std::make_unique<Peers>();
  if (const Peers* before = to.peers.load(kRelaxed)) {
    next->list.reserve(before->list.size() + 1);
    next->list = before->list;
  }
  auto& list = next->list;
  const auto at = std::lower_bound(list.begin(), list.end(), peer.domain.index(),
                                   [](const Peer& p, uint32_t slot) { return p.domain.index() < slot; });
  if (peer.exposes != nullptr) ++from.filtered;
  if (at != list.end() && at->domain.index() == peer.domain.index()) {
    if (at->exposes != nullptr) --from.filtered;
    *at = peer;
  } else {
    list.insert(at, peer);
  }
  set_peers(to, std::move(next));
}

void Routes::Impl::drop_peer(DomainEntry& to, DomainEntry& from, uint32_t from_slot) {
  const Peers* before = to.peers.load(kRelaxed);
  const Peer* peer = before == nullptr ? nullptr : before->find(from_slot);
  if (peer == nullptr) return;
  if (peer->exposes != nullptr) --from.filtered;
  std::unique_ptr<Peers> next;
  if (before->list.size() > 1) {
    next = std::make_unique<Peers>(*before);
    std::erase_if(next->list, [&](const Peer& p) { return p.domain.index() == from_slot; });
  }
  set_peers(to, std::move(next));
}

void Routes::Impl::set_peers(DomainEntry& d, std::unique_ptr<const Peers> next) {
  if (const Peers* before = d.peers.load(kRelaxed)) pending->peers.emplace_back(before);
  if (next != nullptr) list_bytes += bytes_of(*next);
  d.peers.store(next.release(), kRelease);
}

// --- after a grace period ---

Routes::PendingPtr Routes::take_pending() {
  PendingPtr none(
      nullptr, +[](Pending* p) { delete p; });
  if (impl_->pending->empty()) return none;
  none.reset(std::exchange(impl_->pending, std::make_unique<Pending>()).release());
  return none;
}

void Routes::finish(PendingPtr pending) {
  if (pending == nullptr) return;
  Impl& impl = *impl_;
  for (const Cells& cells : pending->moved) {
    for (RouteCell c = cells.first; c < cells.first + cells.count; ++c) {
      impl.cells[c].store(impl.cells[c].load(kRelaxed) + 1, kRelease);
    }
  }
  for (const uint32_t node : pending->nodes) {
    impl.store.nodes.give(node);
    impl.store.above.give(node);
  }
  for (const uint32_t record : pending->records) impl.store.records.give(record);
  for (const uint32_t root : pending->roots) impl.store.roots.give(root);
  for (const uint32_t block : pending->blocks) impl.free_blocks.push_back(block);
  for (const uint32_t group : pending->groups) {
    const Holders* list = impl.groups[group].exchange(nullptr, kRelaxed);
    pending->holders.emplace_back(list);
    impl.groups.give(group);
  }
  for (const uint32_t target : pending->targets) {
    const RouteTarget* made = impl.targets[target].exchange(nullptr, kRelaxed);
    impl.list_bytes -= bytes_of(*made);
    delete made;
    impl.targets.give(target);
  }
  for (const auto& list : pending->holders) impl.list_bytes -= bytes_of(*list);
  for (const auto& list : pending->peers) impl.list_bytes -= bytes_of(*list);
}

// --- questions ---

bool Routes::has_domain(DomainId id) const { return impl_->domain(id) != nullptr; }

const RouteTarget* Routes::find(DomainId id, const net::Prefix& prefix) const {
  const DomainEntry* d = impl_->domain(id);
  const RecordIndex route = d == nullptr ? 0 : impl_->own_route(*d, prefix);
  return route == 0 ? nullptr : &impl_->target_of(route);
}

void Routes::for_each(DomainId id, const Visit& visit) const {
  const DomainEntry* d = impl_->domain(id);
  if (d == nullptr) return;
  impl_->for_each_route(*d, [&](RecordIndex route, net::Family family) {
    return visit(impl_->prefix_of(route, family), impl_->target_of(route));
  });
}

void Routes::for_each_connection(DomainId id,
                                 const std::function<void(DomainId, const Exposure&)>& visit) const {
  const DomainEntry* d = impl_->domain(id);
  const Peers* peers = d == nullptr ? nullptr : d->peers.load(kRelaxed);
  if (peers == nullptr) return;
  for (const Peer& peer : peers->list) {
    visit(peer.domain, peer.exposes == nullptr ? Exposure{} : Exposure{*peer.exposes});
  }
}

uint32_t Routes::size() const { return impl_->size; }
uint32_t Routes::size(DomainId id) const {
  const DomainEntry* d = impl_->domain(id);
  return d == nullptr ? 0 : d->routes;
}
uint32_t Routes::room() const { return impl_->limits.routes - impl_->size; }

size_t Routes::bytes() const {
  const Impl& impl = *impl_;
  return impl.store.records.bytes() + impl.store.nodes.bytes() + impl.store.above.bytes() +
         impl.store.roots.bytes() + impl.groups.bytes() + impl.targets.bytes() +
         impl.domains_used * sizeof(DomainEntry) +
         impl.store.records.bytes() / sizeof(Record) * sizeof(uint32_t) +
         impl.blocks_used * kBlockCells * sizeof(uint32_t) + impl.list_bytes;
}

size_t Routes::control_bytes() const {
  const Impl& impl = *impl_;
  // A node of the hash set: its link, the value, the hash.
  constexpr size_t kSetNode = 3 * sizeof(void*);
  return impl.store.records.control_bytes() + impl.store.nodes.control_bytes() +
         impl.store.above.control_bytes() + impl.groups.control_bytes() + impl.targets.control_bytes() +
         impl.target_uses.capacity() * sizeof(uint32_t) + impl.interned.size() * kSetNode +
         impl.interned.bucket_count() * sizeof(void*) + impl.free_blocks.capacity() * sizeof(uint32_t);
}

}  // namespace weir::dataplane
