// The reference documents that are written from tables of the code.
#pragma once

#include <string>

namespace weir::config {

/// docs/configuration.md, from the key table.
std::string configuration_markdown();
/// docs/drops.md, from dataplane/core/drop_reasons.def.
std::string drops_markdown();
/// docs/change-options.md, from the key table.
std::string change_options_markdown();

}  // namespace weir::config
