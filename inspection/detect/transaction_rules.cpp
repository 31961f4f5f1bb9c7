// Rules on transactions: each is judged when the parser has come to what it looks into, remembered while it
// has matched in part, and alerts once for one direction of a transaction.
#include <algorithm>
#include <array>
#include <cstring>

#include "inspection/app/http/text.h"
#include "inspection/compile/compile_rule.h"
#include "inspection/detect/detector_core.h"
#include "inspection/detect/header_checks.h"

namespace weir::inspection {

namespace {

// A growing buffer of which something must not be there, or whose end counts, is judged when it is complete,
// or when that much of it lies in the window: waiting longer would lose what came first.
constexpr size_t kLateBytes = 8 * 1024;

// More values of one list are not looked at; parsers stop earlier.
constexpr uint32_t kMostInstances = 4'096;

struct Growing {
  BufferId id;
  bool grows;
};
constexpr Growing kBuffers[] = {
#define BUFFER(id, keyword, modifier, protocol, direction, step, kind) \
  {BufferId::id, BufferKind::kind == BufferKind::grows && (step) > 0},
#include "inspection/app/buffers.def"
#undef BUFFER
};
constexpr size_t kGrowing = std::ranges::count_if(kBuffers, [](const Growing& b) { return b.grows; });

/// Buffers that have more bytes with each packet.
constexpr std::array<BufferId, kGrowing> kGrowingBuffers = [] {
  std::array<BufferId, kGrowing> found{};
  size_t count = 0;
  for (const Growing& buffer : kBuffers) {
    if (buffer.grows) found[count++] = buffer.id;
  }
  return found;
}();

bool decided_in(const Transaction& transaction, Direction d, uint32_t number) {
  const TransactionDetection* const kept = transaction.detection[static_cast<size_t>(d)];
  if (kept == nullptr) return false;
  const auto decided = kept->decided.items();
  return std::any_of(decided.begin(), decided.end(),
                     [&](const DecidedRule& known) { return known.rule == number; });
}

/// A rule on both sides asks for a number that its side does not have yet.
bool numbers_wait(const DetectionRule& rule, const Transaction& transaction) {
  return std::any_of(rule.packet_checks.begin(), rule.packet_checks.end(), [&](const PacketCheck& check) {
    const auto* const number = std::get_if<ast::TransactionNumber>(&check);
    if (number == nullptr || number->number != NumberId::file_size) return false;
    const Direction side = number->side.value_or(Direction::to_server);
    return transaction.progress(side) < transaction.last_step(side);
  });
}

/// False if `end` is empty, which has no place.
bool ends_with(std::span<const uint8_t> all, std::span<const uint8_t> end) {
  return !end.empty() && all.size() >= end.size() &&
         std::memcmp(all.data() + all.size() - end.size(), end.data(), end.size()) == 0;
}

bool more_files_come(const Transaction& transaction, Direction d) {
  return transaction.progress(d) < transaction.last_step(d) || transaction.awaits_files(d);
}

}  // namespace

TransactionDetection* DetectorCore::kept_for(Transaction& transaction, Direction d) {
  TransactionDetection*& kept = transaction.detection[static_cast<size_t>(d)];
  if (kept == nullptr) {
    kept = make_in<TransactionDetection>(pool_, pool_);
    if (kept == nullptr) ++counters_.memory_lost;
  }
  return kept;
}

void DetectorCore::judge_transaction(Call& call, Transaction& transaction, Direction d) {
  const uint8_t progress = transaction.progress(d);
  if (progress == 0 && transaction.app_events == 0) return;
  if (!call.ruleset.groups_of(transaction.protocol(), d).all().empty())
    hold_rules(call, transaction, d, progress);
  // From now on only what follows is new, whether or not a rule looked at it.
  for (const BufferId buffer : kGrowingBuffers) {
    const BufferInfo& info = info_of(buffer);
    if (info.step <= progress &&
        (info.protocol == AppProtocol::unknown || is_of(info.protocol, transaction.protocol()))) {
      transaction.judged(buffer, d);
    }
  }
}

void DetectorCore::hold_rules(Call& call, Transaction& transaction, Direction d, uint8_t progress) {
  TransactionDetection* const kept = kept_for(transaction, d);
  if (kept == nullptr) {
    scan_failed_ = true;  // what cannot be remembered cannot be judged
    return;
  }
  ProposedRules& proposed = call.scratch.transaction_rules;
  proposed.clear();
  if (limits_.reference) {
    for (const uint16_t g : call.ruleset.groups_of(transaction.protocol(), d).all()) {
      const TransactionGroup& group = call.ruleset.transaction_groups(d)[g];
      if (group.step <= progress) group.prefilter.propose_all(proposed);
    }
  } else {
    propose(call, transaction, d, kept->progress, progress);
    for (const WaitingRule& waiting : kept->waiting.items()) proposed.add(waiting.rule);
    if (d == Direction::to_client) propose_both_sides(call, transaction);
  }
  kept->progress = progress;
  counters_.candidates += proposed.all().size();
  if (explained_ != nullptr) [[unlikely]]
    explain_transaction(call, transaction, d);
  const auto may_match = [&](uint32_t number) {
    const RuleHeader& header = call.ruleset.header(number);
    return header_matches(call, header, header.both_sides ? Direction::to_server : d);
  };
  for (const uint32_t number : proposed.sorted(may_match)) {
    // What is decided for both sides together is remembered at the request's.
    const bool both = call.ruleset.header(number).both_sides;
    TransactionDetection* const of = both ? kept_for(transaction, Direction::to_server) : kept;
    if (of == nullptr) {
      scan_failed_ = true;
      continue;
    }
    judge_transaction_rule(call, transaction, d, *of, number);
  }
}

/// Rules on both sides that wait for the response.
void DetectorCore::propose_both_sides(Call& call, const Transaction& transaction) {
  const TransactionDetection* const kept = transaction.detection[static_cast<size_t>(Direction::to_server)];
  if (kept == nullptr) return;
  for (const WaitingRule& waiting : kept->waiting.items()) {
    if (call.ruleset.rule(waiting.rule).both_sides) call.scratch.transaction_rules.add(waiting.rule);
  }
}

void DetectorCore::propose(Call& call, Transaction& transaction, Direction d, uint8_t seen,
                           uint8_t progress) {
  const GroupList& list = call.ruleset.groups_of(transaction.protocol(), d);
  const std::span<const TransactionGroup> groups = call.ruleset.transaction_groups(d);
  if (seen == 0) {
    for (const uint16_t g : list.of_step_0()) propose_group(call, groups[g], transaction, d);
  }
  for (const uint16_t g : list.between(seen, progress)) propose_group(call, groups[g], transaction, d);
  for (const uint16_t g : list.growing()) {
    const bool looked_at = groups[g].step <= seen && !(groups[g].step == 0 && seen == 0);
    if (looked_at) propose_group(call, groups[g], transaction, d);
  }
}

void DetectorCore::propose_group(Call& call, const TransactionGroup& group, Transaction& transaction,
                                 Direction d) {
  ProposedRules& proposed = call.scratch.transaction_rules;
  const SessionTraits traits = call.traits[static_cast<size_t>(d)];
  if (group.no_buffer) return group.prefilter.propose_always(traits, proposed);
  if (group.prefilter.empty(traits)) return;
  for (uint32_t instance = 0; instance < kMostInstances; ++instance) {
    const auto view = transaction.buffer(group.buffer, d, instance);
    if (!view) return;
    std::span<const uint8_t> bytes = view->bytes;
    if (group.chain != 0) {
      const auto made = transformed(call, group.chain, bytes);
      if (!made) {
        scan_failed_ = true;
        return;
      }
      bytes = *made;
    } else if (group.kind == BufferKind::grows) {
      const size_t longest = group.prefilter.longest();
      const size_t carry = std::min(view->old_size, longest > 0 ? longest - 1 : 0);
      bytes = bytes.subspan(view->old_size - carry);
    }
    DetectionScratch& scratch = call.scratch;
    const size_t before = proposed.size();
    if (group.kind == BufferKind::grows && view->base + view->old_size < PrefilterGroup::kFront)
      group.prefilter.propose_front(traits, view->bytes, view->base, proposed);
    const bool comes_again = group.kind != BufferKind::grows;
    const auto place = static_cast<size_t>(&group - call.ruleset.transaction_groups(d).data());
    ScanCounts& counts = scratch.transaction_scans[static_cast<size_t>(d)][place];
    if (group.is_body_of_answer(d) && ends_with(scratch.shared_bytes, bytes)) {
      group.prefilter.propose_always(traits, proposed);
      for (const uint32_t rule : scratch.body_rules.all()) proposed.add(rule);
      count_scan(counts, 0, proposed.size() - before);
      return;
    }
    scan_failed_ |= !(
        comes_again ? group.prefilter.propose(traits, bytes, scratch.hyperscan.get(), scratch.memo, proposed)
                    : group.prefilter.propose(traits, bytes, scratch.hyperscan.get(), proposed));
    count_scan(counts, bytes.size(), proposed.size() - before);
    if (group.kind != BufferKind::list) return;
  }
}

void DetectorCore::judge_transaction_rule(Call& call, Transaction& transaction, Direction d,
                                          TransactionDetection& kept, uint32_t number) {
  const DetectionRule& rule = call.ruleset.rule(number);
  if (decided_in(transaction, rule.both_sides ? Direction::to_server : d, number)) return;
  if (rule.app_events != 0 && decided_in(transaction, opposite(d), number)) return;
  const Verification verification(*this, call, number);
  WaitingRule* before = nullptr;
  for (WaitingRule& waiting : kept.waiting.items()) {
    if (waiting.rule == number) before = &waiting;
  }
  uint32_t matched = before != nullptr && !limits_.reference ? before->matched_parts : 0;
  // An anomaly may still come, from either side.
  bool waits = (transaction.app_events & rule.app_events) != rule.app_events,
       failed = waits && transaction.is_complete();
  if (rule.both_sides && !waits) waits = numbers_wait(rule, transaction);
  if (transaction.progress(d) < rule.hook_step) {
    // A direction that ended short of the step never comes there.
    (transaction.progress(d) >= transaction.last_step(d) ? failed : waits) = true;
  }
  for (size_t i = 0; i < rule.parts.size() && !failed; ++i) {
    const uint32_t bit = uint32_t{1} << i;
    if ((matched & bit) != 0 || is_packet_buffer(rule.parts[i].buffer)) continue;
    switch (part_of_transaction(call, rule.parts[i], transaction, side_of(rule, rule.parts[i], d))) {
      case Part::matched:
        matched |= bit;
        break;
      case Part::waits:
        waits = true;
        break;
      case Part::failed:
        failed = true;
        break;
    }
  }
  // Another file may be the one.
  if (!waits && !failed && rule.of_one_file && more_files_come(transaction, d))
    waits = !some_file_matches(call, rule, transaction, d);
  if (waits && !failed) {
    if (before != nullptr) {
      before->matched_parts = matched;
    } else if (!limits_.reference) {
      wait_in_transaction(kept, number, matched);
    }
    return;
  }
  if (before != nullptr) kept.waiting.remove_if([&](const WaitingRule& w) { return w.rule == number; });
  if (failed) {
    ++counters_.refuted;
    return;
  }
  // Decided once, whatever the session's state makes of it.
  if (kept.decided.size() >= limits_.rules_per_transaction ||
      !kept.decided.push_back({number, rule.info.name()})) {
    ++counters_.transaction_rules_lost;
  }
  if (packet_parts_match(call, rule) && checks_match(call, rule, d, &transaction) &&
      (!rule.of_one_file || some_file_matches(call, rule, transaction, d)) &&
      sets_hold(call, rule, d, &transaction)) {
    found(call, number, d, false, &transaction);
  }
}

void DetectorCore::wait_in_transaction(TransactionDetection& kept, uint32_t number, uint32_t matched_parts) {
  if (kept.waiting.size() >= limits_.rules_per_transaction ||
      !kept.waiting.push_back({number, matched_parts})) {
    ++counters_.transaction_rules_lost;
  }
}

DetectorCore::Part DetectorCore::part_of_transaction(Call& call, const BufferPart& part,
                                                     Transaction& transaction, Direction d) {
  const bool over = transaction.progress(d) >= transaction.last_step(d);
  if (part.of_payload()) {
    return payload_part(call, part, d) ? Part::matched : over ? Part::failed : Part::waits;
  }
  const BufferInfo& info = info_of(part.buffer);
  if (transaction.progress(d) < info.step) {
    // Its direction is over and never came there: it does not exist.
    if (transaction.progress(d) < transaction.last_step(d)) return Part::waits;
    return part.absent || part.absent_or_else ? Part::matched : Part::failed;
  }
  if (info.kind == BufferKind::list) return list_part(call, part, transaction, d);
  const auto view = transaction.buffer(part.buffer, d, 0);
  const bool more = info.kind == BufferKind::grows && transaction.progress(d) < transaction.last_step(d) &&
                    (!view || !view->complete);
  if (!view) {
    if (more) return Part::waits;
    return part.absent || part.absent_or_else ? Part::matched : Part::failed;
  }
  if (part.absent) return Part::failed;
  if (more && part.late && view->bytes.size() < kLateBytes) return Part::waits;
  MatchBytes bytes;
  bytes.bytes = view->bytes;
  bytes.base = view->base;
  bytes.old_size = view->old_size;
  bytes.complete = !more;
  if (bytes_match(call, part, bytes)) return Part::matched;
  // The next file of a form may be the one.
  return more || (info.kind == BufferKind::grows && !over) ? Part::waits : Part::failed;
}

/// One of the transaction's files is all that the rule asks of files. A rule that asks for sizes or checksums
/// is judged when its direction is over, so all files are there; others wait for what is still to come.
bool DetectorCore::some_file_matches(Call& call, const DetectionRule& rule, Transaction& transaction,
                                     Direction d) {
  const auto is_named = [&](const BufferPart& part, uint32_t file) {
    MatchBytes bytes;
    if (part.buffer == BufferId::file_magic) {
      bytes.bytes = http::as_bytes(transaction.file(d, file).magic);
      return !bytes.bytes.empty() && bytes_match(call, part, bytes);
    }
    const auto name = transaction.buffer(BufferId::file_name, d, file);
    if (name) bytes.bytes = name->bytes;
    return name && bytes_match(call, part, bytes);
  };
  const auto has = [&](const PacketCheck& check, uint32_t file) {
    if (const auto* const hash = std::get_if<FileHashCheck>(&check))
      return file_matches(*hash, transaction, d, file);
    const auto size = transaction.number(NumberId::file_size, d, file);
    return size && std::get<ast::TransactionNumber>(check).compare.matches(*size);
  };
  for (uint32_t file = 0; file < transaction.file_count(d); ++file) {
    const bool named = std::all_of(rule.parts.begin(), rule.parts.end(), [&](const BufferPart& part) {
      return !is_of_file(part) || is_named(part, file);
    });
    const bool fits = named && std::all_of(rule.packet_checks.begin(), rule.packet_checks.end(),
                                           [&](const PacketCheck& check) {
                                             return !is_of_file(check) || has(check, file);
                                           });
    if (fits) return true;
  }
  return false;
}

DetectorCore::Part DetectorCore::list_part(Call& call, const BufferPart& part, Transaction& transaction,
                                           Direction d) {
  uint32_t instance = 0;
  for (; instance < kMostInstances; ++instance) {
    const auto view = transaction.buffer(part.buffer, d, instance);
    if (!view) break;
    if (part.absent) return Part::failed;
    MatchBytes bytes;
    bytes.bytes = view->bytes;
    if (bytes_match(call, part, bytes)) return Part::matched;
  }
  // Names of a form's files come one after the other, and what they are comes when libmagic has said it.
  const bool magic = part.buffer == BufferId::file_magic;
  const bool of_files = magic || part.buffer == BufferId::file_name;
  if (of_files && transaction.progress(d) < transaction.last_step(d)) return Part::waits;
  if (magic && transaction.awaits_files(d)) return Part::waits;
  // Of a file that nobody could ask about nothing is known, not that it is of no kind.
  const bool none = instance == 0 && (!magic || transaction.file_count(d) == 0);
  return none && (part.absent || part.absent_or_else) ? Part::matched : Part::failed;
}

bool DetectorCore::payload_part(Call& call, const BufferPart& part, Direction d) {
  MatchBytes bytes;
  bytes.packet_like = true;
  for (const StreamView& stream : call.inspected.streams) {
    if (stream.direction != d) continue;
    bytes.bytes = stream.view.bytes;
    bytes.base = stream.view.base;
    bytes.old_size = stream.view.old_size;
    if (!bytes.bytes.empty() && bytes_match(call, part, bytes)) return true;
  }
  if (d != call.packet.direction || call.packet.payload.empty()) return false;
  if (call.packet.protocol == 6 && call.packet.stream_part) return false;
  bytes = MatchBytes{};
  bytes.packet_like = true;
  bytes.bytes = call.packet.payload;
  return bytes_match(call, part, bytes);
}

}  // namespace weir::inspection
