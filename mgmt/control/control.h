// The control thread: owns the model, publishes it, and is the slow path of packets that need a mind.
//
// One thread calls everything here; others reach it through the Mailbox. Nothing blocks: what takes long runs
// on the Builder and comes back by message. A turn of more than 10 ms is counted as a stall. Time is an
// input.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
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
#include "mgmt/control/neighbors.h"
#include "mgmt/control/path.h"
#include "mgmt/control/path_mtu.h"
#include "mgmt/control/reconfigure.h"
#include "mgmt/control/underlay_paths.h"
#include "mgmt/control/views.h"
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
  std::vector<const dataplane::Port*> ports;                         // by PortIndex
  std::map<dataplane::PortIndex, dataplane::XdpSteering*> steering;  // af_xdp ports only
  std::string version;                                               // the program's
  /// Told of each change of an attachment's state; may be empty.
  std::function<void(const AttachmentChange&)> on_attachment_change = {};
  /// ICMP errors for addresses that the kernel shares.
  std::vector<const underlay::IcmpSocket*> icmp = {};
};

/// What became of a reload or a transaction.
struct ChangeView {
  std::vector<std::string> problems;  // empty: done; else nothing was changed
  std::vector<std::string> notes;     // right, but worth a thought
  std::vector<std::string> changes;   // a line for each thing that changed
};

class Control {
 public:
  using ChangeReply = std::function<void(ChangeView)>;
  using SessionsReply = std::function<void(SessionsView)>;
  /// How long the workers sample every turn after someone looked.
  static constexpr dataplane::NanoTime kWatch = 2 * dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kStall = 10 * dataplane::kNanosPerMilli;

  /// `in_force` is what the snapshot that the data plane was created with was compiled from.
  Control(ControlParts parts, model::StartFacts facts, InForce in_force, dataplane::NanoTime now);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Before the first turn: steers tunnel traffic to the workers, resolves the tunnels' peers.
  Status start();
  /// One turn: messages, underlay, what workers punted, timers, what is past its grace period.
  /// `underlay_ready`: one of its file descriptors is readable. True if there was something to do, so that
  /// the next turn should come soon.
  bool turn(dataplane::NanoTime now, bool underlay_ready);

  /// Reads the file again and changes over to it, or to nothing of it. `reply` is called in a later turn.
  void reload(ChangeReply reply);
  /// Makes all of these changes to the model, or none of them. They live until the hub stops, unless they are
  /// written to the file (`weirctl config save`). `reply` is called in this turn or in a later one.
  void transact(config::ModelChanges changes, ChangeReply reply);
  /// Tells what transact() would change, or refuse, and changes nothing.
  void try_out(config::ModelChanges changes, ChangeReply reply);
  /// After the last turn: whoever still waits for an answer gets none, or is told that the hub is stopping.
  void abandon();

  // --- looking in ---
  std::shared_ptr<const config::Config> config() const { return in_force_.config; }
  StatusView status() const;
  /// Has the workers sample every turn for the next 2 s.
  TopView top();
  std::vector<DropView> drops() const { return drop_views(parts_.dataplane); }
  Result<std::vector<DomainRoutesView>> routes(const std::optional<std::string>& domain) const {
    return route_views(*in_force_.model, domain);
  }
  Result<PathAnswer> path(const PathQuery& query) const {
    return explain_path(parts_.dataplane.current(), *in_force_.model, query);
  }
  void sessions(size_t max, SessionsReply reply);
  const Neighbors& neighbors() const { return neighbors_; }
  const Health& health() const { return health_; }
  bool building() const { return building_; }

 private:
  void watch_attachments(const model::Model* before);
  void on_health(const HealthTransition& transition);
  bool take_packets();
  void on_punt(const dataplane::Punt& punt);
  bool on_underlay_icmp(const std::optional<TooBig>& said);
  bool take_kernel_icmp();
  void underlay_changed();
  void start_build(bool reread);
  struct Transaction {
    config::ModelChanges changes;
    bool dry_run = false;
    ChangeReply reply;
  };
  void enqueue(Transaction transaction);
  void take_transaction(BuildJob& job);
  void finish_build(BuildOutcome& outcome);
  void install(BuildOutcome& outcome);
  void make_peer_adjacencies();
  void settle_routes();
  void purge(const model::CompiledModel& compiled);
  bool widen_steering(BuildOutcome& outcome);
  Status steer(const model::Model* also);
  void answer_reload(const BuildOutcome& outcome);
  void answer_transaction(const BuildOutcome& outcome);

  ControlParts parts_;
  model::StartFacts facts_;
  InForce in_force_;
  PathMtus path_mtus_;
  UnderlayPaths paths_;
  Neighbors neighbors_;
  Health health_;
  IcmpErrors icmp_errors_;
  dataplane::NanoTime now_;
  dataplane::NanoTime started_;
  dataplane::NanoTime next_underlay_tick_ = 0;

  std::set<dataplane::AttachmentId> withdrawn_;  // down, and their routes are not there meanwhile
  bool building_ = false;
  bool recompile_wanted_ = false;
  std::deque<ChangeReply> reloads_waiting_;   // for the build after the one that runs
  std::deque<ChangeReply> reloads_building_;  // for the one that runs
  std::deque<Transaction> transactions_waiting_;
  std::optional<Transaction> transaction_building_;
  std::map<uint64_t, SessionsReply> listings_;  // sessions(), until the workers have answered
  uint64_t next_listing_ = 0;
  std::vector<dataplane::AttachmentId>
      released_attachments_;  // purged, index not yet given back to the model
  std::vector<dataplane::DomainId> released_domains_;

  uint64_t reloads_ = 0;
  std::string last_reload_;
  uint64_t stalls_ = 0;
};

}  // namespace weir::control
