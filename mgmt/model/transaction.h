// A transaction on the live model: changes are gathered, judged together, and then made, or none of them is.
//
// What counts is the state after all of them, so the order in which they come matters only where two name the
// same thing. Nothing of the model is touched until plan(), and then nothing can fail any more. Control
// thread; the model must not change between the first add() and plan().
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/fib/route_changes.h"
#include "mgmt/config/change.h"
#include "mgmt/model/live_model.h"

namespace weir::model {

/// What is left to do in the tables that workers read, once the model has changed, in two steps: first what
/// makes less possible, then what makes more possible. Between them goes the snapshot, if there is one, and
/// workers have to be quiescent before and after it; so nobody sees old rules with new routes, or the other
/// way round. Either step may be taken in parts: a call does no more than `most` routes, and is repeated
/// until it returns true.
class Plan {
 public:
  static constexpr size_t kAll = ~size_t{0};

  Plan(Plan&&) = default;

  bool narrow(size_t most = kAll);
  /// Null: neither policy nor anything else that lies in the snapshot has changed.
  std::unique_ptr<dataplane::Snapshot> snapshot;
  /// There is a snapshot to come: LiveModel::compile_policy() is left to the caller, who then takes what it
  /// makes and asks the model for a snapshot.
  bool uncompiled = false;
  bool widen(size_t most = kAll);

  // After widen():
  /// Replaced or removed; workers may see them until they are quiescent.
  std::vector<dataplane::AttachmentTable::Retired> retired;
  std::vector<std::shared_ptr<dataplane::UnderlayHop>> retired_hops;
  /// For TunnelTable::release(), then too.
  std::vector<size_t> removed_slots;
  /// Next hops of removed attachments without Ethernet; to be released when every worker has purged those.
  std::vector<dataplane::AdjacencyId> removed_adjacencies;
  /// To be purged by every worker, then released in the model.
  std::vector<dataplane::AttachmentId> removed_attachments;
  std::vector<dataplane::DomainId> removed_domains;

  /// Ways through the underlay that somebody goes from now on, or nobody any more.
  std::vector<std::pair<UnderlayPath, std::shared_ptr<dataplane::UnderlayHop>>> new_paths;
  std::vector<UnderlayPath> old_paths;
  /// Tunnel keys that come and go, for steering.
  std::vector<dataplane::TunnelKey> new_keys, old_keys;
  /// Attachments that came, or that are configured otherwise than before.
  std::vector<std::string> changed_attachments;

  std::vector<Problem> warnings;
  /// To be let go on whatever thread: there may be much of it.
  std::shared_ptr<const void> rules_before;

 private:
  friend class Transaction;
  explicit Plan(Tables& tables) : tables_(&tables) {}

  struct SetRoute {
    dataplane::DomainId domain;
    net::Prefix prefix;
    std::vector<dataplane::NextHop> members;
  };
  struct Connect {
    dataplane::DomainId a, b;
    dataplane::Routes::Exposure exposes;
  };

  Tables* tables_;
  std::vector<std::pair<dataplane::DomainId, net::Prefix>> unrouted_;
  std::vector<SetRoute> routed_;
  std::vector<std::pair<dataplane::DomainId, dataplane::DomainId>> disconnected_;
  std::vector<Connect> connected_;
  std::vector<dataplane::DomainId> new_domains_;
  std::vector<std::unique_ptr<const dataplane::Attachment>> attachments_;
  std::vector<std::set<net::Prefix>> left_routes_;  // of attachments that are in another domain now
  std::vector<std::pair<dataplane::TunnelKey, dataplane::AttachmentId>> keys_;
  std::vector<dataplane::TunnelKey> gone_peers_;
  bool outer_changed_ = false;  // what ports expect: UDP ports, native attachments
  // How far narrow() and widen() are.
  size_t unrouted_done_ = 0, interrupted_done_ = 0, routed_done_ = 0;
  bool widening_ = false;
  /// Under another policy a route may not lead elsewhere for a moment to those that the old one lets through:
  /// those of routed_ that are there go first.
  bool interrupts_ = false;
};

/// What changes, for people.
struct ChangeList {
  /// Lines that are kept; the rest is only counted.
  static constexpr size_t kMaxLines = 1'000;

