// What rules leave behind for other rules: bits and counters of the session, bits of hosts.
#include <algorithm>

#include "inspection/detect/detector_core.h"

namespace weir::inspection {

namespace {

using IntOp = ast::FlowInt::Op;

/// The number that the keyword names; nullopt: another counter, which is not set.
template <typename Keyword>
std::optional<uint32_t> operand_of(const Keyword& keyword, const SessionState* state) {
  if (keyword.other < 0) return keyword.value;
  return state == nullptr ? std::nullopt : state->flowint(static_cast<uint16_t>(keyword.other));
}

}  // namespace

void DetectorCore::apply_flowbits(Call& call, const DetectionRule& rule) {
  for (const FlowBitEffect& effect : rule.flowbits) {
    const bool has = call.session.state_ != nullptr && call.session.state_->has(effect.bit);
    const bool wants =
        effect.op == FlowBitEffect::Op::set || (effect.op == FlowBitEffect::Op::toggle && !has);
    if (wants && !has) set_flowbit(call, effect.bit);
    if (!wants && has) {
      call.session.state_->flowbits.remove_if([&](uint16_t bit) { return bit == effect.bit; });
    }
  }
}

void DetectorCore::set_flowbit(Call& call, uint16_t bit) {
  SessionState* const state = state_of(call.session);
  if (state == nullptr || state->flowbits.size() >= limits_.flowbits_per_session ||
      !state->flowbits.push_back(bit)) {
    ++counters_.flowbits_lost;
  }
}

bool DetectorCore::flowint_holds(const Call& call, const FlowIntCheck& check) const {
  const SessionState* const state = call.session.state_;
  const auto number = state == nullptr ? std::nullopt : state->flowint(check.name);
  if (check.op == IntOp::isset) return number.has_value();
  if (check.op == IntOp::isnotset) return !number.has_value();
  const auto other = operand_of(check, state);
  if (!number || !other) return false;
  switch (check.op) {
    case IntOp::less:
      return *number < *other;
    case IntOp::less_equal:
      return *number <= *other;
    case IntOp::equal:
      return *number == *other;
    case IntOp::not_equal:
      return *number != *other;
    case IntOp::greater_equal:
      return *number >= *other;
    case IntOp::greater:
      return *number > *other;
    default:
      return false;
  }
}

void DetectorCore::apply_flowints(Call& call, const DetectionRule& rule) {
  for (const FlowIntEffect& effect : rule.flowints) {
    SessionState* const state = state_of(call.session);
    if (state == nullptr) return;
    const auto operand = operand_of(effect, state);
    if (!operand) continue;
    const auto change = [&](uint32_t old) {
      return effect.op == IntOp::set ? *operand : effect.op == IntOp::add ? old + *operand : old - *operand;
    };
    bool known = false;
    for (FlowInt& number : state->flowints.items()) {
      if (number.name != effect.name) continue;
      number.value = change(number.value);
      known = true;
    }
    if (known) continue;
    // What is not set counts from 0.
    if (state->flowints.size() >= limits_.flowbits_per_session ||
        !state->flowints.push_back({effect.name, change(0)})) {
      ++counters_.flowbits_lost;
    }
  }
}

bool DetectorCore::hostbit_is_set(const Call& call, ast::HostBits::Track track, uint16_t bit,
                                  Direction d) const {
  using Track = ast::HostBits::Track;
  const uint64_t now = call.packet.time_ns;
  const MarkedHost from = source_host(call, d), to = destination_host(call, d);
  if (track == Track::pair) return host_bits_.has(HostBits::of_pair(bit, from, to), now);
  return (track == Track::destination || host_bits_.has(HostBits::of_host(bit, from), now)) &&
         (track == Track::source || host_bits_.has(HostBits::of_host(bit, to), now));
}

void DetectorCore::apply_hostbits(Call& call, const DetectionRule& rule, Direction d) {
  using Track = ast::HostBits::Track;
  using Op = ast::FlowBits::Op;
  const uint64_t now = call.packet.time_ns;
  for (const HostBitEffect& effect : rule.hostbits) {
    const auto change = [&](const MarkKey& key) {
      if (effect.op == Op::unset) return host_bits_.unset(key);
      const bool lost = effect.op == Op::toggle ? host_bits_.toggle(key, now, effect.expire_seconds)
                                                : host_bits_.set(key, now, effect.expire_seconds);
      if (lost) ++counters_.hostbits_lost;
    };
    const MarkedHost from = source_host(call, d), to = destination_host(call, d);
    if (effect.track == Track::pair) {
      change(HostBits::of_pair(effect.bit, from, to));
      continue;
    }
    if (effect.track != Track::destination) change(HostBits::of_host(effect.bit, from));
    if (effect.track != Track::source) change(HostBits::of_host(effect.bit, to));
  }
}

}  // namespace weir::inspection
