#include "mgmt/model/live_model.h"

#include "dataplane/core/time.h"
#include "mgmt/model/build_attachment.h"

namespace weir::model {

using namespace dataplane;

namespace {

/// A session key names a domain by a 16-bit slot.
constexpr uint32_t kDomainSlots = 0xffff;

dataplane::Timeouts ticks_of(const config::Timeouts& t) {
  const auto ticks = [](uint32_t seconds) { return Tick::duration(seconds * kNanosPerSecond); };
  return {ticks(t.tcp_handshake), ticks(t.tcp_established), ticks(t.tcp_closing), ticks(t.udp), ticks(t.icmp),
          ticks(t.other)};
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

std::vector<config::Route> LiveModel::members_of(const DomainRecord& domain,
                                                 const net::Prefix& prefix) const {
  std::vector<config::Route> members;
  const auto route = domain.routes.find(prefix);
  const RouteTarget* target = tables_.routes.find(domain.id, prefix);
  if (route == domain.routes.end() || route->second.on_link || target == nullptr) return members;
  config::Route common;
  common.domain = domain.config.name;
  common.prefix = prefix;
  if (target->members.empty()) {
    common.blackhole = true;
    members.push_back(std::move(common));
    return members;
  }
  for (const NextHop& hop : target->members) {
    config::Route& member = members.emplace_back(common);
    member.ecmp = (route->second.ecmp >> (members.size() - 1) & 1) != 0;
    member.attachment = attachment_name(hop.attachment);
    if (hop.has_via) member.via = hop.via;
    member.weight = hop.weight;
  }
  return members;
}

std::vector<config::Route> LiveModel::routes_of(const DomainRecord& domain) const {
  std::vector<config::Route> all;
  for (const auto& [prefix, route] : domain.routes) {
    for (config::Route& member : members_of(domain, prefix)) all.push_back(std::move(member));
  }
  return all;
}

void LiveModel::write_to(config::Config& config) const {
  config.domains.clear();
  config.attachments.clear();
  config.routes.clear();
  config.connections.clear();
  config.policy.clear();
  for (const auto& [name, domain] : domains_) {
    config.domains.push_back(domain.config);
    for (config::Route& route : routes_of(domain)) config.routes.push_back(std::move(route));
  }
  for (const auto& [name, attachment] : attachments_) config.attachments.push_back(attachment.config);
  for (const auto& [names, connection] : connections_) config.connections.push_back(connection.config);
  for (const RuleRecord& rule : *policy_) config.policy.push_back(rule.config);
}

void LiveModel::rebuild_policy() {
  PolicyInput input{{}, settings_.profiles, settings_.rulesets, {}, [this](std::string_view name) {
                      return domain(name)->id;
                    }};
  for (const RuleRecord& rule : *policy_) input.rules.push_back(&rule.config);
  for (const auto& [name, record] : domains_) input.connected.insert({record.id, record.id});
  for (const auto& [names, connection] : connections_) {
    const DomainId a = domain(names.first)->id, b = domain(names.second)->id;
    input.connected.insert({a, b});
    input.connected.insert({b, a});
  }
  compiled_ = build_policy(input, compiled_);
}

std::unique_ptr<Snapshot> LiveModel::snapshot() {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = ++snapshots_;
  snapshot->workers = facts_.workers;
  snapshot->timeouts = ticks_of(settings_.timeouts);
  for (const PortFacts& port : facts_.ports) {
    snapshot->ports.push_back(
        {port.name, port.mac, port.mtu, port.vlan, natives_.contains(port.index), port.tx_checksums});
  }
  snapshot->hub_addresses = hub_addresses(facts_);
  for (const auto& [port, users] : udp_ports_) snapshot->udp_tunnels.add(port.first, port.second);
  snapshot->tunnels = tables_.tunnels;
  snapshot->attachments = tables_.attachments;
  snapshot->domains = domain_slots_;
  snapshot->policy = compiled_.policy;
  snapshot->profiles = compiled_.profiles;
  snapshot->adjacencies = tables_.adjacencies;
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

}  // namespace weir::model
