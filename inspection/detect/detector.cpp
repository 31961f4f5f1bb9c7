// The way of a packet through detection: rules on addresses, on the packet, on the stream, on transactions;
// then what was found becomes alerts and a verdict.
#include "inspection/detect/detector.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/net/headers.h"
#include "inspection/detect/detector_core.h"

namespace weir::inspection {

namespace {

PayloadSource packet_source(const PacketView& packet) {
  return packet.protocol == net::kProtoTcp   ? PayloadSource::tcp
         : packet.protocol == net::kProtoUdp ? PayloadSource::udp
                                             : PayloadSource::other;
}

}  // namespace

Result<std::unique_ptr<Detector>> Detector::create(unsigned worker, const DetectorLimits& limits,
                                                   BytePool& pool, std::shared_ptr<RuleMemory> memory) {
  try {
    return std::make_unique<DetectorCore>(worker, limits, pool, std::move(memory));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::exhausted, "there is not enough memory for detection's tables");
  }
}

DetectorCore::DetectorCore(unsigned worker, const DetectorLimits& limits, BytePool& pool,
                           std::shared_ptr<RuleMemory> memory)
    : worker_(worker),
      limits_(limits),
      pool_(pool),
      scratch_bytes_(limits.transform_bytes),
      memory_(std::move(memory)),
      host_bits_(*memory_->hosts),
      explain_(limits.explain) {
  findings_.reserve(limits.findings_per_packet);
}

DetectionVerdict DetectorCore::inspect(const DetectionProfile& profile, SessionDetection& session,
                                       const Inspected& inspected, AlertSink& sink) {
  ++counters_.packets;
  DetectionVerdict verdict;
  if (session.dropped_) {
    verdict.forward = false;
    verdict.drop_session = true;
    return verdict;
  }
  if (session.passed_) {
    verdict.pass_session = true;
    return verdict;
  }
  const DetectionRuleset& ruleset = profile.ruleset();
  DetectionScratch* const scratch = ruleset.scratch(worker_);
  if (scratch == nullptr) {
    ++counters_.scan_errors;
    verdict.failed = true;
    return verdict;
  }
  Call call{profile, ruleset, *scratch, session, inspected, inspected.packet, inspected.facts};
  begin(call);
  if (ruleset.rules().empty()) return verdict;
  if (explain_.gid != 0) [[unlikely]]
    begin_explaining(call, sink);
  // A packet that the engine made to end a session has no bytes of its own.
  const bool with_packet = !inspected.packet_judged && !(call.packet.ip.empty() && call.packet.frame.empty());
  judge_events(call);
  if (call.packet.invalid) return conclude(call, sink);
  for (const Direction d : {Direction::to_server, Direction::to_client})
    call.traits[static_cast<size_t>(d)] = traits_of(call, d);
  if (with_packet) judge_ip_only(call);
  if (explained_ != nullptr) [[unlikely]]
    explain_headers(call);
  const StreamView* own = nullptr;
  for (const StreamView& stream : inspected.streams) {
    if (stream.direction == call.packet.direction) own = &stream;
  }
  judge_bytes(call, with_packet, own);
  for (const StreamView& stream : inspected.streams) {
    if (&stream != own) judge_bytes(call, false, &stream);
  }
  for (Transaction* const transaction : inspected.transactions) {
    judge_transaction(call, *transaction, call.packet.direction);
  }
  return conclude(call, sink);
}

void DetectorCore::begin(Call& call) {
  scratch_bytes_.clear();
  call.scratch.header.forget();
  call.scratch.shared_bytes = {};
  transformed_count_ = 0;
  findings_.clear();
  contexts_used_ = contexts_found_ = 0;
  scan_failed_ = false;
  limits_before_ = limits_reached();
  if (call.session.ruleset_ == call.ruleset.serial()) return;
  if (call.session.ruleset_ != 0) go_on_with_other_rules(call);
  call.session.ruleset_ = call.ruleset.serial();
}

