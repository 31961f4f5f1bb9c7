#include "inspection/compile/rule_order.h"

#include <algorithm>
#include <tuple>

namespace weir::inspection {

namespace {

int action_order(ast::Action action) {
  switch (action) {
    case ast::Action::pass:
      return 0;
    case ast::Action::drop:
      return 1;
    case ast::Action::reject:
    case ast::Action::reject_dst:
    case ast::Action::reject_both:
      return 2;
    case ast::Action::alert:
      return 3;
  }
  return 3;
}

int flowbit_order(const DetectionRule& rule) {
  const bool writes = !rule.flowbits.empty();
  const bool reads = std::any_of(rule.packet_checks.begin(), rule.packet_checks.end(), [](const auto& check) {
    return std::holds_alternative<FlowBitCheck>(check);
  });
  if (writes) return reads ? 1 : 0;
  return reads ? 2 : 3;
}

}  // namespace

void sort_rules(std::vector<DetectionRule>& rules) {
  // Sorting moves whole rules; the keys are made once, beside them.
  std::vector<std::tuple<int, int, uint8_t, size_t>> keys;
  keys.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    keys.emplace_back(action_order(rules[i].info.action), flowbit_order(rules[i]), rules[i].info.severity, i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<DetectionRule> sorted;
  sorted.reserve(rules.size());
  for (const auto& key : keys) sorted.push_back(std::move(rules[std::get<3>(key)]));
  rules = std::move(sorted);
}

}  // namespace weir::inspection
