#include "inspection/compile/detection_ruleset.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "inspection/compile/compile_rule.h"
#include "inspection/compile/fast_pattern.h"

namespace weir::inspection {

namespace {

std::atomic<uint32_t> last_serial{0};

bool carries(const DetectionRule& rule, PayloadSource source) {
  using Layer = ast::Layer;
  switch (rule.layer) {
    case Layer::any:
    case Layer::ip:
    case Layer::ipv4:
    case Layer::ipv6:
      return true;
    case Layer::tcp:
      return source == PayloadSource::tcp;
    case Layer::udp:
      return source == PayloadSource::udp;
    case Layer::icmp:
    case Layer::icmpv4:
    case Layer::icmpv6:
    case Layer::sctp:
      return source == PayloadSource::other;
  }
  return true;
}

/// The step from which on the numbers that the rule asks for are there.
uint8_t step_of_numbers(const DetectionRule& rule) {
  uint8_t step = rule.hook_step;
  for (const PacketCheck& check : rule.packet_checks) {
    if (const auto* number = std::get_if<ast::TransactionNumber>(&check)) {
      switch (number->number) {
        case NumberId::http_content_length:
          step = std::max(step, HttpStep::headers);
          break;
        case NumberId::file_size:
          // Known when the last byte is there.
          step = std::max(step, HttpStep::complete);
          break;
        case NumberId::http2_frame_type:
        case NumberId::http2_error_code:
        case NumberId::http2_priority:
        case NumberId::http2_window:
        case NumberId::http2_size_update:
        case NumberId::http2_setting:
          step = std::max(step, HttpStep::headers);
          break;
        case NumberId::ftp_dynamic_port:
        case NumberId::ftp_mode:
        case NumberId::ftp_reply_received:
          step = std::max(step, FtpStep::complete);
          break;
        case NumberId::ftp_bounce:
        case NumberId::ftpdata_command:
          step = std::max(step, FtpStep::command);
          break;
        case NumberId::dns_opcode:
        case NumberId::dns_rcode:
        case NumberId::dns_rrtype:
          step = std::max(step, DnsStep::complete);
          break;
        case NumberId::tls_version:
          step = std::max(step, TlsStep::hello);
          break;
        case NumberId::tls_cert_chain_len:
        case NumberId::tls_cert_not_before:
        case NumberId::tls_cert_not_after:
          step = std::max(step, TlsStep::certificate);
          break;
      }
    } else if (std::holds_alternative<ast::TlsVersions>(check)) {
      step = std::max(step, TlsStep::hello);
    } else if (std::holds_alternative<ast::TlsCertificateTime>(check)) {
      step = std::max(step, TlsStep::certificate);
    } else if (std::holds_alternative<FileHashCheck>(check)) {
      step = std::max(step, HttpStep::complete);
    }
  }
  return step;
}

/// Sizes and checksums of files are those of whole ones. (A rule on both sides waits by itself.)
bool asks_for_whole_files(const DetectionRule& rule) {
  if (rule.both_sides) return false;
  return std::any_of(rule.packet_checks.begin(), rule.packet_checks.end(), [](const PacketCheck& check) {
    const auto* const number = std::get_if<ast::TransactionNumber>(&check);
    return std::holds_alternative<FileHashCheck>(check) ||
           (number != nullptr && number->number == NumberId::file_size);
  });
}

AppProtocol protocol_of_numbers(const DetectionRule& rule) {
  for (const PacketCheck& check : rule.packet_checks) {
    if (const auto* number = std::get_if<ast::TransactionNumber>(&check)) {
      switch (number->number) {
        case NumberId::http_content_length:
          return AppProtocol::http1;
        case NumberId::dns_opcode:
        case NumberId::dns_rcode:
        case NumberId::dns_rrtype:
          return AppProtocol::dns;
        case NumberId::file_size:
          break;
        case NumberId::ftp_dynamic_port:
        case NumberId::ftp_mode:
        case NumberId::ftp_reply_received:
        case NumberId::ftp_bounce:
          return AppProtocol::ftp;
        case NumberId::ftpdata_command:
          return AppProtocol::ftp_data;
        case NumberId::http2_frame_type:
        case NumberId::http2_error_code:
        case NumberId::http2_priority:
        case NumberId::http2_window:
        case NumberId::http2_size_update:
        case NumberId::http2_setting:
          return AppProtocol::http2;
        default:
          return AppProtocol::tls;
      }
    } else if (std::holds_alternative<ast::TlsVersions>(check) ||
               std::holds_alternative<ast::TlsCertificateTime>(check)) {
      return AppProtocol::tls;
    }
  }
  return AppProtocol::unknown;
}

bool in_direction(const DetectionRule& rule, const BufferPart& part, Direction d) {
  if (rule.both_sides) return part.side == d;
  const BufferDirection of = info_of(part.buffer).direction;
  return of == BufferDirection::either || (of == BufferDirection::to_server) == (d == Direction::to_server);
}

}  // namespace

Result<std::shared_ptr<const DetectionRuleset>> DetectionRuleset::compile(
    ast::ParsedRuleset parsed, const DetectionCompileOptions& options) {
  std::shared_ptr<DetectionRuleset> out(new DetectionRuleset);
  while (out->serial_ == 0) out->serial_ = ++last_serial;
  FlowBitNames own_names;
  ValueSets sets(parsed, options.read_list);
  PcreCodes expressions;
  RuleCompileContext context{parsed,       options.flowbit_names ? *options.flowbit_names : own_names,
                             out->chains_, expressions,
                             sets,         out->saved_sets_};
  out->addresses_ = parsed.addresses;
  out->ports_ = parsed.ports;
  out->rules_.reserve(parsed.rules.size());
  for (ast::Rule& rule : parsed.rules) {
    auto compiled = compile_rule(rule, context);
    if (!compiled) {
      const bool wrong = compiled.error().code == ErrorCode::invalid;
      out->issues_.push_back({wrong ? ast::Issue::Kind::wrong : ast::Issue::Kind::unsupported, rule.file,
                              rule.line, rule.column, rule.sid, "", compiled.error().message});
      continue;
    }
    if (asks_for_whole_files(*compiled))
      compiled->hook_step = std::max(compiled->hook_step, HttpStep::complete);
    if (options.thresholds != nullptr) out->configure(*compiled, rule, *options.thresholds);
    if (rule.silent) compiled->suppressions.push_back({});
    out->rules_.push_back(std::move(*compiled));
  }
  sort_rules(out->rules_, options.action_order);
  choose_fast_patterns(out->rules_);
  out->headers_.assign(out->rules_.begin(), out->rules_.end());
  out->find_outward();
  if (options.variables != nullptr) out->traits_needed_ = out->traits_needed(*options.variables);
  out->find_off_web_ports();
  for (uint32_t i = 0; i < out->rules_.size(); ++i) {
    out->place(out->rules_[i], i);
    out->by_name_.emplace_back(out->rules_[i].info.name(), i);
  }
  std::sort(out->by_name_.begin(), out->by_name_.end());
  for (const DetectionRule& rule : out->rules_) {
    out->note_magic(rule);
    for (const BufferPart& part : rule.parts)
      out->asks_ssh_fingerprints_ |=
          part.buffer >= BufferId::ssh_hassh && part.buffer <= BufferId::ssh_hassh_server_string;
    for (const PacketCheck& check : rule.packet_checks) {
      if (const auto* hash = std::get_if<FileHashCheck>(&check))
        out->file_digests_ |= static_cast<uint8_t>(1U << static_cast<unsigned>(hash->digest));
    }
    for (const BufferPart& part : rule.parts)
      out->asks_body_md5_ = out->asks_body_md5_ || part.buffer == BufferId::email_body_md5;
  }
  out->list_groups();
  if (auto status = out->compile_groups(options); !status) {
    return tl::unexpected(std::move(status).error());
  }
  if (auto status = out->make_scratch(options); !status) return tl::unexpected(std::move(status).error());
  return out;
}

std::optional<uint32_t> DetectionRuleset::find(const RuleName& name) const {
  const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), std::pair(name, 0U));
  if (at == by_name_.end() || at->first != name) return std::nullopt;
  return at->second;
}

