#include "dataplane/decide/first_packet.h"

#include <cmath>

#include "dataplane/decide/flow_hash.h"

namespace weir::dataplane {

namespace {

/// Not the owner's: the sessions of one worker shall use all members.
constexpr uint32_t kMemberSeed = 0xcc9e'2d51;

/// splitmix64's finaliser: every bit of the result depends on every bit of `x`.
uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9ULL;
  x = (x ^ x >> 27) * 0x94d0'49bb'1331'11ebULL;
  return x ^ x >> 31;
}

/// What `member` bids for this flow. The highest bid wins with probability weight / sum of weights (weighted
/// rendezvous hashing), and bids do not depend on one another, so a member that leaves moves only its own
/// flows.
double bid(const NextHop& member, uint32_t hash) {
  const uint64_t name = member.attachment.value ^ mixed(member.via.bits.hi ^ mixed(member.via.bits.lo));
  const uint64_t random = mixed(mixed(name) ^ hash);
  const double uniform = (static_cast<double>(random >> 11) + 0.5) * 0x1p-53;  // in (0, 1)
  return -static_cast<double>(member.weight) / std::log(uniform);
}

/// The member of `target` for this flow among those that `usable` accepts; null if there is none.
template <typename Usable>
const NextHop* choose(const RouteTarget& target, uint32_t hash, Usable&& usable) {
  const NextHop* best = nullptr;
  double best_bid = 0;
  for (const NextHop& member : target.members) {
    if (!usable(member)) continue;
    const double b = target.members.size() == 1 ? 0 : bid(member, hash);
    if (best != nullptr && b <= best_bid) continue;
    best = &member;
    best_bid = b;
  }
  return best;
}

/// Addresses that never are routed, or a packet from a host to itself.
bool is_never_routed(const Tuple& tuple) {
  return net::is_martian(tuple.src) || net::is_martian(tuple.dst) || tuple.src == tuple.dst;
}

}  // namespace

const NextHop* reverse_hop(const Domain& domain, const net::IpAddress& source, AttachmentId ingress,
                           uint32_t hash) {
  const auto match = domain.own.lookup(source);
  if (!match) return nullptr;
  return choose(domain.targets[match->target], hash,
                [&](const NextHop& member) { return member.attachment == ingress; });
}

/// Any way to `address` by the domain's own routes that is usable; null if there is none.
static const NextHop* usable_hop(const Snapshot& snapshot, const Domain& domain,
                                 const net::IpAddress& address, uint32_t hash) {
  const auto match = domain.own.lookup(address);
  if (!match) return nullptr;
  return choose(domain.targets[match->target], hash,
                [&](const NextHop& member) { return snapshot.usable(member.attachment); });
}

RouteAnswer find_route(const Snapshot& snapshot, const Domain& domain, const net::IpAddress& destination,
                       uint32_t hash) {
  const auto own = domain.own.lookup(destination);
  const auto exposed = domain.exposed.lookup(destination);
  RouteAnswer answer;
  if (!own && !exposed) {
    const bool elsewhere = snapshot.all_routes->table.lookup(destination).has_value();
    answer.drop = elsewhere ? DropReason::no_connection : DropReason::no_route;
    return answer;
  }
  answer.exposed = !own || (exposed && exposed->length > own->length);
  const RouteTable::Match& match = answer.exposed ? *exposed : *own;
  answer.length = match.length;
  const RouteTarget& target = domain.targets[match.target];
  if (target.members.empty()) {
    answer.drop = DropReason::blackhole;
    return answer;
  }
  const NextHop* member =
      choose(target, hash, [&](const NextHop& m) { return snapshot.usable(m.attachment); });
  if (member == nullptr) {
    answer.drop = DropReason::attachment_down;
    return answer;
  }
  answer.next_hop = *member;
  return answer;
}

FirstDecision decide_first_packet(const Snapshot& snapshot, const FirstPacket& packet) {
  FirstDecision decision;
  const auto dropped = [&decision](DropReason reason) {
    decision.drop = reason;
    return decision;
  };

  const Attachment* ingress = snapshot.attachment(packet.ingress);
  const Domain* from = ingress == nullptr ? nullptr : snapshot.domain(ingress->domain);
  if (from == nullptr) return dropped(DropReason::stale_attachment);
  decision.from_domain = from->id;
  decision.route_version = from->route_version;
  // No host has the hub's own address: a packet from it is forged.
  if (is_never_routed(packet.tuple) || ingress->is_gateway(packet.tuple.src))
    return dropped(DropReason::inner_martian);
  const uint32_t hash = ecmp_hash(packet.tuple);
  const NextHop* reverse = reverse_hop(*from, packet.tuple.src, packet.ingress, hash);
  if (reverse == nullptr) return dropped(DropReason::reverse_path);
  if (!snapshot.usable(packet.ingress)) {  // packets still come that way; the replies take another
    reverse = usable_hop(snapshot, *from, packet.tuple.src, hash);
    if (reverse == nullptr) return dropped(DropReason::attachment_down);
  }
  decision.reverse = *reverse;

  decision.last_step = Step::route;
  if (ingress->is_gateway(packet.tuple.dst)) return dropped(DropReason::inner_hub_address);
  const RouteAnswer route = find_route(snapshot, *from, packet.tuple.dst, hash);
  decision.route_length = route.length;
  decision.route_exposed = route.exposed;
  if (route.drop != DropReason::none) return dropped(route.drop);
  decision.forward = route.next_hop;
  decision.to_domain = route.next_hop.domain;
  if (snapshot.attachment(route.next_hop.attachment)->is_gateway(packet.tuple.dst))
    return dropped(DropReason::inner_hub_address);

  decision.last_step = Step::connection;
  decision.connection = snapshot.policy->find(decision.from_domain, decision.to_domain);
  if (decision.connection == PolicyTable::kNotConnected) return dropped(DropReason::no_connection);
  decision.policy_version = snapshot.policy->version(decision.connection);

  decision.last_step = Step::policy;
  decision.policy = snapshot.policy->classify(decision.connection, packet.tuple);
  if (decision.policy.action == PolicyAction::deny) {
    return dropped(decision.policy.rule == kDefaultDeny ? DropReason::policy_default_deny
                                                        : DropReason::policy_deny);
  }
  decision.last_step = Step::done;
  return decision;
}

uint32_t ecmp_hash(const Tuple& tuple) { return symmetric_hash(tuple, kMemberSeed); }

}  // namespace weir::dataplane
