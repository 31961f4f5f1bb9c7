// Domains that are not connected: nothing crosses. The same packets through three hubs: in the first two
// domains are connected and a rule allows everything between them, and the packets arrive; in the second only
// the connection is missing, and none does; the third loses it while sessions are live, and from then on none
// does.
#pragma once

#include <string>

#include "tests/model/walk.h"

namespace weir::model {

struct TwinTally {
  uint64_t steps = 0;    // events made up
  uint64_t packets = 0;  // that met a hub without the connection,
  uint64_t crossed = 0;  // of which so many crossed where it was there,
  uint64_t odd = 0;      // and so many belonged to no traffic of sessions
  uint64_t cut = 0;      // live sessions that were cut in the hub that lost it
};
/// Empty: nothing crossed that should not, and all did that should. `options.steps` are events.
std::string run_twins(const WalkOptions& options, TwinTally& tally);

}  // namespace weir::model
