#include "inspection/compile/compile_rule.h"

#include <algorithm>
#include <filesystem>

#include "inspection/app/app_events.h"
#include "inspection/detect/packet_events.h"

namespace weir::inspection {

namespace {

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// Whether a match may hang on bytes behind its end. Says yes where it does not know.
bool looks_ahead(std::string_view pattern) {
  for (const std::string_view sign : {"(?=", "(?!", "$", "\\b", "\\B", "\\z", "\\Z", "(*"}) {
    if (pattern.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

/// What the part's checks say of it as a whole.
struct Character {
  BufferPart& part;
  void see(bool negated) const { (negated ? part.late : part.positive) = true; }
  void operator()(const ContentCheck& c) const {
    see(c.content.negated);
    part.late |= c.content.ends_with;
  }
  void operator()(const PcreCheck& c) const {
    see(c.pcre.negated);
    part.looks_ahead |= c.looks_ahead;
  }
  void operator()(const ast::IsDataAt& c) const { see(c.negated); }
  void operator()(const ast::BufferSize&) const { part.late = true; }
  void operator()(const auto&) const { part.positive = true; }
};

/// Goes through the options of one rule, in the order of the file.
class RuleCompiler {
 public:
  RuleCompiler(ast::Rule& rule, RuleCompileContext& context) : rule_(rule), context_(context) {}

  Result<DetectionRule> compile() {
    describe();
    if (auto status = make_parts(); !status) return tl::unexpected(std::move(status).error());
    for (ast::Option& option : rule_.options) {
      const Status status = std::visit([this](auto& value) { return take(std::move(value)); }, option.value);
      if (!status) return tl::unexpected(status.error());
    }
    close_parts();
    if (auto status = check_limits(); !status) return tl::unexpected(std::move(status).error());
    if (auto status = choose_directions(); !status) return tl::unexpected(std::move(status).error());
    choose_kind();
    if (out_.disables_logging && out_.kind != RuleKind::transaction) {
      return fail(ErrorCode::invalid,
                  "'config' says something of a transaction, and the rule asks for nothing of one");
    }
    out_.of_one_file = asks_for_one_file();
    return std::move(out_);
  }

 private:
  void describe();
  Status make_parts();
  void close_parts();
  Status check_limits() const;
  Status choose_directions();
  void choose_kind();
  RuleKind kind_of_payload() const;
  bool has_header_alone() const;
  bool asks_for_one_file() const;

  /// Where the check goes: into the part of its buffer, or into the decoding before it.
  void add(uint16_t use, ByteCheck check) {
    std::vector<ByteCheck>& checks = parts_[use].checks;
    if (rule_.uses[use].buffer != BufferId::base64_data) return checks.push_back(std::move(check));
    if (decode_use_ < 0) return;  // the parser asks for base64_decode before base64_data
    auto& outer = parts_[static_cast<size_t>(decode_use_)].checks;
    for (auto it = outer.rbegin(); it != outer.rend(); ++it) {
      if (auto* decode = std::get_if<Base64Check>(&*it)) return decode->inner.push_back(std::move(check));
    }
  }
  Status refuse(const std::string& what) const {
    return fail(ErrorCode::refused, what + " is not evaluated");
  }
  Status ok() const { return {}; }

  Status take(ast::Content&& c) {
    const uint16_t use = c.use;
    used_[use] = true;
    if (use == 0 && (c.offset || c.depth || c.starts_with)) payload_positions_ = true;
    std::string folded = c.nocase ? lower(c.bytes) : c.bytes;
    add(use, ContentCheck{std::move(c), std::move(folded)});
    return ok();
  }
  Status take(ast::Pcre&& p) {
    const uint16_t use = p.use;
    used_[use] = true;
    auto code = context_.expressions.get(p);
    if (!code) return tl::unexpected(std::move(code).error());
    const bool ahead = looks_ahead(p.pattern);
    add(use, PcreCheck{std::move(p), std::move(*code), ahead});
    return ok();
  }
  template <typename Check>
  Status take_bytes(const Check& c) {
    used_[c.use] = true;
    add(c.use, c);
    return ok();
  }
  Status take(const ast::IsDataAt& c) { return take_bytes(c); }
  Status take(const ast::ByteTest& c) { return take_bytes(c); }
  Status take(const ast::ByteJump& c) { return take_bytes(c); }
  Status take(const ast::ByteExtract& c) { return take_bytes(c); }
  Status take(const ast::ByteMath& c) { return take_bytes(c); }
  Status take(const ast::BufferSize& c) { return take_bytes(c); }
  Status take(const ast::Base64Decode& c) {
    used_[c.use] = true;
    decode_use_ = c.use;
    add(c.use, Base64Check{c, {}});
    return ok();
  }
  Status take(const ast::Absent& c) {
    used_[c.use] = true;
    (c.or_else ? parts_[c.use].absent_or_else : parts_[c.use].absent) = true;
    return ok();
  }

  template <typename Check>
  Status take_packet(const Check& c) {
    out_.packet_checks.emplace_back(c);
    packet_keyword_ = true;
    return ok();
  }
  Status take(const ast::PayloadSize& c) {
    payload_size_ = true;
    return take_packet(c);
  }
  Status take(const ast::HeaderNumber& c) {
    out_.packet_checks.emplace_back(c);
    if (c.field != ast::HeaderNumber::Field::ip_protocol) packet_keyword_ = true;
    return ok();
  }
  Status take(const ast::VlanId& c) { return take_packet(c); }
  Status take(const ast::BitFlags& c) { return take_packet(c); }
  Status take(const ast::IpOption& c) { return take_packet(c); }
  Status take(const ast::SameIp& c) { return take_packet(c); }
  Status take(const ast::Checksum& c) { return take_packet(c); }
  Status take(const ast::StreamSize& c) {
    out_.packet_checks.emplace_back(c);
    session_keyword_ = true;
    return ok();
  }
  Status take(const ast::FlowNumber& c) {
    out_.packet_checks.emplace_back(c);
    session_keyword_ = true;
    return ok();
  }
  Status take(const ast::TransactionNumber& c) {
    out_.packet_checks.emplace_back(c);
    of_certificate_ |= c.number == NumberId::tls_cert_chain_len ||
                       c.number == NumberId::tls_cert_not_before || c.number == NumberId::tls_cert_not_after;
    transaction_keyword_ = true;
    return ok();
  }
  Status take(const ast::TlsVersions& c) {
    out_.packet_checks.emplace_back(c);
    transaction_keyword_ = true;
    return ok();
  }
  Status take(const ast::TlsCertificateTime& c) {
    out_.packet_checks.emplace_back(c);
    of_certificate_ = true;
    transaction_keyword_ = true;
    return ok();
  }
  Status take(const ast::AppLayerProtocol& c) {
    out_.packet_checks.emplace_back(c);
    app_keyword_ = true;
    return ok();
  }
  Status take(const ast::Flow& c) {
    out_.flow = c;
    session_keyword_ = true;
    return ok();
  }
  Status take(const ast::FlowBits& c);
  Status take(const ast::Threshold& c) {
    out_.thresholds.push_back(c);
    return ok();
  }
  Status take(const ast::NoAlert&) {
    out_.noalert = true;
    return ok();
  }
  // Only a pass rule makes no alert by itself.
  Status take(const ast::AlertToo&) {
    out_.alert_too = rule_.action == ast::Action::pass;
    return ok();
  }
  Status take(const ast::Bypass&) {
    out_.bypass = true;
    return ok();
  }
  Status take(const ast::DisableLogging&) {
    out_.disables_logging = true;
    return ok();
  }
  Status take(const ast::Target& c) {
    out_.info.target = c.is;
    return ok();
  }
  // A hint, and what is not recorded: they do not change what matches.
  Status take(const ast::Tag&) { return ok(); }
  Status take(const ast::Prefilter&) { return ok(); }

  Status take(const ast::Dataset& c);
  Status take(const ast::Datarep& c);
  Status take(const ast::FlowInt& c);
  Status take(const ast::HostBits& c);
  Status take(const ast::EngineEvent& e);
  Status add_set(uint16_t use, SetCheck check);
  Status take(const ast::TlsStates&) { return refuse("ssl_state"); }
  Status take(const ast::FileHash& c);

  ast::Rule& rule_;
  RuleCompileContext& context_;
  DetectionRule out_;
  std::vector<BufferPart> parts_;  // by use
  std::vector<bool> used_;
  bool event_keyword_ = false;
  int decode_use_ = -1;
  bool payload_positions_ = false, payload_size_ = false, packet_keyword_ = false, session_keyword_ = false;
  bool transaction_keyword_ = false, app_keyword_ = false, reads_bits_ = false, of_certificate_ = false;
};

bool is_any(const ast::SetTerm& term) { return term.kind == ast::SetTerm::Kind::any && !term.negated; }

void RuleCompiler::describe() {
  RuleInfo& info = out_.info;
  info.gid = rule_.gid;
  info.sid = rule_.sid;
  info.rev = rule_.rev;
  info.severity = rule_.priority;
  info.action = rule_.action;
  info.signature = std::move(rule_.message);
  info.category = std::move(rule_.class_text);
  info.metadata = std::move(rule_.metadata);
  info.references = std::move(rule_.references);
  info.text = std::move(rule_.text);
  info.file = rule_.file < context_.parsed.files.size() ? context_.parsed.files[rule_.file] : "";
  info.line = rule_.line;
  out_.source = rule_.source;
  out_.destination = rule_.destination;
  out_.source_ports = rule_.source_ports;
  out_.destination_ports = rule_.destination_ports;
  out_.both_ways = rule_.both_ways;
  out_.both_sides = rule_.both_sides;
  out_.any_addresses = is_any(context_.parsed.addresses[rule_.source].root) &&
                       is_any(context_.parsed.addresses[rule_.destination].root);
  out_.any_ports = is_any(context_.parsed.ports[rule_.source_ports].root) &&
                   is_any(context_.parsed.ports[rule_.destination_ports].root);
  out_.layer = rule_.protocol.layer;
  packet_keyword_ = out_.flow_start = rule_.protocol.flow_start;
  out_.hook_step = rule_.protocol.hook_step;
  transaction_keyword_ = out_.hook_step != 0;
  out_.is_app = rule_.protocol.is_app;
  out_.app = rule_.protocol.app;
  out_.http1_alone = rule_.protocol.name == "http1";
  out_.slots = static_cast<uint16_t>(rule_.slots.size());
}

Status RuleCompiler::make_parts() {
  parts_.resize(rule_.uses.size());
  used_.resize(rule_.uses.size(), false);
  for (size_t i = 0; i < rule_.uses.size(); ++i) {
    auto chain = context_.chains.intern(rule_.uses[i].transforms);
    if (!chain) return tl::unexpected(std::move(chain).error());
    parts_[i].buffer = rule_.uses[i].buffer;
    const bool of_client = info_of(parts_[i].buffer).direction == BufferDirection::to_client;
    parts_[i].side = rule_.uses[i].side.value_or(of_client ? Direction::to_client : Direction::to_server);
    parts_[i].chain = *chain;
  }
  return {};
}

void RuleCompiler::close_parts() {
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (!used_[i] || parts_[i].buffer == BufferId::base64_data) continue;
    BufferPart& part = out_.parts.emplace_back(std::move(parts_[i]));
    for (const ByteCheck& check : part.checks) std::visit(Character{part}, check);
    // A set is asked about the whole value.
    if (!part.sets.empty()) part.positive = part.late = true;
  }
  // Flow bits last: whatever fails before them saves looking for them in the session.
  std::stable_partition(out_.packet_checks.begin(), out_.packet_checks.end(), [](const PacketCheck& check) {
    return !std::holds_alternative<FlowBitCheck>(check) && !std::holds_alternative<HostBitCheck>(check);
  });
}

Status RuleCompiler::take(const ast::FlowBits& c) {
  std::vector<uint16_t> bits;
  for (const std::string& name : c.names) {
    const auto id = context_.flowbits.intern(name);
    if (!id) return fail(ErrorCode::exhausted, "there are too many names of flow bits");
    bits.push_back(*id);
  }
  using Op = ast::FlowBits::Op;
  if (c.op == Op::isset || c.op == Op::isnotset) {
    reads_bits_ = true;
    out_.packet_checks.emplace_back(FlowBitCheck{c.op == Op::isnotset, std::move(bits)});
    return {};
  }
  const auto op = c.op == Op::set     ? FlowBitEffect::Op::set
                  : c.op == Op::unset ? FlowBitEffect::Op::unset
                                      : FlowBitEffect::Op::toggle;
  for (const uint16_t bit : bits) out_.flowbits.push_back({op, bit});
  return {};
}

Status RuleCompiler::take(const ast::FlowInt& c) {
  using Op = ast::FlowInt::Op;
  session_keyword_ = true;
  // Counters and bits of one name have nothing to do with each other.
  const auto name = context_.flowbits.intern("flowint " + c.name);
  const auto other = c.other.empty() ? name : context_.flowbits.intern("flowint " + c.other);
  if (!name || !other) return fail(ErrorCode::exhausted, "there are too many names of counters");
  const int32_t other_name = c.other.empty() ? -1 : int32_t{*other};
  if (c.op == Op::set || c.op == Op::add || c.op == Op::subtract) {
    out_.flowints.push_back({c.op, *name, c.value, other_name});
  } else {
    out_.packet_checks.emplace_back(FlowIntCheck{c.op, *name, c.value, other_name});
  }
  return {};
}

Status RuleCompiler::take(const ast::HostBits& c) {
  using Op = ast::FlowBits::Op;
  if (c.track == ast::HostBits::Track::transaction) return refuse("xbits of a transaction");
  const auto bit = context_.flowbits.intern("hostbit " + c.name);
  if (!bit) return fail(ErrorCode::exhausted, "there are too many names of bits");
  if (c.op == Op::isset || c.op == Op::isnotset) {
    reads_bits_ = true;
    out_.packet_checks.emplace_back(HostBitCheck{c.op == Op::isnotset, *bit, c.track});
  } else {
    out_.hostbits.push_back({c.op, *bit, c.track, c.expire_seconds});
  }
  return {};
}

Status RuleCompiler::take(const ast::Dataset& c) {
  auto loaded = context_.sets.of(rule_, c);
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  const auto name = context_.flowbits.intern("dataset " + c.name);
  if (!name) return fail(ErrorCode::exhausted, "there are too many names of data sets");
  SetCheck check;
  check.operation = c.operation;
  check.name = *name;
  check.loaded = std::move(*loaded);
  check.context_key = c.context_key;
  const bool known = std::any_of(context_.saved.begin(), context_.saved.end(),
                                 [&](const SavedSet& set) { return set.number == *name; });
  if (!c.save.empty() && !known) {
    const std::string file =
        rule_.file < context_.parsed.files.size() ? context_.parsed.files[rule_.file] : std::string();
    context_.saved.push_back(
        {*name, c.type, (std::filesystem::path(file).parent_path() / c.save).string(), check.loaded});
  }
  return add_set(c.use, std::move(check));
}

Status RuleCompiler::take(const ast::Datarep& c) {
  auto loaded = context_.sets.of(rule_, c);
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  SetCheck check;
  check.is_reputation = true;
  check.reputation_op = c.op;
  check.reputation = c.value;
  check.loaded = std::move(*loaded);
  return add_set(c.use, std::move(check));
}

Status RuleCompiler::add_set(uint16_t use, SetCheck check) {
  if (rule_.uses[use].buffer == BufferId::base64_data) return refuse("a data set of base64_data");
  used_[use] = true;
  parts_[use].sets.push_back(std::move(check));
  out_.asks_sets = true;
  return {};
}

Status RuleCompiler::take(const ast::FileHash& c) {
  auto list = context_.sets.of(rule_, c);
  if (!list) return tl::unexpected(std::move(list.error()));
  out_.packet_checks.emplace_back(
      FileHashCheck{static_cast<FileDigest>(c.kind), c.negated, std::move(*list)});
  transaction_keyword_ = true;
  return {};
}

Status RuleCompiler::take(const ast::EngineEvent& e) {
  if (e.source != ast::EngineEvent::Source::app_layer) {
    const bool stream = e.source == ast::EngineEvent::Source::stream && !e.name.starts_with("stream.");
    const auto event = packet_event_of((stream ? "stream." : "") + e.name);
    if (!event) return refuse("the event " + e.name);
    event_keyword_ = true;
    out_.packet_checks.emplace_back(*event);
    return {};
  }
  for (const AppProtocol protocol : kAppProtocols) {
    if (name_of(protocol) != e.protocol) continue;
    if (const auto bit = app_event_bit(protocol, e.name)) {
      out_.app_events |= uint64_t{1} << *bit;
      out_.is_app = true;
      out_.app = protocol;
      out_.http1_alone = true;  // HTTP/2 has anomalies of its own
      transaction_keyword_ = true;
      return {};
    }
  }
  return refuse("the event " + e.protocol + "." + e.name);
}

Status RuleCompiler::check_limits() const {
  if (out_.both_sides) {
    const auto of_transaction = [](const BufferPart& part) {
      return !part.of_payload() && !is_packet_buffer(part.buffer);
    };
    if (!std::all_of(out_.parts.begin(), out_.parts.end(), of_transaction))
      return refuse("a rule with => that looks into packets or streams");
    if (out_.hook_step != 0) return refuse("a rule with => at a hook");
  }
  if (out_.parts.size() > kMostParts) return refuse("a rule with more than 31 buffers");
  for (const ast::Threshold& threshold : out_.thresholds) {
    if (threshold.unique_source_port || threshold.unique_destination_port) return refuse("unique_on");
  }
  return {};
}

Status RuleCompiler::choose_directions() {
  if (out_.both_sides) return {};
  bool server = !out_.flow.to_client || out_.flow.to_server;
  bool client = !out_.flow.to_server || out_.flow.to_client;
  // Certificates that count are the server's.
  bool to_server_part = false, to_client_part = of_certificate_;
  for (const BufferPart& part : out_.parts) {
    const BufferDirection d = info_of(part.buffer).direction;
    to_server_part |= d == BufferDirection::to_server;
    to_client_part |= d == BufferDirection::to_client;
  }
  if (out_.hook_step != 0) {
    (rule_.protocol.hook_direction == Direction::to_server ? client : server) = false;
  }
  if (to_server_part) client = false;
  if (to_client_part) server = false;
  if (!server && !client) {
    return fail(ErrorCode::invalid, "its buffers and its flow are not of one direction");
  }
  out_.direction = {server, client};
  return {};
}

bool RuleCompiler::has_header_alone() const {
  return out_.parts.empty() && !packet_keyword_ && !session_keyword_ && !transaction_keyword_ &&
         !app_keyword_ && !reads_bits_ && !out_.is_app && rule_.protocol.hook.empty() &&
         rule_.protocol.tcp_part == ast::TcpPart::both;
}

/// A rule that names one thing of a file alone, or two sides of a transaction, has no two files to mix up.
bool RuleCompiler::asks_for_one_file() const {
  ptrdiff_t things =
      std::ranges::count_if(out_.packet_checks, [](const PacketCheck& check) { return is_of_file(check); });
  for (const BufferId buffer : {BufferId::file_name, BufferId::file_magic}) {
    const bool asked = std::ranges::any_of(
        out_.parts, [&](const BufferPart& part) { return part.buffer == buffer && is_of_file(part); });
    things += asked ? 1 : 0;
  }
  return !out_.both_sides && things > 1;
}

RuleKind RuleCompiler::kind_of_payload() const {
  if (rule_.protocol.tcp_part == ast::TcpPart::packets || out_.flow.no_stream) return RuleKind::packet;
  if (rule_.protocol.tcp_part == ast::TcpPart::stream || out_.flow.only_stream) return RuleKind::stream;
  if (packet_keyword_ || payload_size_) return RuleKind::packet;
  return payload_positions_ ? RuleKind::packet_stream : RuleKind::stream;
}

void RuleCompiler::choose_kind() {
  bool of_application = transaction_keyword_, of_payload = payload_size_;
  for (const BufferPart& part : out_.parts) {
    if (part.of_payload()) {
      of_payload = true;
    } else if (!is_packet_buffer(part.buffer)) {
      of_application = true;
    }
  }
  if (out_.both_sides) of_application = true;
  if (event_keyword_ && out_.parts.empty() && !transaction_keyword_) {
    out_.kind = RuleKind::event;
  } else if (of_application) {
    out_.kind = RuleKind::transaction;
    out_.scope = ActionScope::session;
  } else if (of_payload) {
    out_.kind = kind_of_payload();
  } else if (has_header_alone() && out_.any_ports) {
    out_.kind = RuleKind::ip_only;
    out_.scope = ActionScope::session;
  } else if (app_keyword_ && !packet_keyword_ && !session_keyword_ && !reads_bits_ && out_.parts.empty()) {
    out_.kind = RuleKind::protocol_only;
    out_.scope = ActionScope::session;
  } else {
    out_.kind = RuleKind::packet;
    out_.addresses_alone = has_header_alone();
    // A pass that asks for ends alone is about the session between them.
    const bool passes = rule_.action == ast::Action::pass && out_.addresses_alone;
    if (out_.is_app || passes) out_.scope = ActionScope::session;
  }
}

}  // namespace

bool is_of_file(const BufferPart& part) {
  const bool of_file = part.buffer == BufferId::file_name || part.buffer == BufferId::file_magic;
  return of_file && !part.absent && !part.absent_or_else;
}

bool is_of_file(const PacketCheck& check) {
  const auto* const number = std::get_if<ast::TransactionNumber>(&check);
  return std::holds_alternative<FileHashCheck>(check) ||
         (number != nullptr && number->number == NumberId::file_size &&
          number->index == ast::TransactionNumber::kAny);
}

bool is_packet_buffer(BufferId buffer) {
  switch (buffer) {
    case BufferId::ip_src:
    case BufferId::ip_dst:
    case BufferId::ipv4_hdr:
    case BufferId::ipv6_hdr:
    case BufferId::tcp_hdr:
    case BufferId::udp_hdr:
    case BufferId::icmpv4_hdr:
    case BufferId::icmpv6_hdr:
      return true;
    default:
      return false;
  }
}

AppProtocol protocol_of(const DetectionRule& rule) {
  if (rule.is_app) return rule.app;
  for (const BufferPart& part : rule.parts) {
    const AppProtocol protocol = info_of(part.buffer).protocol;
    if (protocol != AppProtocol::unknown) return protocol;
  }
  return AppProtocol::unknown;
}

Result<DetectionRule> compile_rule(ast::Rule& rule, RuleCompileContext& context) {
  return RuleCompiler(rule, context).compile();
}

}  // namespace weir::inspection
