// The control thread: owns the model, changes it, publishes it, and is the slow path of packets that need a
// mind.
//
// One thread calls everything here; others reach it through the Mailbox. Nothing blocks: what takes long runs
// on the Builder and comes back by message, and what has to wait for the workers goes on in a later turn. A
// turn of more than 10 ms is counted as a stall. Time is an input.
//
// Whatever changes what is configured is a transaction on the model (model/transaction.h), one after the
// other: requests, and reloads when the file has been read. Most are done in one turn. One that changes
// policy or anything else that lies in the snapshot takes two grace periods; what comes meanwhile waits for
// its end. Where there is much policy, a change of it is judged and compiled on a thread beside control
// (`compiler_`), which only reads the model; control changes nothing of that meanwhile. Many routes are
// judged there, too, and made in parts, one a turn; so are the withdrawals of attachments that are down,
// before the next transaction. Whoever wants to see all of a large model has it read there, between
// transactions.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/logger.h>

#include "dataplane/io/port.h"
#include "dataplane/io/xdp_steering.h"
#include "dataplane/worker/dataplane.h"
#include "mgmt/config/change.h"
#include "mgmt/control/builder.h"
#include "mgmt/control/health.h"
#include "mgmt/control/icmp_errors.h"
#include "mgmt/control/mailbox.h"
#include "mgmt/control/nat_map.h"
#include "mgmt/control/neighbors.h"
#include "mgmt/control/path.h"
#include "mgmt/control/path_mtu.h"
#include "mgmt/control/reconfigure.h"
#include "mgmt/control/rule_counts.h"
#include "mgmt/control/steering.h"
#include "mgmt/control/underlay_paths.h"
#include "mgmt/control/views.h"
#include "mgmt/model/live_model.h"
#include "mgmt/model/transaction.h"
#include "mgmt/underlay/icmp_socket.h"
#include "mgmt/underlay/underlay.h"

namespace weir::control {

/// An attachment's state changed, in words.
struct AttachmentChange {
  dataplane::NanoTime at = 0;
  std::string attachment, domain;
  HealthState state{}, was{};
  std::string reason;
};

/// What control works with; all of it outlives control.
struct ControlParts {
  dataplane::Dataplane& dataplane;
  underlay::Underlay& underlay;
  dataplane::AdjacencyTable& adjacencies;
  dataplane::AttachmentBoard& board;
  Builder& builder;
  Mailbox& mailbox;
  spdlog::logger& log;
  std::vector<const dataplane::Port*> ports;  // by PortIndex
  Steering::Ports steering;                   // af_xdp ports only
  std::string version;                        // the program's
  /// Told of each change of an attachment's state; may be empty.
  std::function<void(const AttachmentChange&)> on_attachment_change = {};
  /// ICMP errors for addresses that the kernel shares.
  std::vector<const underlay::IcmpSocket*> icmp = {};
  /// What the rules at the start were compiled with.
  RulesShare share = {};
};

/// What became of a reload or a transaction.
struct ChangeView {
  std::vector<std::string> problems;  // empty: done; else nothing was changed
  std::vector<std::string> notes;     // right, but worth a thought
  std::vector<std::string> changes;   // a line for each thing that changed, the first ones if there are many
  size_t changes_total = 0;
};

/// What a policy rule decided.
struct RuleCountView {
  uint64_t sessions = 0;
  std::optional<uint64_t> last_s;  // so many seconds ago; nothing: it has decided none
};

/// What to copy beside domains, attachments, connections, policy and address translation.
struct ConfiguredParts {
  bool routes = false;  // a million take the better part of a second
  bool counts = false;  // of the policy's rules
  bool nat = false;     // pools, and how they are used; servers, and whether they are reached
};

/// What is configured now, by the file and at run time.
struct Configured {
  config::Config config;
  model::Origins origins;
  // If they were asked for:
  std::vector<RuleCountView> rules = {};  // by config.policy; a disabled one has none
  RuleCountView default_deny = {};
  std::vector<PoolView> pools = {};
  std::vector<ServerView> servers = {};
};

class Control {
 public:
  using ChangeReply = std::function<void(ChangeView)>;
  using SessionsReply = std::function<void(SessionsView)>;
  /// How long the workers sample every turn after someone looked.
  static constexpr dataplane::NanoTime kWatch = 2 * dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kStall = 10 * dataplane::kNanosPerMilli;
  /// No transaction is begun in a turn that is older than that.
  static constexpr dataplane::NanoTime kChangesPerTurn = 4 * dataplane::kNanosPerMilli;
  /// So much policy (LiveModel::policy_work()) is judged and compiled within a turn; more of it beside.
  static constexpr size_t kWorkPerTurn = 2'000;
  /// So many routes are judged or listed within a turn, more of them beside; and of each of the steps in
  /// which a transaction is made, and of withdrawals, a turn does so many.
  static constexpr size_t kRoutesPerTurn = 1'000;
  static constexpr size_t kMaxWaiting = 16;  // reloads, and as many transactions, and readers

