// A worker: one poll-mode core, from rx to tx.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>

#include "dataplane/worker/command.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

struct RxQueue {
  uint16_t device;
  uint16_t queue;
  PortIndex port;
};

class LookupAhead;

class Worker {
 public:
  Worker(WorkerIndex index, const DataplaneSettings& settings, WorkerRings rings, RingPtr commands,
         const std::atomic<const Snapshot*>& root, const std::atomic<int64_t>& wall_offset_ns,
         rte_rcu_qsbr* qsbr);

  // --- control thread, before the first turn ---
  WorkerContext& context() { return ctx_; }
  void add_rx_queue(RxQueue queue) { rx_queues_.push_back(queue); }

  // --- control thread, any time ---
  /// False: too many commands wait.
  bool command(Command* command) { return rte_ring_sp_enqueue(commands_.get(), command) == 0; }

  // --- its own thread ---
  /// Turns until `stop`.
  void run(const std::atomic<bool>& stop, NanoTime (*clock)(const void*), const void* clock_state);
  /// One turn over commands, rings, ports and timers. True if there was anything to do.
  bool turn(NanoTime now);

 private:
  /// A pass over the burst: takes each packet through a step, in order, and keeps those that go on. Its cost
  /// is booked on `stage` if the turn is sampled.
  template <typename Step>
  void pass(Stage stage, Burst& burst, Step&& step);
  /// The way of a packet.
  void forward_received(Burst& burst);
  void forward_owned(Burst& burst, const LookupAhead& lookups);
  void forward_own(Burst& burst);
  void forward_released();
  void forward_cleared(Burst& burst);
  void forward_pending(Burst& burst);
  void send_burst(Burst& burst);
  void send_answers();

  bool work();
  bool take_handed_over();
  /// What was handed over before the drain began has been taken over.
  bool is_drained() const;
  bool take_from_control();
  /// False if the packet's attachment went while it waited in a ring; then it is dropped.
  bool still_known(rte_mbuf* mbuf);
  /// Into the burst, if it is still known.
  void take_up(rte_mbuf* mbuf, LookupAhead& lookups);
  bool forward_inspected();
  bool receive();
  bool work_on_command();
  void purge_or_list(SessionIndex index, const Command& command, Command::Part& part);
  void sleep_a_little();

  WorkerContext ctx_;
  RingPtr commands_;
  const std::atomic<const Snapshot*>& root_;
  const std::atomic<int64_t>& wall_offset_ns_;
  rte_rcu_qsbr* qsbr_;
  IdleMode idle_;
  uint16_t burst_size_;
  uint32_t from_each_;       // packets that another worker has handed over and that one turn takes at most
  bool translated_ = false;  // the last burst had packets of sessions whose translation is a line of its own
  std::vector<RxQueue> rx_queues_;
  Burst burst_;
  Command* command_ = nullptr;      // under work
  uint32_t cursor_ = 0;             // its next session
  std::vector<uint32_t> drain_to_;  // by WorkerIndex: HandoffRing::pushed() when a drain began
};

}  // namespace weir::dataplane
