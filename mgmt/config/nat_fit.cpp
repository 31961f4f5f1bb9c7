#include "mgmt/config/nat_fit.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "dataplane/nat/nat64_address.h"
#include "dataplane/nat/nat_table.h"
#include "dataplane/nat/port_plan.h"
#include "mgmt/config/problem.h"

namespace weir::config {

namespace {

using dataplane::NatTable;
using dataplane::PortPool;

constexpr size_t kMaxRules = 65'535;
constexpr std::string_view kInside = "nat[].static.inside", kNptv6 = "nat[].static.nptv6",
                           kSources = "nat[].snat.sources", kPortsPerHost = "nat[].snat.ports_per_host",
                           kOutside = "nat[].static.outside", kAddress = "nat[].dnat.address",
                           kServer = "nat[].dnat.server", kServers = "nat[].dnat.servers",
                           kWeights = "nat[].dnat.weights";

/// Does this domain see the rule's outside addresses?
bool seen_in(const Nat& rule, const std::string& domain) {
  if (std::find(rule.from.begin(), rule.from.end(), domain) != rule.from.end()) return true;
  if (has_pool(rule.kind)) return rule.domain == domain;
  return rule.kind == NatKind::fixed && rule.from.empty() && rule.domain != domain;
}

/// Addresses that a pool's prefix has, or one more than are allowed.
uint64_t addresses_of(const net::Prefix& prefix) {
  const int bits = (prefix.address.is_v4() ? 32 : 128) - prefix.length;
  return bits > 16 ? PortPool::kMaxAddresses + 1 : uint64_t{1} << bits;
}

/// Of a table that has a pool.
struct PoolKeys {
  std::string_view table, from, pool;
};
constexpr PoolKeys kSnat{"nat[].snat", "nat[].snat.from", "nat[].snat.pool"},
    kNat64{"nat[].nat64", "nat[].nat64.from", "nat[].nat64.pool"};

class Judge {
 public:
  Judge(const std::vector<const Nat*>& rules, const NatSurroundings& around,
        const std::function<bool(NatMisfit)>& told)
      : rules_(rules), around_(around), told_(told) {}

  void run() {
    if (rules_.size() > kMaxRules)
      tell(kMaxRules, "nat[]", "there are at most " + std::to_string(kMaxRules) + " rules");
    for (size_t i = 0; i < rules_.size() && !enough_; ++i) {
      switch (rules_[i]->kind) {
        case NatKind::fixed:
          judge_static(i);
          break;
        case NatKind::dnat:
          judge_dnat(i);
          break;
        case NatKind::nat64:
          judge_nat64(i);
          break;
        case NatKind::snat:
          judge_pool(i);
          break;
      }
    }
    judge_claims();
    judge_published();
  }

 private:
  /// Addresses that stand for others, or are others, and where.
  struct Claim {
    net::IpAddress first, last;
    size_t rule;
    std::string_view key;
    size_t element = NatMisfit::kWhole;
    bool inside = false;  // of a static rule, in its own domain
    auto order() const { return std::tie(rule, element); }
  };

  void tell(size_t rule, std::string_view key, std::string message, size_t element = NatMisfit::kWhole) {
    if (!enough_) enough_ = !told_({rule, key, element, std::move(message)});
  }
  bool usable(size_t rule, std::string_view key) const { return around_.usable(rule, key); }

  void judge_static(size_t i) {
    const Nat& rule = *rules_[i];
    if (!usable(i, kInside) || !usable(i, kOutside)) return;
    if (rule.inside.address.family != rule.outside.address.family ||
        rule.inside.length != rule.outside.length) {
      return tell(i, kOutside,
                  "has to be of the same family and length as `inside`, " + net::to_string(rule.inside));
    }
    if (rule.nptv6 && (rule.inside.address.is_v4() || rule.inside.length > dataplane::kMaxNptv6Length)) {
      tell(i, kNptv6,
           "is for prefixes of IPv6, /" + std::to_string(dataplane::kMaxNptv6Length) + " or shorter, not " +
               net::to_string(rule.inside));
    }
    claims_.push_back({rule.inside.first(), rule.inside.last(), i, kInside, NatMisfit::kWhole, true});
    claims_.push_back({rule.outside.first(), rule.outside.last(), i, kOutside});
  }

