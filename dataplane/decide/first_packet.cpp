#include "dataplane/decide/first_packet.h"

#include <algorithm>
#include <array>

#include "dataplane/decide/flow_hash.h"
#include "dataplane/decide/owner.h"
#include "dataplane/decide/rendezvous.h"
#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

/// Not the owner's: the sessions of one worker shall use all members.
constexpr uint32_t kMemberSeed = 0xcc9e'2d51;
/// What a server wins has nothing to do with which way leads to it.
constexpr uint64_t kServerSeed = 0x6f29'1c8e'53d7'b04a;

uint64_t full_name(const NextHop& member) {
  if (!member.has_via) return mixed(member.attachment.value);
  return mixed(member.attachment.value ^ mixed(member.via.bits.hi ^ mixed(member.via.bits.lo)));
}

template <typename Usable, typename Bid>
const NextHop* highest(const RouteTarget& target, Usable&& usable, Bid&& bid) {
  const NextHop* best = nullptr;
  decltype(bid(target.members.front())) best_bid{};
  for (const NextHop& member : target.members) {
    if (!usable(member)) continue;
    const auto b = bid(member);
    if (best != nullptr && b <= best_bid) continue;
    best = &member;
    best_bid = b;
  }
  return best;
}

/// The member of `target` for this flow among those that `usable` accepts: the one named `keep` if there is
/// one; null if there is none at all.
template <typename Usable>
const NextHop* choose(const RouteTarget& target, uint32_t hash, MemberName keep, Usable&& usable) {
  if (target.members.size() == 1) return usable(target.members.front()) ? &target.members.front() : nullptr;
  if (keep != 0) {
    for (const NextHop& member : target.members) {
      if (name_of(member) == keep && usable(member)) return &member;
    }
  }
  if (target.equal_weights) {
    return highest(target, usable,
                   [hash](const NextHop& member) { return rendezvous_bid(full_name(member), hash); });
  }
  return highest(target, usable, [hash](const NextHop& member) {
    return rendezvous_bid(full_name(member), hash, member.weight);
  });
}

/// Addresses that never are routed, or a packet from a host to itself.
bool is_never_routed(const Tuple& tuple) {
  return net::is_martian(tuple.src) || net::is_martian(tuple.dst) || tuple.src == tuple.dst;
}

/// A member of the domain's own route to `address` that `accept` takes.
template <typename Accept>
ReverseHop hop_to(const Snapshot& snapshot, DomainId domain, const net::IpAddress& address, uint32_t hash,
                  MemberName keep, Accept&& accept) {
  ReverseHop answer;
  const Routes::Match match = snapshot.routes->lookup_own(domain, address);
  if (!match) return answer;
  answer.cell = match.cell;
  const NextHop* member = choose(*match.target, hash, keep, accept);
  if (member == nullptr) return answer;
  answer.found = true;
  answer.next_hop = *member;
  return answer;
}

}  // namespace

MemberName name_of(const NextHop& member) { return static_cast<MemberName>(full_name(member)) | 1; }

bool is_usable(const Snapshot& snapshot, const NextHop& member) { return snapshot.usable(member.attachment); }

ReverseHop reverse_hop(const Snapshot& snapshot, DomainId domain, const net::IpAddress& source,
                       AttachmentId ingress, uint32_t hash, bool any_way, MemberName keep) {
  const ReverseHop way = hop_to(snapshot, domain, source, hash, keep,
                                [&](const NextHop& member) { return member.attachment == ingress; });
  if (way.found || !any_way) return way;
  return hop_to(snapshot, domain, source, hash, keep, [](const NextHop&) { return true; });
}

/// Any way to `address` by the domain's own routes that is usable.
static ReverseHop usable_hop(const Snapshot& snapshot, DomainId domain, const net::IpAddress& address,
                             uint32_t hash, MemberName keep) {
  return hop_to(snapshot, domain, address, hash, keep,
                [&](const NextHop& member) { return is_usable(snapshot, member); });
}

