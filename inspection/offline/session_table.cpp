#include "inspection/offline/session_table.h"

#include <algorithm>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace weir::inspection::offline {

namespace {

constexpr uint8_t kSctp = 132, kEsp = 50;

/// Queries and their replies are one session; others are told apart by their type.
uint16_t icmp_session_type(const EnginePacket& packet) {
  const net::Family family = packet.view.src.family;
  if (net::icmp_kind(family, packet.icmp_type) == net::IcmpKind::reply)
    return net::icmp_query_of(family, packet.icmp_type);
  return packet.icmp_type;
}

}  // namespace

bool SessionTable::wants_session(const EnginePacket& packet) {
  if (packet.fragment || packet.l4_broken) return false;
  switch (packet.view.protocol) {
    case net::kProtoTcp:
    case net::kProtoUdp:
    case net::kProtoIcmp:
    case net::kProtoIcmpv6:
    case kSctp:
    case kEsp:
      return true;
    default:
      return false;
  }
}

size_t SessionTable::Hash::operator()(const Key& key) const {
  // Captures are chosen by whoever runs the tool; spread is enough.
  uint64_t hash = 0x9e3779b97f4a7c15;
  const auto mix = [&](uint64_t value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  };
  mix(key.low.bits.hi);
  mix(key.low.bits.lo);
  mix(key.high.bits.hi);
  mix(key.high.bits.lo);
  mix(uint64_t{key.low_port} << 48 | uint64_t{key.high_port} << 32 | uint64_t{key.protocol} << 24 |
      key.level);
  mix(uint64_t{key.vlans[0]} << 32 | uint64_t{key.vlans[1]} << 16 | key.vlans[2]);
  return hash;
}

SessionTable::Key SessionTable::key_of(const EnginePacket& packet) const {
  const PacketView& view = packet.view;
  Key key;
  key.protocol = view.protocol;
  if (use_levels_) key.level = packet.level;
  if (use_vlans_) std::copy_n(view.vlans, 3, key.vlans);
  const bool turned = view.dst < view.src || (view.src == view.dst && view.dst_port < view.src_port);
  key.low = turned ? view.dst : view.src;
  key.high = turned ? view.src : view.dst;
  key.low_port = turned ? view.dst_port : view.src_port;
  key.high_port = turned ? view.src_port : view.dst_port;
  if (net::is_icmp(view.protocol)) key.low_port = icmp_session_type(packet);
  return key;
}

bool SessionTable::timed_out(const EngineSession& session, uint64_t now_ns) const {
  const FlowTimeouts::Of& of = session.protocol == net::kProtoTcp   ? timeouts_.tcp
                               : session.protocol == net::kProtoUdp ? timeouts_.udp
                               : net::is_icmp(session.protocol)     ? timeouts_.icmp
                                                                    : timeouts_.other;
  uint32_t seconds = session.answered ? of.established : of.fresh;
  if (session.tcp != nullptr && session.tcp->followed()) {
    seconds = session.tcp->closed() ? of.closed : session.facts.established ? of.established : of.fresh;
  }
  if (session.bypassed) seconds = of.bypassed;
  return now_ns > session.last_ns && now_ns - session.last_ns > uint64_t{seconds} * 1'000'000'000;
}

EngineSession*& SessionTable::find(const EnginePacket& packet, const End& end) {
  EngineSession*& slot = sessions_[key_of(packet)];
  if (slot != nullptr && timed_out(*slot, packet.view.time_ns)) {
    end(slot, true);
    slot = nullptr;
  }
  return slot;
}

void SessionTable::forget(const EnginePacket& packet) { sessions_.erase(key_of(packet)); }

void SessionTable::expire(uint64_t now_ns, const End& end) {
  if (now_ns < swept_ns_ + 1'000'000'000) return;
  swept_ns_ = now_ns;
  std::vector<EngineSession*> over;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (it->second == nullptr || timed_out(*it->second, now_ns)) {
      if (it->second != nullptr) over.push_back(it->second);
      it = sessions_.erase(it);
    } else {
      ++it;
    }
  }
  std::sort(over.begin(), over.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  for (EngineSession* const session : over) end(session, true);
}

void SessionTable::end_all(const End& end) {
  std::vector<EngineSession*> all;
  for (const auto& [key, session] : sessions_) {
    if (session != nullptr) all.push_back(session);
  }
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  sessions_.clear();
  for (EngineSession* const session : all) end(session, false);
}

}  // namespace weir::inspection::offline
