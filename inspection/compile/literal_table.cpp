#include "inspection/compile/literal_table.h"

#include <utility>

namespace weir::inspection {

SessionTraits needed_by(std::span<const WantedLiteral> wanted) {
  SessionTraits needed = 0;
  for (const WantedLiteral& one : wanted) {
    for (const WantedLiteral::Rule& rule : one.rules) needed |= rule.needs;
  }
  return needed;
}

void LiteralTable::add(std::span<const WantedLiteral> wanted, SessionTraits traits) {
  for (const WantedLiteral& one : wanted) {
    const size_t before = rules_.size();
    for (const WantedLiteral::Rule& rule : one.rules) {
      if (is_meant(rule.needs, traits)) rules_.push_back(rule.number);
    }
    if (rules_.size() == before) continue;
    first_.push_back(static_cast<uint32_t>(rules_.size()));
    pending_.push_back(one.literal);
  }
}

Status LiteralTable::compile(DatabaseCache* cache) {
  auto database = LiteralDatabase::compile(pending_, cache);
  if (!database) return tl::unexpected(std::move(database).error());
  database_ = std::move(*database);
  pending_ = {};
  return {};
}

}  // namespace weir::inspection
