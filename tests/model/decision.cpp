#include "tests/model/decision.h"

#include <algorithm>

namespace weir::model {

namespace {

template <typename List, typename Value>
bool in(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}
bool covers(const std::vector<Prefix>& prefixes, const Address& a) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& p) { return p.contains(a); });
}

// --- routes ---

const Route* longest(const Network& net, const Address& to, auto&& accept) {
  const Route* best = nullptr;
  for (const Route& route : net.routes) {
    if (!accept(route.domain) || !route.prefix.contains(to)) continue;
    if (best == nullptr || route.prefix.length > best->prefix.length) best = &route;
  }
  return best;
}
const Route* own_route(const Network& net, Domain domain, const Address& to) {
  return longest(net, to, [&](Domain d) { return d == domain; });
}

std::vector<Hop> usable(const Network& net, const Route& route) {
  std::vector<Hop> hops;
  for (const Hop& hop : route.hops) {
    if (net.usable(hop.attachment)) hops.push_back(hop);
  }
  return hops;
}

// --- translation ---

enum class Kind { itself, fixed, published, pool, closed, unmapped, nat64 };
/// What a destination stands for.
struct Meaning {
  Kind kind = Kind::itself;
  size_t index = 0;
  Address address;
  uint16_t port = 0;
  std::optional<Domain> domain;
};

/// RFC 1918, RFC 6598, RFC 4193.
bool is_private(const Address& a) {
  static const std::vector<Prefix> all = {{v4(10, 0, 0, 0), 8},
                                          {v4(172, 16, 0, 0), 12},
                                          {v4(192, 168, 0, 0), 16},
                                          {v4(100, 64, 0, 0), 10},
                                          {v6(0xfcULL << 56, 0), 7}};
  return covers(all, a);
}
bool is_for(const Pool& pool, const Address& destination) {
  return pool.destinations.empty() ? !is_private(destination) : covers(pool.destinations, destination);
}
bool may_send_by_nat64(const Pool& pool, const Address& source) {
  return pool.sources.empty() || covers(pool.sources, source);
}

/// To an address of the prefix of NAT64: somebody of IPv4, or another host behind the pool.
Meaning nat64_meaning(const Network& net, size_t i, const Ends& ends) {
  const Pool& pool = net.pools[i];
  const Meaning unmapped{Kind::unmapped, i, ends.dst, ends.dst_port, {}};
  const auto inside = extracted(*pool.prefix64, ends.dst);
  if (!inside || !may_send_by_nat64(pool, ends.src)) return unmapped;
  if (pool.has(*inside)) return {Kind::pool, i, *inside, ends.dst_port, {}};
  if (never_routed(*inside) || !is_for(pool, *inside)) return unmapped;
  return {Kind::nat64, i, *inside, ends.dst_port, pool.to};
}

Meaning meaning_of(const Network& net, Domain seen_in, const Ends& ends) {
  for (size_t i = 0; i < net.published.size(); ++i) {
    const Published& p = net.published[i];
    if (in(p.seen_by, seen_in) && p.address == ends.dst && p.port == ends.dst_port &&
        p.protocol == ends.protocol)
      return {Kind::published, i, p.server, p.server_port, p.domain};
  }
  for (size_t i = 0; i < net.fixed.size(); ++i) {
    const StaticNat& f = net.fixed[i];
    if (!in(f.seen_by, seen_in) || !f.outside.contains(ends.dst)) continue;
    const auto inside = f.inside_of(ends.dst);
    if (!inside) return {Kind::unmapped, i, ends.dst, ends.dst_port, {}};
    return {Kind::fixed, i, *inside, ends.dst_port, f.domain};
  }
  for (size_t i = 0; i < net.pools.size(); ++i) {
    const Pool& pool = net.pools[i];
    if (pool.prefix64 && in(pool.from, seen_in) && pool.prefix64->contains(ends.dst))
      return nat64_meaning(net, i, ends);
    if ((pool.to == seen_in || (in(pool.from, seen_in) && !pool.prefix64)) && pool.has(ends.dst))
      return {Kind::pool, i, ends.dst, ends.dst_port, {}};
  }
  for (const Published& p : net.published) {
    if (in(p.seen_by, seen_in) && p.address == ends.dst)
      return {Kind::closed, 0, ends.dst, ends.dst_port, {}};
  }
  return {Kind::itself, 0, ends.dst, ends.dst_port, {}};
}