/// Where a route leads.
static RouteAnswer answer_of(const Snapshot& snapshot, const Routes::Match& match, uint32_t hash,
                             MemberName keep) {
  RouteAnswer answer;
  answer.length = match.length;
  answer.cell = match.cell;
  if (match.target->members.empty()) {
    answer.drop = DropReason::blackhole;
    return answer;
  }
  const NextHop* member =
      choose(*match.target, hash, keep, [&](const NextHop& m) { return is_usable(snapshot, m); });
  if (member == nullptr) {
    answer.drop = DropReason::attachment_down;
    return answer;
  }
  answer.next_hop = *member;
  return answer;
}

/// An address that is known to be one of the domain's: by its own routes only.
static RouteAnswer find_own_route(const Snapshot& snapshot, DomainId domain,
                                  const net::IpAddress& destination, uint32_t hash, MemberName keep) {
  const Routes::Match own = snapshot.routes->lookup_own(domain, destination);
  if (own) return answer_of(snapshot, own, hash, keep);
  RouteAnswer answer;
  answer.drop = DropReason::no_route;
  return answer;
}

RouteAnswer find_route(const Snapshot& snapshot, DomainId domain, const net::IpAddress& destination,
                       uint32_t hash, MemberName keep) {
  const Routes::Match own = snapshot.routes->lookup_own(domain, destination);
  const Routes::ExposedMatch exposed =
      snapshot.routes->lookup_exposed(domain, destination, own ? own.length : -1);
  if (!own && !exposed) {
    RouteAnswer answer;
    answer.drop = exposed.elsewhere ? DropReason::no_connection : DropReason::no_route;
    return answer;
  }
  RouteAnswer answer = answer_of(snapshot, exposed ? exposed : own, hash, keep);
  answer.exposed = static_cast<bool>(exposed);
  return answer;
}

bool server_reached(const Snapshot& snapshot, const PublishedRule& rule, size_t server) {
  const net::IpAddress& address = rule.servers[server].address;
  return find_own_route(snapshot, rule.domain, address, 0, 0).drop == DropReason::none;
}

/// A binding lives on with its sessions, who are decided again one by one. Beside them nobody gets to a host
/// by it for which the rules, as they are now, would not make it.
static bool leads_inside(const NatTable& nat, const NatTable::Destination& to, uint16_t seen_by,
                         const Binding& b) {
  if (to.kind == NatKind::pool && nat.may_use_pool(to.rule, b.host, b.inside) &&
      Bindings::fits(nat.rules().pools[to.rule], b))
    return true;
  return b.announced && nat.publishes_ftp(seen_by, b.outside, b.host, b.inside);
}

/// Where the packet is meant to go.
static DropReason translate_destination(const NatTable& nat, const FirstPacket& packet,
                                        FirstDecision& decision) {
  const auto slot = static_cast<uint16_t>(decision.from_domain.index());
  NatTable::Destination& to = decision.destination;
  to = nat.destination(slot, packet.tuple);
  if (to.kind == NatKind::unmapped) return DropReason::nat_unmapped;
  if (to.kind == NatKind::pool || to.kind == NatKind::closed) {
    // By NAT64 sessions begin from within alone: what comes from outside belongs to one, or to nobody.
    if (packet.binding == nullptr || packet.binding->inside.family != packet.tuple.dst.family ||
        !leads_inside(nat, to, slot, *packet.binding))
      return DropReason::nat_closed;
    to.address = packet.binding->inside;
    to.port = packet.binding->inside_port;
    to.domain = packet.binding->host;
  }
  decision.translated.dst = to.address;
  decision.translated.dst_port = to.port;
  if (to.kind == NatKind::nat64 && packet.tuple.protocol == net::kProtoIcmpv6)
    decision.translated.protocol = net::kProtoIcmp;
  // ICMP: both are the identifier (core/tuple.h).
  if (port_class(packet.tuple.protocol) == PortClass::icmp) decision.translated.src_port = to.port;
  return DropReason::none;
}

