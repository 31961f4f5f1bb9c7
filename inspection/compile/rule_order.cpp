#include "inspection/compile/rule_order.h"

#include <algorithm>
#include <tuple>

namespace weir::inspection {

namespace {

/// All kinds of reject are one action here. What is not named comes last.
size_t action_order(ast::Action action, std::span<const ast::Action> actions) {
  if (action == ast::Action::reject_dst || action == ast::Action::reject_both) action = ast::Action::reject;
  return static_cast<size_t>(std::find(actions.begin(), actions.end(), action) - actions.begin());
}

/// Those that write come before those that write and read, before readers, before the rest.
template <typename Check>
int order_of_bits(const DetectionRule& rule, bool writes) {
  const bool reads = std::any_of(rule.packet_checks.begin(), rule.packet_checks.end(),
                                 [](const auto& check) { return std::holds_alternative<Check>(check); });
  if (writes) return reads ? 1 : 0;
  return reads ? 2 : 3;
}

}  // namespace

void sort_rules(std::vector<DetectionRule>& rules, std::span<const ast::Action> actions) {
  // Sorting moves whole rules; the keys are made once, beside them.
  std::vector<std::tuple<size_t, int, int, int, uint8_t, size_t>> keys;
  keys.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    const DetectionRule& rule = rules[i];
    keys.emplace_back(action_order(rule.info.action, actions),
                      order_of_bits<FlowBitCheck>(rule, !rule.flowbits.empty()),
                      order_of_bits<FlowIntCheck>(rule, !rule.flowints.empty()),
                      order_of_bits<HostBitCheck>(rule, !rule.hostbits.empty()), rule.info.severity, i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<DetectionRule> sorted;
  sorted.reserve(rules.size());
  for (const auto& key : keys) sorted.push_back(std::move(rules[std::get<5>(key)]));
  rules = std::move(sorted);
}

}  // namespace weir::inspection
