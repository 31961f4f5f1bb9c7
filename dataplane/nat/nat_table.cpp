#include "dataplane/nat/nat_table.h"

#include <nmmintrin.h>

#include <algorithm>
#include <bit>

#include "dataplane/nat/nat64_address.h"
#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

bool contains(const std::vector<DomainId>& list, DomainId id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

/// The address of `to` that stands where `address` stands in `from`.
net::IpAddress moved(const net::IpAddress& address, const net::Prefix& from, const net::Prefix& to) {
  net::IpAddress out = address;
  out.bits.hi = (address.bits.hi ^ from.address.bits.hi) | to.address.bits.hi;
  out.bits.lo = (address.bits.lo ^ from.address.bits.lo) | to.address.bits.lo;
  return out;
}

uint32_t any_of(uint32_t a, uint32_t b) { return a != 0 ? a : b; }

}  // namespace

const std::vector<net::Prefix>& private_prefixes() {
  static const std::vector<net::Prefix> kPrivate = {
      {net::Ipv4{0x0a00'0000}, 8},   // RFC 1918
      {net::Ipv4{0x6440'0000}, 10},  // RFC 6598
      {net::Ipv4{0xac10'0000}, 12},
      {net::Ipv4{0xc0a8'0000}, 16},
      {net::Ipv6{0xfc00'0000'0000'0000, 0}, 7},  // RFC 4193
  };
  return kPrivate;
}

void NatTable::Places::build(const std::vector<std::pair<Place, uint16_t>>& all) {
  slots_.assign(std::bit_ceil(std::max<size_t>(2 * all.size(), 2)), {});
  mask_ = static_cast<uint32_t>(slots_.size() - 1);
  for (const auto& [place, rule] : all) {
    uint32_t at = hash(place) & mask_;
    while (slots_[at].used && !(slots_[at].place == place)) at = (at + 1) & mask_;
    if (!slots_[at].used) slots_[at] = {place, rule, true};  // the first counts
  }
}

uint32_t NatTable::Places::hash(const Place& place) {
  const uint64_t rest = uint64_t{place.port} << 32 | uint64_t{place.domain} << 16 | place.protocol;
  const uint64_t address = _mm_crc32_u64(_mm_crc32_u64(0, place.address.bits.hi), place.address.bits.lo);
  return static_cast<uint32_t>(_mm_crc32_u64(address, rest));
}

const uint16_t* NatTable::Places::find(const Place& place) const {
  if (slots_.empty()) return nullptr;
  for (uint32_t at = hash(place) & mask_; slots_[at].used; at = (at + 1) & mask_) {
    if (slots_[at].place == place) return &slots_[at].rule;
  }
  return nullptr;
}

NatTable::NatTable(NatRules rules, uint16_t workers) : rules_(std::move(rules)) {
  if (rules_.pools.size() > kMaxPools) rules_.pools.resize(kMaxPools);
  for (PublishedRule& rule : rules_.published) {
    if (rule.servers.size() > PublishedRule::kMaxServers) rule.servers.resize(PublishedRule::kMaxServers);
  }
  for (uint32_t block = 0; block < kPortBlocks; ++block) {
    block_owners_[block] = block_owner(static_cast<uint16_t>(block * kPortsPerBlock), workers);
  }
  for (const StaticRule& rule : rules_.fixed) {
    auto& both = nptv6_.emplace_back();
    if (rule.nptv6) both = BothWays{Nptv6(rule.outside, rule.inside), Nptv6(rule.inside, rule.outside)};
  }
  build_nat64();
  build_domains();
  build_places();
  build_classes();
}

NatTable::PerDomain& NatTable::domain(DomainId id) {
  if (id.index() >= domains_.size()) domains_.resize(id.index() + 1);
  return domains_[id.index()];
}

void NatTable::build_nat64() {
  constexpr uint8_t kAllowed = 1, kRefused = 2;
  using Entries = std::vector<AddressMap<uint8_t>::Entry>;
  const auto add = [](Entries& all, const std::vector<net::Prefix>& prefixes, uint8_t value) {
    for (const net::Prefix& prefix : prefixes) all.push_back({prefix.first(), prefix.last(), value});
  };
  const auto both = [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a | b); };
  for (const PoolRule& rule : rules_.pools) {
    auto& nat64 = nat64_.emplace_back();
    if (!rule.prefix64) continue;
    Entries sources, destinations;
    add(sources, rule.sources, kAllowed);
    if (rule.sources.empty()) add(sources, {{net::Ipv6{}, 0}}, kAllowed);
    add(destinations, rule.destinations, kAllowed);
    if (rule.destinations.empty()) {
      add(destinations, {{net::Ipv4{}, 0}}, kAllowed);
      add(destinations, private_prefixes(), kRefused);
    }
    nat64 = Nat64{{sources, both}, {destinations, both}};
  }
}

NatTable::Destination NatTable::nat64_destination(uint16_t rule, const Tuple& tuple) const {
  const PoolRule& pool = rules_.pools[rule];
  const Destination unmapped{NatKind::unmapped, rule, tuple.dst, tuple.dst_port, {}};
  const std::optional<net::Ipv4> inside = extracted(*pool.prefix64, tuple.dst.v6());
  if (!inside || nat64_[rule]->sources.find(tuple.src) != 1) return unmapped;
  // Another host behind the pool (RFC 6146 section 3.8).
  if (pool.pool->index_of(*inside)) return {NatKind::pool, rule, *inside, tuple.dst_port, {}};
  if (net::is_martian(*inside) || nat64_[rule]->destinations.find(*inside) != 1) return unmapped;
  return {NatKind::nat64, rule, *inside, tuple.dst_port, pool.to};
}

void NatTable::build_domains() {
  using Entries = std::vector<AddressMap<Entry>::Entry>;
  std::vector<Entries> outside, inside;
  const auto list_of = [](std::vector<Entries>& all, DomainId id) -> Entries& {
    if (id.index() >= all.size()) all.resize(id.index() + 1);
    return all[id.index()];
  };
  for (size_t i = 0; i < rules_.fixed.size(); ++i) {
    const StaticRule& rule = rules_.fixed[i];
    const Entry entry = entry_of(NatKind::fixed, i);
    list_of(inside, rule.domain).push_back({rule.inside.first(), rule.inside.last(), entry});
    for (const DomainId id : rule.seen_by)
      list_of(outside, id).push_back({rule.outside.first(), rule.outside.last(), entry});
  }
  for (size_t i = 0; i < rules_.pools.size(); ++i) {
    const PoolRule& rule = rules_.pools[i];
    std::vector<DomainId> seen_by = {rule.to};
    if (rule.prefix64) {
      const net::Prefix& prefix = *rule.prefix64;
      for (const DomainId id : rule.from)
        list_of(outside, id).push_back({prefix.first(), prefix.last(), entry_of(NatKind::nat64, i)});
    } else {
      for (const DomainId id : rule.from) {
        domain(id).pools |= uint64_t{1} << i;
        if (id != rule.to) seen_by.push_back(id);
      }
    }
    for (const DomainId id : seen_by) {
      for (const PortPool::Range& range : rule.pool->ranges())
        list_of(outside, id).push_back({range.first, range.last, entry_of(NatKind::pool, i)});
    }
  }
  for (size_t i = 0; i < rules_.published.size(); ++i) {
    const PublishedRule& rule = rules_.published[i];
    for (const DomainId id : rule.seen_by)
      list_of(outside, id).push_back({rule.address, rule.address, entry_of(NatKind::closed, i)});
  }
  domains_.resize(std::max({domains_.size(), outside.size(), inside.size()}));
  for (size_t i = 0; i < outside.size(); ++i) domains_[i].outside = {outside[i], any_of};
  for (size_t i = 0; i < inside.size(); ++i) domains_[i].inside = {inside[i], any_of};
}

void NatTable::build_places() {
  std::vector<std::pair<Place, uint16_t>> published, servers;
  const auto add_servers = [&](bool several) {  // of a place that is in both, several count
    for (size_t i = 0; i < rules_.published.size(); ++i) {
      const PublishedRule& rule = rules_.published[i];
      if (!rule.servers.empty() != several) continue;
      const auto index = static_cast<uint16_t>(i);
      for (const PublishedRule::Server& server : rule.servers)
        servers.push_back({{server.address, rule.server_port, kAnywhere, rule.protocol}, index});
      servers.push_back({{rule.server, rule.server_port, kAnywhere, rule.protocol}, index});
    }
  };
  add_servers(true);
  add_servers(false);
  for (size_t i = 0; i < rules_.published.size(); ++i) {
    const PublishedRule& rule = rules_.published[i];
    if (rule.ftp) ftp_published_.push_back(static_cast<uint16_t>(i));
    for (const DomainId id : rule.seen_by) {
      published.push_back({{rule.address, rule.port, static_cast<uint16_t>(id.index()), rule.protocol},
                           static_cast<uint16_t>(i)});
      domain(id).publishes = true;
    }
  }
  has_servers_ = !servers.empty();
  if (!has_servers_) return;
  for (const net::IpAddress& host : ftp_hosts()) {
    has_ftp_servers_ = true;
    servers.push_back({{host, 0, kAnywhere, net::kProtoTcp}, 0});
  }
  published_.build(published);
  servers_.build(servers);
}

std::set<net::IpAddress> NatTable::ftp_hosts() const {
  std::set<net::IpAddress> hosts;
  for (const PublishedRule& rule : rules_.published) {
    if (rule.ftp) hosts.insert({rule.server, rule.address});
  }
  // Servers that share sessions have to be looked at alike, since a packet to them does not say to which.
  for (bool grows = !hosts.empty(); grows;) {
    grows = false;
    for (const PublishedRule& rule : rules_.published) {
      const auto is_one = [&](const PublishedRule::Server& s) { return hosts.contains(s.address); };
      if (rule.protocol != net::kProtoTcp || std::none_of(rule.servers.begin(), rule.servers.end(), is_one))
        continue;
      for (const PublishedRule::Server& s : rule.servers) grows |= hosts.insert(s.address).second;
    }
  }
  return hosts;
}

void NatTable::build_classes() {
  std::vector<AddressMap<Classes>::Entry> all;
  const auto add = [&all](const net::Prefix& prefix, const Classes& classes) {
    all.push_back({prefix.first(), prefix.last(), classes});
  };
  uint64_t anywhere = 0, from_private = 0;
  for (size_t i = 0; i < rules_.pools.size(); ++i) {
    const PoolRule& rule = rules_.pools[i];
    if (rule.prefix64) continue;  // what is sent to its prefix uses it, and nothing else
    const uint64_t bit = uint64_t{1} << i;
    if (rule.ftp) ftp_pools_ |= bit;
    if (rule.sources.empty()) from_private |= bit;
    if (rule.destinations.empty()) anywhere |= bit;
    for (const net::Prefix& prefix : rule.sources) add(prefix, {.source = bit});
    for (const net::Prefix& prefix : rule.destinations) add(prefix, {.destination = bit});
    // What is static where the pool would be used has no need of it, and many peers.
    for (const StaticRule& fixed : rules_.fixed) {
      if (contains(rule.from, fixed.domain) && contains(fixed.seen_by, rule.to))
        add(fixed.inside, {.no_source = bit});
    }
  }
  for (const net::Prefix& prefix : private_prefixes())
    add(prefix, {.source = from_private, .no_destination = anywhere});
  add({net::Ipv4{}, 0}, {.destination = anywhere});
  add({net::Ipv6{}, 0}, {.destination = anywhere});
  classes_ = {all, [](const Classes& a, const Classes& b) {
                return Classes{a.source | b.source, a.no_source | b.no_source, a.destination | b.destination,
                               a.no_destination | b.no_destination};
              }};
}

std::optional<net::IpAddress> NatTable::inside_of(uint16_t rule, const net::IpAddress& address) const {
  if (nptv6_[rule]) return nptv6_[rule]->in.map(address);
  return moved(address, rules_.fixed[rule].outside, rules_.fixed[rule].inside);
}

std::optional<net::IpAddress> NatTable::outside_of(uint16_t rule, const net::IpAddress& address) const {
  if (nptv6_[rule]) return nptv6_[rule]->out.map(address);
  return moved(address, rules_.fixed[rule].inside, rules_.fixed[rule].outside);
}

NatTable::Destination NatTable::destination(uint16_t slot, const Tuple& tuple) const {
  Destination result{.address = tuple.dst, .port = tuple.dst_port, .domain = {}};
  const PerDomain* here = find_domain(slot);
  if (here == nullptr) return result;
  if (here->publishes) {
    if (const uint16_t* i = published_.find({tuple.dst, tuple.dst_port, slot, tuple.protocol})) {
      const PublishedRule& rule = rules_.published[*i];
      return {NatKind::published, *i, rule.server, rule.server_port, rule.domain};
    }
  }
  const Entry entry = here->outside.find(tuple.dst);
  if (entry == 0) return result;
  result.kind = static_cast<NatKind>(entry >> 16);
  result.rule = static_cast<uint16_t>(entry);
  if (result.kind == NatKind::nat64) return nat64_destination(result.rule, tuple);
  if (result.kind == NatKind::fixed) {
    const auto inside = inside_of(result.rule, tuple.dst);
    if (!inside) {
      result.kind = NatKind::unmapped;
      return result;
    }
    result.address = *inside;
    result.domain = rules_.fixed[result.rule].domain;
  }
  return result;
}

NatTable::Source NatTable::source(DomainId from, DomainId to, const Tuple& tuple,
                                  const Destination& translated) const {
  const bool by_pool = translated.kind == NatKind::nat64 || translated.kind == NatKind::pool;
  if (by_pool && rules_.pools[translated.rule].prefix64)
    return {NatKind::pool, translated.rule, {}};  // of those that are sent there, whoever they are
  const bool hairpin = from == to;
  if (hairpin && translated.kind == NatKind::none) return {};
  const PerDomain* here = find_domain(static_cast<uint16_t>(from.index()));
  if (here == nullptr) return {};
  const uint64_t usable = here->pools & classes_.find(tuple.src).sources();
  // From one host behind a pool to another: the worker that has the other's port gives one to this one, too.
  if (translated.kind == NatKind::pool && rules_.pools[translated.rule].to != from) {
    if ((usable >> translated.rule & 1) == 0) return {};
    return {NatKind::pool, translated.rule, {}};
  }
  if (const Entry entry = here->inside.find(tuple.src); entry != 0) {
    const auto i = static_cast<uint16_t>(entry);
    const StaticRule& rule = rules_.fixed[i];
    if (rule.domain == from && contains(rule.seen_by, to)) {
      const auto outside = outside_of(i, tuple.src);
      return outside ? Source{NatKind::fixed, i, *outside} : Source{NatKind::unmapped, i, {}};
    }
  }
  // A hairpin's source is seen as it would be from where the destination is seen, too.
  const std::vector<DomainId>* realms = nullptr;
  if (hairpin) {
    if (translated.kind == NatKind::pool) return {};  // of this very domain: there is nowhere else to be seen
    realms = translated.kind == NatKind::fixed ? &rules_.fixed[translated.rule].seen_by
                                               : &rules_.published[translated.rule].seen_by;
  }
  uint64_t fitting = usable;
  if (!hairpin) fitting &= classes_.find(tuple.dst).destinations();
  for (; fitting != 0; fitting &= fitting - 1) {
    const auto i = static_cast<uint16_t>(std::countr_zero(fitting));
    const DomainId realm = rules_.pools[i].to;
    if (hairpin ? contains(*realms, realm) : realm == to) return {NatKind::pool, i, {}};
  }
  return {};
}

bool NatTable::may_use_pool(uint16_t rule, DomainId host, const net::IpAddress& address) const {
  if (nat64_[rule])
    return contains(rules_.pools[rule].from, host) && nat64_[rule]->sources.find(address) == 1;
  const PerDomain* here = find_domain(static_cast<uint16_t>(host.index()));
  return here != nullptr && ((here->pools & classes_.find(address).sources()) >> rule & 1) != 0;
}

bool NatTable::publishes_ftp(uint16_t seen_by, const net::IpAddress& address, DomainId host,
                             const net::IpAddress& server) const {
  return std::any_of(ftp_published_.begin(), ftp_published_.end(), [&](uint16_t i) {
    const PublishedRule& rule = rules_.published[i];
    return rule.address == address && rule.server == server && rule.domain == host &&
           std::any_of(rule.seen_by.begin(), rule.seen_by.end(),
                       [&](DomainId id) { return id.index() == seen_by; });
  });
}

NatTable::Server NatTable::server_at(const net::IpAddress& address, uint16_t port, uint8_t protocol) const {
  Server server;
  if (const uint16_t* i = servers_.find({address, port, kAnywhere, protocol})) {
    server.any = true;
    server.several = !rules_.published[*i].servers.empty();
  }
  if (has_ftp_servers_ && servers_.find({address, 0, kAnywhere, protocol}) != nullptr)
    server.any = server.all_ports = true;
  return server;
}

NatTable::Ends NatTable::ends_of(const Tuple& tuple) const {
  if (has_servers_) {
    const Server src = server_at(tuple.src, tuple.src_port, tuple.protocol);
    const Server dst = server_at(tuple.dst, tuple.dst_port, tuple.protocol);
    if (src.any != dst.any) {
      if (dst.any) return dst.all_ports ? Ends::src_host : Ends::src;
      return src.all_ports ? Ends::dst_host : Ends::dst;
    }
    if (src.any) {
      if (src.several != dst.several) return src.several ? Ends::dst : Ends::src;
      return src.several ? Ends::neither : Ends::both;
    }
  }
  if (rules_.pools.empty()) return Ends::both;
  const Classes src = classes_.find(tuple.src), dst = classes_.find(tuple.dst);
  const uint64_t out = src.sources() & dst.destinations();
  const uint64_t in = dst.sources() & src.destinations();
  if ((out != 0) == (in != 0)) return Ends::both;
  if (out != 0) return (out & ftp_pools_) != 0 ? Ends::src_host : Ends::src;
  return (in & ftp_pools_) != 0 ? Ends::dst_host : Ends::dst;
}

const PoolRule* NatTable::pool_of(uint16_t realm, const net::IpAddress& address) const {
  for (const PoolRule& rule : rules_.pools) {
    if (rule.to.index() == realm && rule.pool->index_of(address)) return &rule;
  }
  return nullptr;
}

}  // namespace weir::dataplane
