#include "dataplane/policy/policy.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <utility>

namespace weir::dataplane {

namespace {

bool names(const std::vector<DomainId>& domains, DomainId domain) {
  return domains.empty() || std::find(domains.begin(), domains.end(), domain) != domains.end();
}

bool covers(const std::vector<net::Prefix>& prefixes, const net::IpAddress& address) {
  return prefixes.empty() || std::any_of(prefixes.begin(), prefixes.end(),
                                         [&](const net::Prefix& prefix) { return prefix.contains(address); });
}

bool covers(const std::vector<PortRange>& ports, uint16_t port) {
  return ports.empty() || std::any_of(ports.begin(), ports.end(), [&](const PortRange& range) {
           return range.first <= port && port <= range.last;
         });
}

bool fits_domains(const PolicyRule& rule, DomainId from, DomainId to) {
  return names(rule.from_domains, from) && names(rule.to_domains, to);
}

/// The part of matches() that is left once the domains are known to fit.
bool fits_tuple(const PolicyRule& rule, const Tuple& tuple) {
  return (rule.protocol == 0 || rule.protocol == tuple.protocol) && covers(rule.ports, tuple.dst_port) &&
         covers(rule.to_prefixes, tuple.dst) && covers(rule.from_prefixes, tuple.src);
}

size_t hash_of(DomainId from, DomainId to) {
  const uint64_t pair = static_cast<uint64_t>(from.value) << 32 | to.value;
  return static_cast<size_t>(pair * 0x9e37'79b9'7f4a'7c15ULL >> 32);
}

}  // namespace

bool matches(const PolicyRule& rule, DomainId from, DomainId to, const Tuple& tuple) {
  return fits_domains(rule, from, to) && fits_tuple(rule, tuple);
}

PolicyTable PolicyTable::build(std::vector<PolicyRule> rules, std::vector<Connection> connections) {
  std::vector<RuleIndex> order(rules.size());
  std::iota(order.begin(), order.end(), RuleIndex{0});
  return build(std::move(rules), std::move(connections), order);
}

PolicyTable PolicyTable::build(std::vector<PolicyRule> rules, std::vector<Connection> connections,
                               const std::vector<RuleIndex>& order) {
  PolicyTable table;
  table.rules_ = std::move(rules);
  table.connections_ = std::move(connections);
  if (table.connections_.size() > kMaxConnections) table.connections_.resize(kMaxConnections);
  const size_t count = table.connections_.size();
  for (const Connection& connection : table.connections_)
    table.versions_.push_back(connection.policy_version);

  table.hash_.assign(std::bit_ceil(count * 2 + 1), kNotConnected);
  const size_t mask = table.hash_.size() - 1;
  std::map<DomainId, std::vector<ConnectionIndex>> pairs_from;
  std::vector<ConnectionIndex> all_pairs;
  for (size_t c = 0; c < count; ++c) {
    const Connection& connection = table.connections_[c];
    if (table.find(connection.from, connection.to) != kNotConnected)
      continue;  // given twice: the first counts
    size_t i = hash_of(connection.from, connection.to) & mask;
    while (table.hash_[i] != kNotConnected) i = (i + 1) & mask;
    table.hash_[i] = static_cast<ConnectionIndex>(c);
    pairs_from[connection.from].push_back(static_cast<ConnectionIndex>(c));
    all_pairs.push_back(static_cast<ConnectionIndex>(c));
  }

  table.rules_of_pair_.resize(count);
  for (const RuleIndex r : order) {
    const PolicyRule& rule = table.rules_[r];
    const auto enter = [&](const std::vector<ConnectionIndex>& pairs) {
      for (const ConnectionIndex c : pairs) {
        std::vector<RuleIndex>& of_pair = table.rules_of_pair_[c];
        const bool entered = !of_pair.empty() && of_pair.back() == r;  // the rule names a domain twice
        if (!entered && names(rule.to_domains, table.connections_[c].to)) of_pair.push_back(r);
      }
    };
    if (rule.from_domains.empty()) enter(all_pairs);
    for (const DomainId from : rule.from_domains) {
      if (const auto pairs = pairs_from.find(from); pairs != pairs_from.end()) enter(pairs->second);
    }
  }
  return table;
}

PolicyTable::ConnectionIndex PolicyTable::find(DomainId from, DomainId to) const {
  if (hash_.empty()) return kNotConnected;
  const size_t mask = hash_.size() - 1;
  for (size_t i = hash_of(from, to) & mask; hash_[i] != kNotConnected; i = (i + 1) & mask) {
    const Connection& connection = connections_[hash_[i]];
    if (connection.from == from && connection.to == to) return hash_[i];
  }
  return kNotConnected;
}

PolicyDecision PolicyTable::classify(ConnectionIndex pair, const Tuple& tuple) const {
  if (pair >= rules_of_pair_.size()) return {};
  for (const RuleIndex r : rules_of_pair_[pair]) {
    if (fits_tuple(rules_[r], tuple)) return {rules_[r].action, r, rules_[r].profile};
  }
  return {};
}

}  // namespace weir::dataplane