/// Finds `rules` again by their names; those that are gone go.
template <typename List>
static void rename_rules(List& rules, const DetectionRuleset& ruleset) {
  constexpr uint32_t kGone = UINT32_MAX;
  for (auto& known : rules.items()) known.rule = ruleset.find(known.name).value_or(kGone);
  rules.remove_if([](const auto& known) { return known.rule == kGone; });
}

void DetectorCore::go_on_with_other_rules(Call& call) {
  SessionDetection& session = call.session;
  for (const size_t d : {0, 1}) {
    session.ip_only_done_[d] = session.protocol_done_[d] = false;
    session.look_again_[d] = true;
    if (session.state_ != nullptr) rename_rules(session.state_->streams[d], call.ruleset);
  }
  for (Transaction* const transaction : call.inspected.transactions) {
    for (TransactionDetection* const kept : transaction->detection) {
      if (kept == nullptr) continue;
      rename_rules(kept->decided, call.ruleset);
      // Which of a rule's parts matched says nothing of another text of it.
      kept->waiting.reset();
      kept->progress = 0;
    }
  }
}

void DetectorCore::judge_ip_only(Call& call) {
  const Direction d = call.packet.direction;
  const auto i = static_cast<size_t>(d);
  const bool first = !call.session.ip_only_done_[i];
  call.session.ip_only_done_[i] = true;
  // Suricata judges addresses with a negation by packet, all others once.
  const AddressRules& rules = call.profile.address_rules(d, first);
  ProposedRules& proposed = call.scratch.packet_rules;
  proposed.clear();
  if (limits_.reference) {
    for (const uint32_t number : call.ruleset.ip_only(d)) {
      const DetectionRule& rule = call.ruleset.rule(number);
      if (first || call.profile.negated(rule.source) || call.profile.negated(rule.destination))
        proposed.add(number);
    }
  } else {
    rules.visit(source(call, d), destination(call, d), [&](uint32_t number) { proposed.add(number); });
  }
  for (const uint32_t number : proposed.sorted()) {
    const DetectionRule& rule = call.ruleset.rule(number);
    if (header_matches(call, rule, d) && checks_match(call, rule, d, nullptr)) {
      found(call, number, d, false, nullptr);
    }
  }
  if (call.session.protocol_done_[i]) return;
  bool done = call.facts.app_decided[i];
  for (const uint32_t number : done ? call.ruleset.protocol_only(d) : std::span<const uint32_t>{}) {
    const DetectionRule& rule = call.ruleset.rule(number);
    if (header_matches(call, rule, d) && checks_match(call, rule, d, nullptr)) {
      found(call, number, d, false, nullptr);
    }
  }
  call.session.protocol_done_[i] = done;
}

void DetectorCore::judge_events(Call& call) {
  if (!call.packet.events.any()) return;
  const Direction d = call.packet.direction;
  for (const uint32_t number : call.ruleset.events(d)) {
    const DetectionRule& rule = call.ruleset.rule(number);
    // Of a packet that could not be read nothing is known but that.
    const bool header =
        call.packet.invalid ? rule.layer == ast::Layer::any && !rule.is_app : header_matches(call, rule, d);
    if (header && checks_match(call, rule, d, nullptr)) found(call, number, d, false, nullptr);
  }
}

bool DetectorCore::packet_rule_matches(Call& call, uint32_t number) {
  const DetectionRule& rule = call.ruleset.rule(number);
  const Direction d = call.packet.direction;
  // A rule on the stream is held against a packet only where its bytes are in no stream.
  if (rule.kind == RuleKind::stream && call.packet.protocol == net::kProtoTcp && call.packet.stream_part)
    return false;
  MatchBytes payload;
  payload.bytes = call.packet.payload;
  payload.packet_like = true;
  const Verification verification(*this, call, number);
  if (!parts_match(call, rule, payload)) {
    ++counters_.refuted;
    return false;
  }
  return checks_match(call, rule, d, nullptr) && sets_hold(call, rule, d, nullptr);
}

