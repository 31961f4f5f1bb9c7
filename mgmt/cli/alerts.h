// `weirctl alerts`: the latest alerts, and those that come.
#pragma once

#include <CLI/CLI.hpp>

#include "mgmt/cli/client.h"

namespace weir::cli {

/// An alert's line for people.
std::string alert_line(const Json& alert);

class AlertsCommand {
 public:
  /// Adds the verb to `app`.
  explicit AlertsCommand(CLI::App& app);
  bool given() const { return command_->parsed(); }
  /// The exit code. With --follow: ends when the hub does, or standard output.
  int run(const Client& client, bool json) const;

 private:
  int follow(const Client& client, bool json) const;

  CLI::App* command_;
  unsigned max_ = 100;
  bool follow_ = false;
};

}  // namespace weir::cli
