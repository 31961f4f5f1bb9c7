// How far one rule gets, for a person who asks why it did or did not fire.
#include <algorithm>

#include "inspection/app/app_parser.h"
#include "inspection/compile/compile_rule.h"
#include "inspection/detect/detector_core.h"
#include "inspection/detect/header_checks.h"

namespace weir::inspection {

using At = RuleStep::At;

void DetectorCore::explain(RuleName rule) {
  explain_ = rule;
  explained_ = nullptr;
}

void DetectorCore::begin_explaining(Call& call, AlertSink& sink) {
  const auto number = call.ruleset.find(explain_);
  explained_ = number ? &call.ruleset.rule(*number) : nullptr;
  explained_number_ = number.value_or(0);
  explain_to_ = &sink;
}

void DetectorCore::tell(At at, size_t part, size_t check, size_t bytes) {
  explain_to_->explained(explained_->info, {at, static_cast<uint16_t>(part), static_cast<uint16_t>(check),
                                            static_cast<uint32_t>(bytes)});
}

/// In the order of header_matches().
bool DetectorCore::explain_header(Call& call, Direction d) {
  const DetectionRule& rule = *explained_;
  if (header_matches(call, rule, d)) return true;
  At at = At::addresses;
  if (!rule.direction[static_cast<size_t>(d)]) {
    at = At::direction;
  } else if (!layer_matches(rule.layer, call.packet)) {
    at = At::layer;
  } else if (rule.flow_start && call.facts.packets[static_cast<size_t>(d)] != 1) {
    at = At::flow;
  } else if (!rule.is_about(call.facts.protocol)) {
    at = At::app;
  } else if (!flow_matches(call, rule.flow)) {
    at = At::flow;
  }
  tell(at);
  return false;
}

/// Rules that look into no bytes.
void DetectorCore::explain_headers(Call& call) {
  const RuleKind kind = explained_->kind;
  if (kind != RuleKind::ip_only && kind != RuleKind::protocol_only && kind != RuleKind::event) return;
  const Direction d = call.packet.direction;
  if (explain_header(call, d)) explain_state(call, d, nullptr);
}

/// False: a condition of the part does not hold, which is told. Held one more at a time, so that the first
/// that fails is known.
bool DetectorCore::explain_part(Call& call, size_t part, const MatchBytes& bytes) {
  const BufferPart& looks = explained_->parts[part];
  if (bytes_match(call, looks, bytes)) return true;
  MatchBytes whole = bytes;
  if (looks.chain != 0) {
    const auto made = transformed(call, looks.chain, bytes.bytes);
    if (made) whole.bytes = *made;
    whole.base = whole.old_size = 0;
    whole.must_be_new = false;
  }
  const MatchMemory memory = match_memory(call);
  size_t check = 0;
  while (check < looks.checks.size() &&
         ByteMatcher(whole, memory).match(std::span(looks.checks).first(check + 1)))
    ++check;
  // Each but the last one holds with those before it; together with the rule's place they do not.
  tell(At::bytes, part, std::min(check, looks.checks.empty() ? 0 : looks.checks.size() - 1),
       whole.bytes.size());
  return false;
}

void DetectorCore::explain_state(Call& call, Direction d, Transaction* transaction) {
  const size_t check = failing_check(call, *explained_, d, transaction);
  if (check < explained_->packet_checks.size()) return tell(At::state, 0, check);
  if (transaction != nullptr && explained_->of_one_file &&
      !some_file_matches(call, *explained_, *transaction, d)) {
    const auto& checks = explained_->packet_checks;
    const auto first =
        std::find_if(checks.begin(), checks.end(), [](const PacketCheck& c) { return is_of_file(c); });
    if (first != checks.end()) return tell(At::state, 0, static_cast<size_t>(first - checks.begin()));
    // A name and what the file is, of two files.
    const auto& parts = explained_->parts;
    const auto part =
        std::find_if(parts.begin(), parts.end(), [](const BufferPart& p) { return is_of_file(p); });
    return tell(At::bytes, static_cast<size_t>(part - parts.begin()));
  }
  if (explained_->asks_sets) tell(At::sets);
}

void DetectorCore::explain_payload(Call& call, const MatchBytes& payload, bool proposed, Direction d) {
  if (!explain_header(call, d)) return;
  const DetectionRule& rule = *explained_;
  const bool looked_for = rule.fast.part >= 0 && rule.parts[static_cast<size_t>(rule.fast.part)].of_payload();
  if (looked_for && payload.bytes.empty()) return tell(At::buffer, static_cast<size_t>(rule.fast.part));
  if (looked_for && !proposed)
    return tell(At::literal, static_cast<size_t>(rule.fast.part), 0, payload.bytes.size());
  for (size_t part = 0; part < rule.parts.size(); ++part) {
    if (!rule.parts[part].of_payload()) continue;
    if (payload.bytes.empty()) return tell(At::buffer, part);
    if (!explain_part(call, part, payload)) return;
  }
  for (size_t part = 0; part < rule.parts.size(); ++part) {
    if (!is_packet_buffer(rule.parts[part].buffer)) continue;
    const auto buffer = packet_bytes(call, rule.parts[part].buffer);
    if (!buffer && !rule.parts[part].absent && !rule.parts[part].absent_or_else)
      return tell(At::buffer, part);
    MatchBytes bytes;
    if (buffer) bytes.bytes = *buffer;
    if (buffer && !explain_part(call, part, bytes)) return;
  }
  explain_state(call, d, nullptr);
}

void DetectorCore::explain_bytes(Call& call, bool with_packet, const StreamView* stream) {
  const RuleKind kind = explained_->kind;
  const bool of_packet = kind == RuleKind::packet || kind == RuleKind::packet_stream;
  const bool of_stream = kind == RuleKind::stream || kind == RuleKind::packet_stream;
  if (with_packet && (of_packet || (of_stream && !call.packet.stream_part))) {
    MatchBytes payload;
    payload.bytes = call.packet.payload;
    payload.packet_like = true;
    explain_payload(call, payload, call.scratch.packet_rules.has(explained_number_), call.packet.direction);
  }
  if (stream == nullptr || !of_stream) return;
  MatchBytes payload;
  payload.bytes = stream->view.bytes;
  payload.base = stream->view.base;
  payload.old_size = stream->view.old_size;
  payload.complete = stream->view.complete;
  payload.packet_like = true;
  explain_payload(call, payload, call.scratch.stream_rules.has(explained_number_), stream->direction);
}

void DetectorCore::explain_transaction(Call& call, Transaction& transaction, Direction d) {
  const DetectionRule& rule = *explained_;
  if (rule.kind != RuleKind::transaction) return;
  const Direction own = rule.both_sides ? Direction::to_server : d;
  if (!explain_header(call, own)) return;
  if ((transaction.app_events & rule.app_events) != rule.app_events) return tell(At::waits);
  const bool proposed = call.scratch.transaction_rules.has(explained_number_);
  for (size_t i = 0; i < rule.parts.size(); ++i) {
    const BufferPart& part = rule.parts[i];
    if (is_packet_buffer(part.buffer)) continue;
    const Direction side = side_of(rule, part, d);
    const Part came = part_of_transaction(call, part, transaction, side);
    if (came == Part::matched) continue;
    const auto view =
        part.of_payload() ? std::optional<BufferView>() : transaction.buffer(part.buffer, side, 0);
    if (!view) return tell(came == Part::waits ? At::waits : At::buffer, i);
    if (static_cast<int>(i) == rule.fast.part && !proposed)
      return tell(At::literal, i, 0, view->bytes.size());
    MatchBytes bytes;
    bytes.bytes = view->bytes;
    bytes.base = view->base;
    bytes.old_size = view->old_size;
    bytes.complete = came == Part::failed;
    if (!part.absent && !explain_part(call, i, bytes)) return;
    return tell(came == Part::waits ? At::waits : At::bytes, i, 0, view->bytes.size());
  }
  if (transaction.progress(d) < rule.hook_step) return tell(At::waits);
  explain_state(call, d, &transaction);
}

void DetectorCore::explain_findings(Call&) {
  for (const Finding& finding : findings_) {
    if (finding.rule != &explained_->info) continue;
    tell(finding.noalert ? At::noalert : finding.thresholded != Thresholded::no ? At::silent : At::fired);
  }
}

}  // namespace weir::inspection
