// A Config as a TOML file.
#pragma once

#include <string>
#include <string_view>

#include "mgmt/config/config.h"
#include "mgmt/config/toml_values.h"

namespace weir::config {

/// Text that reads back as an equal Config. Keys at their default are left out; everything stands in the
/// order of the key table and of the lists. Names of files are absolute, as in the Config. With a routes file
/// all routes go there.
std::string to_toml(const Config& config);
/// The lines of the routes file.
std::string routes_text(const Config& config);

/// More routes than this get a routes file where there is none: TOML is too slow for them.
inline constexpr size_t kMaxTomlRoutes = 10'000;
/// The routes file to save to: the one that `config` has, one beside its file, or none (empty).
std::string routes_file_for(const Config& config);

/// `[[attachment]]` and its keys. `section` as in the key table, "attachment[]"; `header` is the text to
/// write in brackets instead of its name, as in "add.attachment".
std::string table_text(std::string_view section, std::string_view header, const Values& values);

}  // namespace weir::config
