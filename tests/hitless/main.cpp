// Proof that changes cost nobody a packet. See README.md; `--help` has the options.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>

#include "tests/hitless/trial.h"

namespace {

using namespace weir::hitless;

constexpr int kFailed = 1, kCannotRun = 2, kSkipped = 77;

int run(const WorldSize& size, const RigOptions& options, const TrialPlan& plan) {
  const World world(size);
  Rig rig(world, options);
  if (!rig.enough_cores()) {
    std::printf("hitless: skipped, there is not a core for each of %u workers\n", size.workers);
    return kSkipped;
  }
  std::vector<std::string> problems;
  const auto refused = rig.run([&] {
    Trial trial(world, rig, plan);
    trial.run();
    problems = trial.problems();
  });
  for (const std::string& line : refused) std::printf("hitless: cannot run: %s\n", line.c_str());
  if (!refused.empty()) return kCannotRun;
  for (const std::string& line : problems) std::printf("hitless: %s\n", line.c_str());
  std::printf("hitless: %s\n", problems.empty() ? "ok" : "FAILED");
  return problems.empty() ? 0 : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  WorldSize size;
  RigOptions rig;
  TrialPlan plan;
  double seconds = plan.churn.length.count();
  double dip_seconds = plan.dip.length.count();
  std::string sabotage = "none";
  CLI::App app("Changes a hub under load and accounts for every packet");
  app.add_option("--sessions", size.sessions, "Sessions between west and east");
  app.add_option("--workers", size.workers, "Workers")->check(CLI::Range(1, 8));
  app.add_flag("!--no-fragments", size.fragments, "No session sends fragments");
  app.add_option("--seconds", seconds, "Length of the disturbance");
  app.add_option("--spokes", plan.churn.spokes, "Spokes added and removed meanwhile");
  app.add_option(
      "--tenants", plan.churn.tenants,
      "Tenants (two domains, their spokes, connection, routes), all with the same addresses, likewise");
  app.add_option("--at-once", plan.churn.at_once, "Such spokes at a time, and a quarter as many tenants")
      ->check(CLI::Range(1, 4'096));
  app.add_option("--routes", plan.churn.routes, "Routes loaded and withdrawn meanwhile");
  app.add_option("--policies", plan.churn.policies, "How often the policy is replaced");
  app.add_option("--rulesets", plan.churn.rulesets, "How often the rules of inspection are replaced");
  app.add_flag("--dips", plan.dips,
               "Instead: by how much the throughput dips with routes and policies that change");
  app.add_flag("--floods", plan.floods,
               "Instead: what a spoke that floods costs the others, for --seconds with each kind of flood");
  app.add_option("--routes-per-second", plan.dip.routes_per_second, "With --dips: route changes");
  app.add_option("--dip-seconds", dip_seconds, "With --dips: length of each change");
  app.add_flag("--search", plan.search, "Find the highest rate first, and run at 0.7 of it");
  app.add_option("--least-rate", plan.least_rate, "With --search: packets/s that the run has at least");
  app.add_flag("--poll", rig.poll, "Workers never sleep");
  app.add_flag("--hugepages", rig.hugepages, "Use hugepages if there are any");
  app.add_option("--log", rig.log_level, "The hub's log level");
  app.add_option("--sabotage", sabotage, "drop, duplicate, reorder, members, attachments, inherit");
  CLI11_PARSE(app, argc, argv);
  plan.churn.length = Seconds(seconds);
  plan.dip.length = Seconds(dip_seconds);
  plan.dip.judge_rates = plan.search;
  if (plan.dips || plan.floods) plan.churn.spokes = plan.churn.tenants = 0;
  size.spokes = plan.churn.spokes;
  size.tenants = plan.churn.tenants;
  size.floods = plan.floods;
  const auto what = parse_sabotage(sabotage);
  if (!what) {
    std::printf("hitless: no such sabotage: %s\n", sabotage.c_str());
    return kCannotRun;
  }
  plan.sabotage = *what;
  try {
    return run(size, rig, plan);
  } catch (const std::exception& problem) {
    std::printf("hitless: cannot run: %s\n", problem.what());
    return kCannotRun;
  }
}