  /// `model` is what `file` says, and what it made last is what the data plane was created with.
  Control(ControlParts parts, model::StartFacts facts, std::unique_ptr<model::LiveModel> model,
          FileConfig file, dataplane::NanoTime now);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Before the first turn: steers tunnel traffic to the workers, resolves the tunnels' peers.
  Status start();
  /// One turn: messages, underlay, what workers punted, timers, changes, what is past its grace period.
  /// `underlay_ready`: one of its file descriptors is readable. True if there was something to do, so that
  /// the next turn should come soon.
  bool turn(dataplane::NanoTime now, bool underlay_ready);

  /// Reads the file again and changes over to it, or to nothing of it. `reply` is called in a later turn.
  void reload(ChangeReply reply);
  /// Reads the rule files again and compiles them, and nothing else; the same in all else.
  void reload_rules(ChangeReply reply);
  /// Makes all of these changes to the model, or none of them. They live until the hub stops, unless they are
  /// written to the file (`weirctl config save`). `reply` is called in a later turn, when they are made.
  void transact(config::ModelChanges changes, ChangeReply reply);
  /// Tells what transact() would change, or refuse, and changes nothing.
  void try_out(config::ModelChanges changes, ChangeReply reply);
  /// After the last turn: whoever still waits for an answer gets none, or is told that the hub is stopping.
  void abandon();
  /// A reload or a transaction is under way, or waits.
  bool busy() const {
    return !reloads_.empty() || lent_ || installing_ || !transactions_waiting_.empty() ||
           !readings_waiting_.empty();
  }

  // --- looking in ---
  using ConfiguredReply = std::function<void(Result<std::shared_ptr<const Configured>>)>;
  /// A copy, for other threads too. `reply` is called at once or in a later turn: much is copied beside
  /// control, and routes are those between two transactions.
  void configured(ConfiguredParts parts, ConfiguredReply reply);
  StatusView status() const;
  /// Has the workers sample every turn for the next 2 s.
  TopView top();
  std::vector<DropView> drops() const { return drop_views(parts_.dataplane); }
  using RoutesReply = std::function<void(Result<RoutesView>)>;
  /// `reply` as with configured().
  void routes(RoutesQuery query, RoutesReply reply);
  Result<PathAnswer> path(const PathQuery& query) const {
    return explain_path(parts_.dataplane.current(), query);
  }
  /// Fails with `not_found` if it names a domain that is not there.
  Result<std::vector<NatMapping>> nat_map(const NatMapQuery& query) const {
    return control::nat_map(parts_.dataplane.current(), query);
  }
  void sessions(size_t max, SessionsReply reply);
  RulesView rules() const;
  RulesInForce rules_in_force() const;
  const Neighbors& neighbors() const { return neighbors_; }
  const Health& health() const { return health_; }

 private:
  struct Request {
    config::ModelChanges changes;
    bool dry_run = false;
    ChangeReply reply;
  };
  /// A transaction from when its turn comes until plan(): one of `read` and `request` is what it is about.
  struct Judgement {
    std::shared_ptr<ReadOutcome> read;
    Request request;
    std::optional<model::Transaction> transaction;
    ChangeView view;
    model::ChangeList changes;
    bool beside = false;  // of control: there is much to let go of, too
  };
  /// A transaction between plan() and its end.
  struct Installation {
    std::shared_ptr<Judgement> judged;
    model::Plan plan;
    std::vector<config::Attachment> leaving;  // as they were configured
    ChangeView view;
    ChangeReply reply;                   // empty: it is a reload
    std::shared_ptr<const void> before;  // what was compiled and is not any more
    /// What a turn goes on with; wait: somebody else is going to call install().
    enum class Step : uint8_t { plan, narrow, widen, wait };
    Step step = Step::plan;
    size_t warned = 0;  // so many of the plan's warnings have been told
  };

