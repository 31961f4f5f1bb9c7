// EVE's `stats` object of an offline run: what was decoded, and what the engines counted, by Suricata's
// names.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "inspection/engine/engine.h"
#include "inspection/offline/decode.h"

namespace weir::inspection::offline {

nlohmann::ordered_json stats_tree(const DecodeCounters& decoded,
                                  const std::vector<std::unique_ptr<Engine>>& engines);

}  // namespace weir::inspection::offline
