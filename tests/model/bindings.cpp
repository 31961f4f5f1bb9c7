// Pools of addresses: which host's address and port has which of the pool's.
#include <algorithm>

#include "tests/model/model.h"

namespace weir::model {

namespace {

/// Address and port that a packet leaves by, of the first piece of one as well.
bool read_source(const Sent& sent, Address& address, uint16_t& port) {
  if (sent.read.packet) {
    const Packet& p = *sent.read.packet;
    address = p.src;
    port = p.is_icmp() ? p.id : p.src_port;
    return true;
  }
  if (!sent.read.fragment || sent.read.fragment->data.size() < 8) return false;
  const Fragment& f = *sent.read.fragment;
  address = f.src;
  const size_t at = f.protocol == kIcmp || f.protocol == kIcmpv6 ? 4 : 0;
  port = static_cast<uint16_t>(f.data[at] << 8 | f.data[at + 1]);
  return true;
}

/// The pool's address that a source is, or has inside.
Address of_pool(const Pool& pool, const Address& source) {
  return pool.prefix64 && source.v6 ? extracted(*pool.prefix64, source).value_or(source) : source;
}

/// TCP, UDP and identifiers of ICMP are counted each for themselves.
int kind_of(uint8_t protocol) {
  switch (protocol) {
    case kTcp:
      return 1;
    case kUdp:
      return 2;
    case kIcmp:
    case kIcmpv6:
      return 3;
    default:
      return 0;
  }
}

/// Ports are dealt out to the workers in blocks of 64.
int owner_of(unsigned port, unsigned workers) { return static_cast<int>(port / 64 % workers); }

constexpr int kLarge = 20'000;

Address next(Address a) {
  if (++a.lo == 0) ++a.hi;
  return a;
}

/// May the host have that address and port? Where each has its own: the sources one after the other, as many
/// to an address as have room.
bool may_have(const Pool& pool, const Address& host, const Address& outside, unsigned port) {
  if (!pool.has(outside) || port < pool.low_port || port > pool.high_port) return false;
  if (pool.ports_per_host == 0) return true;
  Address its = pool.first;
  unsigned begin = pool.low_port;
  for (const Prefix& source : pool.sources) {
    for (Address a = source.address; source.contains(a); a = next(a)) {
      if (begin + pool.ports_per_host - 1 > pool.high_port) {
        its = next(its);
        begin = pool.low_port;
      }
      if (a == host) return outside == its && port >= begin && port < begin + pool.ports_per_host;
      begin += pool.ports_per_host;
    }
  }
  return false;
}

}  // namespace

bool fits(const Pool& pool, const Binding& b) {
  return b.realm == pool.to && may_have(pool, b.inside, b.outside, b.outside_port);
}

Binding* Model::find_binding(Domain realm, const Address& outside, uint16_t port, uint8_t protocol,
                             int worker) {
  for (const auto& b : bindings_) {
    if (b->realm == realm && b->outside == outside && b->outside_port == port && b->protocol == protocol &&
        b->worker == worker)
      return b.get();
  }
  return nullptr;
}

/// What the host's address and port has already.
Binding* Model::known_binding(const Pool& pool, Domain host, const Ends& ends, int worker) {
  for (const auto& b : bindings_) {
    if (b->host == host && b->inside == ends.src && b->inside_port == ends.src_port &&
        b->protocol == ends.protocol && b->worker == worker && fits(pool, *b))
      return b.get();
  }
  return nullptr;
}

bool Model::is_free(const Pool& pool, const Address& address, unsigned port, uint8_t protocol,
                    int worker) const {
  if (port < pool.low_port || port > pool.high_port || owner_of(port, net_.workers) != worker) return false;
  for (const auto& b : bindings_) {
    if (b->realm == pool.to && b->outside == address && b->outside_port == port &&
        kind_of(b->protocol) == kind_of(protocol))
      return false;
  }
  return !is_published(net_, pool.to, address, static_cast<uint16_t>(port), protocol);
}

bool Model::has_free_port(const Pool& pool, const Address& inside, const Address& address, uint8_t protocol,
                          int worker) const {
  if (pool.high_port - pool.low_port > kLarge) return true;  // more than a run has sessions
  for (unsigned port = pool.low_port; port <= pool.high_port; ++port) {
    if (may_have(pool, inside, address, port) && is_free(pool, address, port, protocol, worker)) return true;
  }
  return false;
}

/// Is what the hub gave out a right choice?
std::string Model::may_take(const Pool& pool, const Binding& b, int worker) const {
  const std::string what = to_string(b.outside) + ":" + std::to_string(b.outside_port);
  if (!pool.has(b.outside)) return what + " is no address of the pool";
  if (!may_have(pool, b.inside, b.outside, b.outside_port)) return what + " is another host's";
  if (!is_free(pool, b.outside, b.outside_port, b.protocol, worker))
    return what + " was not the worker's to give out";
  // A host keeps its address while that has ports (as a large pool's always have), and its port where that is
  // free.
  const bool large = pool.high_port - pool.low_port > kLarge;
  for (const auto& other : bindings_) {
    if (!large || nat_number_ != 0 || other->host != b.host || other->inside != b.inside ||
        !fits(pool, *other))
      continue;
    if (other->outside != b.outside) return what + ", but the host has " + to_string(other->outside);
  }
  if (b.outside_port != b.inside_port && may_have(pool, b.inside, b.outside, b.inside_port) &&
      is_free(pool, b.outside, b.inside_port, b.protocol, worker))
    return what + ", but the host's own port was free";
  return {};
}

/// The source gets an address and port of the pool. The session has none afterwards if it is refused, rightly
/// or not.
std::string Model::take_source(Arrival& a, const Decision& d, Session& s) {
  const Pool& pool = net_.pools[d.pool];
  const int worker = a.worker();
  const Packet& p = a.packet;
  if (kind_of(p.protocol) == 0 || (p.is_icmp() && (!a.has_header() || !p.has_id())))
    return expect_refused(a, {"nat_protocol"});
  if (Binding* known = known_binding(pool, d.from, a.ends, worker)) {
    s.source = known;
  } else {
    const auto own =
        std::count_if(bindings_.begin(), bindings_.end(), [&](const auto& b) { return b->worker == worker; });
    if (static_cast<unsigned>(own) >= net_.bindings) return expect_refused(a, {"nat_bindings_full"});
    bool left = false;
    for (Address at = pool.first; at <= pool.last && !left; at = next(at))
      left = has_free_port(pool, a.ends.src, at, p.protocol, worker);
    if (!left) return expect_refused(a, {"nat_exhausted"});
    auto b = std::make_unique<Binding>();
    *b = {d.to, {}, 0, p.protocol, d.from, a.ends.src, a.ends.src_port, worker, 0};
    b->realm = pool.to;
    if (a.sent != nullptr && a.has_header()) {
      if (!a.sent->read.wrong.empty()) return a.sent->read.wrong;
      if (!read_source(*a.sent, b->outside, b->outside_port)) return "what left has no port";
      b->outside = of_pool(pool, b->outside);
    } else if (a.sent == nullptr && !a.refused->reason.starts_with("punt") &&
               !a.refused->reason.starts_with("inspect_") && a.refused->reason != "nat64_untranslatable") {
      // It is given back at once if there is no room for the session.
      b->outside = pool.first;
      s.source = bindings_.emplace_back(std::move(b)).get();
      ++s.source->sessions;
      s.leaves.src = s.source->outside;
      return {};
    } else {
      for (const Listed& l : looks_.sessions()) {
        if (l.worker != worker || l.from != d.from || l.ends != a.ends) continue;
        b->outside = of_pool(pool, l.leaves.src);
        b->outside_port = l.leaves.src_port;
      }
    }
    if (Wrong wrong = may_take(pool, *b, worker); !wrong.empty()) return wrong;
    s.source = bindings_.emplace_back(std::move(b)).get();
  }
  ++s.source->sessions;
  // Another host behind NAT64 sees it as what it would send to itself.
  const bool embeds = pool.prefix64 && s.leaves.dst.v6;
  s.leaves.src = embeds ? embedded(*pool.prefix64, s.source->outside) : s.source->outside;
  s.leaves.src_port = s.source->outside_port;
  if (p.is_icmp()) s.leaves.dst_port = s.leaves.src_port;
  return {};
}

void Model::release(Binding* binding) {
  if (binding == nullptr || --binding->sessions != 0) return;
  std::erase_if(bindings_, [&](const auto& b) { return b.get() == binding; });
}

/// After a change of the rules: would they still let it have what it has?
bool Model::keeps_translation(const Session& s, const Decision& d) const {
  if (!s.translated) return !d.translated();
  const bool icmp = s.ends[0].protocol == kIcmp || s.ends[0].protocol == kIcmpv6;
  if (s.leaves.dst != d.leaves.dst || (!icmp && s.leaves.dst_port != d.leaves.dst_port)) return false;
  if (d.source != Source::pool)
    return s.source == nullptr && s.leaves.src == d.leaves.src && s.leaves.src_port == d.leaves.src_port;
  const Pool& pool = net_.pools[d.pool];
  return s.source != nullptr && fits(pool, *s.source) &&
         !is_published(net_, pool.to, s.source->outside, s.source->outside_port, s.source->protocol);
}

}  // namespace weir::model
