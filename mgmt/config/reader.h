// TOML -> Config, checked, with all that is wrong at once.
//
// Pure but for reading the one file and the routes file that it names: no root, no EAL, no network. Any
// thread. Rule files are named, not read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// The file as a Config, its routes file included, or every problem that they have, in the order of the file.
/// After a syntax error there is just that one.
tl::expected<Config, std::vector<Problem>> read_config(const std::string& path);

/// The same of text that is at hand, without the routes file. `file` names it in messages, and its folder is
/// where relative file names start.
tl::expected<Config, std::vector<Problem>> read_config_text(std::string_view text, const std::string& file);

}  // namespace weir::config
