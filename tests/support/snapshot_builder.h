// Builds a Snapshot by names, for tests.
//
//   SnapshotBuilder b;
//   b.domain("prod").domain("shared");
//   b.attachment("a", "prod", 10, "198.18.0.10", "10.1.0.1/24");
//   b.attachment("b", "shared", 20, "198.18.0.20", "10.2.0.1/24");
//   b.connection("prod", "shared");
//   b.rule({.id = "web", .action = PolicyAction::allow, .from = {"prod"}, .to = {"shared"}, .protocol = 6,
//           .ports = {{80, 80}}});
//   std::unique_ptr<Snapshot> snapshot = b.build();
//
// A gateway's subnet is an on-link route of its domain. A domain's routes are exposed to the domains that it
// is connected to. Each domain is connected to itself. A wrong name or address throws std::invalid_argument:
// a test's own mistake. build() may be called again after changes: ids stay, the policy's versions move, and
// the routes that all snapshots of a builder share are changed in place. The snapshot keeps what it points to
// alive, so the builder may go first.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/core/snapshot.h"

namespace weir::test {

/// A policy rule by names; empty lists mean any.
struct RuleSpec {
  std::string id;
  dataplane::PolicyAction action = dataplane::PolicyAction::allow;
  std::vector<std::string> from = {};
  std::vector<std::string> from_prefixes = {};
  std::vector<std::string> to = {};
  std::vector<std::string> to_prefixes = {};
  uint8_t protocol = 0;
  std::vector<dataplane::PortRange> ports = {};
  dataplane::ProfileIndex profile = 0;
  bool watch = false;
  std::vector<std::string> to_attachments = {};
  std::vector<std::string> from_attachments = {};
  dataplane::RuleEffects effects = {};
  dataplane::NameQuestion names = {};
  dataplane::IfUnknown if_unknown = dataplane::IfUnknown::deny;
};

class SnapshotBuilder {
 public:
  SnapshotBuilder();

  SnapshotBuilder& workers(uint16_t count);
  /// As configured by default unless said.
  SnapshotBuilder& tcp(const dataplane::TcpRules& rules);
  SnapshotBuilder& timeouts(const dataplane::Timeouts& timeouts);
  /// A rule names the i-th of these by i + 1.
  SnapshotBuilder& rule_timeouts(std::vector<dataplane::Timeouts> timeouts);
  /// Ports are numbered in the order in which they are given. Without any there is one: p0,
  /// 02:00:00:00:00:01, MTU 1500, 198.18.0.1.
  SnapshotBuilder& port(std::string name, net::Mac mac, std::string_view hub_address, uint16_t mtu = 1500);
  /// One more address of the last port.
  SnapshotBuilder& address(std::string_view hub_address);
  /// The underlay of the last port is in this VLAN.
  SnapshotBuilder& underlay_vlan(uint16_t vlan);
  SnapshotBuilder& domain(std::string name);
  /// A VXLAN attachment on port 0 with its outer header written, whose underlay next hop is resolved as
  /// 02:aa:00:00:00:SLOT. `gateways`: addresses like "10.1.0.1/24", separated by commas, may be empty.
  SnapshotBuilder& attachment(std::string name, std::string_view domain, uint32_t vni,
                              std::string_view remote, std::string_view gateways);
  /// Any kind of tunnel; its local address is the hub's first one of the family of its remote address.
  SnapshotBuilder& attachment(std::string name, std::string_view domain, const dataplane::Tunnel& tunnel,
                              std::string_view gateways);
  /// Changes what is said of it above.
  SnapshotBuilder& change(std::string_view name, const std::function<void(dataplane::Attachment&)>& how);
  /// The attachment's slot is free; its routes stay (their member is gone).
  SnapshotBuilder& remove_attachment(std::string_view name);
  /// A second route of the same prefix is one more member. `via` empty: on-link.
  SnapshotBuilder& route(std::string_view domain, std::string_view prefix, std::string_view attachment,
                         std::string_view via = "", uint32_t weight = 1);
  SnapshotBuilder& blackhole(std::string_view domain, std::string_view prefix);
  /// In both directions.
  SnapshotBuilder& connection(std::string_view a, std::string_view b);
  SnapshotBuilder& rule(RuleSpec rule);
  SnapshotBuilder& policy_rule(dataplane::PolicyRule rule);
  /// All rules, or connections of two domains, or routes (on-link ones too) are forgotten, to be said anew.
  SnapshotBuilder& no_rules();
  SnapshotBuilder& no_connections();
  SnapshotBuilder& no_routes();
  SnapshotBuilder& profile(dataplane::Profile profile);
  /// Address translation, from the next snapshot on; with other rules the policy's versions move.
  SnapshotBuilder& nat(dataplane::NatRules rules);

  std::unique_ptr<dataplane::Snapshot> build();
  /// Only the routes become what the builder was told, without another snapshot.
  void build_routes();

  dataplane::DomainId domain_id(std::string_view name) const;
  dataplane::AttachmentId attachment_id(std::string_view name) const;
  /// The hub's MAC inside an attachment: 02:57:00:00:00:SLOT.
  net::Mac hub_mac(std::string_view attachment) const;
  /// They live as long as the builder or a snapshot of it.
  dataplane::UnderlayHop& underlay(std::string_view attachment);
  dataplane::AdjacencyTable& adjacencies();
  dataplane::AttachmentBoard& board();
  /// To change routes without a new snapshot; build() brings them back to what the builder was told.
  dataplane::Routes& routes();

 private:
  struct NamedDomain {
    std::string name;
    dataplane::DomainId id;
  };
  struct NamedAttachment {
    std::string name;
    bool present = true;
    dataplane::Attachment value;
  };
  struct NamedRoute {
    dataplane::DomainId domain;
    net::Prefix prefix;
    std::vector<dataplane::NextHop> members;  // none: blackhole
  };
  /// What a snapshot points to without owning it.
  struct Kept {
    std::deque<dataplane::UnderlayHop> hops;
    std::unique_ptr<dataplane::AdjacencyTable> adjacencies;
    dataplane::AttachmentBoard board{256};
    std::unique_ptr<dataplane::Routes> routes;
  };

  const NamedAttachment& find_attachment(std::string_view name) const;
  void add_member(dataplane::DomainId domain, const net::Prefix& prefix, const dataplane::NextHop& member);
  net::IpAddress hub_address(net::Family family) const;
  uint16_t number_of(const net::IpAddress& local) const;
  dataplane::UdpTunnels build_udp_tunnels() const;
  std::shared_ptr<const dataplane::TunnelTable> build_tunnels() const;
  std::shared_ptr<const dataplane::PolicyTable> build_policy() const;

  uint32_t nat_changed_at_ = 0;
  uint32_t version_ = 0;
  uint16_t workers_ = 1;
  dataplane::Timeouts timeouts_;
  std::vector<dataplane::Timeouts> rule_timeouts_;
  dataplane::TcpRules tcp_;
  std::vector<dataplane::PortInfo> ports_;
  std::vector<dataplane::HubAddress> hub_addresses_;
  std::vector<NamedDomain> domains_;
  std::vector<NamedAttachment> attachments_;
  std::vector<NamedRoute> routes_;
  std::vector<std::pair<dataplane::DomainId, dataplane::DomainId>> connections_;
  std::vector<dataplane::PolicyRule> rules_;
  std::vector<dataplane::Profile> profiles_;
  dataplane::NatRules nat_;
  std::shared_ptr<Kept> kept_;
};

}  // namespace weir::test
