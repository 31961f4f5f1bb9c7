// What a profile of the configuration means for inspection.
#pragma once

#include "inspection/engine/ruleset_builder.h"
#include "mgmt/config/config.h"

namespace weir::control {

inspection::ProfileSpec spec_of(const config::Profile& profile);

}  // namespace weir::control
