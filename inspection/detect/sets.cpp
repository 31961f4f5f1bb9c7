// Data sets and reputations: asked, and changed, when all else of a rule holds.
#include "inspection/compile/compile_rule.h"
#include "inspection/detect/detector_core.h"

namespace weir::inspection {

namespace {

std::string_view as_text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool reputation_holds(const SetCheck& check, std::span<const uint8_t> value) {
  const ValueSet::Entry* const entry = check.loaded->find(as_text(value));
  if (entry == nullptr) return false;
  switch (check.reputation_op) {
    case ast::Datarep::Op::less:
      return entry->reputation < check.reputation;
    case ast::Datarep::Op::greater:
      return entry->reputation > check.reputation;
    case ast::Datarep::Op::equal:
      return entry->reputation == check.reputation;
  }
  return false;
}

}  // namespace

bool DetectorCore::set_holds(const SetCheck& check, std::span<const uint8_t> value) {
  using Op = ast::SetOperation;
  if (check.is_reputation) return reputation_holds(check, value);
  const ValueSet::Entry* const entry = check.loaded != nullptr ? check.loaded->find(as_text(value)) : nullptr;
  // A set in JSON, which has contexts, is not changed by rules.
  const bool loaded = entry != nullptr;
  const bool in =
      check.context_key.empty() ? memory_->values->has(check.name, value).value_or(loaded) : loaded;
  if (check.operation == Op::isset || check.operation == Op::isnotset) {
    if (in && !check.context_key.empty() && contexts_used_ < contexts_.size())
      contexts_[contexts_used_++] = {check.context_key, check.loaded->context(*entry)};
    return in == (check.operation == Op::isset);
  }
  // To add what is there, or to take out what is not, is no match.
  const bool wants = check.operation == Op::set;
  if (in == wants) return false;
  const DatasetTable::Change change = memory_->values->change(check.name, value, wants, loaded);
  if (change == DatasetTable::Change::no_room) ++counters_.dataset_values_lost;
  return change == DatasetTable::Change::made;
}

/// With the part's transforms, which were made for its other checks already.
bool DetectorCore::value_sets_hold(Call& call, const BufferPart& part, std::span<const uint8_t> bytes) {
  if (part.chain != 0) {
    const auto made = transformed(call, part.chain, bytes);
    if (!made) return false;
    bytes = *made;
  }
  for (const SetCheck& check : part.sets) {
    if (!set_holds(check, bytes)) return false;
  }
  return true;
}

bool DetectorCore::part_sets_hold(Call& call, const BufferPart& part, Direction d, Transaction* transaction) {
  if (is_packet_buffer(part.buffer)) {
    const auto bytes = packet_bytes(call, part.buffer);
    return bytes && value_sets_hold(call, part, *bytes);
  }
  if (transaction == nullptr) return false;
  const bool list = info_of(part.buffer).kind == BufferKind::list;
  for (uint32_t instance = 0; instance == 0 || list; ++instance) {
    const auto view = transaction->buffer(part.buffer, d, instance);
    if (!view) return false;
    MatchBytes bytes;
    bytes.bytes = view->bytes;
    // Of a list those values count that the part's other checks hold for.
    if (list && !bytes_match(call, part, bytes)) continue;
    if (value_sets_hold(call, part, view->bytes)) return true;
  }
  return false;
}

bool DetectorCore::sets_hold(Call& call, const DetectionRule& rule, Direction d, Transaction* transaction) {
  if (!rule.asks_sets) return true;
  for (const BufferPart& part : rule.parts) {
    if (part.sets.empty() || part_sets_hold(call, part, side_of(rule, part, d), transaction)) continue;
    contexts_used_ = contexts_found_;
    return false;
  }
  return true;
}

}  // namespace weir::inspection
