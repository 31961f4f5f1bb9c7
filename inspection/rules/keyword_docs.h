// docs/rules.md, written from the table of keywords.
#pragma once

#include <string>

namespace weir::inspection::ast {

std::string rules_markdown();

}  // namespace weir::inspection::ast
