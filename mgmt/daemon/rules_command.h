// `weir rules check FILE...`: what rules need, what is refused, what is slow. Needs no root, no EAL and no
// hub.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weir::daemon {

class RulesCommand {
 public:
  /// Adds the verb and its options to `app`.
  explicit RulesCommand(CLI::App& app);
  bool parsed() const { return check_->parsed(); }
  /// The exit status: 0, 1 if a file cannot be read, with --strict 64 if a rule is refused.
  int run() const;

 private:
  CLI::App* check_;
  std::vector<std::string> files_;
  std::string classes_;
  bool json_ = false, each_ = false, strict_ = false;
};

}  // namespace weir::daemon
