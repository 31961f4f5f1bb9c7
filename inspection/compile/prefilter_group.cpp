#include "inspection/compile/prefilter_group.h"

#include <array>

namespace weir::inspection {

namespace {

/// For fewer Hyperscan takes a matcher that finds much in text that is not there.
constexpr size_t kFewestForTheWeb = 200;

bool is_meant(SessionTraits needs, SessionTraits traits) { return (needs & ~traits) == 0; }

}  // namespace

void PrefilterGroup::add(const std::string& bytes, bool nocase, uint32_t rule, SessionTraits needs) {
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
  if (rules.empty() || rules.back().number != rule) rules.push_back({rule, needs});
}

size_t PrefilterGroup::literals_for(SessionTraits traits) const {
  return static_cast<size_t>(std::ranges::count_if(pending_, [&](const Pending& pending) {
    return std::ranges::any_of(pending.rules, [&](const Rule& rule) { return is_meant(rule.needs, traits); });
  }));
}

Result<std::unique_ptr<PrefilterGroup::Table>> PrefilterGroup::make_table(SessionTraits traits,
                                                                          DatabaseCache* cache) const {
  auto table = std::make_unique<Table>();
  std::vector<Literal> literals;
  for (const Pending& pending : pending_) {
    const size_t before = table->rules.size();
    for (const Rule& rule : pending.rules) {
      if (is_meant(rule.needs, traits)) table->rules.push_back(rule.number);
    }
    if (table->rules.size() == before) continue;
    table->first.push_back(static_cast<uint32_t>(before));
    literals.push_back(pending.literal);
  }
  table->first.push_back(static_cast<uint32_t>(table->rules.size()));
  table->literals = literals.size();
  auto database = LiteralDatabase::compile(literals, cache);
  if (!database) return tl::unexpected(std::move(database).error());
  table->database = std::move(*database);
  return table;
}

Status PrefilterGroup::compile(TraitsNeeded needed, DatabaseCache* cache) {
  for (const Rule& rule : always_) {
    all_.push_back(rule.number);
    for (SessionTraits traits = 0; traits <= kAllTraits; ++traits) {
      if (is_meant(rule.needs, traits)) always_of_[traits].push_back(rule.number);
    }
  }
  SessionTraits there = 0;
  for (const Pending& pending : pending_) {
    for (const Rule& rule : pending.rules) {
      all_.push_back(rule.number);
      there |= rule.needs;
    }
  }
  constexpr SessionTraits kBothWays = kLeaves | kEnters;
  for (int i = kAllTraits; i >= 0; --i) {
    const auto traits = static_cast<SessionTraits>(i);
    // Traits that no rule needs make no difference: it is the table of sessions that have them as well.
    const auto same = static_cast<SessionTraits>(traits | (kAllTraits & ~there));
    const bool needless = needed == TraitsNeeded::one_way && (traits & kBothWays) == kBothWays &&
                          (there & kBothWays) == kBothWays;
    if (needless) continue;
    if (same != traits) {
      by_traits_[traits] = by_traits_[same];
      continue;
    }
    const auto off_web = static_cast<SessionTraits>(traits | kOffWeb);
    const size_t literals = literals_for(traits);
    if (traits != off_web && literals > 0 && literals < kFewestForTheWeb) {
      by_traits_[traits] = by_traits_[off_web];
      continue;
    }
    auto table = make_table(traits, cache);
    if (!table) return tl::unexpected(std::move(table).error());
    by_traits_[traits] = tables_.emplace_back(std::move(*table)).get();
  }
  literals_ = pending_.size();
  pending_ = {};
  by_literal_ = {};
  always_ = {};
  return {};
}

Status PrefilterGroup::grow(ScratchPtr& scratch) const {
  for (const auto& table : tables_) {
    if (auto status = table->database.grow(scratch); !status) return status;
  }
  return {};
}

bool PrefilterGroup::propose(SessionTraits traits, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const {
  struct Context {
    const Table& table;
    ProposedRules& proposed;
  } context{of(traits), proposed};
  propose_always(traits, proposed);
  return context.table.database.scan(
      bytes, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->table.propose(literal, c->proposed);
      },
      &context);
}

bool PrefilterGroup::propose(SessionTraits traits, std::span<const uint8_t> value, hs_scratch_t* scratch,
                             ScanMemo& memo, ProposedRules& proposed) const {
  const Table& table = of(traits);
  if (table.literals == 0 || table.literals > UINT16_MAX || value.empty() ||
      value.size() > ScanMemo::kLongestValue)
    return propose(traits, value, scratch, proposed);
  propose_always(traits, proposed);
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
