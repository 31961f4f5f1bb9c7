// One spoke floods, of every kind in turn, while the sessions of others go on: not one of their packets is
// lost, and another spoke is answered whenever it asks.
#include <cinttypes>
#include <cstdio>
#include <thread>

#include "tests/hitless/floods.h"
#include "tests/hitless/trial.h"

namespace weir::hitless {

using namespace dataplane;

namespace {

/// Of the highest rate: the sessions' share, and the flooder's.
constexpr double kSessions = 0.3, kFlood = 0.3;
/// In a closed loop the hub works as fast as it can; so many frames of the flooder to one of a session.
constexpr unsigned kClosedLoop = 2;
constexpr double kTrialShare = 0.7;  // what run() made of the highest rate

uint64_t dropped(const Dataplane& plane, DropReason reason) {
  uint64_t count = plane.control_dropped(reason);
  for (unsigned w = 0; w < plane.workers(); ++w)
    count += plane.counters(static_cast<WorkerIndex>(w)).dropped[static_cast<size_t>(reason)].get();
  return count;
}

}  // namespace

void Trial::endure_floods(const Pace& pace) {
  const Dataplane& plane = rig_.hub().dataplane();
  Floods floods(world_, traffic_);
  traffic_.listen([&](const Seen& seen, std::span<const uint8_t> frame) { return floods.take(seen, frame); });
  traffic_.arm();
  Pace part = pace;
  part.length = plan_.churn.length;
  part.rate = pace.rate / kTrialShare * (kSessions + kFlood);
  const unsigned each = pace.rate > 0 ? 1 : kClosedLoop;
  for (const FloodKind kind : kFloodKinds) {
    judge_pace(name_of(kind), traffic_.run(
                                  part, [&] { floods.step(); },
                                  [&] {
                                    unsigned staged = 0;
                                    while (staged < each && floods.send(kind)) ++staged;
                                    return staged;
                                  }));
    if (!traffic_.settle()) problem(std::string(name_of(kind)) + ": packets are still under way after 30 s");
  }
  wait_for_balance();
  traffic_.listen({});
  for (const std::string& line : floods.problems()) problem(line);
  std::printf("%-12s %" PRIu64 " ARP requests, %" PRIu64 " with TTL 1, %" PRIu64 " fragments, %" PRIu64
              " tiny; answered to the flooder: %" PRIu64 " ARP, %" PRIu64
              " ICMP; the bystander asked %" PRIu64 " times\n",
              "flooded", floods.sent(FloodKind::arp), floods.sent(FloodKind::ttl),
              floods.sent(FloodKind::fragments), floods.sent(FloodKind::tiny), floods.replies(),
              floods.errors(), floods.asked());
  // It was a flood: each kind went beyond what its limit lets one spoke have.
  if (floods.replies() != floods.sent(FloodKind::arp))
    problem("not each ARP request of the flooder was answered");
  if (floods.errors() >= floods.sent(FloodKind::ttl)) problem("ICMP to the flooder was not limited");
  if (dropped(plane, DropReason::punt_rate_limited) == 0) problem("punts of the flooder were not limited");
  if (dropped(plane, DropReason::fragment_limit) == 0) problem("fragments of the flooder were not limited");
  if (dropped(plane, DropReason::inner_truncated) != floods.sent(FloodKind::tiny))
    problem("not each tiny packet was dropped as inner_truncated");
}

/// The flooder's fragments wait for the rest of their datagrams until they time out.
void Trial::wait_for_balance() {
  const Dataplane& plane = rig_.hub().dataplane();
  const auto held = [&] {
    int64_t sum = 0;
    for (unsigned w = 0; w < plane.workers(); ++w) {
      const WorkerCounters& c = plane.counters(static_cast<WorkerIndex>(w));
      uint64_t out = c.tx.get() + c.punted.get() + c.handed_over.get() + c.consumed.get();
      for (const Counter& counter : c.dropped) out += counter.get();
      sum +=
          static_cast<int64_t>(c.rx.get() + c.taken_over.get() + c.resumed.get() + c.generated.get() - out);
    }
    return sum;
  };
  for (const auto end = Clock::now() + std::chrono::seconds(10); held() != 0 && Clock::now() < end;) {
    traffic_.poll();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace weir::hitless