void DetectionRuleset::note_magic(const DetectionRule& rule) {
  const auto is_magic = [](const BufferPart& part) { return part.buffer == BufferId::file_magic; };
  if (std::ranges::none_of(rule.parts, is_magic)) return;
  const AppProtocol of = protocol_of(rule);
  for (const AppProtocol protocol : kAppProtocols) {
    if (of == AppProtocol::unknown || is_of(of, protocol))
      asks_magic_ |= uint64_t{1} << static_cast<unsigned>(protocol);
  }
}

void DetectionRuleset::configure(DetectionRule& rule, const ast::Rule& parsed,
                                 const ast::ThresholdConfig& config) {
  for (const ast::ConfiguredThreshold& configured : config.thresholds) {
    if (!configured.rule.names(parsed)) continue;
    // What is said of this very rule stands for its own; what is said of all does not.
    if (configured.rule.sid != 0)
      std::erase_if(rule.thresholds, [](const ast::Threshold& own) {
        return own.type != ast::Threshold::Type::detection_filter;
      });
    if (configured.rule.sid != 0 || rule.thresholds.empty()) rule.thresholds.push_back(configured.threshold);
  }
  for (const ast::RateFilter& filter : config.rate_filters) {
    if (filter.rule.names(parsed)) rule.rate_filters.push_back(filter);
  }
  for (const ast::Suppression& suppression : config.suppressions) {
    if (!suppression.rule.names(parsed)) continue;
    const bool all = suppression.of == ast::Suppression::Of::all;
    rule.suppressions.push_back({suppression.of, all ? 0 : addresses_.intern(suppression.addresses)});
  }
}

