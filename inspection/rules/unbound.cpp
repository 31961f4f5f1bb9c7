#include "inspection/rules/unbound.h"

namespace weir::inspection::ast {

std::vector<std::string> unbound_sentences(const ParsedRuleset& rules, const RuleVariables& variables) {
  std::vector<std::string> sentences;
  const auto gather = [&](const SetTable& table, bool of_ports, auto&& bind) {
    for (uint32_t i = 0; i < table.entries().size(); ++i) {
      const auto set = bind(table[i], variables);
      if (set) continue;
      sentences.push_back(
          unbound_sentence(table[i], set.error(), of_ports, i, rules.rules, [&](const Rule& rule) {
            return RulePlace{rules.files[rule.file], rule.line, rule.sid};
          }));
    }
  };
  gather(rules.addresses, false, bind_addresses);
  gather(rules.ports, true, bind_ports);
  return sentences;
}

}  // namespace weir::inspection::ast
