#include "inspection/magic/magic_desk.h"

#include <algorithm>

namespace weir::inspection {

MagicDesk::MagicDesk(const MagicSettings& settings, MagicTeller* at_once)
    : settings_(settings),
      at_once_(at_once),
      places_(std::make_unique<Place[]>(settings.queue)),
      bytes_(std::make_unique_for_overwrite<uint8_t[]>(size_t{settings.queue} * settings.bytes)),
      most_of_domain_(static_cast<uint32_t>(domain_share(settings.queue, settings.domain_share))) {}

void MagicDesk::tell(MagicTeller& teller, std::span<const uint8_t> begin, Place& place) {
  const auto size = teller.tell(begin, place.text);
  place.text_size = size ? static_cast<uint16_t>(std::min(*size, kText)) : kFailed;
}

MagicDesk::Asked MagicDesk::ask(std::span<const uint8_t> begin, uint32_t most) {
  using enum Asked::State;
  begin = begin.first(std::min<size_t>(begin.size(), settings_.bytes));
  if (at_once_ != nullptr) {
    ++counters_.asked;
    Place& here = places_[0];
    tell(*at_once_, begin, here);
    if (here.text_size == kFailed) {
      ++counters_.failed;
      return {};
    }
    ++counters_.told;
    return {told, 0, {here.text, here.text_size}};
  }
  const uint64_t position = asked_.load(std::memory_order_relaxed);
  const bool full = position - taken_ == settings_.queue;
  if (full || asker_ == nullptr || asker_->waiting >= std::min(most, kOfOneAsker) ||
      places_of(asker_->domain) >= most_of_domain_) {
    lose();
    return {};
  }
  Place& here = place(position);
  here.asker = asker_;
  here.domain = asker_->domain;
  ++places_of(here.domain);
  here.size = static_cast<uint32_t>(begin.size());
  std::copy(begin.begin(), begin.end(), bytes_of(position));
  ++asker_->waiting;
  ++counters_.asked;
  asked_.store(position + 1, std::memory_order_release);
  return {waits, position, {}};
}

MagicDesk::Asker* MagicDesk::next() {
  while (true) {
    if (taken_ == seen_told_) seen_told_ = told_.load(std::memory_order_acquire);
    if (taken_ == seen_told_) return nullptr;
    if (Asker* const asker = place(taken_).asker; asker != nullptr) return asker;
    free_oldest();
    ++counters_.late;
  }
}

MagicDesk::Answer MagicDesk::take() {
  Place& here = place(taken_);
  --here.asker->waiting;
  Answer answer{taken_, std::nullopt};
  free_oldest();
  if (here.text_size == kFailed) {
    ++counters_.failed;
  } else {
    ++counters_.told;
    answer.text = std::string_view(here.text, here.text_size);
  }
  return answer;
}

void MagicDesk::withdraw(Asker& asker) {
  if (asker_ == &asker) asker_ = nullptr;
  const uint64_t end = asked_.load(std::memory_order_relaxed);
  for (uint64_t position = taken_; position < end && asker.waiting > 0; ++position) {
    Place& here = place(position);
    if (here.asker != &asker) continue;
    here.asker = nullptr;
    --asker.waiting;
  }
}

size_t MagicDesk::serve(MagicTeller& teller, size_t max) {
  uint64_t position = told_.load(std::memory_order_relaxed);
  const uint64_t end = std::min(asked_.load(std::memory_order_acquire), position + max);
  const size_t served = end - position;
  for (; position < end; ++position) {
    Place& here = place(position);
    tell(teller, {bytes_of(position), here.size}, here);
    told_.store(position + 1, std::memory_order_release);
  }
  return served;
}

}  // namespace weir::inspection