void DetectionRuleset::find_outward() {
  std::map<std::pair<uint32_t, uint32_t>, size_t> rules;
  for (const RuleHeader& header : headers_) {
    if (!header.any_addresses && !header.both_ways && header.source != header.destination)
      ++rules[{header.source, header.destination}];
  }
  const auto most =
      std::ranges::max_element(rules, {}, [](const auto& pair_and_rules) { return pair_and_rules.second; });
  if (most != rules.end()) outward_ = most->first;
}

TraitsNeeded DetectionRuleset::traits_needed(const ast::RuleVariables& variables) const {
  if (!outward_) return TraitsNeeded::any;
  const auto first = ast::bind_addresses(addresses_[outward_->first], variables);
  const auto second = ast::bind_addresses(addresses_[outward_->second], variables);
  // A set that cannot be bound is empty.
  return first && second && first->meets(*second) ? TraitsNeeded::any : TraitsNeeded::one_way;
}

/// Those that name no variables, since profiles share a ruleset and differ in those.
void DetectionRuleset::find_off_web_ports() {
  for (const ast::SetExpression& set : ports_.entries()) {
    const auto ports = ast::bind_ports(set, {});
    off_web_ports_.push_back(
        ports && std::ranges::none_of(kWebPorts, [&](uint16_t port) { return ports->contains(port); }));
  }
}

bool DetectionRuleset::covers(const ast::RuleVariables& variables) const {
  return traits_needed_ == TraitsNeeded::any || traits_needed(variables) == traits_needed_;
}

SessionTraits DetectionRuleset::way_of(const DetectionRule& rule) const {
  if (!outward_ || rule.any_addresses || rule.both_ways || rule.both_sides) return 0;
  if (rule.source == outward_->second) return kEnters;
  return rule.source == outward_->first && rule.destination == outward_->second ? kLeaves : SessionTraits{0};
}

/// Of a rule that looks into no buffer of transactions.
SessionTraits DetectionRuleset::needs_of(const DetectionRule& rule, PayloadSource source, Direction d) const {
  const SessionTraits way = way_of(rule);
  if (source != PayloadSource::tcp) return way;
  const auto is_its = [&](AppProtocol protocol) { return rule.is_about(protocol); };
  const uint32_t server_ports = d == Direction::to_server ? rule.destination_ports : rule.source_ports;
  const bool off_web = std::ranges::none_of(kWebProtocols, is_its) ||
                       (!rule.any_ports && !rule.both_ways && off_web_ports_[server_ports]);
  return off_web ? static_cast<SessionTraits>(way | kOffWeb) : way;
}

void DetectionRuleset::place(const DetectionRule& rule, uint32_t number) {
  bool slow = false;
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    if (!rule.direction[index(d)]) continue;
    switch (rule.kind) {
      case RuleKind::ip_only:
        ip_only_[index(d)].push_back(number);
        break;
      case RuleKind::protocol_only:
        protocol_only_[index(d)].push_back(number);
        break;
      case RuleKind::event:
        events_[index(d)].push_back(number);
        break;
      case RuleKind::transaction:
        place_transaction(rule, number, d);
        slow |= rule.fast.part < 0 && !rule.parts.empty();
        break;
      default:
        place_payload(rule, number, d);
        slow |= rule.fast.part < 0 && std::any_of(rule.parts.begin(), rule.parts.end(), [](const auto& p) {
                  return p.of_payload() && !p.checks.empty();
                });
    }
  }
  if (slow) slow_.push_back(number);
}

