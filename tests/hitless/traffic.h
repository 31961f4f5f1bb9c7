// The wire around the hub: sends the sessions' packets at a given pace, takes what comes out to the checker,
// and answers for the hosts and routers that the hub asks for.
//
// One thread. Packets that the port does not take are lost, as on a wire; a pace without a rate never offers
// more than the port's queues and the workers' rings hold, so that only the hub can lose something.
#pragma once

#include <rte_mbuf.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/io/memory_port.h"
#include "dataplane/worker/dataplane.h"
#include "tests/hitless/checker.h"
#include "tests/hitless/sabotage.h"

namespace weir::hitless {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Pace {
  Seconds length{1};
  double rate = 0;  // packets a second; 0: as fast as the window allows
  uint32_t window = 1'024;
  /// Packets will be lost: without the inspected TCP sessions, since these senders do not send again what was
  /// lost, and the hub ends an inspected stream that goes on behind a gap.
  bool lossy = false;
};

struct Flood {
  double seconds = 0;
  uint64_t offered = 0;
  uint64_t refused = 0;   // the port was full
  uint64_t withheld = 0;  // due, but the generator was late by more than a burst
  struct Window {         // of 100 ms
    uint32_t offered = 0, seen = 0;
  };
  std::vector<Window> windows;
  double rate() const { return seconds > 0 ? static_cast<double>(offered) / seconds : 0; }
  /// Packets a second that were seen in the window at that rank from below: 0 is the worst, 1 the best.
  double window_rate(double rank) const;
  /// By how much less came out than went in, at worst, in any window that begins `after` the start; 0 to 1.
  double dip(Seconds after = Seconds(0)) const;
};

class Traffic {
 public:
  static constexpr auto kWindow = std::chrono::milliseconds(100);

  Traffic(const World& world, Checker& checker, dataplane::Dataplane& dataplane, dataplane::MemoryPort& port,
          rte_mempool* pool, Sabotage sabotage);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  /// Starts all sessions, the first ones slowly. False: not all came through in time.
  bool open_sessions();
  /// Sends packets of all sessions in turn, in an order that is none. `meanwhile` is called about every 100
  /// us, `beside` after each packet of a session: how many others it staged, which the pace counts too.
  Flood run(const Pace& pace, const std::function<void()>& meanwhile = {},
            const std::function<unsigned()>& beside = {});
  /// Waits until nothing is under way any more. False: something still is after 5 s.
  bool settle();

  /// One packet of a session that was started, or the first one.
  void send(SessionNumber number, unsigned direction);
  /// What was staged goes out.
  void flush();
  /// Takes what the hub sent. True if there was something.
  bool poll();
  void arm() { saboteur_.arm(); }

  // --- frames that are of no session ---
  /// Null: no packet buffer is free.
  rte_mbuf* fresh();
  void stage_other(rte_mbuf* packet, size_t length) { stage(0, packet, length); }
  /// Is asked first about each frame that the hub sent; true: it was for that one.
  using Others = std::function<bool(const Seen&, std::span<const uint8_t>)>;
  void listen(Others others) { others_ = std::move(others); }

  // --- counts ---
  uint64_t injected() const { return injected_; }    // all that the port took
  uint64_t collected() const { return collected_; }  // all that it gave
  uint64_t refused() const { return refused_; }
  uint64_t questions() const { return questions_; }  // ARP and ND by the hub
  uint64_t answers() const { return answers_; }      // to those inside tunnels
  uint64_t underlay_answers() const { return underlay_answers_; }
  /// Packets that lie in the port's queues.
  uint64_t waiting() const;
  /// And in the rings between workers.
  uint64_t between_workers() const;

 private:
  static constexpr uint16_t kBurst = 64;
  struct Outgoing {
    size_t size = 0;
    rte_mbuf* packets[kBurst];
  };

  bool open_stage(unsigned direction, uint32_t already, uint32_t window, uint32_t sessions);
  bool under_way() const;
  uint64_t total(dataplane::Counter dataplane::WorkerCounters::*counter) const;
  void recycle(rte_mbuf* packet);
  void stage(unsigned queue, rte_mbuf* packet, size_t length);
  void take(rte_mbuf* packet);
  void answer(const Seen& question);
  unsigned queue_of(SessionNumber number, unsigned direction) const;
  void next_visit(bool lossy);

  const World& world_;
  Checker& checker_;
  dataplane::Dataplane& dataplane_;
  dataplane::MemoryPort& port_;
  rte_mempool* pool_;
  Saboteur saboteur_;
  Others others_;
  unsigned queues_;
  std::vector<Outgoing> outgoing_;  // by queue
  std::vector<rte_mbuf*> spare_;
  uint64_t step_;
  uint64_t visit_ = 0;
  uint64_t injected_ = 0, collected_ = 0, refused_ = 0;
  uint64_t questions_ = 0, answers_ = 0, underlay_answers_ = 0;
};

}  // namespace weir::hitless
