// What happens to a session's first packet, as one pure function over the snapshot and what it points to.
//
// The worker's slow path, re-decision after a change, and `weirctl path` all call these; there is no second
// reading of routes, connections and policy anywhere.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/core/snapshot.h"
#include "dataplane/core/tuple.h"
#include "dataplane/core/verdict.h"
#include "dataplane/nat/bindings.h"

namespace weir::dataplane {

/// Names a member of a route by its attachment and router, whatever its weight. 0: none.
using MemberName = uint32_t;
MemberName name_of(const NextHop& member);

struct FirstPacket {
  AttachmentId ingress;  // where the initiator's packet came in
  Tuple tuple;           // in the initiator's direction
  /// The members that a live session uses, towards the destination and towards the source: kept while their
  /// route has them and they are usable.
  MemberName keep[2] = {0, 0};
  /// Where a live session goes that is translated: of several servers that share a published address and port
  /// it stays with that one while it is one of them, reached or not.
  std::optional<net::IpAddress> server = {};
  /// Sent to a pool's or a published address: the binding there; null: there is none.
  const Binding* binding = nullptr;
  /// Of ICMP and ICMPv6; nothing: an echo request.
  std::optional<uint8_t> icmp_type = {};
  /// What is known of the session's names; null: they are given up.
  const NameSource* names = nullptr;
};

/// The steps in the order in which they are taken; a caller that explains shows them up to `last_step`.
enum class Step : uint8_t { reverse_path, route, connection, policy, done };

struct FirstDecision {
  DropReason drop = DropReason::none;
  Step last_step = Step::reverse_path;  // where it was dropped; done: it passed
  DomainId from_domain;
  DomainId to_domain;          // valid from Step::connection on
  NextHop reverse;             // towards the initiator; valid from Step::route on
  NextHop forward;             // towards the destination; valid from Step::connection on
  uint8_t route_length = 0;    // of the prefix that matched
  bool route_exposed = false;  // it is a connected domain's
  PolicyTable::ConnectionIndex connection = PolicyTable::kNotConnected;
  PolicyDecision policy;  // valid from Step::policy on
  uint8_t icmp_type = 0;  // of ICMP and ICMPv6, as policy saw it
  /// What decided: the route of the destination, that of the source, the policy between the two domains.
  RouteCell route[2] = {0, 0};
  uint32_t route_version[2] = {0, 0};
  uint32_t policy_version = 0;
  /// Valid from Step::connection on: how the packet leaves, but for a source that gets a pool's address and
  /// port (`source.kind` is NatKind::pool), which are the worker's to take.
  Tuple translated;
  NatTable::Destination destination;
  NatTable::Source source;
  /// It passed, but a rule may still decide otherwise once a name is known.
  bool pending() const { return last_step == Step::done && !policy.final(); }
  bool is_translated() const { return destination.kind != NatKind::none || source.kind != NatKind::none; }
};

/// Reverse-path check, destination translation, route (with its ECMP member), source translation, connection,
/// policy, in that order. Policy sees the source as it is and the destination as translated. Where a rule
/// that would let the session through may still match once a name is known, it passes
/// (FirstDecision::pending()).
///
/// A source has to be reached, by its own domain's routes, through the attachment that the packet came in by.
/// With that check go two others: an ingress attachment or domain that is gone is `stale_attachment`;
/// addresses that are never routed, a packet from an address to itself, and one from the hub's own address in
/// that attachment are `inner_martian`. With the route goes: the hub's own address, in the attachment that
/// the packet came in by or would leave by, is no destination (`inner_hub_address`).
FirstDecision decide_first_packet(const Snapshot& snapshot, const FirstPacket& packet);

/// The same up to the route, Step::connection if it passes: for a live session whose policy has not moved.
FirstDecision decide_route(const Snapshot& snapshot, const FirstPacket& packet);

struct ReverseHop {
  bool found = false;
  NextHop next_hop;
  RouteCell cell = 0;
};
/// The reverse-path check: the next hop towards `source` through the attachment that it came in by, if the
/// domain's own routes lead there. With `any_way` (attachment.reverse_path = false) elsewhere will do, if
/// there is no way through that attachment. `hash` is ecmp_hash() of the packet's tuple.
ReverseHop reverse_hop(const Snapshot& snapshot, DomainId domain, const net::IpAddress& source,
                       AttachmentId ingress, uint32_t hash, bool any_way, MemberName keep = 0);

struct RouteAnswer {
  DropReason drop = DropReason::none;  // no_route, no_connection, blackhole, attachment_down
  NextHop next_hop;
  RouteCell cell = 0;
  uint8_t length = 0;
  bool exposed = false;
};
/// Longest match of the domain's own routes and the exposed ones, own on a tie: two look-ups, or one if the
/// own match cannot be beaten. `hash` is the session's ecmp_hash() and picks one of several members. Members
/// that are not usable do not count (gone, or down on the AttachmentBoard); if none is left,
/// `attachment_down`.
RouteAnswer find_route(const Snapshot& snapshot, DomainId domain, const net::IpAddress& destination,
                       uint32_t hash, MemberName keep = 0);

/// Do the routes of the rule's domain lead to this one of its several servers, by an attachment that is up?
/// One that is not reached is given no session.
bool server_reached(const Snapshot& snapshot, const PublishedRule& rule, size_t server);

/// May packets be sent there? Asked for first packets and when a session is decided again.
bool is_usable(const Snapshot& snapshot, const NextHop& member);

/// The adjacency of `next_hop` for packets to `destination`: known, or an invalid id.
AdjacencyId find_adjacency(const Snapshot& snapshot, const NextHop& next_hop,
                           const net::IpAddress& destination);

/// The same in both directions of a session.
uint32_t ecmp_hash(const Tuple& tuple);

}  // namespace weir::dataplane
