#include "inspection/detect/rule_costs.h"

#include <algorithm>

namespace weir::inspection {

std::string_view name_of(PayloadSource source) {
  switch (source) {
    case PayloadSource::tcp:
      return "payload of tcp";
    case PayloadSource::udp:
      return "payload of udp";
    case PayloadSource::other:
      return "payload of other packets";
  }
  return "";
}

std::string name_of(const TransactionGroup& group) {
  if (group.no_buffer) return "no buffer";
  return std::string(info_of(group.buffer).keyword) + (group.chain != 0 ? " (transformed)" : "");
}

RuleCost cost_of(const DetectionRuleset& ruleset, uint32_t number) {
  RuleCost cost;
  cost.number = number;
  cost.name = ruleset.rule(number).info.name();
  for (unsigned worker = 0; worker < ruleset.workers(); ++worker) {
    const RuleCounts& counts = ruleset.scratch(worker)->rule_counts[number];
    cost.verified += counts.verified;
    cost.matched += counts.matched;
    cost.work += counts.work;
  }
  cost.work += cost.verified * RuleCost::kWorkOfVerification;
  cost.given_up = ruleset.limit_hits(number);
  return cost;
}

std::vector<RuleCost> rule_costs(const DetectionRuleset& ruleset) {
  std::vector<RuleCost> costs;
  for (uint32_t number = 0; number < ruleset.rules().size(); ++number) {
    const RuleCost cost = cost_of(ruleset, number);
    if (cost.verified != 0 || cost.matched != 0) costs.push_back(cost);
  }
  std::stable_sort(costs.begin(), costs.end(), [](const RuleCost& a, const RuleCost& b) {
    return a.work != b.work ? a.work > b.work : a.matched > b.matched;
  });
  return costs;
}

std::vector<BufferCost> buffer_costs(const DetectionRuleset& ruleset) {
  std::vector<BufferCost> costs;
  const auto add = [&](BufferCost cost, const PrefilterGroup& group, auto&& counts_of) {
    for (unsigned worker = 0; worker < ruleset.workers(); ++worker) {
      const ScanCounts& counts = counts_of(*ruleset.scratch(worker));
      cost.scans += counts.scans;
      cost.bytes += counts.bytes;
      cost.candidates += counts.candidates;
    }
    if (cost.scans == 0) return;
    cost.literals = group.literals();
    costs.push_back(std::move(cost));
  };
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    for (size_t s = 0; s < kPayloadSources; ++s) {
      const auto source = static_cast<PayloadSource>(s);
      const size_t place = DetectionRuleset::payload_group(source, d);
      add({.name = std::string(name_of(source)), .direction = d}, ruleset.payload(source, d),
          [&](const DetectionScratch& scratch) -> const ScanCounts& { return scratch.payload_scans[place]; });
    }
    const std::span<const TransactionGroup> groups = ruleset.transaction_groups(d);
    for (size_t g = 0; g < groups.size(); ++g) {
      add({.name = name_of(groups[g]), .direction = d}, groups[g].prefilter,
          [&](const DetectionScratch& scratch) -> const ScanCounts& {
            return scratch.transaction_scans[static_cast<size_t>(d)][g];
          });
    }
  }
  std::stable_sort(costs.begin(), costs.end(),
                   [](const BufferCost& a, const BufferCost& b) { return a.bytes > b.bytes; });
  return costs;
}

}  // namespace weir::inspection
