#include "inspection/compile/prefilter_group.h"

#include <array>

namespace weir::inspection {

namespace {

/// For fewer Hyperscan takes a matcher that finds much in text that is not there.
constexpr size_t kFewestForTheWeb = 200;
/// Literals so short spoil a database for the others, and each is looked for by itself if they are few.
constexpr size_t kShort = 3, kMostFronts = 32;

uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c | 0x20) : c; }

/// `literal` is in lower case if case does not count.
bool stands_at(const Literal& literal, const uint8_t* at) {
  return std::ranges::all_of(literal.bytes, [&](char wanted) {
    const uint8_t byte = literal.nocase ? lower(*at) : *at;
    ++at;
    return byte == static_cast<uint8_t>(wanted);
  });
}

}  // namespace

void PrefilterGroup::add(const std::string& bytes, bool nocase, uint32_t rule, SessionTraits needs,
                         uint32_t reach) {
  Literal literal{bytes, nocase};
  if (nocase) {
    for (char& c : literal.bytes) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  if (reach != 0 && reach <= kFront && literal.bytes.size() <= kShort && fronts_ < kMostFronts) {
    ++fronts_;
    all_.push_back(rule);
    for (SessionTraits traits = 0; traits <= kAllTraits; ++traits) {
      if (is_meant(needs, traits)) fronts_of_[traits].push_back({literal, rule, reach});
    }
    return;
  }
  const std::string key = literal.bytes + (nocase ? 'i' : 'c');
  const auto [known, is_new] = by_literal_.try_emplace(key, wanted_.size());
  if (is_new) {
    longest_ = std::max(longest_, literal.bytes.size());
    wanted_.push_back({std::move(literal), {}});
  }
  std::vector<WantedLiteral::Rule>& rules = wanted_[known->second].rules;
  if (rules.empty() || rules.back().number != rule) rules.push_back({rule, needs});
}

Status PrefilterGroup::compile(TraitsNeeded needed, DatabaseCache* cache) {
  for (const WantedLiteral::Rule& rule : always_) {
    all_.push_back(rule.number);
    for (SessionTraits traits = 0; traits <= kAllTraits; ++traits) {
      if (is_meant(rule.needs, traits)) always_of_[traits].push_back(rule.number);
    }
  }
  SessionTraits there = 0;
  for (const WantedLiteral& wanted : wanted_) {
    for (const WantedLiteral::Rule& rule : wanted.rules) {
      all_.push_back(rule.number);
      there |= rule.needs;
    }
  }
  for (int i = kAllTraits; i >= 0; --i) {
    const auto traits = static_cast<SessionTraits>(i);
    // Traits that no rule needs make no difference: it is the table of sessions that have them as well.
    const auto same = static_cast<SessionTraits>(traits | (kAllTraits & ~there));
    if (same != traits && by_traits_[same] != nullptr) {
      by_traits_[traits] = by_traits_[same];
      continue;
    }
    if (!can_be(traits, needed) && !can_be(there, needed)) continue;
    const auto literals = static_cast<size_t>(std::ranges::count_if(
        wanted_, [&](const WantedLiteral& wanted) { return wanted.is_wanted(traits); }));
    const auto off_web = static_cast<SessionTraits>(traits | kOffWeb);
    if (traits != off_web && literals > 0 && literals < kFewestForTheWeb) {
      by_traits_[traits] = by_traits_[off_web];
      continue;
    }
    auto table = std::make_unique<LiteralTable>();
    table->add(wanted_, traits);
    if (auto status = table->compile(cache); !status) return status;
    by_traits_[traits] = tables_.emplace_back(std::move(table)).get();
  }
  literals_ = wanted_.size() + fronts_;
  wanted_ = {};
  by_literal_ = {};
  always_ = {};
  return {};
}

Status PrefilterGroup::grow(ScratchPtr& scratch) const {
  for (const auto& table : tables_) {
    if (auto status = table->database().grow(scratch); !status) return status;
  }
  return {};
}

bool PrefilterGroup::propose(SessionTraits traits, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const {
  struct Context {
    const LiteralTable& table;
    ProposedRules& proposed;
  } context{of(traits), proposed};
  propose_always(traits, proposed);
  return context.table.database().scan(
      bytes, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->table.propose(literal, c->proposed);
      },
      &context);
}

bool PrefilterGroup::propose(SessionTraits traits, std::span<const uint8_t> value, hs_scratch_t* scratch,
                             ScanMemo& memo, ProposedRules& proposed) const {
  const LiteralTable& table = of(traits);
  if (table.literals() == 0 || table.literals() > UINT16_MAX || value.empty() ||
      value.size() > ScanMemo::kLongestValue)
    return propose(traits, value, scratch, proposed);
  propose_always(traits, proposed);
  if (const ScanMemo::Entry* const known = memo.find(&table, value); known != nullptr) {
    for (const uint16_t literal : known->found()) table.propose(literal, proposed);
    return true;
  }
  struct Context {
    const LiteralTable& table;
    ProposedRules& proposed;
    std::array<uint16_t, ScanMemo::kMostFound> found;
    size_t count;
  } context{table, proposed, {}, 0};
  const bool scanned = table.database().scan(
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

void PrefilterGroup::propose_front(SessionTraits traits, std::span<const uint8_t> bytes, uint64_t before,
                                   ProposedRules& proposed) const {
  for (const Front& front : fronts_of_[traits]) {
    if (before >= front.reach) continue;
    const std::span<const uint8_t> within = bytes.first(std::min<size_t>(bytes.size(), front.reach - before));
    for (size_t at = 0; at + front.literal.bytes.size() <= within.size(); ++at) {
      if (!stands_at(front.literal, within.data() + at)) continue;
      proposed.add(front.rule);
      break;
    }
  }
}

void PrefilterGroup::propose_all(ProposedRules& proposed) const {
  for (const uint32_t rule : all_) proposed.add(rule);
}

size_t PrefilterGroup::databases() const {
  return static_cast<size_t>(
      std::ranges::count_if(tables_, [](const auto& table) { return table->literals() > 0; }));
}

size_t PrefilterGroup::database_bytes() const {
  size_t sum = 0;
  for (const auto& table : tables_) sum += table->database().bytes();
  return sum;
}

}  // namespace weir::inspection
