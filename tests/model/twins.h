// Domains that are not connected: nothing crosses. The same packets through two hubs: in the one two domains
// are connected and a rule allows everything between them, and the packets arrive; in the other only the
// connection is missing, and none does.
#pragma once

#include <string>

#include "tests/model/walk.h"

namespace weir::model {

struct TwinTally {
  uint64_t packets = 0, crossed = 0;
};
/// Empty: nothing crossed that should not, and all did that should. `options.steps` are packets.
std::string run_twins(const WalkOptions& options, TwinTally& tally);

}  // namespace weir::model
