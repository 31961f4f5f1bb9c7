// `weir rules explain`: how one rule is looked for, and why it did or did not fire in the sessions of a
// capture.
#pragma once

#include <iosfwd>
#include <string>

#include "inspection/detect/alert.h"
#include "inspection/offline/inspect.h"

namespace weir::inspection::offline {

struct ExplainRequest {
  RuleName rule{1, 0};
  InspectRequest inspect;  // rules and settings; its capture may be empty: then the rule alone is described
};

/// Runs it; the exit status: 0, or 1 if there is no such rule, or something cannot be read.
int run_explain(ExplainRequest request, std::ostream& out, std::ostream& err);

}  // namespace weir::inspection::offline
