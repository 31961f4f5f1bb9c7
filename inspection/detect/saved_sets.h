// Writes data sets that rules have changed to the files that the rules name (`save`, `state`).
//
// Off the workers, which may go on meanwhile. A file is written anew and takes the old one's place as a
// whole.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inspection/compile/detection_ruleset.h"
#include "inspection/detect/dataset_table.h"

namespace weir::inspection {

/// Every set of the ruleset with a file whose values are others than when it was loaded: what was loaded and
/// not taken out, and what rules have added; one value a line, as `load` reads it. A sentence for each that
/// could not be written.
std::vector<std::string> save_sets(const DetectionRuleset& ruleset, const DatasetTable& values);

}  // namespace weir::inspection
