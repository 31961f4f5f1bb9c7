// Which rules an address or port expression without a value concerns, in words. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "inspection/rules/header_sets.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection::ast {

struct RulePlace {
  std::string_view file;
  uint32_t line = 0, sid = 0;
};

/// "$A: The variable $A is not defined. Rules with it never match: FILE:LINE, sid 5, and 3 more." `index`: of
/// the expression in its table, of ports or of addresses; `place_of` a rule is a RulePlace.
template <typename Rules, typename PlaceOf>
std::string unbound_sentence(const SetExpression& expression, const std::string& why, bool of_ports,
                             uint32_t index, const Rules& rules, PlaceOf&& place_of) {
  size_t count = 0;
  RulePlace first;
  for (const auto& rule : rules) {
    const uint32_t source = of_ports ? rule.source_ports : rule.source;
    const uint32_t destination = of_ports ? rule.destination_ports : rule.destination;
    if (source != index && destination != index) continue;
    const RulePlace place = place_of(rule);
    if (count++ == 0 || std::tie(place.file, place.line) < std::tie(first.file, first.line)) first = place;
  }
  std::string sentence = expression.text + ": " + why;
  if (count == 0) return sentence;
  sentence += " Rules with it never match: " + std::string(first.file) + ":" + std::to_string(first.line) +
              ", sid " + std::to_string(first.sid);
  return sentence + (count > 1 ? ", and " + std::to_string(count - 1) + " more." : ".");
}

/// Of all expressions of `rules` that have no value under `variables`.
std::vector<std::string> unbound_sentences(const ParsedRuleset& rules, const RuleVariables& variables);

}  // namespace weir::inspection::ast
