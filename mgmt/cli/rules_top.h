// `weirctl rules top` and `rules explain` as text. Pure: answers of the hub in, tables out.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace weir::cli {

using Json = nlohmann::ordered_json;

/// What GET /v1/rules/explain answers.
std::string print_rules_explain(const Json& answer);

/// What the `max` costliest rules, and all buffers, cost between two answers to GET /v1/rules/top. With
/// `before` null: since the rules were read. Counters that went back (the rules were read again) count from
/// 0.
std::string print_rules_top(const Json& before, const Json& after, size_t max);

}  // namespace weir::cli
