// `weir inspect`: a capture through the engine, events to a file.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "inspection/engine/rule_source.h"
#include "inspection/offline/settings.h"

namespace weir::inspection::offline {

/// What became of the rule, in a packet of a session; null: of none.
using ExplainSteps = std::function<void(const EngineSession*, const EnginePacket&, const RuleStep&)>;

struct InspectRequest {
  RuleSource rules;  // the settings' threshold file goes before its own
  std::string pcap;
  std::string eve;
  OfflineSettings settings;
  unsigned workers = 1;    // engines; a session belongs to one
  bool strict = false;     // refused rules are an error
  bool reference = false;  // no prefilter: every rule on every buffer
  /// Told of each step of the rule that `settings.engine.detector.explain` names; null: nobody asks.
  ExplainSteps explain = nullptr;
  bool quiet = false;  // refused rules are not told
};

inline constexpr int kInspectOk = 0, kInspectFailed = 1, kInspectRefused = 64;

/// Runs it; the exit status. Refused rules and what else a person should know go to `err`.
int run_inspect(InspectRequest request, std::ostream& err);

}  // namespace weir::inspection::offline
