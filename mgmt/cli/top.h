// `weirctl top` as text. Pure: two answers of the hub in, what happened between them out.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace weir::cli {

using Json = nlohmann::ordered_json;

/// The workers between two answers to GET /v1/top, and where their cycles went. Time is the hub's own, from
/// the answers. A counter that went back (the hub was started anew) counts as not moved.
std::string print_top(const Json& before, const Json& after);

}  // namespace weir::cli
