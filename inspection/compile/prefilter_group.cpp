#include "inspection/compile/prefilter_group.h"

#include <array>

namespace weir::inspection {

namespace {

bool is_meant(RuleWay way, RuleWays ways) {
  return way == RuleWay::any || (ways >> static_cast<unsigned>(way) & 1U) != 0;
}

}  // namespace

void PrefilterGroup::add(const std::string& bytes, bool nocase, uint32_t rule, RuleWay way) {
  Literal literal{bytes, nocase};
  if (nocase) {
    for (char& c : literal.bytes) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  const std::string key = literal.bytes + (nocase ? 'i' : 'c');
  const auto [known, is_new] = by_literal_.try_emplace(key, pending_.size());
  if (is_new) {
    longest_ = std::max(longest_, literal.bytes.size());
    pending_.push_back({std::move(literal), {}});
  }
  std::vector<Rule>& rules = pending_[known->second].rules;
  if (rules.empty() || rules.back().number != rule) rules.push_back({rule, way});
}

Result<std::unique_ptr<PrefilterGroup::Table>> PrefilterGroup::make_table(RuleWays ways,
                                                                          DatabaseCache* cache) const {
  auto table = std::make_unique<Table>();
  std::vector<Literal> literals;
  for (const Pending& pending : pending_) {
    const size_t before = table->rules.size();
    for (const Rule& rule : pending.rules) {
      if (is_meant(rule.way, ways)) table->rules.push_back(rule.number);
    }
    if (table->rules.size() == before) continue;
    table->first.push_back(static_cast<uint32_t>(before));
    literals.push_back(pending.literal);
  }
  table->first.push_back(static_cast<uint32_t>(table->rules.size()));
  table->literals = literals.size();
  for (const Rule& rule : always_) {
    if (is_meant(rule.way, ways)) table->always.push_back(rule.number);
  }
  auto database = LiteralDatabase::compile(literals, cache);
  if (!database) return tl::unexpected(std::move(database).error());
  table->database = std::move(*database);
  return table;
}

Status PrefilterGroup::compile(WaysNeeded needed, DatabaseCache* cache) {
  // Without rules of one way the tables with it and without it are the same.
  RuleWays there = 0;
  const auto note = [&](const Rule& rule) {
    all_.push_back(rule.number);
    if (rule.way != RuleWay::any) there |= static_cast<RuleWays>(1U << static_cast<unsigned>(rule.way));
  };
  for (const Pending& pending : pending_) std::ranges::for_each(pending.rules, note);
  std::ranges::for_each(always_, note);
  for (RuleWays ways = 0; ways <= kAllRuleWays; ++ways) {
    const RuleWays same = ways & there;
    if (ways == kAllRuleWays && same == ways && needed == WaysNeeded::not_both) continue;
    if (same != ways) {
      by_ways_[ways] = by_ways_[same];
      continue;
    }
    auto table = make_table(ways, cache);
    if (!table) return tl::unexpected(std::move(table).error());
    by_ways_[ways] = tables_.emplace_back(std::move(*table)).get();
  }
  literals_ = pending_.size();
  pending_ = {};
  by_literal_ = {};
  return {};
}

Status PrefilterGroup::grow(ScratchPtr& scratch) const {
  for (const auto& table : tables_) {
    if (auto status = table->database.grow(scratch); !status) return status;
  }
  return {};
}

bool PrefilterGroup::propose(RuleWays ways, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const {
  struct Context {
    const Table& table;
    ProposedRules& proposed;
  } context{of(ways), proposed};
  for (const uint32_t rule : context.table.always) proposed.add(rule);
  return context.table.database.scan(
      bytes, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->table.propose(literal, c->proposed);
      },
      &context);
}

bool PrefilterGroup::propose(RuleWays ways, std::span<const uint8_t> value, hs_scratch_t* scratch,
                             ScanMemo& memo, ProposedRules& proposed) const {
  const Table& table = of(ways);
  if (table.literals == 0 || table.literals > UINT16_MAX || value.empty() ||
      value.size() > ScanMemo::kLongestValue)
    return propose(ways, value, scratch, proposed);
  for (const uint32_t rule : table.always) proposed.add(rule);
  if (const ScanMemo::Entry* const known = memo.find(&table, value); known != nullptr) {
    for (const uint16_t literal : known->found()) table.propose(literal, proposed);
    return true;
  }
  struct Context {
    const Table& table;
    ProposedRules& proposed;
    std::array<uint16_t, ScanMemo::kMostFound> found;
    size_t count;
  } context{table, proposed, {}, 0};
  const bool scanned = table.database.scan(
      value, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->table.propose(literal, c->proposed);
        if (c->count < c->found.size()) c->found[c->count] = static_cast<uint16_t>(literal);
        ++c->count;
      },
      &context);
  if (scanned && context.count <= context.found.size())
    memo.remember(&table, value, std::span(context.found).first(context.count));
  return scanned;
}

void PrefilterGroup::propose_all(ProposedRules& proposed) const {
  for (const uint32_t rule : all_) proposed.add(rule);
}

size_t PrefilterGroup::databases() const {
  return static_cast<size_t>(
      std::ranges::count_if(tables_, [](const auto& table) { return table->literals > 0; }));
}

size_t PrefilterGroup::database_bytes() const {
  size_t sum = 0;
  for (const auto& table : tables_) sum += table->database.bytes();
  return sum;
}

}  // namespace weir::inspection
