// All counters of a worker by name, so that a test states every one that moves.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "dataplane/worker/dataplane.h"

namespace weir::test {

/// Counter name -> how far it moved; drops are "drop REASON". What did not move is not in it.
using Counts = std::map<std::string, int64_t>;

/// Every counter but `turns`, `idle_turns` and `bursts`, which say how often a loop ran, not what it did, and
/// `sessions_half_open`, which every SYN moves and session_flood_test.cpp looks at.
Counts read_counts(const dataplane::WorkerCounters& counters);

/// `after` - `before`, without the zeroes.
Counts moved(const Counts& before, const Counts& after);

Counts operator+(Counts a, const Counts& b);

/// in - out of the balance in worker/README.md; 0 at the end of a turn.
int64_t imbalance(const dataplane::WorkerCounters& counters);

// What usually moves.
/// A packet of a known session, sent.
Counts forwarded(int64_t packets = 1);
/// The same for packets that each start a session.
Counts started(int64_t sessions = 1);
/// A packet that is dropped where it was received.
Counts dropped(dataplane::DropReason reason, int64_t packets = 1);
/// A packet that became its own answer.
Counts answered(int64_t packets = 1);
/// A packet that went to control.
Counts punted(int64_t packets = 1);

}  // namespace weir::test
