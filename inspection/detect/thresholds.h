// How often rules matched, by host, pair of hosts, rule or session, and what becomes of a match then:
// `threshold`, `detection_filter` and rate filters, counted in the table of all workers (host_marks.h).
#pragma once

#include "inspection/detect/host_marks.h"
#include "inspection/detect/inspected.h"
#include "inspection/detect/verdict.h"
#include "inspection/rules/threshold_config.h"

namespace weir::inspection {

/// One match of a rule, as it is counted.
struct CountedMatch {
  const RuleInfo& rule;
  const PacketView& packet;
  const SessionFacts& facts;
  MarkedHost source, destination;  // of what matched, which can travel the other way
};

/// Counts a match by the rule's `part`-th threshold and says what becomes of it. `lost` is set if another
/// count had to go before its time.
Thresholded count_match(HostMarks& marks, const ast::Threshold& threshold, uint32_t part,
                        const CountedMatch& match, bool& lost);
/// Counts a match and says whether the filter's action stands for the rule's.
bool rate_exceeded(HostMarks& marks, const ast::RateFilter& filter, uint32_t part, const CountedMatch& match,
                   bool& lost);

}  // namespace weir::inspection
