#include "tests/support/snapshot_builder.h"

#include <algorithm>
#include <stdexcept>

#include "dataplane/core/time.h"
#include "dataplane/tunnel/outer_template.h"

namespace weir::test {

using namespace dataplane;

namespace {

template <typename T>
T require(std::optional<T> value, std::string_view text) {
  if (!value) throw std::invalid_argument("not understood: " + std::string(text));
  return *value;
}

net::Mac numbered_mac(uint8_t kind, uint32_t slot) {
  return {{0x02, kind, 0, 0, static_cast<uint8_t>(slot >> 8), static_cast<uint8_t>(slot)}};
}

std::vector<net::InterfaceAddress> gateways_of(std::string_view text) {
  std::vector<net::InterfaceAddress> list;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    list.push_back(require(net::parse_interface_address(text.substr(0, comma)), text));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return list;
}

}  // namespace

SnapshotBuilder::SnapshotBuilder() : kept_(std::make_shared<Kept>()) {
  kept_->adjacencies = AdjacencyTable::create(1'024).value();
  kept_->routes = Routes::create({.routes = 100'000, .domains = 4'096}).value();
  constexpr NanoTime s = kNanosPerSecond;
  timeouts_ = {Tick::duration(10 * s), Tick::duration(3'600 * s), Tick::duration(30 * s),
               Tick::duration(60 * s), Tick::duration(15 * s),    Tick::duration(120 * s),
               Tick::duration(2 * s),  Tick::duration(30 * s),    Tick::duration(40 * s),
               Tick::duration(60 * s)};
}

SnapshotBuilder& SnapshotBuilder::workers(uint16_t count) {
  workers_ = count;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::tcp(const TcpRules& rules) {
  tcp_ = rules;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::rule_timeouts(std::vector<Timeouts> timeouts) {
  rule_timeouts_ = std::move(timeouts);
  return *this;
}

SnapshotBuilder& SnapshotBuilder::timeouts(const Timeouts& timeouts) {
  timeouts_ = timeouts;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::port(std::string name, net::Mac mac, std::string_view hub_address,
                                       uint16_t mtu) {
  ports_.push_back({std::move(name), mac, mtu});
  return address(hub_address);
}

SnapshotBuilder& SnapshotBuilder::address(std::string_view text) {
  const net::IpAddress address = require(net::parse_ip(text), text);
  const uint16_t number = address.is_v4() ? uint16_t{0} : static_cast<uint16_t>(hub_addresses_.size() + 1);
  hub_addresses_.push_back({address, static_cast<PortIndex>(ports_.size() - 1), false, number});
  return *this;
}

SnapshotBuilder& SnapshotBuilder::underlay_vlan(uint16_t vlan) {
  ports_.back().vlan = vlan;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::domain(std::string name) {
  const auto slot = static_cast<uint32_t>(domains_.size());
  domains_.push_back({std::move(name), DomainId::make(slot, 1)});
  connections_.emplace_back(domains_.back().id, domains_.back().id);
  return *this;
}

SnapshotBuilder& SnapshotBuilder::attachment(std::string name, std::string_view domain, uint32_t vni,
                                             std::string_view remote, std::string_view gateways) {
  Tunnel tunnel;
  tunnel.id = vni;
  tunnel.remote = require(net::parse_ip(remote), remote);
  return attachment(std::move(name), domain, tunnel, gateways);
}

net::IpAddress SnapshotBuilder::hub_address(net::Family family) const {
  for (const HubAddress& a : hub_addresses_) {
    if (a.address.family == family) return a.address;
  }
  throw std::invalid_argument("the hub has no underlay address of that family");
}

SnapshotBuilder& SnapshotBuilder::attachment(std::string name, std::string_view domain, const Tunnel& tunnel,
                                             std::string_view gateways) {
  if (ports_.empty()) port("p0", {{0x02, 0, 0, 0, 0, 0x01}}, "198.18.0.1");
  const auto slot = static_cast<uint32_t>(attachments_.size());
  UnderlayHop& hop = kept_->hops.emplace_back();
  hop.set(numbered_mac(0xaa, slot));
  Attachment a;
  a.hub_mac = numbered_mac(0x57, slot);
  a.underlay = &hop;
  a.id = AttachmentId::make(slot, 1);
  a.domain = domain_id(domain);
  a.tunnel = tunnel;
  a.tunnel.local = hub_address(tunnel.remote.family);
  a.mtu = static_cast<uint16_t>(ports_[0].mtu - overhead_of(a.tunnel));
  a.gateways = gateways_of(gateways);
  if (tunnel.kind == TunnelKind::native) {
    a.hub_mac = ports_[tunnel.port].mac;
    a.port = tunnel.port;
    ports_[tunnel.port].native = true;
  }
  make_outer_template(a, ports_[0].mac, ports_[0].vlan);
  // What has no Ethernet inside has one next hop, without an address.
  if (!a.ethernet && !kept_->adjacencies->set(a.id, net::IpAddress{}, net::Mac{}))
    throw std::runtime_error("no room for an adjacency");
  for (const net::InterfaceAddress& gateway : a.gateways) {
    add_member(a.domain, gateway.subnet(), {a.id, a.domain, false, {}, 1});
  }
  attachments_.push_back({std::move(name), true, std::move(a)});
  return *this;
}

SnapshotBuilder& SnapshotBuilder::change(std::string_view name, const std::function<void(Attachment&)>& how) {
  const auto index = static_cast<size_t>(&find_attachment(name) - attachments_.data());
  how(attachments_[index].value);
  return *this;
}

SnapshotBuilder& SnapshotBuilder::remove_attachment(std::string_view name) {
  const auto index = static_cast<size_t>(&find_attachment(name) - attachments_.data());
  attachments_[index].present = false;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::route(std::string_view domain, std::string_view prefix,
                                        std::string_view attachment, std::string_view via, uint32_t weight) {
  const Attachment& a = find_attachment(attachment).value;
  NextHop member{a.id, a.domain, !via.empty(), {}, weight};
  if (member.has_via) member.via = require(net::parse_ip(via), via);
  add_member(domain_id(domain), require(net::parse_prefix(prefix), prefix), member);
  return *this;
}

SnapshotBuilder& SnapshotBuilder::blackhole(std::string_view domain, std::string_view prefix) {
  routes_.push_back({domain_id(domain), require(net::parse_prefix(prefix), prefix), {}});
  return *this;
}

SnapshotBuilder& SnapshotBuilder::connection(std::string_view a, std::string_view b) {
  connections_.emplace_back(domain_id(a), domain_id(b));
  connections_.emplace_back(domain_id(b), domain_id(a));
  return *this;
}

SnapshotBuilder& SnapshotBuilder::rule(RuleSpec spec) {
  PolicyRule rule;
  rule.id = std::move(spec.id);
  rule.action = spec.action;
  for (const std::string& name : spec.from) rule.from.domains.push_back(domain_id(name));
  for (const std::string& name : spec.to) rule.to.domains.push_back(domain_id(name));
  for (const std::string& p : spec.from_prefixes) {
    rule.from.prefixes.push_back(require(net::parse_prefix(p), p));
  }
  for (const std::string& p : spec.to_prefixes) rule.to.prefixes.push_back(require(net::parse_prefix(p), p));
  for (const PortRange& ports : spec.ports) rule.services.push_back({spec.protocol, ports});
  if (spec.ports.empty() && spec.protocol != 0) rule.services.push_back({spec.protocol, {}});
  const auto behind = [this](const std::vector<std::string>& names, PolicyEnd& end) {
    if (names.empty()) return;
    PolicyGroup group;
    for (const std::string& name : names) group.attachments.push_back(attachment_id(name));
    end.groups.push_back(std::make_shared<const PolicyGroup>(std::move(group)));
  };
  behind(spec.from_attachments, rule.from);
  behind(spec.to_attachments, rule.to);
  rule.profile = spec.profile;
  rule.watch = spec.watch;
  rule.effects = spec.effects;
  rule.names = spec.names;
  rule.if_unknown = spec.if_unknown;
  rules_.push_back(std::move(rule));
  return *this;
}

SnapshotBuilder& SnapshotBuilder::policy_rule(PolicyRule rule) {
  rules_.push_back(std::move(rule));
  return *this;
}

SnapshotBuilder& SnapshotBuilder::no_rules() {
  rules_.clear();
  return *this;
}

SnapshotBuilder& SnapshotBuilder::no_connections() {
  std::erase_if(connections_, [](const auto& c) { return c.first != c.second; });
  return *this;
}

SnapshotBuilder& SnapshotBuilder::no_routes() {
  routes_.clear();
  return *this;
}

SnapshotBuilder& SnapshotBuilder::profile(Profile profile) {
  profiles_.push_back(std::move(profile));
  return *this;
}

SnapshotBuilder& SnapshotBuilder::nat(NatRules rules) {
  nat_ = std::move(rules);
  nat_changed_at_ = version_;
  return *this;
}

DomainId SnapshotBuilder::domain_id(std::string_view name) const {
  for (const NamedDomain& d : domains_) {
    if (d.name == name) return d.id;
  }
  throw std::invalid_argument("no domain " + std::string(name));
}

const SnapshotBuilder::NamedAttachment& SnapshotBuilder::find_attachment(std::string_view name) const {
  for (const NamedAttachment& a : attachments_) {
    if (a.name == name) return a;
  }
  throw std::invalid_argument("no attachment " + std::string(name));
}

AttachmentId SnapshotBuilder::attachment_id(std::string_view name) const {
  return find_attachment(name).value.id;
}

net::Mac SnapshotBuilder::hub_mac(std::string_view attachment) const {
  return find_attachment(attachment).value.hub_mac;
}

UnderlayHop& SnapshotBuilder::underlay(std::string_view attachment) {
  return *find_attachment(attachment).value.underlay;
}

AdjacencyTable& SnapshotBuilder::adjacencies() { return *kept_->adjacencies; }
Routes& SnapshotBuilder::routes() { return *kept_->routes; }

AttachmentBoard& SnapshotBuilder::board() { return kept_->board; }

void SnapshotBuilder::add_member(DomainId domain, const net::Prefix& prefix, const NextHop& member) {
  for (NamedRoute& route : routes_) {
    if (route.domain == domain && route.prefix == prefix) {
      route.members.push_back(member);
      return;
    }
  }
  routes_.push_back({domain, prefix, {member}});
}

void SnapshotBuilder::build_routes() {
  Routes& routes = *kept_->routes;
  for (const NamedDomain& domain : domains_) {
    if (!routes.add_domain(domain.id)) throw std::invalid_argument("too many domains");
    std::vector<net::Prefix> gone;
    routes.for_each(domain.id, [&](const net::Prefix& prefix, const RouteTarget&) {
      const bool stays = std::any_of(routes_.begin(), routes_.end(), [&](const NamedRoute& r) {
        return r.domain == domain.id && r.prefix == prefix;
      });
      if (!stays) gone.push_back(prefix);
      return true;
    });
    for (const net::Prefix& prefix : gone) routes.remove(domain.id, prefix);
    std::vector<DomainId> left;
    routes.for_each_connection(domain.id, [&](DomainId peer, const Routes::Exposure&) {
      const std::pair pair(domain.id, peer);
      if (std::find(connections_.begin(), connections_.end(), pair) == connections_.end())
        left.push_back(peer);
    });
    for (const DomainId peer : left) routes.disconnect(domain.id, peer);
  }
  for (const NamedRoute& route : routes_) {
    if (!routes.set(route.domain, route.prefix, route.members))
      throw std::invalid_argument("too many routes");
  }
  for (const auto& [from, to] : connections_) {
    if (!routes.connect(from, to)) throw std::invalid_argument("no such domain");
  }
  routes.finish(routes.take_pending());  // tests change routes only while no worker turns
}

uint16_t SnapshotBuilder::number_of(const net::IpAddress& local) const {
  for (const HubAddress& a : hub_addresses_) {
    if (a.address == local) return a.number;
  }
  return 0;
}

UdpTunnels SnapshotBuilder::build_udp_tunnels() const {
  UdpTunnels udp_tunnels;
  for (const NamedAttachment& named : attachments_) {
    const Tunnel& t = named.value.tunnel;
    const auto kind = t.kind == TunnelKind::vxlan ? KeyKind::vxlan : KeyKind::geneve;
    if (over_udp(t.kind) && !udp_tunnels.add(t.udp_port, kind))
      throw std::invalid_argument("a UDP port for two kinds of tunnel");
  }
  return udp_tunnels;
}

std::shared_ptr<const TunnelTable> SnapshotBuilder::build_tunnels() const {
  std::vector<TunnelTable::Entry> entries;
  for (const NamedAttachment& named : attachments_) {
    const Attachment& a = named.value;
    if (!named.present) continue;
    for (const TunnelKey& key : keys_of(a.tunnel, number_of(a.tunnel.local))) {
      entries.push_back({key, a.id});
      if (key.kind() != KeyKind::native) entries.push_back({key.peer(), TunnelTable::kPeer});
    }
  }
  auto table = TunnelTable::build(entries);
  if (!table) throw std::invalid_argument(table.error().message);
  return std::make_shared<const TunnelTable>(std::move(*table));
}

std::shared_ptr<const PolicyTable> SnapshotBuilder::build_policy() const {
  std::vector<Connection> list;
  for (const auto& [from, to] : connections_) list.push_back({from, to, version_});
  return std::make_shared<const PolicyTable>(PolicyTable::build(rules_, std::move(list)));
}

std::unique_ptr<Snapshot> SnapshotBuilder::build() {
  if (ports_.empty()) port("p0", {{0x02, 0, 0, 0, 0, 0x01}}, "198.18.0.1");
  ++version_;
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = version_;
  snapshot->workers = workers_;
  snapshot->timeouts = timeouts_;
  snapshot->rule_timeouts = rule_timeouts_;
  snapshot->tcp = tcp_;
  snapshot->ports = ports_;
  snapshot->hub_addresses = hub_addresses_;
  snapshot->udp_tunnels = build_udp_tunnels();
  snapshot->outer_patterns = dataplane::outer_patterns(snapshot->udp_tunnels, snapshot->hub_addresses);
  snapshot->tunnels = build_tunnels();
  snapshot->policy = build_policy();
  snapshot->profiles = profiles_;
  if (!nat_.empty()) snapshot->nat = std::make_shared<NatTable>(nat_, workers_);
  snapshot->nat_changed_at = nat_changed_at_;
  snapshot->adjacencies = kept_->adjacencies.get();
  snapshot->board = &kept_->board;
  build_routes();
  snapshot->routes = kept_->routes.get();

  std::vector<Attachment> slots;
  for (const NamedAttachment& named : attachments_) {
    slots.push_back(named.present ? named.value : Attachment{});
  }
  // The table's owner also owns what the table points to.
  using Owner = std::pair<AttachmentTable, std::shared_ptr<Kept>>;
  const auto owner = std::make_shared<Owner>(AttachmentTable(std::move(slots)), kept_);
  snapshot->attachments = {owner, &owner->first};

  for (const NamedDomain& domain : domains_) {
    snapshot->domains.push_back(std::make_shared<const Domain>(Domain{domain.id, domain.name}));
  }
  return snapshot;
}

}  // namespace weir::test