/// Which of several servers the packet goes to: the one that its session has already, else by weight one that
/// is reached. False: none is.
static bool choose_server(const Snapshot& snapshot, const FirstPacket& packet, uint32_t hash,
                          FirstDecision& decision) {
  if (decision.destination.kind != NatKind::published) return true;
  const PublishedRule& rule = snapshot.nat->rules().published[decision.destination.rule];
  if (rule.servers.empty()) return true;
  const auto take = [&](size_t i) {
    decision.destination.address = decision.translated.dst = rule.servers[i].address;
    return true;
  };
  std::array<double, PublishedRule::kMaxServers> bids;
  const auto end = bids.begin() + static_cast<std::ptrdiff_t>(rule.servers.size());
  for (size_t i = 0; i < rule.servers.size(); ++i) {
    const PublishedRule::Server& server = rule.servers[i];
    if (packet.server && server.address == *packet.server) return take(i);
    const uint64_t name = mixed(server.address.bits.hi ^ mixed(server.address.bits.lo ^ kServerSeed));
    bids[i] = rendezvous_bid(name, hash, server.weight);
  }
  for (;;) {
    const auto best = std::max_element(bids.begin(), end);
    if (*best <= 0) return false;
    const auto i = static_cast<size_t>(best - bids.begin());
    if (server_reached(snapshot, rule, i)) return take(i);
    *best = 0;
  }
}

/// What the source becomes; nat_conflict: the answers would not come back to this session.
static DropReason translate_source(const Snapshot& snapshot, const Tuple& tuple, FirstDecision& decision) {
  const NatTable& nat = *snapshot.nat;
  const DomainId from = decision.from_domain, to = decision.to_domain;
  decision.source = nat.source(from, to, tuple, decision.destination);
  // A pool's port is this worker's, and so is what is sent to it.
  if (decision.source.kind == NatKind::pool) return DropReason::none;
  if (decision.source.kind == NatKind::unmapped) return DropReason::nat_unmapped;
  Tuple& leaves = decision.translated;
  if (decision.source.kind == NatKind::fixed) leaves.src = decision.source.address;
  const Tuple answer = leaves.reversed();
  const NatTable::Destination back = nat.destination(static_cast<uint16_t>(to.index()), answer);
  const bool comes_back = back.kind == decision.source.kind && back.address == tuple.src &&
                          detail::owner_behind(nat, answer, back, snapshot) ==
                              detail::owner_behind(nat, tuple, decision.destination, snapshot);
  return comes_back ? DropReason::none : DropReason::nat_conflict;
}

static FirstDecision look_up_route(const Snapshot& snapshot, const FirstPacket& packet) {
  FirstDecision decision;
  const auto dropped = [&decision](DropReason reason) {
    decision.drop = reason;
    return decision;
  };

  const Attachment* ingress = snapshot.attachment(packet.ingress);
  const Domain* from = ingress == nullptr ? nullptr : snapshot.domain(ingress->domain);
  if (from == nullptr) return dropped(DropReason::stale_attachment);
  decision.from_domain = from->id;
  // No host has the hub's own address: a packet from it is forged.
  if (is_never_routed(packet.tuple) || ingress->is_gateway(packet.tuple.src))
    return dropped(DropReason::inner_martian);
  const uint32_t hash = ecmp_hash(packet.tuple);
  ReverseHop reverse = reverse_hop(snapshot, from->id, packet.tuple.src, packet.ingress, hash,
                                   !ingress->reverse_path, packet.keep[1]);
  if (!reverse.found) return dropped(DropReason::reverse_path);
  if (!snapshot.usable(packet.ingress)) {  // packets still come that way; the replies take another
    reverse = usable_hop(snapshot, from->id, packet.tuple.src, hash, packet.keep[1]);
    if (!reverse.found) return dropped(DropReason::attachment_down);
  }
  // Nor one that is the hub's in another attachment, to which the answers would go.
  if (reverse.next_hop.attachment != packet.ingress) [[unlikely]] {
    const Attachment* other = snapshot.attachment(reverse.next_hop.attachment);
    if (other != nullptr && other->is_gateway(packet.tuple.src)) return dropped(DropReason::inner_martian);
  }
  decision.reverse = reverse.next_hop;
  decision.route[1] = reverse.cell;
  decision.route_version[1] = snapshot.routes->version(reverse.cell);

  decision.last_step = Step::route;
  if (ingress->is_gateway(packet.tuple.dst)) return dropped(DropReason::inner_hub_address);
  decision.translated = packet.tuple;
  if (snapshot.nat != nullptr) {
    const DropReason refused = translate_destination(*snapshot.nat, packet, decision);
    if (refused != DropReason::none) return dropped(refused);
    if (!choose_server(snapshot, packet, hash, decision)) return dropped(DropReason::attachment_down);
  }
  const net::IpAddress& dst = decision.translated.dst;
  const DomainId meant = decision.destination.domain;
  const RouteAnswer route = meant.valid() ? find_own_route(snapshot, meant, dst, hash, packet.keep[0])
                                          : find_route(snapshot, from->id, dst, hash, packet.keep[0]);
  decision.route_length = route.length;
  decision.route_exposed = route.exposed;
  if (route.drop != DropReason::none) return dropped(route.drop);
  decision.forward = route.next_hop;
  decision.to_domain = route.next_hop.domain;
  decision.route[0] = route.cell;
  decision.route_version[0] = snapshot.routes->version(route.cell);
  if (snapshot.attachment(route.next_hop.attachment)->is_gateway(dst))
    return dropped(DropReason::inner_hub_address);
  decision.last_step = Step::connection;
  if (snapshot.nat != nullptr) {
    const DropReason refused = translate_source(snapshot, packet.tuple, decision);
    if (refused != DropReason::none) return dropped(refused);
    if (decision.translated.src == dst) return dropped(DropReason::inner_martian);
  }
  return decision;
}

