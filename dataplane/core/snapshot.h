// The root that a worker reads once per burst: versions and pointers to tables.
//
// Control builds a new Snapshot, sharing the tables that did not change, publishes it with one atomic store,
// and frees the old one after every worker passed a quiescent state. Nothing in it changes while it is
// published, but what is large and lives as long as the hub: attachments and their board, tunnels, routes,
// adjacencies and UnderlayHops, which control changes in place, one word at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/fib/adjacency_table.h"
#include "dataplane/fib/next_hop.h"
#include "dataplane/fib/routes.h"
#include "dataplane/nat/nat_table.h"
#include "dataplane/policy/policy.h"
#include "dataplane/session/tcp_rules.h"
#include "dataplane/tunnel/attachment_board.h"
#include "dataplane/tunnel/attachment_table.h"
#include "dataplane/tunnel/outer_parse.h"
#include "dataplane/tunnel/outer_pattern.h"
#include "dataplane/tunnel/tunnel_table.h"
#include "inspection/inspector.h"

namespace weir::dataplane {

struct Domain {
  DomainId id;
  std::string name;
};

enum class OnDrop : uint8_t { reset, silent };
enum class FailMode : uint8_t { open, closed };

struct Profile {
  std::string name;
  OnDrop on_drop = OnDrop::reset;
  FailMode fail = FailMode::closed;
  bool watches = false;  // nothing is held or dropped
  bool enforces = true;  // what is found unsafe is not sent, or made safe; else only judged
  bool verify_checksums = true;
  /// What becomes of a packet for which the queue has no room: drop_packet, drop_flow, reject or bypass.
  inspection::ExceptionPolicy when_full = inspection::ExceptionPolicy::drop_packet;
  std::shared_ptr<const inspection::Ruleset> ruleset;
  /// The one before a reload, for sessions that are in the midst of a transaction; null: there is none.
  std::shared_ptr<const inspection::Ruleset> ruleset_before = nullptr;
};

struct PortInfo {
  std::string name;
  net::Mac mac;
  uint16_t mtu = 1500;
  uint16_t vlan = 0;          // of the underlay; 0: untagged
  bool native = false;        // some attachment is this port, or a VLAN on it
  bool tx_checksums = false;  // the device fills in UDP checksums
};

struct Timeouts {  // Tick durations
  uint32_t tcp_handshake = 0;
  uint32_t tcp_established = 0;
  uint32_t tcp_closing = 0;
  uint32_t udp = 0;
  uint32_t icmp = 0;
  uint32_t other = 0;
  uint32_t fragment = 0;         // from a datagram's first piece to arrive
  uint32_t tcp_half_closed = 0;  // one end has sent FIN
  uint32_t tcp_loose = 0;        // SessionState::loose
  uint32_t udp_unanswered = 0;   // nothing came back yet
};

struct Snapshot {
  uint64_t version = 0;
  uint16_t workers = 1;
  Timeouts timeouts;
  std::vector<Timeouts> rule_timeouts;  // of policy rules that have their own, by TimeoutsIndex less one
  TcpRules tcp;
  std::vector<PortInfo> ports;  // by PortIndex
  std::vector<HubAddress> hub_addresses;
  UdpTunnels udp_tunnels;
  std::vector<OuterPattern> outer_patterns;  // of these; at least one
  std::shared_ptr<const TunnelTable> tunnels;
  std::shared_ptr<const AttachmentTable> attachments;
  std::vector<std::shared_ptr<const Domain>> domains;  // by slot; null: free
  std::shared_ptr<const PolicyTable> policy;
  std::vector<Profile> profiles;        // by ProfileIndex
  uint32_t rules_generation = 0;        // of their rulesets; those before are of the one before
  std::shared_ptr<const NatTable> nat;  // null: nothing is translated
  /// Sessions whose policy version is not above this were decided by other rules of translation: a change of
  /// those moves all policy versions.
  uint32_t nat_changed_at = 0;
  /// Sessions that no rule matches are told as those that a logged rule refuses.
  bool log_default_deny = false;
  // One each for the hub's life, owned by control.
  AdjacencyTable* adjacencies = nullptr;
  AttachmentBoard* board = nullptr;  // null: all are usable, none is probed
  const Routes* routes = nullptr;

  /// A session may still name what is gone: until it is decided again it has the hub's.
  const Timeouts& timeouts_of(TimeoutsIndex index) const {
    return index == 0 || index > rule_timeouts.size() ? timeouts : rule_timeouts[index - 1];
  }
  const Domain* domain(DomainId id) const {
    if (!id.valid() || id.index() >= domains.size()) return nullptr;
    const Domain* d = domains[id.index()].get();
    return d != nullptr && d->id == id ? d : nullptr;
  }
  const Attachment* attachment(AttachmentId id) const { return attachments->find(id); }
  /// It is there, and its health allows it to be chosen.
  bool usable(AttachmentId id) const {
    return attachment(id) != nullptr && (board == nullptr || board->usable(id));
  }
};

}  // namespace weir::dataplane