  /// What reads much of the model.
  struct Reading {
    std::function<void()> read;  // beside control; throws std::bad_alloc
    std::function<void(Status)> then;
  };

  // Packets and time.
  void on_health(const HealthTransition& transition);
  bool take_packets();
  void report_pools();
  void on_punt(const dataplane::Punt& punt);
  void on_underlay_icmp(const std::optional<TooBig>& said);
  void take_kernel_icmp();

  // Changes, in the order in which they go.
  void enqueue(Request request);
  void start_reading();
  bool make_changes();
  void follow_macs(std::vector<dataplane::AttachmentTable::Retired>& retired);
  void begin(std::shared_ptr<Judgement> next);
  bool takes_long(const Judgement& next) const;
  static void judge(Judgement& next);
  void decide(const std::shared_ptr<Judgement>& judged);
  bool plan(const std::shared_ptr<Judgement>& next);
  void compile();
  void install();
  void lend(std::function<void()> read, std::function<void()> then);
  void unless_lent(std::function<void()> change);
  bool withdraw_routes(std::vector<config::Problem>& warnings);
  void read_beside(Reading reading);
  void serve_readings();
  void let_go(std::shared_ptr<const void> thing);
  void publish();
  void finish();
  void retire(model::Plan& plan);
  bool rules_moving() const;
  uint64_t sessions_on_old_rules() const;
  void settle_rules();
  void attachments_changed(const model::Plan& plan);
  void settle_routes();
  void purge();
  void answer(Installation& installation);
  void add_counts(Configured& all) const;
  void answer_reload(const ChangeView& view);
  void log_notes(const std::vector<std::string>& notes);

  ControlParts parts_;
  model::StartFacts facts_;
  std::unique_ptr<model::LiveModel> model_;
  FileConfig file_;
  Steering steering_;
  PathMtus path_mtus_;
  UnderlayPaths paths_;
  Neighbors neighbors_;
  Health health_;
  IcmpErrors icmp_errors_;
  RuleCounts rule_counts_;
  dataplane::NanoTime now_;
  dataplane::NanoTime started_;
  dataplane::NanoTime next_underlay_tick_ = 0;
  dataplane::NanoTime next_pool_report_ = 0;
  std::map<std::string, uint64_t> pools_exhausted_;  // as was told
  bool macs_asked_ = true;                           // a port's MAC may be another one now

  std::shared_ptr<ReadOutcome> read_;  // what the builder has read of the file, until its turn comes
  bool lent_ = false;                  // the compiler reads the model
  std::deque<std::function<void()>> when_back_;  // what waits for the end of that
  std::shared_ptr<Judgement> judging_;           // it does so for this one
  std::deque<Reading> readings_waiting_;
  std::optional<Installation> installing_;
  std::deque<ChangeReply> reloads_waiting_;       // for the reload after the one that is under way
  std::deque<ChangeReply> reloads_;               // for the one that is under way
  std::deque<ChangeReply> rule_reloads_waiting_;  // the same of rules alone; a whole reload serves them, too
  bool whole_reload_ = false;                     // the one that is under way
  std::deque<Request> transactions_waiting_;
  /// Attachments whose routes are to be withdrawn, or to be made again, before the next transaction.
  std::map<dataplane::AttachmentId, bool> withdrawals_;

  // Ids that are gone, to be purged by the next sweep.
  std::vector<dataplane::AttachmentId> gone_attachments_;
  std::vector<dataplane::DomainId> gone_domains_;
  std::vector<dataplane::AdjacencyId> gone_adjacencies_;
  bool purging_ = false;

  std::map<uint64_t, SessionsReply> listings_;  // sessions(), until the workers have answered
  uint64_t next_listing_ = 0;
  dataplane::NanoTime rules_since_ = 0;  // when all workers had the rules of the last reload
  bool rules_going_ = false;             // a worker may still see those before
  uint64_t reload_count_ = 0;
  std::string last_reload_;
  uint64_t stalls_ = 0;
  Builder compiler_;  // ends first: its jobs read the model
};

}  // namespace weir::control