/// Rules that `bytes` propose, to those of the packet, of the stream, or both. `begin`: the stream's window,
/// if its front may be new.
void DetectorCore::scan_payload(Call& call, PayloadSource source, Direction d, std::span<const uint8_t> bytes,
                                bool of_packet, bool of_stream, const BufferView* begin) {
  const PrefilterGroup& group = call.ruleset.payload(source, d);
  DetectionScratch& scratch = call.scratch;
  ProposedRules& proposed = source == PayloadSource::tcp ? scratch.tcp_rules : scratch.packet_rules;
  if (source == PayloadSource::tcp) proposed.clear();
  if (limits_.reference) {
    group.propose_all(proposed);
  } else {
    const size_t before = proposed.size();
    const SessionTraits traits = call.traits[static_cast<size_t>(d)];
    const SharedScan& shared = call.ruleset.answers();
    // An answer's stream, in which its body may stand as it is.
    const bool has_body = of_stream && d == Direction::to_client &&
                          call.facts.protocol == AppProtocol::http1 && !call.inspected.transactions.empty();
    if (has_body && shared.serves(traits)) {
      scratch.shared_bytes = bytes;
      scratch.body_rules.clear();
      group.propose_always(traits, proposed);
      scan_failed_ |= !shared.propose(traits, bytes, scratch.hyperscan.get(), proposed, scratch.body_rules);
    } else {
      scan_failed_ |= !group.propose(traits, bytes, scratch.hyperscan.get(), proposed);
    }
    if (of_packet) group.propose_front(traits, call.packet.payload, 0, proposed);
    if (begin != nullptr) group.propose_front(traits, begin->bytes, begin->base, proposed);
    count_scan(scratch.payload_scans[DetectionRuleset::payload_group(source, d)], bytes.size(),
               proposed.size() - before);
  }
  if (source != PayloadSource::tcp) return;
  for (const uint32_t number : proposed.all()) {
    const RuleKind kind = call.ruleset.header(number).kind;
    // Rules on the stream are held against segments that are in none.
    if (of_packet && !(kind == RuleKind::stream && call.packet.stream_part)) scratch.packet_rules.add(number);
    if (of_stream && kind != RuleKind::packet) scratch.stream_rules.add(number);
  }
}

void DetectorCore::propose_payload(Call& call, bool of_packet, const StreamView* stream) {
  const PacketView& packet = call.packet;
  const auto payload = of_packet ? packet.payload : std::span<const uint8_t>{};
  std::span<const uint8_t> block;
  const BufferView* begin = nullptr;
  bool once = false;
  if (stream != nullptr && stream->view.bytes.size() > stream->view.old_size) {
    // A literal that ends in the new bytes begins at most its length minus one before them.
    // Other rules than before have not seen any of the window.
    const BufferView& view = stream->view;
    const size_t longest =
        std::max(call.ruleset.payload(PayloadSource::tcp, stream->direction).longest(),
                 stream->direction == Direction::to_client ? call.ruleset.answers().longest() : 0);
    const bool again = std::exchange(call.session.look_again_[static_cast<size_t>(stream->direction)], false);
    const size_t carry = std::min(view.old_size, again ? view.old_size : longest > 0 ? longest - 1 : 0);
    block = view.bytes.subspan(view.old_size - carry);
    if (view.base + (again ? 0 : view.old_size) < PrefilterGroup::kFront) begin = &view;
    const auto fresh = view.bytes.subspan(view.old_size);
    once = fresh.size() == payload.size() && std::memcmp(fresh.data(), payload.data(), payload.size()) == 0;
  }
  if (!payload.empty() && !once)
    scan_payload(call, packet_source(packet), packet.direction, payload, true, false, nullptr);
  if (!block.empty()) scan_payload(call, PayloadSource::tcp, stream->direction, block, once, true, begin);
}

/// Rules that have their literal in the window already.
void DetectorCore::propose_waiting(Call& call, const StreamView& stream) {
  SessionState* const state = call.session.state_;
  if (state == nullptr || stream.view.bytes.size() <= stream.view.old_size) return;
  ProposedRules& proposed = call.scratch.stream_rules;
  auto& list = state->streams[static_cast<size_t>(stream.direction)];
  for (WaitingStreamRule& w : list.items()) {
    if (proposed.has(w.rule)) w.until = stream.view.base + stream.view.bytes.size();
  }
  list.remove_if([&](const WaitingStreamRule& w) { return w.until <= stream.view.base; });
  for (const WaitingStreamRule& w : list.items()) proposed.add(w.rule);
}

