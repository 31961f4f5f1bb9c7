#include "tests/hitless/trial.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace weir::hitless {

using namespace dataplane;

namespace {

/// Of the highest rate, while the hub is disturbed.
constexpr double kShare = 0.7;
constexpr Seconds kProbe{1.0};
/// Behind the plan's end, for what control has not come to yet.
constexpr double kGrace = 2.0;

std::string number(uint64_t n) { return std::to_string(n); }

}  // namespace

Trial::Trial(const World& world, Rig& rig, const TrialPlan& plan)
    : world_(world),
      rig_(rig),
      plan_(plan),
      checker_(world, world.size().sessions, plan.churn.spokes),
      traffic_(world, checker_, rig.hub().dataplane(), rig.port(), rig.pool(), plan.sabotage) {}

void Trial::run() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const bool opened = traffic_.open_sessions();
  std::printf("%-12s %u, TCP and UDP, IPv4 and IPv6, both ways, by 4 attachments to each side\n", "sessions",
              world_.size().sessions);
  if (!opened) {
    problem("not all sessions could be started");
  } else {
    Pace pace;
    if (plan_.search) {
      const double highest = highest_rate();
      pace.rate = kShare * highest;
      if (pace.rate < plan_.least_rate)
        problem(number(static_cast<uint64_t>(pace.rate)) + " packets/s are less than " +
                number(static_cast<uint64_t>(plan_.least_rate)));
    }
    if (plan_.floods) {
      endure_floods(pace);
    } else if (plan_.dips) {
      measure_dips(pace);
    } else {
      disturb(pace);
    }
  }
  account();
}

void Trial::say(const char* what, const Flood& flood) {
  std::printf("%-12s %8.0f packets/s offered for %.1f s; seen in 100 ms: least %.0f/s, median %.0f/s", what,
              flood.rate(), flood.seconds, flood.window_rate(0), flood.window_rate(0.5));
  if (flood.withheld != 0)
    std::printf("; %" PRIu64 " withheld, since the generator was late", flood.withheld);
  if (flood.refused != 0) std::printf("; %" PRIu64 " refused by the full port", flood.refused);
  std::printf("\n");
}

