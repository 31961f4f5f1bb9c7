// Address translation.
#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dataplane/nat/nat_table.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

using dataplane::NatTable;
using dataplane::PortPool;

constexpr size_t kMaxRules = 65'535;

/// Addresses that stand for others, or are others, and where.
struct Claim {
  net::IpAddress first, last;
  const Nat* rule;
  const Node* value;
  std::string path;
  bool inside = false;  // of a static rule, in its own domain
};

/// The table that says what the rule is; null: there is none, or more than one, reported.
const Node* table_of(const Validation& v, const Node& rule) {
  const Node* found = nullptr;
  for (const auto& kind : kNatKinds) {
    const Node* node = rule.find(kind.name);
    if (node == nullptr) continue;
    if (found != nullptr) {
      v.report.at(*node, "nat[]." + std::string(kind.name),
                  "a rule has exactly one of the tables \"static\", \"dnat\" and \"snat\"");
      return nullptr;
    }
    found = node;
  }
  if (found == nullptr)
    v.report.at(rule, "nat[]", "missing: exactly one of the tables \"static\", \"dnat\" and \"snat\"");
  return found != nullptr && found->kind == Node::Kind::table ? found : nullptr;
}

/// Does this domain see the rule's outside addresses?
bool seen_in(const Nat& rule, const std::string& domain) {
  if (std::find(rule.from.begin(), rule.from.end(), domain) != rule.from.end()) return true;
  if (rule.kind == NatKind::snat) return rule.domain == domain;
  return rule.kind == NatKind::fixed && rule.from.empty() && rule.domain != domain;
}

/// A domain that has to tell the two apart.
std::optional<std::string> common_domain(const Validation& v, const Claim& a, const Claim& b) {
  if (a.inside != b.inside) return {};
  if (a.inside) return a.rule->domain == b.rule->domain ? std::optional(a.rule->domain) : std::nullopt;
  for (const Domain& domain : v.draft.config.domains) {
    if (seen_in(*a.rule, domain.name) && seen_in(*b.rule, domain.name)) return domain.name;
  }
  return {};
}

/// The hub answers at its own addresses inside attachments, and has no sessions there.
void check_gateways(const Validation& v, const Nat& rule, const net::IpAddress& first,
                    const net::IpAddress& last, const Node& value, const std::string& path) {
  for (const Attachment& a : v.draft.config.attachments) {
    if (!seen_in(rule, a.domain)) continue;
    for (const auto& gateway : a.gateways) {
      if (gateway.address.family != first.family || gateway.address < first || last < gateway.address)
        continue;
      return v.report.at(value, path,
                         net::to_string(gateway.address) + " is the hub's own address in attachment " +
                             in_quotes(a.name) + ", where it has no sessions");
    }
  }
}

void check_claims(const Validation& v, std::vector<Claim>& claims) {
  for (const Claim& claim : claims) {
    if (!claim.inside) check_gateways(v, *claim.rule, claim.first, claim.last, *claim.value, claim.path);
  }
  std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
    return std::tie(a.first, a.last) < std::tie(b.first, b.last);
  });
  for (size_t i = 0; i < claims.size(); ++i) {
    for (size_t k = i + 1; k < claims.size() && claims[k].first <= claims[i].last; ++k) {
      if (v.report.full()) return;
      const auto domain = common_domain(v, claims[i], claims[k]);
      if (!domain) continue;
      const bool later = claims[k].value->line >= claims[i].value->line;
      const Claim &at = later ? claims[k] : claims[i], &other = later ? claims[i] : claims[k];
      v.report.at(*at.value, at.path,
                  "overlaps with addresses of " + in_quotes(other.rule->name) + " (" + at_line(*other.value) +
                      ") in domain " + in_quotes(*domain));
    }
  }
}

/// Each domain of a list, and that none is there twice.
void check_domains(const Validation& v, const std::vector<std::string>& names, const Node* list,
                   const std::string& path) {
  if (list == nullptr || list->bad) return;
  for (size_t i = 0; i < names.size() && !v.report.full(); ++i) {
    v.domains.resolve(names[i], list->children[i], path, v.report);
    if (std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<ptrdiff_t>(i)) {
      v.report.at(list->children[i], path, in_quotes(names[i]) + " is there twice");
    }
  }
}

void check_family(const Validation& v, const std::vector<net::Prefix>& prefixes, const Node* list,
                  net::Family family, const std::string& path) {
  if (list == nullptr || list->bad) return;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (prefixes[i].address.family != family)
      return v.report.at(list->children[i], path, "is of another family than the pool");
  }
}

/// Packets to the pool's addresses come to its domain by some way.
bool has_route(const Validation& v, const std::string& domain, const net::Prefix& prefix) {
  for (const Attachment& a : v.draft.config.attachments) {
    if (a.domain != domain) continue;
    for (const auto& gateway : a.gateways) {
      if (gateway.subnet().contains(prefix)) return true;
    }
  }
  return std::any_of(v.draft.config.routes.begin(), v.draft.config.routes.end(),
                     [&](const Route& r) { return r.domain == domain && r.prefix.contains(prefix); });
}

/// Addresses that a pool's prefix has, or one more than are allowed.
uint64_t addresses_of(const net::Prefix& prefix) {
  const int bits = (prefix.address.is_v4() ? 32 : 128) - prefix.length;
  return bits > 16 ? PortPool::kMaxAddresses + 1 : uint64_t{1} << bits;
}

