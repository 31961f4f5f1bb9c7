// `weir rules check [FILE...] [-c HUB.toml]`: what rules need, what is refused, what is slow.
// `weir rules import suricata.yaml`: a profile of an existing Suricata.
// `weir rules explain SID`: explain_command.h. None needs root, EAL or a hub.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "mgmt/daemon/explain_command.h"

namespace weir::daemon {

class RulesCommand {
 public:
  /// Adds the verb and its options to `app`.
  explicit RulesCommand(CLI::App& app);
  bool parsed() const { return rules_->parsed(); }
  /// The exit status: 0, 1 if a file cannot be read or written, 2 if nothing to check is named, with --strict
  /// 64 if a rule is refused.
  int run() const;

 private:
  void add_import();
  int check() const;
  int make_profile() const;

  CLI::App* rules_;
  CLI::App* check_;
  CLI::App* import_;
  ExplainCommand explain_;
  std::vector<std::string> files_;
  std::string classes_, references_, thresholds_, config_, profile_;
  std::string yaml_, out_, name_ = "suricata";
  bool force_ = false;
  bool json_ = false, each_ = false, strict_ = false;
};

}  // namespace weir::daemon
