// weir: the hub. `weir run -c FILE` starts it, `weir check -c FILE` says whether a configuration is right,
// `weir inspect` runs a capture through the inspection engine, `weir rules check` judges files of rules.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "mgmt/config/check.h"
#include "mgmt/config/reader.h"
#include "mgmt/daemon/hub.h"
#include "mgmt/daemon/inspect_command.h"
#include "mgmt/daemon/machine.h"
#include "mgmt/daemon/rules_command.h"
#include "mgmt/daemon/signals.h"
#include "mgmt/events/log.h"

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

int fail_with(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) std::fprintf(stderr, "weir: %s\n", line.c_str());
  return kFailed;
}

int fail_with(const std::vector<weir::config::Problem>& problems) {
  std::vector<std::string> lines;
  for (const auto& problem : problems) lines.push_back(weir::config::to_string(problem));
  return fail_with(lines);
}

/// What suricata-update asks of the program that it works for: the folders that it looks for files in.
void print_build_info() {
  std::cout << "weir " << WEIR_VERSION
            << "\n\nRules of Suricata 8\n\n  --prefix                /usr\n  --sysconfdir            /etc\n"
               "  --localstatedir         /var\n  --datarootdir           /usr/share\n";
}

int run(const std::string& file) {
  auto config = weir::config::read_config(file);
  if (!config) return fail_with(config.error());
  if (const auto problems = weir::daemon::check_machine(*config); !problems.empty())
    return fail_with(problems);
  auto signals = weir::daemon::Signals::block();
  if (!signals) return fail_with(std::vector<std::string>{signals.error().message});
  const auto log = weir::events::make_log(config->log.level);
  {
    weir::daemon::Hub hub(std::move(*config), log, WEIR_VERSION);
    if (const auto problems = hub.start(); !problems.empty()) return fail_with(problems);
    hub.run(*signals);
    const bool idle = hub.stop();
    log->info("stopped");
    log->flush();
    // What still compiles rules works on values of its own and goes with the process.
    if (!idle) std::_Exit(kOk);
  }
  return kOk;
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  CLI::App app("Weir: a transit hub for multi-cloud networks.", "weir");
  app.set_version_flag("--version", std::string("weir ") + WEIR_VERSION);
  app.add_flag_callback(
      "--build-info",
      [] {
        print_build_info();
        throw CLI::Success();
      },
      "Print the folders that suricata-update asks for");
  app.require_subcommand(1);
  CLI::App* run_command = app.add_subcommand("run", "Start the hub and stay in the foreground");
  CLI::App* check_command = app.add_subcommand("check", "Check a configuration and its rules; needs no root");
  for (CLI::App* command : {run_command, check_command}) {
    command->add_option("-c,--config", file, "The configuration file")->required();
  }
  const weir::daemon::InspectCommand inspect_command(app);
  const weir::daemon::RulesCommand rules_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (inspect_command.parsed()) return inspect_command.run();
  if (rules_command.parsed()) return rules_command.run();
  return run_command->parsed() ? run(file) : weir::config::run_check(file, std::cout, std::cerr);
}
