// A Config as a TOML file.
#pragma once

#include <string>
#include <string_view>

#include "mgmt/config/config.h"
#include "mgmt/config/toml_values.h"

namespace weir::config {

/// Text that reads back as an equal Config. Keys at their default are left out; everything stands in the
/// order of the key table and of the lists. Names of files are absolute, as in the Config.
std::string to_toml(const Config& config);

/// `[[attachment]]` and its keys. `section` as in the key table, "attachment[]"; `header` is the text to
/// write in brackets instead of its name, as in "add.attachment".
std::string table_text(std::string_view section, std::string_view header, const Values& values);

}  // namespace weir::config
