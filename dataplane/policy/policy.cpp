#include "dataplane/policy/policy.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "dataplane/policy/rule_vectors.h"

namespace weir::dataplane {

namespace {

bool names(const std::vector<DomainId>& domains, DomainId domain) {
  return std::find(domains.begin(), domains.end(), domain) != domains.end();
}

bool covers(const std::vector<net::Prefix>& prefixes, const net::IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const net::Prefix& prefix) { return prefix.contains(address); });
}

bool has(const PolicyGroup& group, DomainId domain, AttachmentId attachment, const net::IpAddress& address) {
  return names(group.domains, domain) ||
         std::find(group.attachments.begin(), group.attachments.end(), attachment) !=
             group.attachments.end() ||
         covers(group.prefixes, address) ||
         std::any_of(group.of_domains.begin(), group.of_domains.end(), [&](const auto& of_domain) {
           return of_domain.first == domain && of_domain.second.contains(address);
         });
}

bool fits(const PolicyEnd& end, DomainId domain, AttachmentId attachment, const net::IpAddress& address) {
  if (!end.domains.empty() && !names(end.domains, domain)) return false;
  return end.any_address() || covers(end.prefixes, address) ||
         std::any_of(end.groups.begin(), end.groups.end(),
                     [&](const auto& group) { return has(*group, domain, attachment, address); });
}

bool fits(const std::vector<ServiceTerm>& services, const PolicyQuery& query) {
  return services.empty() || std::any_of(services.begin(), services.end(), [&](const ServiceTerm& term) {
           if (term.protocol == 0) return true;
           const uint16_t number = number_of(query);
           return term.protocol == query.tuple.protocol && term.numbers.first <= number &&
                  number <= term.numbers.last;
         });
}

size_t hash_of(DomainId from, DomainId to) {
  const uint64_t pair = static_cast<uint64_t>(from.value) << 32 | to.value;
  return static_cast<size_t>(pair * 0x9e37'79b9'7f4a'7c15ULL >> 32);
}

PolicyQuery opening(const Tuple& tuple) {
  return {.tuple = tuple, .ingress = {}, .egress = {}, .icmp_type = echo_request_type(tuple.protocol)};
}

}  // namespace

bool matches(const PolicyRule& rule, DomainId from, DomainId to, const PolicyQuery& query) {
  return fits(rule.from, from, query.ingress, query.tuple.src) &&
         fits(rule.to, to, query.egress, query.tuple.dst) && fits(rule.services, query);
}

bool matches(const PolicyRule& rule, DomainId from, DomainId to, const Tuple& tuple) {
  return matches(rule, from, to, opening(tuple));
}

PolicyTable::PolicyTable() = default;
PolicyTable::~PolicyTable() = default;
PolicyTable::PolicyTable(PolicyTable&&) noexcept = default;
PolicyTable& PolicyTable::operator=(PolicyTable&&) noexcept = default;

PolicyTable PolicyTable::build(std::vector<PolicyRule> rules, std::vector<Connection> connections) {
  std::vector<RuleIndex> order(rules.size());
  std::iota(order.begin(), order.end(), RuleIndex{0});
  return build(std::move(rules), std::move(connections), order);
}

PolicyTable PolicyTable::build(std::vector<PolicyRule> rules, std::vector<Connection> connections,
                               const std::vector<RuleIndex>& order, const PolicyTable* before) {
  PolicyTable table;
  table.rules_ = std::move(rules);
  table.connections_ = std::move(connections);
  if (table.connections_.size() > kMaxConnections) table.connections_.resize(kMaxConnections);
  const size_t count = table.connections_.size();
  for (const Connection& connection : table.connections_)
    table.versions_.push_back(connection.policy_version);

  table.hash_.assign(std::bit_ceil(count * 2 + 1), kNotConnected);
  const size_t mask = table.hash_.size() - 1;
  for (size_t c = 0; c < count; ++c) {
    const Connection& connection = table.connections_[c];
    if (table.find(connection.from, connection.to) != kNotConnected)
      continue;  // given twice: the first counts
    size_t i = hash_of(connection.from, connection.to) & mask;
    while (table.hash_[i] != kNotConnected) i = (i + 1) & mask;
    table.hash_[i] = static_cast<ConnectionIndex>(c);
  }

  std::vector<const PolicyRule*> in_order;
  for (const RuleIndex r : order) {
    const PolicyRule& rule = table.rules_[r];
    in_order.push_back(&rule);
    for (const PolicyEnd* end : {&rule.from, &rule.to}) {
      for (const auto& group : end->groups) table.by_attachment_ |= !group->attachments.empty();
    }
    table.places_.push_back(
        {r, rule.profile, rule.action, rule.if_unknown, rule.watch, !rule.names.empty(), rule.effects});
  }
  const RuleVectors* known = before != nullptr ? before->vectors_.get() : nullptr;
  table.vectors_ = RuleVectors::build(in_order, table.connections_, known);
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

PolicyDecision PolicyTable::classify(ConnectionIndex pair, const PolicyQuery& query) const {
  PolicyDecision decision;
  if (pair >= connections_.size()) return decision;
  PolicyAction if_named{};
  bool by_name = false;
  const uint32_t first = vectors_->find_first(pair, query, [&](uint32_t p) {
    const Place& place = places_[p];
    if_named = place.action;
    if (place.named) {
      switch (query.names != nullptr ? query.names->ask(rules_[place.rule].names) : NameAnswer::given_up) {
        case NameAnswer::no:
          return false;
        case NameAnswer::not_yet:
          if (!place.watch) {
            decision.open.add(place.rule);
            decision.open_allows |= !refuses(place.action);
          }
          return false;
        case NameAnswer::given_up:
          if (place.if_unknown == IfUnknown::next) return false;
          if_named = place.if_unknown == IfUnknown::allow ? PolicyAction::allow : PolicyAction::deny;
          break;
        case NameAnswer::yes:
          break;
      }
    }
    if (place.watch) decision.watched.add(place.rule);
    by_name = !place.watch;
    return by_name;
  });
  if (first == RuleVectors::kNoPlace) return decision;
  const Place& place = places_[first];
  decision.action = by_name ? if_named : place.action;
  decision.rule = place.rule;
  decision.profile = place.profile;
  decision.effects = place.effects;
  return decision;
}

PolicyDecision PolicyTable::classify(ConnectionIndex pair, const Tuple& tuple) const {
  return classify(pair, opening(tuple));
}

size_t PolicyTable::bytes() const { return vectors_ != nullptr ? vectors_->bytes() : 0; }

}  // namespace weir::dataplane
