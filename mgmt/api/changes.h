// Changes at run time by the API: a request's body in, what changed or all that is wrong with it out.
#pragma once

#include <string>
#include <string_view>

#include "mgmt/api/handlers.h"
#include "mgmt/config/change.h"

namespace weir::api {

/// What a client sent; `type` is its Content-Type.
struct Body {
  std::string_view text;
  std::string_view type;
};

/// The body's notation goes by its type: `application/json` is JSON, `text/plain` routes as lines, all else
/// TOML. source: what messages call the body, "request" by default; empty: without places. verb: of all that
/// the body has, which has none itself then. dry_run: "true" changes nothing.
Response post_changes(Source& source, const Parameter& parameter, const Body& body);

/// JSON of the same shape as the TOML. It has no lines: in their place a message has the number of the
/// change.
tl::expected<config::ModelChanges, std::vector<config::Problem>> read_json_changes(
    std::string_view text, const std::string& source, std::optional<config::ChangeVerb> verb);

}  // namespace weir::api
