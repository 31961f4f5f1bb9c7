// `weir inspect`: a capture through the engine, events to a file.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "inspection/offline/settings.h"

namespace weir::inspection::offline {

struct InspectRequest {
  std::vector<std::string> rules;
  std::string pcap;
  std::string eve;
  OfflineSettings settings;
  unsigned workers = 1;    // engines; a session belongs to one
  bool strict = false;     // refused rules are an error
  bool reference = false;  // no prefilter: every rule on every buffer
};

inline constexpr int kInspectOk = 0, kInspectFailed = 1, kInspectRefused = 64;

/// Runs it; the exit status. Refused rules and what else a person should know go to `err`.
int run_inspect(InspectRequest request, std::ostream& err);

}  // namespace weir::inspection::offline
