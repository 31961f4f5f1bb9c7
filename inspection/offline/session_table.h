// The sessions of a capture: found by their ends, ended by capture time. Offline tool; allocates.
//
// The hub's own table (dataplane/session) keys sessions by domain, translates them and decides their way: a
// capture has none of that, but VLANs, levels of encapsulation and ICMP types, as Suricata's flows have.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "inspection/engine/engine.h"

namespace weir::inspection::offline {

struct FlowTimeouts {
  struct Of {
    uint32_t fresh = 30, established = 300, closed = 0, bypassed = 100;  // seconds
  };
  Of other, tcp{60, 600, 60, 100}, udp{30, 300, 0, 100}, icmp{30, 300, 0, 100};
};

class SessionTable {
 public:
  using End = std::function<void(EngineSession*, bool timed_out)>;

  SessionTable(const FlowTimeouts& timeouts, bool use_vlans, bool use_levels)
      : timeouts_(timeouts), use_vlans_(use_vlans), use_levels_(use_levels) {}

  /// Has packets of its kind sessions?
  static bool wants_session(const EnginePacket& packet);
  /// The slot for the packet's session; null in it: there is none yet. A session that has timed out by now is
  /// ended first. Valid until the next call.
  EngineSession*& find(const EnginePacket& packet, const End& end);
  void forget(const EnginePacket& packet);
  /// Ends what has timed out by `now_ns`, at most once for each second of the capture.
  void expire(uint64_t now_ns, const End& end);
  /// Ends all, oldest first.
  void end_all(const End& end);
  size_t size() const { return sessions_.size(); }

 private:
  struct Key {
    net::IpAddress low, high;
    uint16_t low_port = 0, high_port = 0;
    uint16_t vlans[3] = {};
    uint8_t protocol = 0;
    uint8_t level = 0;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  Key key_of(const EnginePacket& packet) const;
  bool timed_out(const EngineSession& session, uint64_t now_ns) const;

  FlowTimeouts timeouts_;
  bool use_vlans_, use_levels_;
  uint64_t swept_ns_ = 0;
  std::unordered_map<Key, EngineSession*, Hash> sessions_;
};

}  // namespace weir::inspection::offline