/// The highest rate at which nothing is lost while nothing changes.
double Trial::highest_rate() {
  Flood flood = traffic_.run({.length = kProbe, .window = 2'048, .lossy = true});
  say("closed loop", flood);
  double rate = flood.rate();
  const double least = rate / 4;
  while (rate > least) {
    flood = traffic_.run({.length = kProbe, .rate = rate, .lossy = true});
    traffic_.settle();
    const uint64_t lost = checker_.forgive();
    forgiven_ += lost;
    // What was not offered was not carried either.
    const bool whole = lost == 0 && flood.rate() >= 0.99 * rate;
    say(whole ? "highest" : "too much", flood);
    if (whole) return rate;
    rate *= 0.93;
  }
  problem(
      "even at a quarter of what goes through in a closed loop something is lost: has the machine other "
      "work?");
  return rate;
}

void Trial::disturb(const Pace& pace) {
  Churn churn(world_, checker_, traffic_, rig_, plan_.churn);
  const auto meanwhile = [&] { churn.step(); };
  traffic_.arm();
  Pace whole = pace;
  whole.length = plan_.churn.length;
  say("disturbed", traffic_.run(whole, meanwhile));
  Pace rest = pace;
  rest.length = Seconds(0.05);
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(kGrace * plan_.churn.length) +
                   std::chrono::seconds(5);
  while (!churn.finished() && churn.transactions().problems().empty() && Clock::now() < end)
    traffic_.run(rest, meanwhile);
  if (!churn.finished()) problem("control did not get done with what was to change");
  for (const std::string& line : churn.transactions().problems()) problem("refused: " + line);
  std::printf(
      "%-12s %u spokes added, %u removed; %u routes loaded, %u withdrawn; %u policies, %u rulesets; %" PRIu64
      " transactions\n",
      "changes", churn.added(), churn.removed(), churn.routes_loaded(), churn.routes_withdrawn(),
      churn.policies(), churn.rulesets(), churn.transactions().made());
}

void Trial::account() {
  if (!traffic_.settle()) problem("packets are still under way 5 s after the last one was sent");
  const Faults faults = checker_.faults(), passing = checker_.passing_faults();
  std::printf("%-12s %" PRIu64 " sent, %" PRIu64 " seen; of passing spokes %" PRIu64 " lost when they went\n",
              "packets", checker_.sent(), checker_.seen(), checker_.passing_lost() - passing.lost);
  const auto judge = [&](const Faults& f, const char* whose) {
    const std::pair<uint64_t, const char*> rows[] = {{f.lost, "lost"},
                                                     {f.duplicated, "duplicated"},
                                                     {f.reordered, "re-ordered"},
                                                     {f.misdelivered, "misdelivered"},
                                                     {f.moved, "by another member than before"},
                                                     {f.broken, "not as they were sent"}};
    for (const auto& [count, what] : rows)
      if (count != 0) problem(number(count) + " packets " + what + whose);
  };
  judge(faults, "");
  judge(passing, ", of spokes that come and go");
  for (const std::string& line : checker_.examples()) problem("  such as " + line);
  uint64_t west = 0, east = 0;
  for (uint32_t i = 0; i < kMembers; ++i) {
    west += checker_.shares()[i];
    east += checker_.shares()[kMembers + i];
  }
  for (uint32_t i = 0; i < 2 * kMembers; ++i) {
    const uint64_t all = i < kMembers ? west : east;
    if (checker_.shares()[i] * kMembers * 2 < all) problem("ECMP hardly uses member " + number(i % kMembers));
  }
  expect_balance();
}

/// The hub's own account agrees with ours: what came in went out, and what did not was dropped under a
/// reason.
void Trial::expect_balance() {
  const Dataplane& plane = rig_.hub().dataplane();
  uint64_t rx = 0, tx = 0, dropped = 0, generated = 0, consumed = 0;
  for (unsigned w = 0; w < plane.workers(); ++w) {
    const WorkerCounters& c = plane.counters(static_cast<WorkerIndex>(w));
    uint64_t dropped_here = 0;
    for (const Counter& counter : c.dropped) dropped_here += counter.get();
    const uint64_t in = c.rx.get() + c.taken_over.get() + c.resumed.get() + c.generated.get();
    const uint64_t out = c.tx.get() + c.punted.get() + c.handed_over.get() + c.consumed.get() + dropped_here;
    if (in != out)
      problem("worker " + number(w) + ": " + number(in) + " packets in, " + number(out) + " out");
    rx += c.rx.get();
    tx += c.tx.get();
    dropped += dropped_here;
    generated += c.generated.get();
    consumed += c.consumed.get();
    std::printf("worker %u     %" PRIu64 " sessions, %" PRIu64 " re-decided by policy, %" PRIu64
                " by route, %" PRIu64 " cut; %" PRIu64 " packets handed over\n",
                w, c.sessions_live.get(), c.redecided_policy.get(), c.redecided_route.get(),
                c.redecided_cut.get(), c.handed_over.get());
  }
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    uint64_t here = plane.control_dropped(reason);
    if (reason != DropReason::none) dropped += here;
    for (unsigned w = 0; w < plane.workers(); ++w)
      here += plane.counters(static_cast<WorkerIndex>(w)).dropped[i].get();
    if (here != 0 && reason != DropReason::none)
      std::printf("%-12s %" PRIu64 " %s\n", "dropped", here, std::string(info(reason).name).c_str());
  }
  if (plane.held() != 0) problem(number(plane.held()) + " packets are still held");
  if (rx != traffic_.injected())
    problem(number(traffic_.injected()) + " packets were on the wire to the hub, it counts " + number(rx));
  if (tx != traffic_.collected())
    problem(number(traffic_.collected()) + " packets came from the hub, it counts " + number(tx));
  // Beside the sessions' packets: what the hub asked, and what it was answered.
  const uint64_t lost = forgiven_ + checker_.faults().lost + checker_.passing_lost() - traffic_.refused() +
                        (generated - traffic_.questions()) + (traffic_.answers() - consumed);
  if (plan_.sabotage == Sabotage::none && !plan_.floods && dropped != lost)
    problem(number(lost) + " packets were lost in the hub, but it counts " + number(dropped) +
            " drops; it asked " + number(generated) + ", of which " + number(traffic_.questions()) +
            " came, consumed " + number(consumed) + " of " + number(traffic_.answers()) + " answers and " +
            number(plane.control_dropped(DropReason::none)) + " of " + number(traffic_.underlay_answers()) +
            " of the underlay; the full port refused " + number(traffic_.refused()));
}

}  // namespace weir::hitless
