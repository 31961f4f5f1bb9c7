#include "dataplane/nat/bindings.h"

#include <nmmintrin.h>

#include <algorithm>
#include <bit>

#include "dataplane/nat/port_plan.h"
#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

/// So many addresses of a pool are looked at for a free port, so that one of a large and full pool costs no
/// more than this.
constexpr uint32_t kAddressesTried = 16;
/// All workers choose a host's address alike.
constexpr uint64_t kPairing = 0x2f0b'91c3'66aa'd01d;
/// Ports that are published, or that a binding has from a former pool of the same address, are passed over.
constexpr uint32_t kPortsTried = 64;
/// So many heads of chains for each binding, at least: most chains have one link then, and a look-up in vain
/// waits for a head alone.
constexpr size_t kHeads = 4;

uint32_t hash_of(uint64_t secret, const net::IpAddress& a, uint64_t rest) {
  uint64_t h = _mm_crc32_u64(_mm_crc32_u64(_mm_crc32_u64(secret & 0xffff'ffff, a.bits.hi), a.bits.lo), rest);
  // All bits of the product's upper half depend on all of the CRC's.
  h = (h ^ secret >> 32) * 0x9e37'79b9'7f4a'7c15ULL;
  return static_cast<uint32_t>(h >> 32);
}

}  // namespace

Bindings::Bindings(uint32_t capacity, WorkerIndex worker, uint64_t secret)
    : entries_(capacity),
      inside_(std::bit_ceil(kHeads * std::max<size_t>(capacity, 1)), kNoBinding),
      outside_(inside_.size(), kNoBinding),
      mask_(static_cast<uint32_t>(inside_.size() - 1)),
      worker_(worker),
      secret_(secret),
      random_(secret | 1) {
  for (uint32_t i = capacity; i-- > 0;) {
    entries_[i].next_inside = free_;
    free_ = i;
  }
}

bool Bindings::fits(const PoolRule& rule, const Binding& b) {
  const std::optional<uint32_t> address = rule.pool->index_of(b.outside);
  if (b.realm != rule.to.index() || !rule.pool->has_port(b.outside_port) || !address) return false;
  if (rule.ports_per_host == 0) return true;
  const std::optional<PortPlan> plan = plan_of(rule, b.inside);
  return plan && plan->address == *address && plan->ports.has(b.outside_port);
}

uint32_t Bindings::random() {  // xorshift64*
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return static_cast<uint32_t>(random_ * 0x2545'f491'4f6c'dd1dULL >> 32);
}

uint32_t Bindings::inside_bucket(const net::IpAddress& address, uint16_t port, DomainId host,
                                 uint8_t protocol) const {
  return hash_of(secret_, address, uint64_t{port} << 32 | uint64_t{host.index() & 0xffff} << 16 | protocol) &
         mask_;
}

uint32_t Bindings::outside_bucket(const net::IpAddress& address, uint16_t port, uint16_t realm,
                                  uint8_t protocol) const {
  return hash_of(~secret_, address, uint64_t{port} << 32 | uint64_t{realm} << 16 | protocol) & mask_;
}

BindingIndex Bindings::find_inside(const PoolRule& rule, DomainId host, const Tuple& tuple) const {
  BindingIndex i = inside_[inside_bucket(tuple.src, tuple.src_port, host, tuple.protocol)];
  for (; i != kNoBinding; i = entries_[i].next_inside) {
    const Binding& b = entries_[i].binding;
    if (b.inside == tuple.src && b.inside_port == tuple.src_port && b.host == host &&
        b.protocol == tuple.protocol && fits(rule, b))
      return i;
  }
  return kNoBinding;
}

BindingIndex Bindings::find(uint16_t realm, const net::IpAddress& outside, uint16_t port,
                            uint8_t protocol) const {
  BindingIndex i = outside_[outside_bucket(outside, port, realm, protocol)];
  for (; i != kNoBinding; i = entries_[i].next_outside) {
    const Binding& b = entries_[i].binding;
    if (b.outside == outside && b.outside_port == port && b.realm == realm && b.protocol == protocol)
      return i;
  }
  return kNoBinding;
}

Bindings::Answer Bindings::hold(const NatTable& nat, uint16_t rule, DomainId host, const Tuple& tuple) {
  const PoolRule& pool = nat.rules().pools[rule];
  if (const BindingIndex known = find_inside(pool, host, tuple); known != kNoBinding) {
    ++entries_[known].holders;
    return {known, BindingRefused::no};
  }
  return add(nat, pool, host, tuple);
}

Bindings::Answer Bindings::add(const NatTable& nat, const PoolRule& rule, DomainId host, const Tuple& tuple) {
  const std::optional<PortClass> kind = port_class(tuple.protocol);
  if (!kind) return {kNoBinding, BindingRefused::protocol};
  if (free_ == kNoBinding) return {kNoBinding, BindingRefused::full};
  PortPool& pool = *rule.pool;
  const auto realm = static_cast<uint16_t>(rule.to.index());
  const uint32_t count = pool.addresses();
  uint32_t paired = static_cast<uint32_t>(uint64_t{hash_of(kPairing, tuple.src, host.value)} * count >> 32);
  uint32_t addresses_left = std::min(count, kAddressesTried);
  PortPool::Ports ports;
  if (rule.ports_per_host != 0) {
    const std::optional<PortPlan> plan = plan_of(rule, tuple.src);
    paired = plan ? plan->address : 0;
    ports = plan ? plan->ports : ports;
    addresses_left = plan ? 1 : 0;
  }
  uint32_t ports_left = kPortsTried;
  for (uint32_t n = 0; n < addresses_left; ++n) {
    const uint32_t index = paired + n < count ? paired + n : paired + n - count;
    const net::IpAddress outside = pool.address(index);
    for (uint16_t wanted = tuple.src_port; ports_left > 0; wanted = 0, --ports_left) {
      const auto port = pool.take(worker_, index, *kind, wanted, random(), ports);
      if (!port) break;
      // It stays marked, and comes back with that binding.
      if (find(realm, outside, *port, tuple.protocol) != kNoBinding) continue;
      if (nat.is_published(rule.to, outside, *port, tuple.protocol)) {
        pool.give_back(worker_, index, *kind, *port);
        continue;
      }
      pool.count_given(worker_, *port == tuple.src_port);
      return {enter({tuple.src, outside, tuple.src_port, *port, host, realm, tuple.protocol}),
              BindingRefused::no};
    }
  }
  pool.count_exhausted(worker_);
  return {kNoBinding, BindingRefused::exhausted};
}

Bindings::Answer Bindings::publish(const NatTable& nat, DomainId host, const net::IpAddress& server,
                                   uint16_t port, Place& place) {
  const uint16_t first = place.port;
  for (uint32_t tried = 0; tried < kPortsTried; ++tried) {
    const auto wanted = static_cast<uint16_t>(first + tried);
    Tuple there;
    there.dst = place.address;
    there.dst_port = wanted;
    there.protocol = net::kProtoTcp;
    const NatTable::Destination to = nat.destination(place.realm, there);
    if (to.kind == NatKind::published) {
      const bool several = !nat.rules().published[to.rule].servers.empty();
      if (several || to.address != server || to.port != port || to.domain != host) continue;
      place.port = wanted;
      place.is_published = true;
      return {};
    }
    const PoolRule* const rule = to.kind == NatKind::pool ? &nat.rules().pools[to.rule] : nullptr;
    const uint16_t realm = rule != nullptr ? static_cast<uint16_t>(rule->to.index()) : place.realm;
    const BindingIndex known = find(realm, place.address, wanted, net::kProtoTcp);
    if (known != kNoBinding) {
      Binding& b = entries_[known].binding;
      if (b.inside != server || b.inside_port != port || b.host != host) continue;
      ++entries_[known].holders;
      b.announced = true;
      place.port = wanted;
      return {known, BindingRefused::no};
    }
    if (wanted == 0) continue;
    if (free_ == kNoBinding) return {kNoBinding, BindingRefused::full};
    place.port = wanted;
    if (rule != nullptr) {
      // A published address that is a pool's, too: the port has to be one that packets find this worker by.
      const auto taken =
          rule->pool->take(worker_, *rule->pool->index_of(place.address), PortClass::tcp, wanted, random());
      if (!taken) break;
      if (nat.is_published(rule->to, place.address, *taken, net::kProtoTcp) ||
          find(realm, place.address, *taken, net::kProtoTcp) != kNoBinding) {
        continue;  // it stays marked, so that the next one is another
      }
      place.port = *taken;
    }
    return {enter({server, place.address, port, place.port, host, realm, net::kProtoTcp, true}),
            BindingRefused::no};
  }
  return {kNoBinding, BindingRefused::exhausted};
}

BindingIndex Bindings::enter(const Binding& b) {
  const BindingIndex index = free_;
  Entry& entry = entries_[index];
  free_ = entry.next_inside;
  BindingIndex& inside = inside_[inside_bucket(b.inside, b.inside_port, b.host, b.protocol)];
  BindingIndex& outside = outside_[outside_bucket(b.outside, b.outside_port, b.realm, b.protocol)];
  entry = {b, 1, inside, outside};
  inside = index;
  outside = index;
  ++size_;
  return index;
}

void Bindings::unlink(BindingIndex& head, BindingIndex index, HugeVector<Entry>& entries,
                      BindingIndex Entry::*next) {
  BindingIndex* at = &head;
  while (*at != index) at = &(entries[*at].*next);
  *at = entries[index].*next;
}

void Bindings::release(const NatTable* nat, BindingIndex index) {
  Entry& entry = entries_[index];
  if (--entry.holders != 0) return;
  const Binding& b = entry.binding;
  if (const PoolRule* rule = nat != nullptr ? nat->pool_of(b.realm, b.outside) : nullptr) {
    rule->pool->give_back(worker_, *rule->pool->index_of(b.outside), *port_class(b.protocol), b.outside_port);
  }
  unlink(inside_[inside_bucket(b.inside, b.inside_port, b.host, b.protocol)], index, entries_,
         &Entry::next_inside);
  unlink(outside_[outside_bucket(b.outside, b.outside_port, b.realm, b.protocol)], index, entries_,
         &Entry::next_outside);
  entry.next_inside = free_;
  free_ = index;
  --size_;
}

bool Bindings::keep(const NatTable& nat, uint16_t rule, BindingIndex index) {
  const PoolRule& pool = nat.rules().pools[rule];
  const Binding& b = entries_[index].binding;
  if (!fits(pool, b) || nat.is_published(pool.to, b.outside, b.outside_port, b.protocol)) return false;
  pool.pool->take_this(worker_, *pool.pool->index_of(b.outside), *port_class(b.protocol), b.outside_port);
  return true;
}

}  // namespace weir::dataplane
