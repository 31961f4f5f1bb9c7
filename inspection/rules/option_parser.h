// The part of a rule between the parentheses: keywords and their values.
#pragma once

#include "inspection/rules/parse_support.h"
#include "inspection/rules/rule.h"

namespace weir::inspection {

/// Fills the option fields of `rule`, whose header has been parsed, from `options`, the text between the
/// parentheses, and checks them against each other.
Parsed<void> parse_rule_options(Token options, Rule& rule);

/// The bytes that the value of a `content` stands for: |hex| and the escapes \" \; \\ \: resolved.
/// `value` is what lies between the quotes.
Parsed<std::string> parse_content_pattern(Token value);

}  // namespace weir::inspection
