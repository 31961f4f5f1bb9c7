// The hub's answers as tables for people. Pure: JSON in, text out. Fields that are missing are shown as "-",
// so that a newer or older hub is still readable.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace weir::cli {

using Json = nlohmann::ordered_json;

/// Rows with columns aligned by their widest cell; `right` tells which columns are numbers.
std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& right);

std::string print_status(const Json& answer);
std::string print_attachments(const Json& answer);
std::string print_sessions(const Json& answer);
std::string print_nat(const Json& answer);
std::string print_nat_map(const Json& answer);
std::string print_routes(const Json& answer);
/// Only reasons that occurred, unless `all`.
std::string print_drops(const Json& answer, bool all);
std::string print_path(const Json& answer);
/// The same answer, as far as it is about policy.
std::string print_policy_test(const Json& answer);
std::string print_reload(const Json& answer);
std::string print_rules(const Json& answer);
/// What changed, or would with `dry_run`.
std::string print_changes(const Json& answer, bool dry_run);
/// `kind` as "attachments": what GET /v1/KIND answers.
std::string print_configured(const Json& answer, const std::string& kind);
std::string print_saved(const Json& answer);
/// An error's message and its problems, a line each.
std::string print_error(const Json& answer);

}  // namespace weir::cli
