#include "mgmt/model/live_model.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "dataplane/core/time.h"
#include "mgmt/model/build_attachment.h"
#include "mgmt/model/build_nat.h"

namespace weir::model {

using namespace dataplane;

namespace {

/// A session key names a domain by a 16-bit slot.
constexpr uint32_t kDomainSlots = 0xffff;

dataplane::Timeouts ticks_of(const config::Timeouts& t) {
  const auto ticks = [](uint32_t seconds) { return Tick::duration(seconds * kNanosPerSecond); };
  return {ticks(t.tcp_handshake), ticks(t.tcp_established), ticks(t.tcp_closing), ticks(t.udp),
          ticks(t.icmp),          ticks(t.other),           ticks(t.fragment),    ticks(t.tcp_half_closed),
          ticks(t.tcp_loose),     ticks(t.udp_unanswered)};
}

/// Those of sessions whose rule has its own.
config::Timeouts with(config::Timeouts t, const config::RuleTimeouts& own) {
  t.tcp_handshake = own.tcp_handshake.value_or(t.tcp_handshake);
  t.tcp_established = own.tcp_established.value_or(t.tcp_established);
  t.tcp_half_closed = own.tcp_half_closed.value_or(t.tcp_half_closed);
  t.tcp_closing = own.tcp_closing.value_or(t.tcp_closing);
  t.tcp_loose = own.tcp_loose.value_or(t.tcp_loose);
  t.udp = own.udp.value_or(t.udp);
  t.udp_unanswered = own.udp_unanswered.value_or(t.udp_unanswered);
  t.icmp = own.icmp.value_or(t.icmp);
  t.other = own.other.value_or(t.other);
  return t;
}

dataplane::TcpRules rules_of(const config::Tcp& t) {
  return {.strict = t.strict_windows,
          .mid_stream = t.mid_stream,
          .one_sided = t.one_sided,
          .reset_idle = t.reset_idle};
}

}  // namespace

LiveModel::LiveModel(StartFacts facts, Tables tables)
    : facts_(std::move(facts)),
      tables_(std::move(tables)),
      domain_ids_(kDomainSlots),
      attachment_ids_(tables_.attachments->capacity()),
      policy_(std::make_shared<const std::vector<RuleRecord>>()) {}

const DomainRecord* LiveModel::domain(std::string_view name) const {
  const auto at = domains_.find(name);
  return at != domains_.end() ? &at->second : nullptr;
}

const AttachmentRecord* LiveModel::attachment(std::string_view name) const {
  const auto at = attachments_.find(name);
  return at != attachments_.end() ? &at->second : nullptr;
}

std::string LiveModel::attachment_name(AttachmentId id) const {
  const Attachment* attachment = tables_.attachments->find(id);
  return attachment != nullptr ? attachment->name : std::string();
}

std::string LiveModel::domain_name(DomainId id) const {
  if (!id.valid() || id.index() >= domain_slots_.size() || domain_slots_[id.index()] == nullptr) return {};
  return domain_slots_[id.index()]->id == id ? domain_slots_[id.index()]->name : std::string();
}

const std::vector<NextHop>* LiveModel::members(const DomainRecord& domain, const net::Prefix& prefix) const {
  if (const auto held = domain.withheld.find(prefix); held != domain.withheld.end()) return &held->second;
  const RouteTarget* target = tables_.routes.find(domain.id, prefix);
  return target != nullptr ? &target->members : nullptr;
}

std::vector<config::Route> LiveModel::members_of(const DomainRecord& domain,
                                                 const net::Prefix& prefix) const {
  std::vector<config::Route> routes;
  const auto route = domain.routes.find(prefix);
  const std::vector<NextHop>* hops = members(domain, prefix);
  if (route == domain.routes.end() || route->second.on_link || hops == nullptr) return routes;
  config::Route common;
  common.domain = domain.config.name;
  common.prefix = prefix;
  if (hops->empty()) {
    common.blackhole = true;
    routes.push_back(std::move(common));
    return routes;
  }
  for (const NextHop& hop : *hops) {
    config::Route& member = routes.emplace_back(common);
    member.ecmp = (route->second.ecmp >> (routes.size() - 1) & 1) != 0;
    member.attachment = attachment_name(hop.attachment);
    if (hop.has_via) member.via = hop.via;
    member.weight = hop.weight;
  }
  return routes;
}

std::optional<Origin> LiveModel::origin_of(const DomainRecord& domain, const net::Prefix& prefix,
                                           const NextHop* member) const {
  const auto route = domain.routes.find(prefix);
  if (route == domain.routes.end() || route->second.on_link) return std::nullopt;
  size_t place = 0;
  if (const std::vector<NextHop>* all = members(domain, prefix); member != nullptr && all != nullptr)
    place = static_cast<size_t>(std::find(all->begin(), all->end(), *member) - all->begin());
  return (route->second.from_file >> place & 1) != 0 ? Origin::file : Origin::api;
}

std::vector<config::Route> LiveModel::routes_of(const DomainRecord& domain) const {
  std::vector<config::Route> all;
  for (const auto& [prefix, route] : domain.routes) {
    for (config::Route& member : members_of(domain, prefix)) all.push_back(std::move(member));
  }
  return all;
}

size_t LiveModel::routes_of(const config::ModelChange& change) const {
  if (std::holds_alternative<config::Route>(change.subject)) return 1;
  if (const auto* named = std::get_if<config::Attachment>(&change.subject)) {
    const AttachmentRecord* record = attachment(named->name);
    return kRoutesOfAttachment + (record != nullptr ? record->routes.size() : 0);
  }
  const auto* connection = std::get_if<config::Connection>(&change.subject);
  if (connection == nullptr) return 0;
  size_t routes = absent_.size();
  for (const std::string& name : {connection->a, connection->b}) {
    if (const DomainRecord* record = domain(name)) routes += record->routes.size();
  }
  return routes;
}

void LiveModel::write_to(config::Config& config, Origins* origins, bool with_routes) const {
  Origins unwanted;
  Origins& whose = origins != nullptr ? *origins : unwanted;
  config.domains.clear();
  config.attachments.clear();
  config.routes.clear();
  config.connections.clear();
  config.objects.groups.clear();
  config.policy.clear();
  config.nat.clear();
  whose = {};
  if (with_routes) config.routes.reserve(tables_.routes.size());
  for (const auto& [name, domain] : domains_) {
    config.domains.push_back(domain.config);
    whose.domains.push_back(domain.origin);
    if (!with_routes) continue;
    for (const auto& [prefix, route] : domain.routes) {
      for (config::Route& member : members_of(domain, prefix)) config.routes.push_back(std::move(member));
    }
  }
  for (const auto& [name, attachment] : attachments_) {
    config.attachments.push_back(attachment.config);
    whose.attachments.push_back(attachment.origin);
  }
  for (const auto& [names, connection] : connections_) {
    config.connections.push_back(connection.config);
    whose.connections.push_back(connection.origin);
  }
  for (const auto& [name, group] : groups_) {
    config.objects.groups.push_back(group.config);
    whose.groups.push_back(group.origin);
  }
  for (const RuleRecord& rule : *policy_) {
    config.policy.push_back(rule.config);
    whose.policy.push_back(rule.origin);
  }
  for (const NatRecord& rule : nat_rules_) {
    config.nat.push_back(rule.config);
    whose.nat.push_back(rule.origin);
  }
}

void LiveModel::for_each_path(const VisitPath& visit) const {
  for (const auto& [way, path] : paths_) visit(way, path.hop);
}

std::vector<const AttachmentRecord*> LiveModel::users_of(const UnderlayPath& way) const {
  std::vector<const AttachmentRecord*> users;
  const auto path = paths_.find(way);
  if (path == paths_.end()) return users;
  for (const std::string& name : path->second.attachments) users.push_back(attachment(name));
  return users;
}

std::vector<NextHop> LiveModel::usable(const std::vector<NextHop>& members) const {
  std::vector<NextHop> rest;
  std::copy_if(members.begin(), members.end(), std::back_inserter(rest),
               [&](const NextHop& hop) { return !withdrawn_.contains(hop.attachment); });
  return rest;
}

std::optional<std::vector<NextHop>> LiveModel::withhold(DomainRecord& domain, const net::Prefix& prefix,
                                                        const std::vector<NextHop>* members) {
  std::optional<std::vector<NextHop>> rest;
  if (members != nullptr) rest = usable(*members);
  if (rest && rest->size() != members->size()) {
    domain.withheld.insert_or_assign(prefix, *members);
    if (rest->empty()) {
      absent_.emplace(prefix, domain.id);
      return std::nullopt;
    }
  } else {
    domain.withheld.erase(prefix);
  }
  absent_.erase({prefix, domain.id});
  return rest;
}

void LiveModel::withdraw(AttachmentId id, bool withdrawn) {
  if (tables_.attachments->find(id) == nullptr) {
    withdrawn_.erase(id);
    return;
  }
  if (withdrawn ? withdrawn_.insert(id).second : withdrawn_.erase(id) != 0)
    unsettled_.insert_or_assign(id, Settled{});
}

bool LiveModel::settle_withdrawals(size_t most, std::vector<Problem>& warnings) {
  while (!unsettled_.empty()) {
    const auto next = unsettled_.begin();
    if (!settle_withdrawal(next->first, next->second, most, warnings)) return false;
    unsettled_.erase(next);
  }
  return true;
}

bool LiveModel::settle_withdrawal(AttachmentId id, Settled& done, size_t& most,
                                  std::vector<Problem>& warnings) {
  const Attachment* there = tables_.attachments->find(id);
  if (there == nullptr) return true;  // it went, and its routes with it
  if (most == 0) return false;
  const AttachmentRecord& record = *attachment(there->name);
  DomainRecord& domain = domains_.find(record.config.domain)->second;
  if (!std::exchange(done.gateways, true)) {
    --most;  // they are few
    for (const auto& gateway : record.config.gateways) {
      const auto owner = domain.gateways.find(gateway.subnet());
      if (owner != domain.gateways.end() && owner->second == record.config.name)
        settle_route(record, domain, gateway.subnet(), warnings);
    }
  }
  auto route = done.last ? record.routes.upper_bound(*done.last) : record.routes.begin();
  for (; route != record.routes.end(); ++route) {
    if (most == 0) return false;
    --most;
    settle_route(record, domain, *route, warnings);
    done.last = *route;
  }
  return true;
}

/// Right whatever was done of it before.
void LiveModel::settle_route(const AttachmentRecord& record, DomainRecord& domain, const net::Prefix& prefix,
                             std::vector<Problem>& warnings) {
  const std::vector<NextHop>* known = members(domain, prefix);
  if (known == nullptr) return;
  const std::vector<NextHop> all = *known;
  const auto rest = withhold(domain, prefix, &all);
  if (!rest) {
    tables_.routes.remove(domain.id, prefix);
  } else if (const Status set = tables_.routes.set(domain.id, prefix, *rest); !set) {
    warnings.push_back({record.config.where, "",
                        "route " + record.config.domain + " " + net::to_string(prefix) +
                            " could not be made: " + set.error().message});
  }
}

std::vector<const config::Group*> LiveModel::configured_groups() const {
  std::vector<const config::Group*> groups;
  for (const auto& [name, record] : groups_) groups.push_back(&record.config);
  return groups;
}

size_t LiveModel::policy_work() const {
  size_t work = policy_->size() * kWorkOfRule;
  for (const auto& [name, record] : groups_) work += record.config.prefixes.size();
  return work;
}

CompiledPolicy LiveModel::compile_policy() const {
  const auto id_of = [this](std::string_view name) { return domain(name)->id; };
  CompiledPolicy next{nullptr, compiled_.nat_changed_at, {}};
  NatInput nat{{}, {}, facts_.workers, id_of};
  for (const NatRecord& rule : nat_rules_) nat.rules.push_back(&rule.config);
  for (const auto& [name, record] : domains_) nat.domains.push_back(record.id);
  next.nat = build_nat(nat, compiled_.nat);
  // Then sessions may be translated otherwise than before, so each has to be decided again.
  const bool nat_changed = next.nat != compiled_.nat;
  if (nat_changed) next.nat_changed_at = compiled_.policy.last_version;

  PolicyInput input{{},
                    settings_.profiles,
                    settings_.rulesets,
                    settings_.services,
                    {configured_groups(), settings_.prefixes, {}, id_of},
                    {},
                    nat_changed};
  for (const auto& [name, record] : attachments_)
    input.groups.attachments.push_back({&record.config, record.id});
  for (const RuleRecord& rule : *policy_) input.rules.push_back(&rule.config);
  for (const auto& [name, record] : domains_) input.connected.insert({record.id, record.id});
  for (const auto& [names, connection] : connections_) {
    const DomainId a = domain(names.first)->id, b = domain(names.second)->id;
    input.connected.insert({a, b});
    input.connected.insert({b, a});
  }
  next.policy = build_policy(input, compiled_.policy);
  return next;
}

CompiledPolicy LiveModel::take(CompiledPolicy compiled) {
  return std::exchange(compiled_, std::move(compiled));
}

std::unique_ptr<Snapshot> LiveModel::snapshot() {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = ++snapshots_;
  snapshot->workers = facts_.workers;
  snapshot->timeouts = ticks_of(settings_.timeouts);
  for (const auto& own : compiled_.policy.timeouts)
    snapshot->rule_timeouts.push_back(ticks_of(own ? with(settings_.timeouts, *own) : settings_.timeouts));
  snapshot->tcp = rules_of(settings_.tcp);
  for (const PortFacts& port : facts_.ports) {
    snapshot->ports.push_back(
        {port.name, port.mac, port.mtu, port.vlan, natives_.contains(port.index), port.tx_checksums});
  }
  snapshot->hub_addresses = hub_addresses(facts_);
  // Those that most hubs have are looked for first.
  for (const auto& port : {std::pair(kVxlanPort, KeyKind::vxlan), std::pair(kGenevePort, KeyKind::geneve)}) {
    if (udp_ports_.contains(port)) snapshot->udp_tunnels.add(port.first, port.second);
  }
  for (const auto& [port, users] : udp_ports_) snapshot->udp_tunnels.add(port.first, port.second);
  snapshot->outer_patterns = outer_patterns(snapshot->udp_tunnels, snapshot->hub_addresses);
  snapshot->tunnels = tables_.tunnels;
  snapshot->attachments = tables_.attachments;
  snapshot->domains = domain_slots_;
  snapshot->policy = compiled_.policy.policy;
  snapshot->profiles = compiled_.policy.profiles;
  snapshot->rules_generation = rules_generation_;
  for (Profile& profile : snapshot->profiles) {
    const auto before = rulesets_before_.find(profile.name);
    if (before != rulesets_before_.end()) profile.ruleset_before = before->second;
  }
  snapshot->nat = compiled_.nat;
  snapshot->nat_changed_at = compiled_.nat_changed_at;
  snapshot->log_default_deny = settings_.log_default_deny;
  snapshot->adjacencies = tables_.adjacencies;
  snapshot->board = tables_.board;
  snapshot->routes = &tables_.routes;
  return snapshot;
}

std::vector<AttachmentTable::Retired> LiveModel::path_changed(const UnderlayPath& way, const PathFacts& facts,
                                                              std::vector<Problem>& warnings) {
  std::vector<AttachmentTable::Retired> retired;
  const auto path = paths_.find(way);
  if (path == paths_.end() || path->second.facts == facts) return retired;
  path->second.facts = facts;
  for (const std::string& name : path->second.attachments) {
    const AttachmentRecord& record = *attachment(name);
    retired.push_back(tables_.attachments->set(build_attachment(
        record.config, facts_, {record.id, domain(record.config.domain)->id, path->second.hop.get(), &facts},
        warnings)));
  }
  return retired;
}

std::vector<AttachmentTable::Retired> LiveModel::mac_changed(PortIndex port, net::Mac mac) {
  std::vector<AttachmentTable::Retired> retired;
  for (PortFacts& facts : facts_.ports) {
    if (facts.index == port) facts.mac = mac;
  }
  std::vector<Problem> known;  // they were told when the attachment was made
  for (const auto& [name, record] : attachments_) {
    const Attachment* built = tables_.attachments->find(record.id);
    if (built == nullptr || built->port != port) continue;
    AttachmentPlace place{record.id, built->domain};
    if (const auto way = path_of(record.config)) {
      const Path& path = paths_.at(*way);
      place.hop = path.hop.get();
      if (path.facts) place.path = &*path.facts;
    }
    retired.push_back(tables_.attachments->set(build_attachment(record.config, facts_, place, known)));
  }
  return retired;
}

}  // namespace weir::model
