// Printing an answer, or why there is none; exit codes.
#pragma once

#include <functional>
#include <string>

#include "mgmt/cli/client.h"

namespace weir::cli {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

/// To standard output what `print` makes of the answer, or with `json` the answer; to standard error an
/// error. Returns the exit code.
int show(bool json, const Result<Answer>& answer, const std::function<std::string(const Json&)>& print);

}  // namespace weir::cli
