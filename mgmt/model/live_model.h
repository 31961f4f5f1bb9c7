// The model of the hub as it runs: what is configured now, by name, and the tables that workers read.
//
// One for the hub's life, and control's alone: no other thread looks at it. It is changed by transactions
// (transaction.h), all or nothing, and a change costs what it touches, not what there is: attachments,
// tunnels and routes lie in tables that are changed in place; what is small (names of domains, policy,
// profiles, time-outs) lies in the snapshot and is made anew when it changes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "dataplane/fib/routes.h"
#include "mgmt/config/change.h"
#include "mgmt/config/config.h"
#include "mgmt/model/build_policy.h"
#include "mgmt/model/id_pool.h"
#include "mgmt/model/model.h"

namespace weir::model {

/// Who wants it so: the file, which a reload compares with, or somebody at run time.
enum class Origin : uint8_t { file, api };

struct DomainRecord {
  config::Domain config;
  Origin origin = Origin::file;
  dataplane::DomainId id;
  uint32_t attachments = 0;
  uint32_t connections = 0;

  /// A route of the domain; what it leads to lies in Routes.
  struct Route {
    uint64_t ecmp = 0;       // a bit per member: the others are meant, too
    uint64_t from_file = 0;  // a bit per member, the first one's for a blackhole
    bool on_link = false;    // a gateway subnet of its one member
  };
  static constexpr size_t kMaxMembers = 64;
  std::map<net::Prefix, Route> routes;
  /// Routes of which some members are withdrawn (LiveModel::withdraw()), with all that they are configured
  /// to lead to: Routes has only the rest of them.
  std::map<net::Prefix, std::vector<dataplane::NextHop>> withheld;
  /// Gateway subnets; no two of them overlap, but in one attachment.
  std::map<net::Prefix, std::string> gateways;
};

struct AttachmentRecord {
  config::Attachment config;
  Origin origin = Origin::file;
  dataplane::AttachmentId id;
  std::set<net::Prefix> routes;  // configured ones of its domain that lead here
};

struct ConnectionRecord {
  config::Connection config;
  Origin origin = Origin::file;
};

struct GroupRecord {
  config::Group config;
  Origin origin = Origin::file;
};

struct RuleRecord {
  config::PolicyRule config;
  Origin origin = Origin::file;
};

struct NatRecord {
  config::Nat config;
  Origin origin = Origin::file;
};

/// What only a reload changes.
struct Settings {
  config::Timeouts timeouts;
  config::Tcp tcp;
  std::vector<config::Profile> profiles;
  Rulesets rulesets;
  std::vector<config::TaggedPrefix> prefixes;
  std::vector<config::Service> services;
  bool log_default_deny = false;
};

/// What LiveModel::compile_policy() makes.
struct CompiledPolicy {
  std::shared_ptr<const dataplane::NatTable> nat;  // null: nothing is translated
  uint32_t nat_changed_at = 0;                     // Snapshot::nat_changed_at
  PolicyState policy;                              // and profiles
};

/// The large tables; they outlive the model.
struct Tables {
  dataplane::Routes& routes;
  std::shared_ptr<dataplane::AttachmentTable> attachments;
  std::shared_ptr<dataplane::TunnelTable> tunnels;
  dataplane::AdjacencyTable* adjacencies = nullptr;
  dataplane::AttachmentBoard* board = nullptr;
};
/// Entries that the tunnel table of so many attachments needs: an IP-in-IP tunnel for both families has two,
/// and there is one for each peer.
constexpr uint32_t tunnel_entries(uint32_t attachments) { return 3 * attachments; }

/// Whose the things of a configuration are, by place in its lists.
struct Origins {
  std::vector<Origin> domains, attachments, connections, groups, policy, nat;
};

class LiveModel {
 public:
  LiveModel(StartFacts facts, Tables tables);
  LiveModel(const LiveModel&) = delete;
  LiveModel& operator=(const LiveModel&) = delete;