  std::vector<std::string> lines;  // "+ attachment spoke-7", "- ...", "~ ...: mtu health.probe"
  size_t total = 0;
  /// How many of which kind, as in "attachments +1 -2, routes ~3"; empty if there is none.
  std::string counts;
};

/// That a rule of translation names.
std::vector<std::string> domains_of(const config::Nat& rule);

class Transaction {
 public:
  Transaction(LiveModel& model, Origin origin) : model_(model), origin_(origin) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// The subject has to outlive the transaction.
  void add(const config::ModelChange& change);
  /// As a change without a place. `Thing` is one of those of config::ChangeSubject.
  template <typename Thing>
  void add(config::ChangeVerb verb, const Thing& subject) {
    apply(verb, {}, subject);
  }
  /// What the file changes of its policy. Rules that it has as before stay as they are now; those that came
  /// at run time stay behind the rule that they follow.
  void file_policy(const std::vector<config::PolicyRule>& before, const std::vector<config::PolicyRule>& now);
  /// The same of its rules of address translation.
  void file_nat(const std::vector<config::Nat>& before, const std::vector<config::Nat>& now);
  void settings(Settings settings) { settings_ = std::move(settings); }

  /// All that is wrong with the changes so far; empty: plan() may be called.
  std::vector<Problem> check();
  // After check() and before plan():
  ChangeList changes() const;
  /// What plan() will warn of.
  std::vector<Problem> warnings() const;
  /// Each attachment that comes, goes or changes, as it was (null: it is new) and as it will be (null: gone).
  using VisitAttachment =
      std::function<void(const config::Attachment* before, const config::Attachment* now)>;
  void for_each_attachment(const VisitAttachment& visit) const;
  /// Changes the model. Once, after a check() that found nothing.
  Plan plan();
  /// The same in parts, as many routes make a long one: plan_routes() takes `most` of them, and is repeated
  /// until it returns true. A policy of more than `most_work` (LiveModel::policy_work()) is not compiled
  /// here: Plan::uncompiled. In between the model has some of the routes as they were.
  Plan begin_plan();
  bool plan_routes(Plan& plan, size_t most);
  void end_plan(Plan& plan, size_t most_work);

 private:
  template <typename Record, typename Config>
  struct Edit {
    const Record* before = nullptr;  // in the model
    std::optional<Config> after;     // nothing: it goes
    Origin origin = Origin::file;
  };
  using DomainEdit = Edit<DomainRecord, config::Domain>;
  using AttachmentEdit = Edit<AttachmentRecord, config::Attachment>;
  using GroupEdit = Edit<GroupRecord, config::Group>;
  using ConnectionEdit = Edit<ConnectionRecord, config::Connection>;
  struct Member {
    const config::Route* route = nullptr;  // the caller's, or one of owned_
    Origin origin = Origin::file;
    bool is_new = false;
  };
  struct RouteEdit {
    bool existed = false;
    std::string on_link;  // by the gateway of this attachment; empty: not
    std::vector<Member> members;
  };
  using RouteEdits = std::map<net::Prefix, RouteEdit>;
  using Place = std::pair<std::string, net::Prefix>;

  using Verb = config::ChangeVerb;
  using RulePlace = config::RulePlace;
  using What = std::function<std::string()>;  // how a thing is called in a problem
  void apply(Verb verb, const RulePlace& place, const config::Domain& subject);
  void apply(Verb verb, const RulePlace& place, const config::Attachment& subject);
  void apply(Verb verb, const RulePlace& place, const config::Route& subject);
  void apply(Verb verb, const RulePlace& place, const config::Connection& subject);
  void apply(Verb verb, const RulePlace& place, const config::Group& subject);
  void change_members(Verb verb, const config::Group& subject);
  void apply(Verb verb, const RulePlace& place, const config::PolicyRule& subject);
  void apply(Verb verb, const RulePlace& place, const config::Nat& subject);
  /// What an ordered list of the model becomes by a file.
  template <typename Record, typename Config>
  std::vector<Record> merged(const std::vector<Config>& before, const std::vector<Config>& now,
                             const std::vector<Record>& running, const char* kind);
  template <typename Edits, typename Records, typename Key, typename Config>
  void edit(Edits& edits, Records& records, const Key& key, Verb verb, const Config& subject,
            const What& what);
  bool may(Verb verb, bool exists, Origin origin, const config::Location& where, const What& what);
  RouteEdit& route_edit(const std::string& domain, const net::Prefix& prefix);
  const RouteEdit* find_edit(const std::string& domain, const net::Prefix& prefix) const;
  void gateways_go(const AttachmentEdit& edit);
  void gateways_come(const AttachmentEdit& edit);
  void problem(const config::Location& where, std::string key, std::string message) {
    problems_.push_back({where, std::move(key), std::move(message)});
  }
  std::vector<RuleRecord>& rules();
  std::vector<NatRecord>& nat_rules();

