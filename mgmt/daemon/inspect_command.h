// `weir inspect`: a capture through the inspection engine. Needs no root, no EAL and no hub.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace weir::daemon {

class InspectCommand {
 public:
  /// Adds the verb and its options to `app`.
  explicit InspectCommand(CLI::App& app);
  bool parsed() const { return command_->parsed(); }
  /// The exit status.
  int run() const;

 private:
  CLI::App* command_;
  std::vector<std::string> rules_;
  std::string pcap_, eve_, config_, opts_;
  unsigned workers_ = 1;
  bool strict_ = false, reference_ = false;
};

}  // namespace weir::daemon