void DetectorCore::judge_bytes(Call& call, bool with_packet, const StreamView* stream) {
  ProposedRules& packet_rules = call.scratch.packet_rules;
  ProposedRules& stream_rules = call.scratch.stream_rules;
  packet_rules.clear();
  stream_rules.clear();
  if (with_packet) {
    const Direction d = call.packet.direction;
    const PrefilterGroup& group = call.ruleset.without_payload(packet_source(call.packet), d);
    if (limits_.reference) {
      group.propose_all(packet_rules);
    } else {
      group.propose_always(call.traits[static_cast<size_t>(d)], packet_rules);
    }
  }
  propose_payload(call, with_packet, stream);
  if (stream != nullptr) propose_waiting(call, *stream);
  // Both in one order of rules, so that flow bits are written before they are read. What matches in the
  // stream is not held against the packet as well.
  counters_.candidates += packet_rules.all().size() + stream_rules.all().size();
  if (explained_ != nullptr) [[unlikely]]
    explain_bytes(call, with_packet, stream);
  const auto packets = packet_rules.sorted([&](uint32_t number) {
    return header_matches(call, call.ruleset.header(number), call.packet.direction);
  });
  const auto streams = stream_rules.sorted(
      [&](uint32_t number) { return header_matches(call, call.ruleset.header(number), stream->direction); });
  size_t p = 0, s = 0;
  while (p < packets.size() || s < streams.size()) {
    const uint32_t number =
        s == streams.size() || (p < packets.size() && packets[p] < streams[s]) ? packets[p] : streams[s];
    bool matched = false;
    if (s < streams.size() && streams[s] == number) {
      matched = judge_stream_rule(call, *stream, number);
      ++s;
    }
    if (p < packets.size() && packets[p] == number) {
      if (!matched && packet_rule_matches(call, number)) {
        found(call, number, call.packet.direction, false, nullptr);
      }
      ++p;
    }
  }
}

bool DetectorCore::judge_stream_rule(Call& call, const StreamView& stream, uint32_t number) {
  const DetectionRule& rule = call.ruleset.rule(number);
  MatchBytes payload;
  payload.bytes = stream.view.bytes;
  payload.base = stream.view.base;
  payload.old_size = stream.view.old_size;
  payload.complete = stream.view.complete;
  payload.packet_like = true;
  if (const WaitingStreamRule* const w = waiting_in_stream(call, stream.direction, number);
      w != nullptr && w->after > payload.base) {
    const uint64_t gone = std::min<uint64_t>(w->after - payload.base, payload.old_size);
    payload.bytes = payload.bytes.subspan(gone);
    payload.base += gone;
    payload.old_size -= gone;
  }
  size_t payload_parts = 0, checks = 0;
  bool positive = false, plain = true;
  for (const BufferPart& part : rule.parts) {
    if (!part.of_payload()) continue;
    ++payload_parts;
    checks += part.checks.size();
    positive |= part.positive;
    plain &= part.chain == 0;
  }
  // The block that brings the last byte which the rule needs is the one in which it matches.
  payload.must_be_new = payload_parts == 1 && positive && plain;
  const Verification verification(*this, call, number);
  const bool matched = parts_match(call, rule, payload);
  if (!matched) ++counters_.refuted;
  const bool is_found = matched && checks_match(call, rule, stream.direction, nullptr) &&
                        sets_hold(call, rule, stream.direction, nullptr);
  if (is_found) found(call, number, stream.direction, true, nullptr);
  // One literal with nothing beside it need not be looked at again.
  const bool more = checks > 1 || !rule.fast.exact;
  if (matched || (more && rule.fast.part >= 0)) wait_in_stream(call, stream, number, matched);
  return is_found;
}

