#include "inspection/compile/shared_scan.h"

#include <algorithm>
#include <utility>

namespace weir::inspection {

void SharedScan::join(const PrefilterGroup& stream, const PrefilterGroup& body) {
  stream_.assign(stream.wanted().begin(), stream.wanted().end());
  body_.assign(body.wanted().begin(), body.wanted().end());
  longest_ = std::max(stream.longest(), body.longest());
}

Status SharedScan::compile(TraitsNeeded needed, DatabaseCache* cache) {
  const auto there = static_cast<SessionTraits>(needed_by(stream_) | needed_by(body_));
  constexpr SessionTraits kOfTheWeb = kAllTraits & ~kOffWeb;
  for (int i = kOfTheWeb; i >= 0; --i) {
    const auto traits = static_cast<SessionTraits>(i);
    // As in PrefilterGroup::compile().
    const auto same = static_cast<SessionTraits>(traits | (kOfTheWeb & ~there));
    if (same != traits) {
      by_traits_[traits] = by_traits_[same];
      continue;
    }
    if (!can_be(traits, needed) && !can_be(there, needed)) continue;
    auto both = std::make_unique<Both>();
    both->table.add(stream_, traits);
    both->of_stream = both->table.literals();
    both->table.add(body_, traits);
    if (both->of_stream == 0 || both->table.literals() == both->of_stream) continue;
    if (auto status = both->table.compile(cache); !status) return status;
    by_traits_[traits] = tables_.emplace_back(std::move(both)).get();
  }
  stream_ = {};
  body_ = {};
  return {};
}

Status SharedScan::grow(ScratchPtr& scratch) const {
  for (const auto& both : tables_) {
    if (auto status = both->table.database().grow(scratch); !status) return status;
  }
  return {};
}

bool SharedScan::propose(SessionTraits traits, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                         ProposedRules& of_stream, ProposedRules& of_body) const {
  struct Context {
    const Both& both;
    ProposedRules &of_stream, &of_body;
  } context{*by_traits_[traits], of_stream, of_body};
  return context.both.table.database().scan(
      bytes, scratch,
      [](void* raw, uint32_t literal) {
        auto* const c = static_cast<Context*>(raw);
        c->both.table.propose(literal, literal < c->both.of_stream ? c->of_stream : c->of_body);
      },
      &context);
}

size_t SharedScan::database_bytes() const {
  size_t sum = 0;
  for (const auto& both : tables_) sum += both->table.database().bytes();
  return sum;
}

}  // namespace weir::inspection