void check_pool(const Validation& v, const Nat& rule, const Node& table, std::vector<Claim>& claims) {
  const Node* list = table.find("pool");
  if (list == nullptr || list->bad || rule.pool.empty()) return;
  const net::Family family = rule.pool.front().address.family;
  check_family(v, rule.pool, list, family, "nat[].snat.pool");
  check_family(v, rule.sources, table.find("sources"), family, "nat[].snat.sources");
  check_family(v, rule.destinations, table.find("destinations"), family, "nat[].snat.destinations");
  uint64_t addresses = 0;
  for (size_t i = 0; i < rule.pool.size(); ++i) {
    const net::Prefix& prefix = rule.pool[i];
    const Node& value = list->children[i];
    addresses += addresses_of(prefix);
    claims.push_back({prefix.first(), prefix.last(), &rule, &value, "nat[].snat.pool"});
    if (v.domains.find(rule.domain) != nullptr && !has_route(v, rule.domain, prefix)) {
      v.report.at(value, "nat[].snat.pool",
                  net::to_string(prefix) + " is in no subnet and no route of domain " +
                      in_quotes(rule.domain) + ", so nothing could ever come back");
    }
  }
  if (addresses > PortPool::kMaxAddresses) {
    v.report.at(*list, "nat[].snat.pool",
                "more than " + std::to_string(PortPool::kMaxAddresses) + " addresses");
  }
}

void check_static(const Validation& v, const Nat& rule, const Node& table, std::vector<Claim>& claims) {
  const Node* inside = table.get("inside");
  const Node* outside = table.get("outside");
  if (inside == nullptr || outside == nullptr) return;
  if (rule.inside.address.family != rule.outside.address.family ||
      rule.inside.length != rule.outside.length) {
    return v.report.at(*outside, "nat[].static.outside",
                       "has to be of the same family and length as `inside`, " + net::to_string(rule.inside));
  }
  claims.push_back({rule.inside.first(), rule.inside.last(), &rule, inside, "nat[].static.inside", true});
  claims.push_back({rule.outside.first(), rule.outside.last(), &rule, outside, "nat[].static.outside"});
}

void check_dnat(const Validation& v, const Nat& rule, const Node& table) {
  const Node* server = table.get("server");
  if (table.get("address") == nullptr || server == nullptr) return;
  check_gateways(v, rule, rule.address, rule.address, *table.find("address"), "nat[].dnat.address");
  if (rule.address.family != rule.server.family) {
    v.report.at(*server, "nat[].dnat.server", "has to be of the same family as `address`");
  } else if (net::is_martian(rule.server)) {
    v.report.at(*server, "nat[].dnat.server", "is no address of a host");
  }
}

/// No two rules publish the same in one domain.
void check_published(const Validation& v) {
  const auto& rules = v.draft.config.nat;
  std::vector<size_t> order;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].kind == NatKind::dnat && !v.draft.nat[i]->bad) order.push_back(i);
  }
  const auto key = [&](size_t i) { return std::tie(rules[i].address, rules[i].port, rules[i].protocol); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  for (size_t n = 0; n < order.size(); ++n) {
    for (size_t m = n + 1; m < order.size() && key(order[m]) == key(order[n]); ++m) {
      const Nat &first = rules[order[n]], &second = rules[order[m]];
      for (const std::string& domain : second.from) {
        if (v.report.full() || !seen_in(first, domain)) continue;
        v.report.at(*v.draft.nat[order[m]], "nat[].dnat",
                    net::to_string(second.address) + " port " + std::to_string(second.port) +
                        " is published in domain " + in_quotes(domain) + " already, by " +
                        in_quotes(first.name) + " (" + at_line(*v.draft.nat[order[n]]) + ")");
      }
    }
  }
}

}  // namespace

void validate_nat(const Validation& v) {
  const auto& rules = v.draft.config.nat;
  if (rules.size() > kMaxRules) {
    v.report.at(*v.draft.nat[kMaxRules], "nat[]",
                "there are at most " + std::to_string(kMaxRules) + " rules");
  }
  std::vector<Claim> claims;
  size_t pools = 0;
  for (size_t i = 0; i < rules.size() && !v.report.full(); ++i) {
    const Nat& rule = rules[i];
    const Node* table = table_of(v, *v.draft.nat[i]);
    if (table == nullptr) continue;
    const std::string path = "nat[]." + std::string(name_of(kNatKinds, rule.kind)) + ".";
    const char* list = rule.kind == NatKind::snat ? "from" : "seen_by";
    check_domains(v, rule.from, table->find(list), path + list);
    if (const Node* domain = table->get("domain"))
      v.domains.resolve(rule.domain, *domain, path + "domain", v.report);
    switch (rule.kind) {
      case NatKind::fixed:
        check_static(v, rule, *table, claims);
        break;
      case NatKind::dnat:
        check_dnat(v, rule, *table);
        break;
      case NatKind::snat:
        if (++pools == NatTable::kMaxPools + 1) {
          v.report.at(*table, "nat[].snat",
                      "there are at most " + std::to_string(NatTable::kMaxPools) + " pools");
        }
        if (std::find(rule.from.begin(), rule.from.end(), rule.domain) != rule.from.end()) {
          v.report.at(*table, "from", "nat[].snat.from",
                      in_quotes(rule.domain) + " is where the pool is; its own hosts need none there");
        }
        check_pool(v, rule, *table, claims);
        break;
    }
  }
  check_claims(v, claims);
  check_published(v);
}

}  // namespace weir::config