  void judge_dnat(size_t i) {
    const Nat& rule = *rules_[i];
    if (!usable(i, kAddress)) return;
    judge_gateways({rule.address, rule.address, i, kAddress});
    if (rule.ftp && rule.protocol != Protocol::tcp) tell(i, "nat[].dnat.ftp", "speaks TCP");
    if (around_.is_bad(i, kServer) || around_.is_bad(i, kServers)) return;
    if (!rule.servers.empty()) {
      if (rule.server) return tell(i, kServers, "there is one `server`, or there are `servers`");
      return judge_servers(i);
    }
    if (!rule.server) return tell(i, "nat[].dnat", "missing: `server` or `servers`");
    if (!rule.weights.empty()) tell(i, kWeights, "are of `servers`, and there is one `server`");
    judge_server(i, *rule.server, kServer);
  }

  void judge_server(size_t i, const net::IpAddress& server, std::string_view key,
                    size_t element = NatMisfit::kWhole) {
    if (rules_[i]->address.family != server.family) {
      tell(i, key, "has to be of the same family as `address`", element);
    } else if (net::is_martian(server)) {
      tell(i, key, "is no address of a host", element);
    }
  }

  void judge_servers(size_t i) {
    const Nat& rule = *rules_[i];
    for (size_t k = 0; k < rule.servers.size(); ++k) {
      judge_server(i, rule.servers[k], kServers, k);
      const auto here = rule.servers.begin() + static_cast<std::ptrdiff_t>(k);
      if (std::find(rule.servers.begin(), here, *here) != here)
        tell(i, kServers, net::to_string(*here) + " is there twice", k);
    }
    if (rule.ftp)
      tell(i, "nat[].dnat.ftp", "with several `servers` nobody knows which of them a data connection is for");
    if (rule.weights.empty() || around_.is_bad(i, kWeights)) return;
    if (rule.weights.size() != rule.servers.size()) {
      tell(i, kWeights,
           "has to have one for each of the " + std::to_string(rule.servers.size()) + " `servers`, not " +
               std::to_string(rule.weights.size()));
    } else if (std::all_of(rule.weights.begin(), rule.weights.end(), [](uint32_t w) { return w == 0; })) {
      tell(i, kWeights, "are all 0: no server is given a session");
    }
  }

  void judge_family(size_t i, const std::vector<net::Prefix>& prefixes, std::string_view key) {
    if (!usable(i, key)) return;
    const net::Family family = rules_[i]->pool.front().address.family;
    for (size_t k = 0; k < prefixes.size(); ++k) {
      if (prefixes[k].address.family != family) return tell(i, key, "is of another family than the pool", k);
    }
  }

  /// Of `table`, "nat[].snat" or "nat[].nat64": how many there are, whose they are, what addresses they have.
  /// How many; nothing: it is not known.
  std::optional<uint64_t> judge_addresses(size_t i, const PoolKeys& keys) {
    const Nat& rule = *rules_[i];
    if (!usable(i, keys.from)) return {};
    if (++pools_ == NatTable::kMaxPools + 1)
      tell(i, keys.table, "there are at most " + std::to_string(NatTable::kMaxPools) + " pools");
    if (!usable(i, keys.pool) || rule.pool.empty()) return {};
    const bool known =
        std::find(around_.domains.begin(), around_.domains.end(), rule.domain) != around_.domains.end();
    uint64_t addresses = 0;
    for (size_t k = 0; k < rule.pool.size(); ++k) {
      const net::Prefix& prefix = rule.pool[k];
      addresses += addresses_of(prefix);
      claims_.push_back({prefix.first(), prefix.last(), i, keys.pool, k});
      const bool other_family = rule.kind == NatKind::nat64 && !prefix.address.is_v4();  // is told below
      if (known && !other_family && !around_.has_route(rule.domain, prefix)) {
        tell(i, keys.pool,
             net::to_string(prefix) + " is in no subnet and no route of domain " + in_quotes(rule.domain) +
                 ", so nothing could ever come back",
             k);
      }
    }
    if (addresses > PortPool::kMaxAddresses) {
      tell(i, keys.pool, "more than " + std::to_string(PortPool::kMaxAddresses) + " addresses");
      return {};
    }
    return addresses;
  }

