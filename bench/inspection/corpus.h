// Where real rules lie on this machine. They are not in the repository: a benchmark that needs them says so
// where they are missing.
#pragma once

#include <string>

#include "dataplane/net/result.h"

namespace weir::bench {

/// The rule file of the corpus, in the folder that WEIR_CORPUS names, or else in ../shared/corpus beside the
/// repository that this program was built in.
Result<std::string> find_corpus_rules();

/// A file of the repository that this program was built in.
Result<std::string> find_in_repository(const std::string& path);

}  // namespace weir::bench
