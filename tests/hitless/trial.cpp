#include "tests/hitless/trial.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace weir::hitless {

using namespace dataplane;

namespace {

/// Of the highest rate, while the hub is disturbed.
constexpr double kShare = 0.7;
constexpr Seconds kProbe{1.0};
// The search for the highest rate: so many windows have to be good, in stretches of so many.
constexpr Seconds kSlice{0.02}, kStretch{0.2};
constexpr size_t kEnough = 50;
constexpr double kStep = 0.95;
constexpr auto kSearch = std::chrono::seconds(120);
/// Behind the plan's end, for what control has not come to yet.
constexpr double kGrace = 2.0;
constexpr auto kPatience = std::chrono::seconds(60);
constexpr uint32_t kDomains = 3;  // that are there all the time

std::string number(uint64_t n) { return std::to_string(n); }

}  // namespace

Trial::Trial(const World& world, Rig& rig, const TrialPlan& plan)
    : world_(world),
      rig_(rig),
      plan_(plan),
      checker_(world, world.size().sessions, world.generations()),
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
      pace.rate = std::max(kShare * highest, plan_.least_rate);
      if (highest < plan_.least_rate)
        problem("at most " + number(static_cast<uint64_t>(highest)) + " packets/s, which are less than " +
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
  std::printf("%-12s %8.0f packets/s offered for %.1f s; seen in %.0f ms: least %.0f/s, median %.0f/s", what,
              flood.rate(), flood.seconds, 1'000 * flood.slice.count(), flood.window_rate(0),
              flood.window_rate(0.5));
  if (flood.overrun != 0) std::printf("; %" PRIu64 " more found the port full", flood.overrun);
  if (flood.withheld != 0)
    std::printf("; %" PRIu64 " withheld, since the generator was late", flood.withheld);
  if (flood.disturbed_windows() != 0)
    std::printf("; the machine disturbed %zu of %zu windows and kept %" PRIu64 " packets back",
                flood.disturbed_windows(), flood.windows.size(), flood.disturbed);
  std::printf("\n");
}

void Trial::judge_pace(const char* what, const Flood& flood) {
  say(what, flood);
  if (flood.overrun != 0)
    problem(std::string(what) + ": " + number(flood.overrun) +
            " packets would have been lost: the port was full though the workers had their cores");
}

/// The highest rate at which nothing would be lost while nothing changes, by short windows: those in which
/// the machine took a core away say nothing. So it takes a busy machine longer, and that is all.
double Trial::highest_rate() {
  const auto end = Clock::now() + kSearch;
  Flood flood = traffic_.run({.length = kProbe, .window = 2'048, .slice = kSlice});
  say("closed loop", flood);
  double rate = flood.window_rate(1);
  double carried = 0;  // the highest so far
  bool too_much = false;
  size_t undisturbed = 0;
  while (Clock::now() < end) {
    flood = traffic_.run({.length = kStretch, .rate = rate, .slice = kSlice});
    undisturbed += flood.windows.size() - flood.disturbed_windows();
    const bool behind = std::ranges::any_of(
        flood.windows, [](const Flood::Window& window) { return window.behind && !window.disturbed; });
    if (behind) {
      say("too much", flood);
      if (carried > 0) return carried;
      too_much = true;
      rate *= kStep;
      undisturbed = 0;
    } else if (undisturbed >= kEnough) {
      say(too_much ? "highest" : "carried", flood);
      if (too_much) return rate;
      carried = rate;
      rate /= kStep;
      undisturbed = 0;
    }
  }
  problem("the machine did not leave the cores to the test long enough to find the highest rate");
  return carried > 0 ? carried : rate;
}

void Trial::disturb(const Pace& pace) {
  Churn churn(world_, checker_, traffic_, rig_, plan_.churn);
  const auto meanwhile = [&] { churn.step(); };
  traffic_.arm();
  Pace whole = pace;
  whole.length = plan_.churn.length;
  judge_pace("disturbed", traffic_.run(whole, meanwhile));
  Pace rest = pace;
  rest.length = Seconds(0.05);
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(kGrace * plan_.churn.length) + kPatience;
  while (!churn.finished() && churn.transactions().problems().empty() && Clock::now() < end)
    traffic_.run(rest, meanwhile);
  if (!churn.finished()) problem("control did not get done with what was to change");
  for (const std::string& line : churn.transactions().problems()) problem("refused: " + line);
  std::printf(
      "%-12s %u spokes added, %u removed; %u tenants added, %u removed; %u routes loaded, %u withdrawn; "
      "%u policies, %u rulesets; %" PRIu64 " transactions\n",
      "changes", churn.added(), churn.removed(), churn.tenants_added(), churn.tenants_removed(),
      churn.routes_loaded(), churn.routes_withdrawn(), churn.policies(), churn.rulesets(),
      churn.transactions().made());
  expect_reuse(churn);
}

/// What came in the end had indices that others had before: else nothing was shown about them.
void Trial::expect_reuse(const Churn& churn) {
  const uint32_t attachments = 2 * kMembers + plan_.churn.spokes + 2 * plan_.churn.tenants;
  const uint32_t domains = kDomains + 2 * plan_.churn.tenants;
  std::printf("%-12s %u attachments had %u indices, %u domains %u\n", "indices", attachments,
              churn.highest_attachment() + 1, domains, churn.highest_domain() + 1);
  const auto reused = [](uint32_t came, uint32_t highest) { return highest != 0 && highest + 1 < came; };
  if (plan_.churn.spokes > 4 * plan_.churn.at_once && !reused(attachments, churn.highest_attachment()))
    problem("no index of an attachment was used again");
  if (plan_.churn.tenants > plan_.churn.at_once && !reused(domains, churn.highest_domain()))
    problem("no index of a domain was used again");
}

void Trial::account() {
  if (!traffic_.settle()) problem("packets are still under way 30 s after the last one was sent");
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
    // Which member a session gets is chance: five standard deviations off are none.
    const double fair = static_cast<double>(all) / kMembers;
    if (static_cast<double>(checker_.shares()[i]) < fair - 5 * std::sqrt(fair)) {
      problem("ECMP hardly uses member " + number(i % kMembers) + ": " + number(checker_.shares()[i]) +
              " of " + number(all) + " sessions");
    }
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
                c.cut_policy.get() + c.cut_route.get() + c.cut_nat.get(), c.handed_over.get());
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
  const uint64_t lost = checker_.faults().lost + checker_.passing_lost() - traffic_.refused() +
                        (generated - traffic_.questions()) + (traffic_.answers() - consumed);
  if (plan_.sabotage == Sabotage::none && !plan_.floods && dropped != lost)
    problem(number(lost) + " packets were lost in the hub, but it counts " + number(dropped) +
            " drops; it asked " + number(generated) + ", of which " + number(traffic_.questions()) +
            " came, consumed " + number(consumed) + " of " + number(traffic_.answers()) + " answers and " +
            number(plane.control_dropped(DropReason::none)) + " of " + number(traffic_.underlay_answers()) +
            " of the underlay; the full port refused " + number(traffic_.refused()));
}

}  // namespace weir::hitless