  void judge_pool(size_t i) {
    const Nat& rule = *rules_[i];
    const auto addresses = judge_addresses(i, kSnat);
    if (usable(i, kSnat.from) &&
        std::find(rule.from.begin(), rule.from.end(), rule.domain) != rule.from.end()) {
      tell(i, kSnat.from, in_quotes(rule.domain) + " is where the pool is; its own hosts need none there");
    }
    if (!usable(i, kSnat.pool) || rule.pool.empty()) return;
    judge_family(i, rule.pool, kSnat.pool);
    judge_family(i, rule.sources, kSources);
    judge_family(i, rule.destinations, "nat[].snat.destinations");
    if (addresses && rule.ports_per_host != 0 && !around_.is_bad(i, kPortsPerHost)) judge_plan(i, *addresses);
  }

  void judge_nat64(size_t i) {
    const Nat& rule = *rules_[i];
    judge_addresses(i, kNat64);
    const auto judge = [&](const std::vector<net::Prefix>& prefixes, std::string_view key,
                           net::Family family) {
      if (around_.is_bad(i, key)) return;
      for (size_t k = 0; k < prefixes.size(); ++k) {
        if (prefixes[k].address.family != family)
          return tell(i, key, family == net::Family::ipv4 ? "has to be of IPv4" : "has to be of IPv6", k);
      }
    };
    judge(rule.pool, kNat64.pool, net::Family::ipv4);
    judge(rule.sources, "nat[].nat64.sources", net::Family::ipv6);
    judge(rule.destinations, "nat[].nat64.destinations", net::Family::ipv4);
    constexpr std::string_view kPrefix = "nat[].nat64.prefix";
    if (around_.is_bad(i, kPrefix)) return;
    // Bits 64 to 71 are zero in every such address (RFC 6052 section 2.2).
    const bool reserved = rule.prefix.length == 96 && rule.prefix.address.bits.lo >> 56 != 0;
    if (rule.prefix.address.is_v4() || !dataplane::is_nat64_length(rule.prefix.length) || reserved) {
      return tell(i, kPrefix,
                  "is no prefix of IPv6 with /32, /40, /48, /56, /64 or /96" +
                      std::string(reserved ? " whose bits 64 to 71 are zero" : ""));
    }
    claims_.push_back({rule.prefix.first(), rule.prefix.last(), i, kPrefix});
  }

  /// Deterministic mapping.
  void judge_plan(size_t i, uint64_t addresses) {
    const Nat& rule = *rules_[i];
    const uint32_t each = rule.ports_per_host, least = dataplane::kPortsPerBlock * around_.workers;
    const uint32_t ports = rule.ports.last - rule.ports.first + 1u;
    if (each < least) {
      tell(i, kPortsPerHost,
           "with " + std::to_string(around_.workers) + " workers a host needs " + std::to_string(least) +
               " at least, " + std::to_string(dataplane::kPortsPerBlock) + " of each");
    }
    if (rule.from.size() != 1)
      tell(i, "nat[].snat.from", "has to be one domain with `ports_per_host`: a source has its ports once");
    if (around_.is_bad(i, kSources)) return;
    if (rule.sources.empty()) return tell(i, kPortsPerHost, "needs `sources`, the addresses that have ports");
    for (size_t k = 0; k < rule.sources.size(); ++k) {
      const auto overlaps = [&](const net::Prefix& other) {
        return other.contains(rule.sources[k]) || rule.sources[k].contains(other);
      };
      const auto here = rule.sources.begin() + static_cast<std::ptrdiff_t>(k);
      if (const auto other = std::find_if(rule.sources.begin(), here, overlaps); other != here)
        return tell(i, kSources, "overlaps with " + net::to_string(*other), k);
    }
    constexpr uint64_t kMany = uint64_t{1} << 32;
    const uint64_t hosts = dataplane::hosts_of(rule.sources, kMany);
    if (const uint64_t room = addresses * (ports / each); hosts > room) {
      tell(i, kPortsPerHost,
           "leaves room for " + std::to_string(room) + " hosts: " + std::to_string(ports / each) +
               " on each of " + std::to_string(addresses) + " addresses; `sources` are " +
               (hosts == kMany ? "more than 4294967296" : std::to_string(hosts)));
    }
  }

