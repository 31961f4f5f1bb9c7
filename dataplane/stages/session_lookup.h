// Packet -> session. What a hit that nothing has changed for takes is here, inline; everything else is in
// session_lookup.cpp.
#pragma once

#include <concepts>

#include "dataplane/session/tcp_state.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Packets that settled() does not take: no session, one that something has changed for since it was decided,
/// that is over, that came in by another way, or whose state the packet may move. On go_on the meta names
/// session, direction and adjacency, and the packet is counted. (session_lookup.cpp)
[[gnu::noinline]] Next session_unsettled(WorkerContext& ctx, rte_mbuf* mbuf);

/// Of the low part of a counter. True: it wraps, which the caller carries into the cold part, so that totals
/// are exact.
template <std::unsigned_integral Low>
[[gnu::always_inline]] inline bool count_up(Low& low, Low n) {
  low = static_cast<Low>(low + n);
  return low < n;
}

/// The packet is one of the session's, in either of its counters.
[[gnu::always_inline]] inline void count(WorkerContext& ctx, Session& session, Direction direction,
                                         uint16_t bytes) {
  const size_t d = static_cast<size_t>(direction);
  if (count_up(session.packets[d], uint16_t{1})) [[unlikely]]
    ++ctx.sessions->cold(ctx.sessions->index_of(session)).packets_high[d];
  if (count_up(session.bytes[d], uint32_t{bytes})) [[unlikely]]
    ++ctx.sessions->cold(ctx.sessions->index_of(session)).bytes_high[d];
}

/// A segment that acknowledges and may carry data, of a session whose handshake the hub has followed: all
/// that it can move are the windows. False: it is more than that, or lies outside.
[[gnu::always_inline]] inline bool take_segment(SessionTable& sessions, rte_mbuf* mbuf,
                                                const Session& session, Direction direction) {
  const PacketMeta& meta = meta_of(mbuf);
  if (session.state != SessionState::established || (meta.tcp_flags & (kSyn | kFin | kRst | kAck)) != kAck ||
      meta.fragment) [[unlikely]] {
    return false;
  }
  const auto& tcp = *reinterpret_cast<const net::TcpHeader*>(data_of(mbuf) + meta.ip_offset + meta.l4_offset);
  const uint32_t seq = tcp.seq.host();
  const uint32_t end = seq + static_cast<uint32_t>(meta.ip_length - meta.payload_offset);
  return sessions.tcp(sessions.index_of(session))
      .take(direction, seq, tcp.ack.host(), end, tcp.window.host());
}

/// What decided the session holds still.
inline bool is_current(const Snapshot& snapshot, const Session& session) {
  const Routes& routes = *snapshot.routes;
  return session.versions == versions_of(snapshot.policy->version(session.connection),
                                         routes.version(session.route[0]), routes.version(session.route[1]));
}

/// What session look-ups read of a snapshot. On the stack of a burst's loop, where the compiler knows that no
/// packet's bytes are it.
class SettledLookup {
 public:
  explicit SettledLookup(const Snapshot& snapshot)
      : adjacencies_(snapshot.adjacencies->reader()),
        route_versions_(snapshot.routes->versions()),
        policy_versions_(snapshot.policy->versions()) {}

  /// The packet belongs to the session that was found, and moves nothing of it but TCP's windows, which have
  /// moved then: it goes to `next_hop`.
  [[gnu::always_inline]] bool settled(SessionTable& sessions, rte_mbuf* mbuf,
                                      const SessionTable::Found& found,
                                      AdjacencyTable::View& next_hop) const {
    const PacketMeta& meta = meta_of(mbuf);
    const Session& session = *found.session;
    const size_t d = static_cast<size_t>(found.direction);
    return !meta.moves_state() && is_current(session) && adjacencies_.get(session.adjacency[d], next_hop) &&
           adjacencies_.belongs(session.adjacency[1 - d], meta.ingress) &&
           (session.state == SessionState::active || take_segment(sessions, mbuf, session, found.direction));
  }

 private:
  /// dataplane::is_current(), but that no session has a connection without a version.
  [[gnu::always_inline]] bool is_current(const Session& session) const {
    return session.connection < policy_versions_.size() &&
           session.versions == versions_of(policy_versions_[session.connection],
                                           route_versions_[session.route[0]].load(std::memory_order_acquire),
                                           route_versions_[session.route[1]].load(std::memory_order_acquire));
  }

  AdjacencyTable::Reader adjacencies_;
  const std::atomic<uint32_t>* route_versions_;
  std::span<const uint32_t> policy_versions_;
};

}  // namespace weir::dataplane