  // --- looking in ---
  using Names = std::pair<std::string, std::string>;  // of two domains, in order
  const std::map<std::string, DomainRecord, std::less<>>& domains() const { return domains_; }
  const std::map<std::string, AttachmentRecord, std::less<>>& attachments() const { return attachments_; }
  const std::map<Names, ConnectionRecord>& connections() const { return connections_; }
  const std::map<std::string, GroupRecord, std::less<>>& groups() const { return groups_; }
  const std::vector<RuleRecord>& policy() const { return *policy_; }
  const std::vector<NatRecord>& nat() const { return nat_rules_; }
  const Tables& tables() const { return tables_; }
  /// Empty for an id that is stale or unknown.
  std::string attachment_name(dataplane::AttachmentId id) const;
  std::string domain_name(dataplane::DomainId id) const;
  /// The configured routes of a domain, as they would stand in a file.
  std::vector<config::Route> routes_of(const DomainRecord& domain) const;
  /// The same to one prefix; none for what a gateway brings.
  std::vector<config::Route> members_of(const DomainRecord& domain, const net::Prefix& prefix) const;
  /// How many routes there are to go through to judge a change: the one that it is, those that lead through
  /// the attachment that it names, those of the domains that it connects, with what is withheld everywhere.
  size_t routes_of(const config::ModelChange& change) const;
  static constexpr size_t kRoutesOfAttachment = 10;  // what an attachment itself takes, as if it were routes
  /// Who wants a member of a route; null: a blackhole. Nothing: a gateway brings it.
  std::optional<Origin> origin_of(const DomainRecord& domain, const net::Prefix& prefix,
                                  const dataplane::NextHop* member) const;
  /// Fills in what a file says of domains, attachments, routes, connections, groups, policy and nat; routes
  /// only if `with_routes`. `origins` may be null.
  void write_to(config::Config& config, Origins* origins = nullptr, bool with_routes = true) const;
  /// The ways through the underlay that somebody goes.
  using VisitPath = std::function<void(const UnderlayPath&, const std::shared_ptr<dataplane::UnderlayHop>&)>;
  void for_each_path(const VisitPath& visit) const;
  /// The attachments that go a way.
  std::vector<const AttachmentRecord*> users_of(const UnderlayPath& path) const;

  /// What the workers read, with the small tables as they are.
  std::unique_ptr<dataplane::Snapshot> snapshot();
  /// How much there is to go through for a change of the policy: a point for each prefix of a group, and as
  /// many as a rule costs for each of those.
  size_t policy_work() const;
  static constexpr size_t kWorkOfRule = 10;
  /// Address translation and policy of what is configured now. Only reads, so any thread may call it while
  /// control changes nothing. Throws std::bad_alloc.
  CompiledPolicy compile_policy() const;
  /// They are what the next snapshot() has. The ones before, whose memory takes long to give back.
  CompiledPolicy take(CompiledPolicy compiled);

  /// By profile.
  const Rulesets& rulesets() const { return settings_.rulesets; }
  /// The rulesets before the last reload, which sessions that are in the midst of a transaction go on with.
  const Rulesets& rulesets_before() const { return rulesets_before_; }
  uint32_t rules_generation() const { return rules_generation_; }
  /// The next snapshot() has them no more. Returns them, since their memory takes long to give back.
  Rulesets drop_rulesets_before() { return std::exchange(rulesets_before_, {}); }

  /// Ids that every worker has purged since they were given up.
  void release(dataplane::AttachmentId id) { attachment_ids_.release(id); }
  void release(dataplane::DomainId id) { domain_ids_.release(id); }

  /// Whether the routes through an attachment are there for the time being; they stay configured. A stale id
  /// is forgotten. settle_withdrawals() makes it so.
  void withdraw(dataplane::AttachmentId id, bool withdrawn);
  bool withdrawn(dataplane::AttachmentId id) const { return withdrawn_.contains(id); }
  /// Takes routes out of Routes and puts them in again, as withdraw() has said: a call does no more than
  /// `most` of them, and is repeated until it returns true. Not between begin_plan() of a transaction and the
  /// end of its Plan; transactions in between find each route as it was or as it will be. Routes that could
  /// not be made again for want of memory are told by name.
  bool settle_withdrawals(size_t most, std::vector<Problem>& warnings);
  /// Routes that are withheld with all that they lead to.
  size_t absent() const { return absent_.size(); }