WaitingStreamRule* DetectorCore::waiting_in_stream(Call& call, Direction d, uint32_t number) {
  if (call.session.state_ == nullptr) return nullptr;
  for (WaitingStreamRule& w : call.session.state_->streams[static_cast<size_t>(d)].items()) {
    if (w.rule == number) return &w;
  }
  return nullptr;
}

void DetectorCore::wait_in_stream(Call& call, const StreamView& stream, uint32_t number, bool matched) {
  const uint64_t end = stream.view.base + stream.view.bytes.size();
  WaitingStreamRule* const before = waiting_in_stream(call, stream.direction, number);
  if (before != nullptr) {
    if (matched) before->until = before->after = end;
    return;
  }
  SessionState* const state = state_of(call.session);
  if (state == nullptr) return;
  auto& list = state->streams[static_cast<size_t>(stream.direction)];
  const RuleName name = call.ruleset.rule(number).info.name();
  if (list.size() >= limits_.rules_per_stream || !list.push_back({number, name, end, matched ? end : 0})) {
    ++counters_.stream_rules_lost;
  }
}

SessionState* DetectorCore::state_of(SessionDetection& session) {
  if (session.state_ == nullptr) {
    session.state_ = make_in<SessionState>(pool_, pool_);
    if (session.state_ == nullptr) ++counters_.memory_lost;
  }
  return session.state_;
}

void DetectorCore::found(Call& call, uint32_t number, Direction d, bool from_stream,
                         Transaction* transaction) {
  const DetectionRule& rule = call.ruleset.rule(number);
  ++counters_.matched;
  ++call.scratch.rule_counts[number].matched;
  apply_flowbits(call, rule);
  apply_flowints(call, rule);
  apply_hostbits(call, rule, d);
  if (rule.disables_logging) transaction->unlogged = true;  // such a rule has its kind from a transaction
  if (findings_.size() == limits_.findings_per_packet) {
    ++counters_.findings_lost;
    return;
  }
  Finding finding;
  finding.order = number;
  finding.place = static_cast<uint32_t>(findings_.size());
  finding.rule = &rule.info;
  // Addresses with a negation are as good as addresses alone, whatever the ports.
  const bool addresses =
      rule.addresses_alone && (call.profile.negated(rule.source) || call.profile.negated(rule.destination));
  // Before the handshake there is no session that could be meant.
  const bool of_session = (from_stream && call.facts.established) || addresses;
  finding.scope = of_session ? ActionScope::session : rule.scope;
  finding.action = rule.info.action;
  finding.noalert = rule.noalert;
  finding.alert_too = rule.alert_too;
  finding.bypass = rule.bypass;
  finding.from_stream = from_stream;
  finding.direction = d;
  finding.transaction = transaction;
  finding.contexts = std::span(contexts_).first(contexts_used_).subspan(contexts_found_);
  contexts_found_ = contexts_used_;
  findings_.push_back(finding);
}

void DetectorCore::apply_thresholds(Call& call, const DetectionRule& rule, Finding& finding) {
  const net::IpAddress& from = source(call, finding.direction);
  const net::IpAddress& to = destination(call, finding.direction);
  bool lost = false;
  for (const RuleSuppression& suppression : rule.suppressions) {
    using Of = ast::Suppression::Of;
    const auto of = suppression.of;
    const auto holds = [&](const net::IpAddress& a) {
      return call.profile.addresses(suppression.addresses).contains(a);
    };
    const bool quiet =
        of == Of::all || (of != Of::destination && holds(from)) || (of != Of::source && holds(to));
    if (quiet) finding.thresholded = Thresholded::quiet;
  }
  const CountedMatch match{rule.info, call.packet, call.facts, source_host(call, finding.direction),
                           destination_host(call, finding.direction)};
  for (uint32_t part = 0; part < rule.thresholds.size() && finding.thresholded == Thresholded::no; ++part)
    finding.thresholded = count_match(*memory_->hosts, rule.thresholds[part], part, match, lost);
  for (uint32_t part = 0; part < rule.rate_filters.size(); ++part) {
    const ast::RateFilter& filter = rule.rate_filters[part];
    if (rate_exceeded(*memory_->hosts, filter, part, match, lost)) {
      finding.action = filter.new_action;
      finding.by_rate_filter = true;
    }
  }
  if (lost) ++counters_.thresholds_lost;
  if (finding.thresholded != Thresholded::no) ++counters_.suppressed;
}