  /// The hub answers at its own addresses inside attachments, and has no sessions there.
  void judge_gateways(const Claim& claim) {
    for (const Attachment* a : around_.attachments) {
      if (!seen_in(*rules_[claim.rule], a->domain)) continue;
      for (const auto& gateway : a->gateways) {
        if (gateway.address.family != claim.first.family || gateway.address < claim.first ||
            claim.last < gateway.address)
          continue;
        return tell(claim.rule, claim.key,
                    net::to_string(gateway.address) + " is the hub's own address in attachment " +
                        in_quotes(a->name) + ", where it has no sessions",
                    claim.element);
      }
    }
  }

  /// A domain that has to tell the two apart.
  std::optional<std::string> common_domain(const Claim& a, const Claim& b) const {
    const Nat &first = *rules_[a.rule], &second = *rules_[b.rule];
    if (a.inside != b.inside) return {};
    if (a.inside) return first.domain == second.domain ? std::optional(first.domain) : std::nullopt;
    for (const std::string& domain : around_.domains) {
      if (seen_in(first, domain) && seen_in(second, domain)) return domain;
    }
    return {};
  }

  void judge_claims() {
    for (const Claim& claim : claims_) {
      if (!claim.inside) judge_gateways(claim);
    }
    std::sort(claims_.begin(), claims_.end(), [](const Claim& a, const Claim& b) {
      return std::tie(a.first, a.last) < std::tie(b.first, b.last);
    });
    for (size_t i = 0; i < claims_.size(); ++i) {
      for (size_t k = i + 1; k < claims_.size() && claims_[k].first <= claims_[i].last; ++k) {
        if (enough_) return;
        const auto domain = common_domain(claims_[i], claims_[k]);
        if (!domain) continue;
        const bool later = !(claims_[k].order() < claims_[i].order());
        const Claim &at = later ? claims_[k] : claims_[i], &other = later ? claims_[i] : claims_[k];
        tell(at.rule, at.key,
             "overlaps with addresses of " + in_quotes(rules_[other.rule]->name) +
                 around_.place(other.rule, other.key, other.element) + " in domain " + in_quotes(*domain),
             at.element);
      }
    }
  }

  /// No two rules publish the same in one domain.
  void judge_published() {
    std::vector<size_t> order;
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (rules_[i]->kind == NatKind::dnat && usable(i, "nat[]")) order.push_back(i);
    }
    const auto key = [&](size_t i) {
      return std::tie(rules_[i]->address, rules_[i]->port, rules_[i]->protocol);
    };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
    for (size_t n = 0; n < order.size(); ++n) {
      for (size_t m = n + 1; m < order.size() && key(order[m]) == key(order[n]); ++m) {
        const Nat &first = *rules_[order[n]], &second = *rules_[order[m]];
        for (const std::string& domain : second.from) {
          if (enough_ || !seen_in(first, domain)) continue;
          tell(order[m], "nat[].dnat",
               net::to_string(second.address) + " port " + std::to_string(second.port) +
                   " is published in domain " + in_quotes(domain) + " already, by " + in_quotes(first.name) +
                   around_.place(order[n], "nat[]", NatMisfit::kWhole));
        }
      }
    }
  }

  const std::vector<const Nat*>& rules_;
  const NatSurroundings& around_;
  const std::function<bool(NatMisfit)>& told_;
  std::vector<Claim> claims_;
  size_t pools_ = 0;
  bool enough_ = false;
};

}  // namespace

void find_nat_misfits(const std::vector<const Nat*>& rules, const NatSurroundings& around,
                      const std::function<bool(NatMisfit)>& told) {
  Judge(rules, around, told).run();
}

}  // namespace weir::config
