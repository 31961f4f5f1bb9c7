// `weir rules explain SID`: how a rule is looked for, and why it did or did not fire in a capture. Needs no
// root, no EAL and no hub.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weir::daemon {

class ExplainCommand {
 public:
  /// Adds the verb and its options to `rules`.
  explicit ExplainCommand(CLI::App& rules);
  bool parsed() const { return command_->parsed(); }
  /// The exit status: 0, 1 if there is no such rule or something cannot be read, 2 for wrong usage.
  int run() const;

 private:
  CLI::App* command_;
  std::vector<std::string> files_;
  std::string rule_, pcap_, opts_, config_, profile_;
};

}  // namespace weir::daemon
