// The part of a rule before its options: action, protocol, addresses, ports, direction.
#pragma once

#include "inspection/rules/parse_support.h"
#include "inspection/rules/rule.h"

namespace weir::inspection {

/// Fills the header fields of `rule` from `header`, the text before the opening parenthesis.
Parsed<void> parse_rule_header(Token header, Rule& rule);

}  // namespace weir::inspection
