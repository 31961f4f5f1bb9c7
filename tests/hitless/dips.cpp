// By how much the throughput dips while the hub is changed, and that no session is decided again without
// need.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "tests/hitless/trial.h"

namespace weir::hitless {

using namespace dataplane;
using config::ChangeVerb;
using config::ModelChanges;

namespace {

constexpr double kAllowed = 0.05, kAllowedOwnPair = 0.3;
constexpr Seconds kOwnPairLasts{2};
/// Of the pace: what the generator has to have offered, else the machine had no time for the test.
constexpr double kOffered = 0.95;
constexpr size_t kInFlight = 4;  // transactions

uint64_t sum(const Dataplane& plane, Counter WorkerCounters::*counter) {
  uint64_t all = 0;
  for (unsigned w = 0; w < plane.workers(); ++w)
    all += (plane.counters(static_cast<WorkerIndex>(w)).*counter).get();
  return all;
}

config::PolicyRule rule(const std::string& id, const char* from, const char* to) {
  config::PolicyRule made;
  made.id = id;
  made.action = config::PolicyAction::allow;
  made.from.domains = {from};
  made.to.domains = {to};
  return made;
}

}  // namespace

uint64_t Trial::redecided_by_policy() const {
  return sum(rig_.hub().dataplane(), &WorkerCounters::redecided_policy);
}
uint64_t Trial::redecided_by_route() const {
  return sum(rig_.hub().dataplane(), &WorkerCounters::redecided_route);
}

void Trial::judge_dip(const char* what, const Flood& flood, double allowed, Seconds after) {
  const double worst = flood.dip(after, Flood::Windows::all);
  const double judged = flood.dip(after, Flood::Windows::undisturbed);
  std::printf(
      "%-12s %.1f %% at worst in 100 ms%s; %.1f %% without the %zu of %zu windows that were disturbed\n",
      "dip", 100 * worst, after > Seconds(0) ? ", after 2 s" : "", 100 * judged, flood.disturbed_windows(),
      flood.windows.size());
  if (!plan_.dip.judge_rates) return;
  const double due = static_cast<double>(flood.offered + flood.withheld);
  if (static_cast<double>(flood.offered) < kOffered * due)
    problem(std::string(what) + ": the generator had no time");
  if (worst <= allowed) return;  // what the machine took made no difference
  if (judged > allowed) problem(std::string(what) + ": the throughput dips too deep");
  if (flood.disturbed_windows() == flood.windows.size())
    problem(std::string(what) + ": the machine left no window undisturbed");
}

void Trial::measure_dips(const Pace& pace) {
  Pace part = pace;
  part.length = plan_.dip.length;
  const Flood undisturbed = traffic_.run(part);
  judge_pace("undisturbed", undisturbed);
  judge_dip("undisturbed", undisturbed, kAllowed, Seconds(0));
  change_routes(part);
  change_policy(part, false);
  change_policy(part, true);
}

/// As many changes a second, in turn a load and a withdrawal of the same routes.
void Trial::change_routes(const Pace& pace) {
  Transactions transactions(rig_);
  const uint32_t batch = plan_.dip.routes_per_transaction;
  const uint64_t policy_before = redecided_by_policy(), route_before = redecided_by_route();
  uint64_t asked = 0, changed = 0;
  const auto start = Clock::now();
  const auto step = [&] {
    transactions.poll();
    const double due = Seconds(Clock::now() - start).count() * plan_.dip.routes_per_second;
    // Some wait at control, so that it never waits for us.
    if (transactions.open() >= kInFlight || static_cast<double>(asked + batch) > due) return;
    // Loads of one batch and withdrawals of it follow each other.
    const auto turn = static_cast<uint32_t>(asked / batch);
    const uint32_t first = turn / 2 % 512 * batch;
    ModelChanges changes;
    changes.reserve(batch);
    for (uint32_t i = 0; i < batch; ++i)
      changes.push_back(
          {turn % 2 == 0 ? ChangeVerb::add : ChangeVerb::remove, Churn::extra_route(first + i), {}});
    if (transactions.transact(std::move(changes), [&] { changed += batch; })) asked += batch;
  };
  const Flood flood = traffic_.run(pace, step);
  judge_pace("routes", flood);
  judge_dip("routes", flood, kAllowed, Seconds(0));
  const double rate = static_cast<double>(changed) / flood.seconds;
  std::printf("%-12s %.0f route changes/s in the sessions' own domain; %" PRIu64
              " sessions re-decided by policy, %" PRIu64 " by route\n",
              "", rate, redecided_by_policy() - policy_before, redecided_by_route() - route_before);
  if (redecided_by_policy() != policy_before) problem("routes: sessions were re-decided by policy");
  if (plan_.dip.judge_rates && rate < 0.98 * plan_.dip.routes_per_second)
    problem("routes: control does not make as many changes a second");
  while (transactions.open() != 0 && transactions.problems().empty()) {
    traffic_.run({.length = Seconds(0.05), .rate = pace.rate}, [&] { transactions.poll(); });
  }
  for (const std::string& line : transactions.problems()) problem("refused: " + line);
}

/// The sessions' own pair of domains: one edit. Another one: an edit each 100 ms.
void Trial::change_policy(const Pace& pace, bool own_pair) {
  Transactions transactions(rig_);
  const char* what = own_pair ? "own policy" : "other policy";
  const uint64_t before = redecided_by_policy();
  unsigned edits = 0;
  bool busy = false;
  const auto start = Clock::now();
  const auto step = [&] {
    transactions.poll();
    const bool due = own_pair ? edits == 0 : Seconds(Clock::now() - start).count() > 0.1 * edits;
    if (busy || !due) return;
    const std::string id = (own_pair ? "own" : "other") + std::to_string(edits);
    ModelChanges changes{{ChangeVerb::add,
                          own_pair ? rule(id, "west", "east") : rule(id, "edge", "edge"),
                          {config::RulePlace::Side::before, "rest"}}};
    if (own_pair)
      changes.push_back(
          {ChangeVerb::add, rule("reply", "east", "west"), {config::RulePlace::Side::before, "rest"}});
    busy = transactions.transact(std::move(changes), [&] {
      ++edits;
      busy = false;
    });
  };
  const Flood flood = traffic_.run(pace, step);
  judge_pace(what, flood);
  if (own_pair) {
    judge_dip(what, flood, kAllowedOwnPair, Seconds(0));
    judge_dip(what, flood, kAllowed, kOwnPairLasts);
  } else {
    judge_dip(what, flood, kAllowed, Seconds(0));
  }
  while (transactions.open() != 0 && transactions.problems().empty()) {
    traffic_.run({.length = Seconds(0.05), .rate = pace.rate}, [&] { transactions.poll(); });
  }
  const uint64_t redecided = redecided_by_policy() - before;
  std::printf("%-12s %u edits; %" PRIu64 " sessions re-decided by policy\n", "", edits, redecided);
  for (const std::string& line : transactions.problems()) problem("refused: " + line);
  if (edits == 0) problem(std::string(what) + ": control did not come to it");
  if (!own_pair && redecided != 0) problem("other policy: sessions of another pair were re-decided");
  if (own_pair && redecided > world_.size().sessions)
    problem("own policy: sessions were re-decided more than once");
}

}  // namespace weir::hitless