/// May this source use the pool? What is static where the pool would be used has no need of it.
bool may_use(const Network& net, const Pool& pool, Domain from, const Address& source) {
  if (!in(pool.from, from)) return false;
  if (pool.prefix64) return may_send_by_nat64(pool, source);
  for (const StaticNat& f : net.fixed) {
    if (in(pool.from, f.domain) && in(f.seen_by, pool.to) && f.inside.contains(source)) return false;
  }
  return pool.sources.empty() ? is_private(source) : covers(pool.sources, source);
}

/// What becomes of the source; sets the decision's fields.
void translate_source(const Network& net, const Ends& ends, const Meaning& meant, Decision& d) {
  const bool hairpin = d.from == d.to;
  if (hairpin && meant.kind == Kind::itself) return;
  const auto use_pool = [&](size_t i) {
    d.source = Source::pool;
    d.pool = i;
  };
  // To whom NAT64 leads, all are seen as the pool.
  if (meant.kind == Kind::nat64 || (meant.kind == Kind::pool && net.pools[meant.index].prefix64))
    return use_pool(meant.index);
  // To somebody behind the same pool.
  if (meant.kind == Kind::pool && net.pools[meant.index].to != d.from) {
    if (may_use(net, net.pools[meant.index], d.from, ends.src)) use_pool(meant.index);
    return;
  }
  for (const StaticNat& f : net.fixed) {
    if (f.domain != d.from || !in(f.seen_by, d.to) || !f.inside.contains(ends.src)) continue;
    const auto outside = f.outside_of(ends.src);
    if (!outside) {
      d.refused = "nat_unmapped";
      return;
    }
    d.source = Source::fixed;
    d.leaves.src = *outside;
    return;
  }
  for (size_t i = 0; i < net.pools.size(); ++i) {
    const Pool& pool = net.pools[i];
    if (pool.prefix64 || !may_use(net, pool, d.from, ends.src)) continue;
    if (hairpin) {  // as it would be seen from where the destination is seen, too
      const auto& seen_by =
          meant.kind == Kind::published ? net.published[meant.index].seen_by : net.fixed[meant.index].seen_by;
      if (in(seen_by, pool.to)) return use_pool(i);
    } else if (pool.to == d.to && is_for(pool, ends.dst)) {
      return use_pool(i);
    }
  }
}

/// Would the answers come back to this session?
bool answers_come_back(const Network& net, const Ends& ends, const Decision& d) {
  if (d.source == Source::pool) return true;
  const Meaning back = meaning_of(net, d.to, d.leaves.reversed());
  return back.kind == (d.source == Source::fixed ? Kind::fixed : Kind::itself) && back.address == ends.src;
}

// --- policy ---

bool has(const Group& g, Domain domain, Attachment attachment, const Address& a) {
  if (in(g.domains, domain) || in(g.attachments, attachment) || covers(g.prefixes, a)) return true;
  return std::any_of(g.of_domains.begin(), g.of_domains.end(),
                     [&](const auto& of) { return of.first == domain && of.second.contains(a); });
}
bool fits(const RuleEnd& end, Domain domain, Attachment attachment, const Address& a) {
  if (!end.domains.empty() && !in(end.domains, domain)) return false;
  if (end.prefixes.empty() && end.groups.empty()) return true;
  return covers(end.prefixes, a) || std::any_of(end.groups.begin(), end.groups.end(), [&](const Group& g) {
           return has(g, domain, attachment, a);
         });
}
bool fits(const std::vector<Service>& services, uint8_t protocol, uint16_t number) {
  if (services.empty()) return true;
  return std::any_of(services.begin(), services.end(), [&](const Service& s) {
    return s.protocol == 0 || (s.protocol == protocol && s.first <= number && number <= s.last);
  });
}