FirstDecision decide_route(const Snapshot& snapshot, const FirstPacket& packet) {
  const uint64_t before = snapshot.routes->changes();
  FirstDecision decision = look_up_route(snapshot, packet);
  // Of what was looked up while routes changed no version may tell that it is out of date
  // (Routes::changes()): a version that is behind has the session decide again with its next packet.
  if (snapshot.routes->changes() != before) [[unlikely]] {
    for (uint32_t& version : decision.route_version) --version;
  }
  return decision;
}

FirstDecision decide_first_packet(const Snapshot& snapshot, const FirstPacket& packet) {
  FirstDecision decision = decide_route(snapshot, packet);
  if (decision.drop != DropReason::none) return decision;
  const auto dropped = [&decision](DropReason reason) {
    decision.drop = reason;
    return decision;
  };

  decision.connection = snapshot.policy->find(decision.from_domain, decision.to_domain);
  if (decision.connection == PolicyTable::kNotConnected) return dropped(DropReason::no_connection);
  decision.policy_version = snapshot.policy->version(decision.connection);

  decision.last_step = Step::policy;
  Tuple seen = decision.translated;
  seen.src = packet.tuple.src;
  seen.src_port = packet.tuple.src_port;
  seen.protocol = packet.tuple.protocol;
  decision.icmp_type = packet.icmp_type ? *packet.icmp_type : echo_request_type(seen.protocol);
  decision.policy = snapshot.policy->classify(
      decision.connection,
      {seen, packet.ingress, decision.forward.attachment, decision.icmp_type, packet.names});
  if (refuses(decision.policy.action) && !decision.policy.open_allows) {
    if (decision.policy.action == PolicyAction::reject) return dropped(DropReason::policy_reject);
    return dropped(decision.policy.rule == kDefaultDeny ? DropReason::policy_default_deny
                                                        : DropReason::policy_deny);
  }
  decision.last_step = Step::done;
  return decision;
}

AdjacencyId find_adjacency(const Snapshot& snapshot, const NextHop& next_hop,
                           const net::IpAddress& destination) {
  // What has no Ethernet inside has one next hop, its peer, under no address.
  const Attachment* attachment = snapshot.attachment(next_hop.attachment);
  if (attachment != nullptr && !attachment->ethernet)
    return snapshot.adjacencies->find(next_hop.attachment, net::IpAddress{});
  return snapshot.adjacencies->find(next_hop.attachment, next_hop.has_via ? next_hop.via : destination);
}

uint32_t ecmp_hash(const Tuple& tuple) { return symmetric_hash(tuple, kMemberSeed); }

}  // namespace weir::dataplane