void DetectionRuleset::place_payload(const DetectionRule& rule, uint32_t number, Direction d) {
  const bool has_bytes = std::any_of(rule.parts.begin(), rule.parts.end(),
                                     [](const BufferPart& part) { return part.of_payload(); });
  for (size_t s = 0; s < kPayloadSources; ++s) {
    const auto source = static_cast<PayloadSource>(s);
    if (!carries(rule, source)) continue;
    if (!has_bytes) {
      if (source != PayloadSource::tcp || rule.kind != RuleKind::stream)
        without_payload_[s][index(d)].add_always(number, needs_of(rule, source, d));
    } else if (rule.fast.part >= 0) {
      payload_[s][index(d)].add(rule.fast.bytes, rule.fast.nocase, number, needs_of(rule, source, d),
                                rule.fast.from, rule.fast.reach);
    } else {
      payload_[s][index(d)].add_always(number, needs_of(rule, source, d));
    }
  }
}

TransactionGroup& DetectionRuleset::group_for(BufferId buffer, ChainId chain, bool no_buffer,
                                              AppProtocol protocol, uint8_t step, Direction d) {
  std::vector<TransactionGroup>& groups = transaction_groups_[index(d)];
  for (TransactionGroup& group : groups) {
    if (group.no_buffer == no_buffer && group.chain == chain && group.step == step &&
        (no_buffer ? group.protocol == protocol : group.buffer == buffer)) {
      return group;
    }
  }
  TransactionGroup& group = groups.emplace_back();
  group.buffer = buffer;
  group.chain = chain;
  group.no_buffer = no_buffer;
  group.protocol = protocol;
  group.step = step;
  group.kind = no_buffer ? BufferKind::whole : info_of(buffer).kind;
  return group;
}

/// The body of an answer is its file: the same bytes, which are scanned once.
static BufferId scanned_as(BufferId buffer) {
  return buffer == BufferId::http_response_body ? BufferId::file_data : buffer;
}

void DetectionRuleset::place_transaction(const DetectionRule& rule, uint32_t number, Direction d) {
  const auto of = [&](const BufferPart& part) -> TransactionGroup& {
    const BufferInfo& info = info_of(scanned_as(part.buffer));
    return group_for(info.id, part.chain, false, info.protocol, info.step, d);
  };
  if (rule.fast.part >= 0) {
    const BufferPart& part = rule.parts[static_cast<size_t>(rule.fast.part)];
    if (in_direction(rule, part, d)) {
      TransactionGroup& group = of(part);
      const uint32_t reach = group.kind == BufferKind::grows ? rule.fast.reach : 0;
      group.prefilter.add(rule.fast.bytes, rule.fast.nocase, number, way_of(rule), rule.fast.from, reach);
      return;
    }
  }
  // Proposed once, when the first of its buffers is due, even if there is none (`absent`).
  const BufferPart* first = nullptr;
  for (const BufferPart& part : rule.parts) {
    if (part.of_payload() || !in_direction(rule, part, d) || info_of(part.buffer).step == 0) continue;
    if (first == nullptr || info_of(part.buffer).step < info_of(first->buffer).step) first = &part;
  }
  const uint8_t step =
      std::max(first != nullptr ? info_of(first->buffer).step : uint8_t{0}, step_of_numbers(rule));
  AppProtocol protocol = protocol_of(rule);
  if (protocol == AppProtocol::unknown) protocol = protocol_of_numbers(rule);
  group_for(BufferId::payload, 0, true, protocol, step, d).prefilter.add_always(number, way_of(rule));
}