/// On the source as it is and the destination as translated.
Way ask_policy(const Network& net, const Decision& d, const FirstQuery& q, const Hop& hop) {
  Way way{hop, "policy_default_deny", {}, {}, false, 0, {}};
  const bool icmp = q.ends.protocol == kIcmp || q.ends.protocol == kIcmpv6;
  const uint16_t number = icmp ? q.icmp_type : d.leaves.dst_port;
  for (size_t i = 0; i < net.rules.size(); ++i) {
    const Rule& rule = net.rules[i];
    if (!fits(rule.from, d.from, q.ingress, q.ends.src) ||
        !fits(rule.to, d.to, hop.attachment, d.leaves.dst) || !fits(rule.services, q.ends.protocol, number))
      continue;
    if (rule.watch) {
      way.watched.push_back(i);
      continue;
    }
    way.rule = i;
    way.refused = rule.action == Action::deny     ? "policy_deny"
                  : rule.action == Action::reject ? "policy_reject"
                                                  : "";
    way.inspected = rule.action == Action::inspect;
    way.timeouts = rule.timeouts;
    way.dscp = rule.dscp;
    break;
  }
  return way;
}

}  // namespace

Ends ends_of(const Packet& p) {
  if (p.protocol == kTcp || p.protocol == kUdp) return {p.src, p.dst, p.src_port, p.dst_port, p.protocol};
  if (p.has_id()) return {p.src, p.dst, p.id, p.id, p.protocol};
  return {p.src, p.dst, 0, 0, p.protocol};
}

std::string to_string(const Ends& e) {
  return to_string(e.src) + ":" + std::to_string(e.src_port) + ">" + to_string(e.dst) + ":" +
         std::to_string(e.dst_port) + "/" + std::to_string(e.protocol);
}

bool never_routed(const Address& a) {
  if (a.v6) return a.hi >> 56 == 0xff || a.hi >> 54 == 0x3fa || (a.hi == 0 && a.lo <= 1);
  const unsigned first = static_cast<unsigned>(a.lo >> 24);
  return first == 0 || first == 127 || first >= 224 || a.lo >> 16 == 0xa9fe;
}

std::vector<Hop> reverse_hops(const Network& net, Domain domain, const Address& source, Attachment ingress) {
  std::vector<Hop> hops;
  const Route* route = own_route(net, domain, source);
  if (route == nullptr) return hops;
  for (const Hop& hop : route->hops) {
    if (hop.attachment == ingress) hops.push_back(hop);
  }
  if (hops.empty() && !net.attachments[static_cast<size_t>(ingress)].reverse_path) hops = route->hops;
  return hops;
}

std::optional<std::vector<Address>> servers_for(const Network& net, Domain domain, const Ends& ends) {
  const Meaning meant = meaning_of(net, domain, ends);
  if (meant.kind != Kind::published || net.published[meant.index].servers.empty()) return {};
  std::vector<Address> out;
  for (const auto& [server, weight] : net.published[meant.index].servers) {
    const Route* route = own_route(net, *meant.domain, server);
    if (weight != 0 && route != nullptr && !usable(net, *route).empty()) out.push_back(server);
  }
  return out;
}

std::optional<PoolMeant> pool_meant(const Network& net, Domain domain, const Ends& ends) {
  const Meaning meant = meaning_of(net, domain, ends);
  if (meant.kind != Kind::pool) return {};
  return PoolMeant{meant.index, meant.address};
}

bool is_published(const Network& net, Domain seen_in, const Address& address, uint16_t port,
                  uint8_t protocol) {
  return std::any_of(net.published.begin(), net.published.end(), [&](const Published& p) {
    return in(p.seen_by, seen_in) && p.address == address && p.port == port && p.protocol == protocol;
  });
}

std::string as_told(const std::string& reason) { return reason == "policy_reject" ? "punt reject" : reason; }

