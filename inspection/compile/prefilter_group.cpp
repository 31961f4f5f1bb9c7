#include "inspection/compile/prefilter_group.h"

#include <array>

namespace weir::inspection {

void PrefilterGroup::add(const std::string& bytes, bool nocase, uint32_t rule) {
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
  std::vector<uint32_t>& rules = pending_[known->second].rules;
  if (rules.empty() || rules.back() != rule) rules.push_back(rule);
}

Status PrefilterGroup::compile() {
  std::vector<Literal> literals;
  literals.reserve(pending_.size());
  for (const Pending& pending : pending_) {
    first_.push_back(static_cast<uint32_t>(rules_.size()));
    rules_.insert(rules_.end(), pending.rules.begin(), pending.rules.end());
    literals.push_back(pending.literal);
  }
  first_.push_back(static_cast<uint32_t>(rules_.size()));
  literals_ = literals.size();
  pending_ = {};
  by_literal_ = {};
  auto database = LiteralDatabase::compile(literals);
  if (!database) return tl::unexpected(std::move(database).error());
  database_ = std::move(*database);
  return {};
}

bool PrefilterGroup::propose(std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const {
  struct Context {
    const PrefilterGroup& group;
    ProposedRules& proposed;
  } context{*this, proposed};
  for (const uint32_t rule : always_) proposed.add(rule);
  return database_.scan(
      bytes, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->group.propose_rules_of(literal, c->proposed);
      },
      &context);
}

bool PrefilterGroup::propose(std::span<const uint8_t> value, hs_scratch_t* scratch, ScanMemo& memo,
                             ProposedRules& proposed) const {
  if (value.empty() || value.size() > ScanMemo::kLongestValue || literals_ > UINT16_MAX)
    return propose(value, scratch, proposed);
  if (const ScanMemo::Entry* const known = memo.find(this, value); known != nullptr) {
    for (const uint32_t rule : always_) proposed.add(rule);
    for (const uint16_t literal : known->found()) propose_rules_of(literal, proposed);
    return true;
  }
  struct Context {
    const PrefilterGroup& group;
    ProposedRules& proposed;
    std::array<uint16_t, ScanMemo::kMostFound> found;
    size_t count;
  } context{*this, proposed, {}, 0};
  for (const uint32_t rule : always_) proposed.add(rule);
  const bool scanned = database_.scan(
      value, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->group.propose_rules_of(literal, c->proposed);
        if (c->count < c->found.size()) c->found[c->count] = static_cast<uint16_t>(literal);
        ++c->count;
      },
      &context);
  if (scanned && context.count <= context.found.size())
    memo.remember(this, value, std::span(context.found).first(context.count));
  return scanned;
}

void PrefilterGroup::propose_all(ProposedRules& proposed) const {
  for (const uint32_t rule : always_) proposed.add(rule);
  for (const uint32_t rule : rules_) proposed.add(rule);
}

}  // namespace weir::inspection