  // As it will be.
  const config::Attachment* attachment(const std::string& name) const;
  bool has_domain(const std::string& name) const;
  enum class Named : uint8_t { domain, attachment };
  std::string no_such(Named kind, const std::string& name) const;
  dataplane::DomainId domain_id(const std::string& name) const;

  void check_domains();
  void check_attachments();
  void check_attachment(const AttachmentEdit& edit);
  void check_tunnels();
  void check_udp_ports();
  void check_remote_end(const config::Attachment& attachment);
  void check_gateways();
  void check_routes();
  void check_route(const std::string& domain, const net::Prefix& prefix, const RouteEdit& edit);
  void check_member(const std::string& domain, const Member& member);
  const config::Location& place_of(const net::Prefix& prefix, const config::Location& otherwise) const;
  void check_routes_through(const AttachmentEdit& edit);
  void check_connections();
  void check_policy();
  void check_nat();
  bool will_have_route(const std::string& domain, const net::Prefix& prefix) const;
  void check_objects();
  void check_group(const config::Group& group);
  void check_group_cycles();
  const Settings& settings() const { return settings_ ? *settings_ : model_.settings_; }
  std::vector<const config::Group*> groups() const;
  uint32_t tell_absent(dataplane::RouteChanges& changes) const;
  void check_exposed();
  void check_room();

  void plan_domains(Plan& plan);
  void plan_attachments(Plan& plan);
  void plan_route(Plan& plan, DomainRecord& domain, const net::Prefix& prefix, const RouteEdit& edit);
  std::vector<dataplane::NextHop> make_members(const DomainRecord& domain, const net::Prefix& prefix,
                                               const RouteEdit& edit, DomainRecord::Route& route);
  void plan_connections(Plan& plan);
  void plan_groups();
  void plan_snapshot(Plan& plan, size_t most_work);
  void count_outer(Plan& plan, const config::Attachment& a, int by);
  void drop_attachment(Plan& plan, const AttachmentEdit& edit);

  LiveModel& model_;
  Origin origin_;
  std::vector<Problem> problems_;
  std::map<std::string, DomainEdit, std::less<>> domains_;
  std::map<std::string, AttachmentEdit, std::less<>> attachments_;
  std::map<std::string, RouteEdits, std::less<>> routes_;  // by domain
  // Where plan_routes() goes on.
  decltype(routes_)::iterator next_domain_;
  std::optional<RouteEdits::iterator> next_route_;  // nothing: the domain's first
  // Routes through one attachment often come one after the other.
  mutable const config::Attachment* last_attachment_ = nullptr;
  AttachmentRecord* last_record_ = nullptr;
  std::deque<config::Route> owned_;  // routes of the model, as they are
  std::map<LiveModel::Names, ConnectionEdit> connections_;
  std::map<std::string, GroupEdit, std::less<>> groups_;
  std::optional<std::vector<RuleRecord>> rules_;
  std::optional<std::vector<NatRecord>> nat_rules_;
  std::optional<Settings> settings_;
  bool groups_touched_ = false;   // once planned: some group may have changed by an attachment
  std::vector<Origin*> adopted_;  // of things that came at run time and now are in the file, too
  std::map<std::string, dataplane::DomainId, std::less<>> new_domains_;  // ids that they will get
};

}  // namespace weir::model