  /// The underlay leads a path otherwise than before. Changes the attachments that go this way, in place;
  /// what was replaced has to be kept until the workers are quiescent.
  std::vector<dataplane::AttachmentTable::Retired> path_changed(const UnderlayPath& path,
                                                                const PathFacts& facts,
                                                                std::vector<Problem>& warnings);
  /// A port has another MAC: changes the attachments on it in the same way. The next snapshot tells workers
  /// of the port itself.
  std::vector<dataplane::AttachmentTable::Retired> mac_changed(dataplane::PortIndex port, net::Mac mac);

 private:
  friend class Transaction;
  friend class Plan;

  /// One way through the underlay and who goes it.
  struct Path {
    std::shared_ptr<dataplane::UnderlayHop> hop;
    std::optional<PathFacts> facts;
    std::set<std::string> attachments;
  };
  const DomainRecord* domain(std::string_view name) const;
  const AttachmentRecord* attachment(std::string_view name) const;
  std::vector<const config::Group*> configured_groups() const;
  /// What a route of the domain is configured to lead to; null: there is no such route.
  const std::vector<dataplane::NextHop>* members(const DomainRecord& domain, const net::Prefix& prefix) const;
  /// Those that are not withdrawn.
  std::vector<dataplane::NextHop> usable(const std::vector<dataplane::NextHop>& members) const;
  /// Notes what of a route is withheld; null members: there is no such route any more. What Routes should
  /// have; nothing: no route.
  std::optional<std::vector<dataplane::NextHop>> withhold(DomainRecord& domain, const net::Prefix& prefix,
                                                          const std::vector<dataplane::NextHop>* members);
  /// How far settle_withdrawals() has come with an attachment.
  struct Settled {
    bool gateways = false;
    std::optional<net::Prefix> last;  // of its routes; nothing: none
  };
  /// Takes from `most` what it does.
  bool settle_withdrawal(dataplane::AttachmentId id, Settled& done, size_t& most,
                         std::vector<Problem>& warnings);
  void settle_route(const AttachmentRecord& record, DomainRecord& domain, const net::Prefix& prefix,
                    std::vector<Problem>& warnings);

  StartFacts facts_;
  Tables tables_;
  IdPool<dataplane::DomainId> domain_ids_;
  IdPool<dataplane::AttachmentId> attachment_ids_;
  std::map<std::string, DomainRecord, std::less<>> domains_;
  std::map<std::string, AttachmentRecord, std::less<>> attachments_;
  std::map<Names, ConnectionRecord> connections_;
  std::map<std::string, GroupRecord, std::less<>> groups_;
  std::shared_ptr<const std::vector<RuleRecord>> policy_;
  std::vector<NatRecord> nat_rules_;
  std::map<dataplane::TunnelKey, std::string> tunnels_;  // whose they are
  /// How many attachments have tunnels on a UDP port, which is for one kind.
  std::map<std::pair<uint16_t, dataplane::KeyKind>, uint32_t> udp_ports_;
  std::map<dataplane::PortIndex, uint32_t> natives_;  // how many native attachments a port has
  std::map<UnderlayPath, Path> paths_;
  std::set<dataplane::AttachmentId> withdrawn_;
  std::map<dataplane::AttachmentId, Settled> unsettled_;          // of which Routes does not have it so yet
  std::set<std::pair<net::Prefix, dataplane::DomainId>> absent_;  // routes withheld with all their members
  Settings settings_;
  Rulesets rulesets_before_;
  uint32_t rules_generation_ = 0;

  CompiledPolicy compiled_;  // as it is in the snapshot
  GroupedAttachments grouped_;
  std::vector<std::shared_ptr<const dataplane::Domain>> domain_slots_;
  uint64_t snapshots_ = 0;
};

}  // namespace weir::model
