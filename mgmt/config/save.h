// Writing a configuration to its file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// Puts `text` into `file` such that it has the old contents or the new, whatever happens meanwhile: a new
/// file beside it, synced and renamed. The old one stays as `file`.bak; mode and owner are kept, a symbolic
/// link is followed. A file that was not there gets mode 0640.
tl::expected<void, Problem> replace_file(const std::string& file, std::string_view text);

/// Writes `config` to the file that it was read from, and its routes file; says which files it wrote. Refuses
/// if the file has changed since, unless `force`: somebody's edits would be lost. What could not be read
/// again is not written.
tl::expected<std::vector<std::string>, Problem> save_config(const Config& config, bool force);

/// A number that differs, as good as always, for files that differ; in Config::digest.
uint64_t digest_of(std::string_view text);

}  // namespace weir::config
