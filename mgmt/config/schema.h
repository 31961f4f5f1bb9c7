// Checks a document against the key table: unknown keys, wrong kinds, ranges, what is missing.
#pragma once

#include "mgmt/config/document.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// Reports everything that the key table alone can tell, and marks what is wrong as `bad`, each table around
/// it included. Afterwards every value that is not bad has the kind and form that its key declares.
void check_schema(Document& document, Problems& problems);

}  // namespace weir::config
