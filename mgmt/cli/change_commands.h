// `weirctl domain | attachment | route | connection | policy add | remove | replace`: changes at run time.
//
// Options come from the key table, so that the command line has what the configuration file has, by the same
// names: `--vxlan-vni` is `attachment[].vxlan.vni`. Nothing is judged here: the values go to the hub as TOML.
#pragma once

#include <CLI/CLI.hpp>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/result.h"
#include "mgmt/config/key_table.h"

namespace weir::cli {

/// What to post to /v1/changes.
struct ChangeRequest {
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string type;  // of the body
  std::string body;
  std::string kind;  // the messages' keys are options of this kind of thing; empty for a batch
};

class ChangeCommands {
 public:
  /// Adds the commands. Lives as long as `app`.
  explicit ChangeCommands(CLI::App& app);
  ChangeCommands(const ChangeCommands&) = delete;
  ChangeCommands& operator=(const ChangeCommands&) = delete;

  /// One of these commands was given.
  bool given() const;
  /// `weirctl policy` and `weirctl nat` alone show what there is.
  bool lists(std::string_view kind) const;
  /// Its request; reads the batch's file. Fails with a sentence: `invalid` for what a caller can see without
  /// the hub (nothing is named), `io` for the file.
  Result<ChangeRequest> request() const;
  bool dry_run() const { return dry_run_; }

 private:
  struct Argument {
    const config::KeySpec* key = nullptr;
    CLI::Option* option = nullptr;
    // One of these, by the key's kind:
    std::vector<std::string> values;
    std::string value;
    bool flag = false;
  };
  struct Command {
    std::string_view kind, verb;  // no verb: a batch with verbs of its own
    CLI::App* app;
    std::list<Argument> arguments;
  };

  void add_kind(CLI::App& app, std::string_view kind, std::string_view help);
  void add_verb(CLI::App& group, std::string_view kind, std::string_view verb, const std::string& help);
  void add_argument(Command& command, const config::KeySpec& key);
  const Command* chosen() const;

  std::list<Command> commands_;
  std::string batch_;
  bool dry_run_ = false;
};

/// A problem's line with the key at its beginning as the option that it came from.
std::string by_option(const std::string& problem, std::string_view kind);

}  // namespace weir::cli
