// The wire around the hub: sends the sessions' packets at a given pace, takes what comes out to the checker,
// and answers for the hosts and routers that the hub asks for.
//
// One thread. Nothing is lost on this side: what the port does not take waits here until it does. A pace
// without a rate never offers more than the port's queues and the workers' rings hold. With a rate, a full
// port is what would have been a loss on a wire: it is counted, as the hub's (`overrun`) or, where the
// scheduler says that the workers did not have their cores, as the machine's (`disturbed`).
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
#include "tests/hitless/core_watch.h"
#include "tests/hitless/sabotage.h"

namespace weir::hitless {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// Of each of the port's queues towards the hub: as deep as a NIC's.
inline constexpr uint32_t kPortDepth = 4'096;

struct Pace {
  Seconds length{1};
  double rate = 0;  // packets a second; 0: as fast as the window allows
  uint32_t window = 1'024;
  Seconds slice{0.1};  // length of Flood::windows
};

struct Flood {
  double seconds = 0;
  uint64_t offered = 0;
  // Packets that were due and were not offered, because ...
  uint64_t overrun = 0;    // the port was full though the workers had their cores
  uint64_t withheld = 0;   // the generator was late though it had its core
  uint64_t disturbed = 0;  // the machine had taken the core from one or the other
  struct Window {
    uint32_t offered = 0, seen = 0;
    bool behind = false;     // overrun or withheld
    bool disturbed = false;  // by the machine: says nothing about the hub
  };
  std::vector<Window> windows;
  Seconds slice{0.1};
  double rate() const { return seconds > 0 ? static_cast<double>(offered) / seconds : 0; }
  /// Packets a second that were seen in the window at that rank from below: 0 is the worst, 1 the best.
  double window_rate(double rank) const;
  /// By how much less came out than went in, at worst, in any window that begins `after` the start; 0 to 1.
  /// With those that the machine disturbed, or without.
  enum class Windows : uint8_t { all, undisturbed };
  double dip(Seconds after, Windows which) const;
  size_t disturbed_windows() const;
};

class Traffic {
 public:
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
  /// Waits until nothing is under way any more, so that all counters agree. False: something still is after
  /// 30 s.
  bool settle();

  /// One packet of a session that was started, or the first one.
  void send(SessionNumber number, unsigned direction);
  /// What was staged goes out, as far as there is room.
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
  /// No room here either. Such a packet is lost, and by us.
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
  std::vector<uint64_t> turns() const;
  uint64_t total(dataplane::Counter dataplane::WorkerCounters::*counter) const;
  void recycle(rte_mbuf* packet);
  void stage(unsigned queue, rte_mbuf* packet, size_t length);
  void take(rte_mbuf* packet);
  void answer(const Seen& question);
  unsigned queue_of(SessionNumber number, unsigned direction) const;
  void next_visit();
  bool has_room() const;

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
  CoreWatch watch_;
  uint64_t step_;
  uint64_t visit_ = 0;
  uint64_t injected_ = 0, collected_ = 0, refused_ = 0;
  uint64_t questions_ = 0, answers_ = 0, underlay_answers_ = 0;
};

}  // namespace weir::hitless