Decision decide(const Network& net, const FirstQuery& q) {
  Decision d;
  const auto refused = [&d](const char* reason) {
    d.refused = reason;
    return d;
  };
  const Ends& ends = q.ends;
  d.from = net.domain_of(q.ingress);
  if (never_routed(ends.src) || never_routed(ends.dst) || ends.src == ends.dst ||
      net.is_gateway(q.ingress, ends.src))
    return refused("inner_martian");

  d.back = reverse_hops(net, d.from, ends.src, q.ingress);
  if (d.back.empty()) return refused("reverse_path");
  if (!net.usable(q.ingress)) {  // it still comes that way, but the answers take another
    d.back = usable(net, *own_route(net, d.from, ends.src));
    if (d.back.empty()) return refused("attachment_down");
  }

  for (const Hop& hop : d.back) {  // nobody has the hub's own address
    if (net.is_gateway(hop.attachment, ends.src)) return refused("inner_martian");
  }

  if (net.is_gateway(q.ingress, ends.dst)) return refused("inner_hub_address");
  Meaning meant = meaning_of(net, d.from, ends);
  if (meant.kind == Kind::closed) return refused("nat_closed");
  if (meant.kind == Kind::unmapped) return refused("nat_unmapped");
  if (const auto servers = servers_for(net, d.from, ends)) {
    const bool its_own = q.server && net.published[meant.index].servers.count(*q.server) != 0;
    if (!its_own && servers->empty()) return refused("attachment_down");
    meant.address = its_own ? *q.server : servers->front();
  }
  if (meant.kind == Kind::pool) {
    // Only to whom the rules, as they are now, would give that port. By NAT64 sessions begin from within.
    const Pool& pool = net.pools[meant.index];
    if (q.sent_to == nullptr || !may_use(net, pool, q.sent_to->host, q.sent_to->inside) ||
        !fits(pool, *q.sent_to) || q.sent_to->inside.v6 != ends.dst.v6)
      return refused("nat_closed");
    meant.address = q.sent_to->inside;
    meant.port = q.sent_to->inside_port;
    meant.domain = q.sent_to->host;
  }
  d.meant_for_other = meant.kind != Kind::itself;
  d.leaves = ends;
  d.leaves.dst = meant.address;
  d.leaves.dst_port = meant.port;
  if (meant.kind == Kind::nat64 && ends.protocol == kIcmpv6) d.leaves.protocol = kIcmp;
  if (ends.protocol == kIcmp || ends.protocol == kIcmpv6) d.leaves.src_port = meant.port;  // the identifier

  const Route* route =
      meant.domain ? own_route(net, *meant.domain, meant.address)
                   : longest(net, meant.address, [&](Domain to) { return net.connected(d.from, to); });
  if (!meant.domain && route != nullptr) {  // its own on a tie
    const Route* own = own_route(net, d.from, meant.address);
    if (own != nullptr && own->prefix.length == route->prefix.length) route = own;
  }
  if (route == nullptr) {
    const bool elsewhere =
        !meant.domain && longest(net, meant.address, [](Domain) { return true; }) != nullptr;
    return refused(elsewhere ? "no_connection" : "no_route");
  }
  if (route->hops.empty()) return refused("blackhole");
  d.to = route->domain;
  const std::vector<Hop> hops = usable(net, *route);
  if (hops.empty()) return refused("attachment_down");
  for (const Hop& hop : hops) {
    if (net.is_gateway(hop.attachment, meant.address)) return refused("inner_hub_address");
  }

  translate_source(net, ends, meant, d);
  if (!d.refused.empty()) return d;
  if (!answers_come_back(net, ends, d)) return refused("nat_conflict");
  if (d.leaves.src == d.leaves.dst && net.translates()) return refused("inner_martian");

  if (!net.connected(d.from, d.to)) return refused("no_connection");
  for (const Hop& hop : hops) d.there.push_back(ask_policy(net, d, q, hop));
  return d;
}

}  // namespace weir::model
