#include "inspection/compile/prefilter_group.h"

#include <array>
#include <bit>
#include <cstring>

namespace weir::inspection {

namespace {

/// For fewer literals Hyperscan takes a matcher with many false candidates in text.
constexpr size_t kFewestForTheWeb = 200;
/// Each literal of the front is looked for by itself, so they have to be few.
constexpr size_t kMostFronts = 32;

}  // namespace

void PrefilterGroup::add(const std::string& bytes, bool nocase, uint32_t rule, SessionTraits needs,
                         uint32_t from, uint32_t reach) {
  Literal literal{bytes, nocase};
  if (nocase) {
    for (char& c : literal.bytes) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  const size_t size = literal.bytes.size();
  if (reach >= from + size && reach <= kFront && size <= kShort && fronts_ < kMostFronts) {
    Front front;
    for (size_t i = 0; i < size; ++i) {
      const char c = literal.bytes[i];
      front.bytes |= uint32_t{static_cast<uint8_t>(c)} << 8 * i;
      front.mask |= uint32_t{0xff} << 8 * i;
      if (nocase && c >= 'a' && c <= 'z') front.small |= uint32_t{0x20} << 8 * i;
    }
    front.from = from;
    front.last = reach - static_cast<uint32_t>(size);
    front.rule = rule;
    ++fronts_;
    all_.push_back(rule);
    for (SessionTraits traits = 0; traits <= kAllTraits; ++traits) {
      if (is_meant(needs, traits)) fronts_of_[traits].push_back(front);
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
  for (const WantedLiteral& wanted : wanted_) {
    for (const WantedLiteral::Rule& rule : wanted.rules) all_.push_back(rule.number);
  }
  const SessionTraits there = needed_by(wanted_);
  for (int i = kAllTraits; i >= 0; --i) {
    const auto traits = static_cast<SessionTraits>(i);
    // Traits that no rule needs make no difference: it is the table of sessions that have them as well.
    const auto same = static_cast<SessionTraits>(traits | (kAllTraits & ~there));
    if (same != traits && by_traits_[same] != nullptr) {
      by_traits_[traits] = by_traits_[same];
      continue;
    }
    // One for traits that sessions cannot have is made if it stands for those that have less.
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
  if (before >= kFront || bytes.empty() || fronts_of_[traits].empty()) return;
  // Words that begin at the last bytes end in zeros.
  static_assert(kShort < sizeof(uint32_t));
  std::array<uint8_t, kFront + sizeof(uint32_t)> front_bytes{};
  const size_t size = std::min<size_t>(bytes.size(), kFront - before);
  std::memcpy(front_bytes.data() + before, bytes.data(), size);
  const size_t end = before + size;
  for (const Front& front : fronts_of_[traits]) {
    const size_t length = static_cast<size_t>(std::bit_width(front.mask)) / 8;
    for (size_t at = std::max<size_t>(front.from, before); at <= front.last && at + length <= end; ++at) {
      uint32_t word;
      std::memcpy(&word, front_bytes.data() + at, sizeof word);
      if (((word | front.small) & front.mask) != front.bytes) continue;
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
