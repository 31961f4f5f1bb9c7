// The part of a rule before its options: action, protocol, addresses, ports, direction.
#pragma once

#include <string_view>

#include "inspection/rules/keyword.h"

namespace weir::inspection::ast {

/// Fills the header fields of `context.rule` from `header`, the text before the opening parenthesis. Sets are
/// added to the tables. What is of the language but not of this engine goes to `context.unsupported`.
Parsed<void> read_rule_header(RuleContext& context, Token header, SetTable& addresses, SetTable& ports);

/// A rule may begin with it.
bool is_action(std::string_view word);

}  // namespace weir::inspection::ast
