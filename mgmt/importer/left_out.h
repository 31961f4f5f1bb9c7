// Why a value of suricata.yaml is no key of a profile.
#pragma once

#include <string_view>

namespace weir::importer {

/// A sentence. `path` as in "stream.memcap"; what is said of a path is said of all below it.
std::string_view reason_for(std::string_view path);

}  // namespace weir::importer
