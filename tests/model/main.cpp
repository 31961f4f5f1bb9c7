// weir_session_model_test: runs the hub beside its model. See README.md.
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "tests/model/twins.h"
#include "tests/model/walk.h"

namespace {

using namespace weir::model;

int walk(WalkOptions options, uint64_t steps, uint64_t per_run) {
  Walk::Tally total;
  Random seeds(options.seed);
  for (uint64_t done = 0; done < steps;) {
    options.steps = per_run < steps - done ? per_run : steps - done;
    Walk run(options);
    const std::string wrong = run.run();
    total.add(run.tally());
    if (!wrong.empty()) {
      std::printf("FAILED after %llu steps, seed %llu, %u workers, %s\n",
                  static_cast<unsigned long long>(done + run.steps_taken()),
                  static_cast<unsigned long long>(options.seed), options.workers, wrong.c_str());
      std::printf("Once more: weir_session_model_test --seed %llu --workers %u --steps %llu%s --trace\n",
                  static_cast<unsigned long long>(options.seed), options.workers,
                  static_cast<unsigned long long>(run.steps_taken()), options.nat64 ? " --nat64" : "");
      return 1;
    }
    done += options.steps;
    options.seed = seeds.next() >> 16;
  }
  std::printf("%llu packets and %llu pieces: %llu left; %llu sessions, %llu gave way; %llu changes\n",
              static_cast<unsigned long long>(total.packets), static_cast<unsigned long long>(total.pieces),
              static_cast<unsigned long long>(total.left), static_cast<unsigned long long>(total.sessions),
              static_cast<unsigned long long>(total.given_way),
              static_cast<unsigned long long>(total.changes));
  for (const auto& [reason, n] : total.refused)
    std::printf("  %-28s %llu\n", reason.c_str(), static_cast<unsigned long long>(n));
  return 0;
}

int twins(WalkOptions options, uint64_t packets, uint64_t per_run) {
  TwinTally total;
  Random seeds(options.seed);
  for (uint64_t done = 0; done < packets; done += options.steps) {
    options.steps = per_run;
    if (const std::string wrong = run_twins(options, total); !wrong.empty()) {
      std::printf("FAILED after %llu steps, seed %llu, %u workers, %s\n",
                  static_cast<unsigned long long>(total.steps), static_cast<unsigned long long>(options.seed),
                  options.workers, wrong.c_str());
      std::printf(
          "Once more: weir_session_model_test --twins --seed %llu --workers %u --steps %llu --run %llu%s\n",
          static_cast<unsigned long long>(options.seed), options.workers,
          static_cast<unsigned long long>(per_run), static_cast<unsigned long long>(per_run),
          options.nat64 ? " --nat64" : "");
      return 1;
    }
    options.seed = seeds.next() >> 16;
  }
  std::printf(
      "%llu packets, %llu of them odd; where the domains are connected %llu crossed, else none; %llu live "
      "sessions were cut\n",
      static_cast<unsigned long long>(total.packets), static_cast<unsigned long long>(total.odd),
      static_cast<unsigned long long>(total.crossed), static_cast<unsigned long long>(total.cut));
  if (total.crossed * 20 >= total.packets && total.cut != 0) return 0;
  std::printf("FAILED: too few crossed for that to mean anything\n");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs the hub's data plane beside a slow model of it.");
  WalkOptions options;
  uint64_t steps = 60'000, per_run = 4'000;
  app.add_option("--seed", options.seed);
  app.add_option("--workers", options.workers)->check(CLI::Range(1, 4));
  app.add_option("--steps", steps, "of all runs together");
  app.add_option("--run", per_run, "steps of one run, each with a network of its own");
  app.add_flag("--nat64", options.nat64, "translation in every run, NAT64 with it");
  app.add_flag("--trace", options.trace, "print every step");
  bool both = false;
  app.add_flag("--twins", both, "domains that are not connected, and their twins that are");
  CLI11_PARSE(app, argc, argv);
  try {
    return both ? twins(options, steps, per_run) : walk(options, steps, per_run);
  } catch (const std::exception& error) {
    std::printf("FAILED, seed %llu: %s\n", static_cast<unsigned long long>(options.seed), error.what());
    return 1;
  }
}