void DetectionRuleset::list_groups() {
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    const std::vector<TransactionGroup>& groups = transaction_groups_[index(d)];
    for (const AppProtocol protocol : kAppProtocols) {
      GroupList& list = groups_of_[static_cast<size_t>(protocol)][index(d)];
      for (size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].protocol == AppProtocol::unknown || is_of(groups[g].protocol, protocol)) {
          list.groups_.push_back(static_cast<uint16_t>(g));
        }
      }
      std::stable_sort(list.groups_.begin(), list.groups_.end(),
                       [&](uint16_t a, uint16_t b) { return groups[a].step < groups[b].step; });
      for (const uint16_t g : list.groups_) {
        if (groups[g].comes_bit_by_bit()) list.growing_.push_back(g);
        for (size_t step = groups[g].step; step <= GroupList::kMostSteps; ++step) ++list.end_[step];
      }
    }
  }
}

std::vector<PrefilterGroup*> DetectionRuleset::all_groups() {
  std::vector<PrefilterGroup*> all;
  for (auto* const sources : {&payload_, &without_payload_}) {
    for (auto& by_direction : *sources) {
      for (PrefilterGroup& group : by_direction) all.push_back(&group);
    }
  }
  for (auto& groups : transaction_groups_) {
    for (TransactionGroup& group : groups) all.push_back(&group.prefilter);
  }
  return all;
}

Status DetectionRuleset::compile_groups(const DetectionCompileOptions& options) {
  const std::vector<PrefilterGroup*> groups = all_groups();
  for (const TransactionGroup& group : transaction_groups_[index(Direction::to_client)]) {
    if (group.is_body_of_answer(Direction::to_client))
      answers_.join(payload(PayloadSource::tcp, Direction::to_client), group.prefilter);
  }
  std::vector<Status> results(groups.size() + 1);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < results.size(); i = next++) {
      results[i] = i == 0 ? answers_.compile(traits_needed_, options.cache)
                          : groups[i - 1]->compile(traits_needed_, options.cache);
    }
  };
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < options.threads; ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  for (Status& result : results) {
    if (!result) return std::move(result);
  }
  return {};
}

Status DetectionRuleset::make_scratch(const DetectionCompileOptions& options) {
  for (unsigned worker = 0; worker < options.workers; ++worker) {
    auto pcre = PcreScratch::create();
    if (!pcre) return tl::unexpected(std::move(pcre).error());
    auto scratch = std::make_unique<DetectionScratch>(
        DetectionScratch{nullptr,
                         ScanMemo(),
                         ProposedRules(rules_.size()),
                         ProposedRules(rules_.size()),
                         ProposedRules(rules_.size()),
                         HeaderMemo(addresses_.entries().size(), ports_.entries().size()),
                         ProposedRules(rules_.size()),
                         {},
                         ProposedRules(rules_.size()),
                         std::move(*pcre),
                         std::make_unique<EventCount[]>(rules_.size()),
                         std::make_unique<RuleCounts[]>(rules_.size()),
                         std::make_unique<ScanCounts[]>(kPayloadSources * 2),
                         {std::make_unique<ScanCounts[]>(transaction_groups_[0].size()),
                          std::make_unique<ScanCounts[]>(transaction_groups_[1].size())}});
    for (PrefilterGroup* group : all_groups()) {
      if (auto status = group->grow(scratch->hyperscan); !status) return status;
    }
    if (auto status = answers_.grow(scratch->hyperscan); !status) return status;
    scratch_.push_back(std::move(scratch));
  }
  return {};
}

uint64_t DetectionRuleset::limit_hits(uint32_t number) const {
  uint64_t sum = 0;
  for (const auto& scratch : scratch_) sum += scratch->limit_hits[number];
  return sum;
}

DetectionRuleset::Sizes DetectionRuleset::sizes() const {
  Sizes sizes;
  const auto add = [&](const PrefilterGroup& group) {
    sizes.databases += group.databases();
    sizes.literals += group.literals();
    sizes.database_bytes += group.database_bytes();
  };
  for (const auto& by_direction : payload_) {
    for (const PrefilterGroup& group : by_direction) add(group);
  }
  for (const auto& groups : transaction_groups_) {
    for (const TransactionGroup& group : groups) add(group.prefilter);
  }
  sizes.databases += answers_.databases();
  sizes.database_bytes += answers_.database_bytes();
  for (const auto& scratch : scratch_) {
    size_t bytes = 0;
    if (scratch->hyperscan && hs_scratch_size(scratch->hyperscan.get(), &bytes) == HS_SUCCESS) {
      sizes.scratch_bytes += bytes;
    }
  }
  return sizes;
}

}  // namespace weir::inspection