Decision DetectorCore::decide_by_fuses(Call& call, AlertSink& sink) {
  const InspectMode mode = call.profile.mode();
  const auto decided = [&] {
    return decide(findings_, mode, call.profile.drop_scope(), limits_.alerts_per_packet);
  };
  Decision decision = decided();
  RuleFuses* const fuses = call.profile.fuses();
  // Each turn takes the drop from one rule's findings.
  for (size_t turn = 0; fuses != nullptr && decision.verdict.drop_session && turn < findings_.size();
       ++turn) {
    const RuleInfo* const rule = decision.verdict.rule;
    const auto first = std::find_if(findings_.begin(), findings_.end(), [&](const Finding& f) {
      return f.rule == rule && f.action != ast::Action::alert;
    });
    if (first == findings_.end()) break;
    const auto answer = fuses->drop(first->order, call.packet.time_ns);
    if (answer == RuleFuses::Answer::holds) break;
    if (answer == RuleFuses::Answer::blows) {
      ++counters_.fuses_blown;
      sink.fuse(*rule, fuses->sessions());
    }
    for (Finding& finding : findings_) {
      if (finding.rule == rule) finding.action = ast::Action::alert;
    }
    decision = decided();
  }
  return decision;
}

DetectionVerdict DetectorCore::conclude(Call& call, AlertSink& sink) {
  // std::stable_sort takes memory from the heap.
  std::sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
    return a.order != b.order ? a.order < b.order : a.place < b.place;
  });
  for (Finding& finding : findings_) {
    const DetectionRule& rule = call.ruleset.rule(finding.order);
    apply_thresholds(call, rule, finding);
    // A pass makes the rest void: it is not counted either.
    if (finding.action == ast::Action::pass && finding.thresholded != Thresholded::void_) break;
  }
  const InspectMode mode = call.profile.mode();
  if (explained_ != nullptr) [[unlikely]]
    explain_findings(call);
  Decision decision = decide_by_fuses(call, sink);
  for (const Finding& finding : findings_) {
    if (!finding.alerts) continue;
    const ast::Action action = finding.action;
    const bool blocks = action != ast::Action::alert && action != ast::Action::pass;
    ++counters_.alerts;
    call.session.alerted_ = true;
    sink.alert({finding.rule, blocks && mode == InspectMode::ips, blocks && mode == InspectMode::test,
                finding.direction, finding.transaction, finding.from_stream, finding.contexts});
  }
  counters_.alerts_over_limit += decision.over_limit;
  DetectionVerdict& verdict = decision.verdict;
  verdict.failed = scan_failed_;
  verdict.gave_up = limits_reached() != limits_before_;
  if (verdict.drop_session) {
    ++counters_.drops;
    call.session.dropped_ = true;
    call.session.dropped_by_ = verdict.rule->sid;
  }
  if (verdict.pass_session && !verdict.drop_session) call.session.passed_ = true;
  return verdict;
}

void DetectorCore::forget(Transaction& transaction) {
  for (TransactionDetection*& kept : transaction.detection) {
    destroy_in(pool_, kept);
    kept = nullptr;
  }
}

void DetectorCore::forget_streams(SessionDetection& session) {
  if (session.state_ == nullptr) return;
  for (auto& stream : session.state_->streams) stream.reset();
  if (!session.state_->flowbits.empty() || !session.state_->flowints.empty()) return;
  destroy_in(pool_, session.state_);
  session.state_ = nullptr;
}

void DetectorCore::forget(SessionDetection& session) {
  destroy_in(pool_, session.state_);
  session.state_ = nullptr;
  session.ruleset_ = session.dropped_by_ = 0;
  session.dropped_ = session.passed_ = session.alerted_ = false;
  for (const size_t d : {0, 1})
    session.ip_only_done_[d] = session.protocol_done_[d] = session.look_again_[d] = false;
}

}  // namespace weir::inspection
