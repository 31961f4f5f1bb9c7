// `weirctl config show | save | diff`: the whole configuration that is in force.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "mgmt/cli/client.h"

namespace weir::cli {

class ConfigCommands {
 public:
  /// Adds the commands. Lives as long as `app`.
  explicit ConfigCommands(CLI::App& app);
  ConfigCommands(const ConfigCommands&) = delete;
  ConfigCommands& operator=(const ConfigCommands&) = delete;

  /// One of these commands was given, with its verb.
  bool given() const;
  /// Asks, writes, prints; the process's exit code.
  int run(const Client& client, bool json) const;

 private:
  int save(const Client& client, bool json) const;
  int save_to(const Client& client) const;
  int diff(const Client& client, bool json) const;

  CLI::App* show_;
  CLI::App* save_;
  CLI::App* diff_;
  std::string to_;
  bool force_ = false;
};

}  // namespace weir::cli
