#include "dataplane/policy/service_rows.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

constexpr size_t kNumbers = 65'536;

/// A rule begins or ends to match at a number.
struct Edge {
  uint32_t number = 0;
  uint32_t rule = 0;
  bool begins = false;
};

/// The ranges of one rule, none of which touch one another.
std::vector<PortRange> merged(std::vector<PortRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const PortRange& a, const PortRange& b) { return a.first < b.first; });
  std::vector<PortRange> apart;
  for (const PortRange& range : ranges) {
    if (!apart.empty() && range.first <= uint32_t{apart.back().last} + 1) {
      apart.back().last = std::max(apart.back().last, range.last);
    } else {
      apart.push_back(range);
    }
  }
  return apart;
}

bool is_all(const PortRange& range) { return range == PortRange{}; }

}  // namespace

void ServiceRows::build(std::span<const RuleBit> bits, Rows& rows) {
  Summary* any = rows.make();
  std::array<std::vector<uint32_t>, 256> users;  // bits whose services name the protocol
  for (uint32_t r = 0; r < bits.size(); ++r) {
    if (bits[r].rule == nullptr) continue;
    const auto& services = bits[r].services;
    const bool matches_any =
        services.empty() ||
        std::any_of(services.begin(), services.end(), [](const ServiceTerm& t) { return t.protocol == 0; });
    if (matches_any) {
      rows.set_bit(any, r);
      continue;
    }
    for (const ServiceTerm& term : services) {
      auto& list = users[term.protocol];
      if (list.empty() || list.back() != r) list.push_back(r);
    }
  }
  for (size_t protocol = 0; protocol < users.size(); ++protocol) {
    Protocol& p = protocols_[protocol];
    p.row = any;
    if (users[protocol].empty()) continue;
    Summary* whole = rows.make();
    rows.add(whole, any);
    std::vector<Edge> edges;
    for (const uint32_t r : users[protocol]) {
      std::vector<PortRange> ranges;
      for (const ServiceTerm& term : bits[r].services) {
        if (term.protocol == protocol) ranges.push_back(term.numbers);
      }
      for (const PortRange& range : merged(std::move(ranges))) {
        if (is_all(range)) {
          rows.set_bit(whole, r);
        } else {
          edges.push_back({range.first, r, true});
          edges.push_back({uint32_t{range.last} + 1, r, false});
        }
      }
    }
    p.row = whole;
    if (edges.empty()) continue;
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.number < b.number; });
    p.table = static_cast<uint32_t>(tables_.size());
    auto& table = tables_.emplace_back(kNumbers, 0);
    auto& of_table = table_rows_.emplace_back(std::vector<Row>{whole});
    std::vector<RuleWord> now(rows.shape().words_of(Row{whole}),
                              rows.shape().words_of(Row{whole}) + rows.shape().words());
    for (size_t e = 0; e < edges.size();) {
      const uint32_t number = edges[e].number;
      for (; e < edges.size() && edges[e].number == number; ++e) {
        const RuleWord bit = RuleWord{1} << edges[e].rule % kRulesPerWord;
        RuleWord& word = now[edges[e].rule / kRulesPerWord];
        word = edges[e].begins ? word | bit : word & ~bit;
      }
      if (number == kNumbers) break;
      Summary* row = rows.make();
      std::copy(now.begin(), now.end(), rows.shape().words_of(row));
      const uint32_t end = e < edges.size() ? edges[e].number : kNumbers;
      std::fill(table.begin() + number, table.begin() + end, static_cast<uint32_t>(of_table.size()));
      of_table.push_back(row);
    }
  }
}

}  // namespace weir::dataplane
