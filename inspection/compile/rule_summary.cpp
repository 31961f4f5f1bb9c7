#include "inspection/compile/rule_summary.h"

namespace weir::inspection {

namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string_view name_of(ast::Action action) {
  switch (action) {
    case ast::Action::alert:
      return "alert";
    case ast::Action::drop:
      return "drop";
    case ast::Action::reject:
      return "reject";
    case ast::Action::reject_dst:
      return "rejectdst";
    case ast::Action::reject_both:
      return "rejectboth";
    case ast::Action::pass:
      return "pass";
  }
  return "";
}

void add(std::string& list, const std::string& item) { list += (list.empty() ? "" : "; ") + item; }

/// There is no stream: each is judged by itself.
bool is_of_datagrams(ast::Layer layer) {
  using Layer = ast::Layer;
  return layer == Layer::udp || layer == Layer::icmp || layer == Layer::icmpv4 || layer == Layer::icmpv6 ||
         layer == Layer::sctp;
}

}  // namespace

std::string_view moment_of(const DetectionRule& rule) {
  switch (rule.kind) {
    case RuleKind::ip_only:
      return "addresses";
    case RuleKind::protocol_only:
      return "protocol";
    case RuleKind::packet:
      return "packet";
    case RuleKind::stream:
      return is_of_datagrams(rule.layer) ? "packet" : "stream";
    case RuleKind::packet_stream:
      return is_of_datagrams(rule.layer) ? "packet" : "packet and stream";
    case RuleKind::event:
      return "event";
    case RuleKind::transaction:
      return "transaction";
  }
  return "";
}

std::string buffer_name(const BufferPart& part) {
  std::string name = part.of_payload() ? "payload" : std::string(info_of(part.buffer).keyword);
  return part.chain != 0 ? name + " (transformed)" : name;
}

std::string as_content(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  bool in_hex = false;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        byte > 0x20 && byte < 0x7f && std::string_view("\"\\;:|").find(c) == std::string_view::npos;
    if (plain == in_hex) {
      out += '|';
      in_hex = !in_hex;
    } else if (in_hex) {
      out += ' ';
    }
    if (plain) {
      out += c;
    } else {
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  if (in_hex) out += '|';
  return out;
}

std::string name_of(const ByteCheck& check) {
  return std::visit(Overloaded{[](const ContentCheck& c) {
                                 return std::string(c.content.negated ? "content !\"" : "content \"") +
                                        as_content(c.content.bytes) + "\"";
                               },
                               [](const PcreCheck&) { return std::string("pcre"); },
                               [](const ast::IsDataAt&) { return std::string("isdataat"); },
                               [](const ast::ByteTest&) { return std::string("byte_test"); },
                               [](const ast::ByteJump&) { return std::string("byte_jump"); },
                               [](const ast::ByteExtract&) { return std::string("byte_extract"); },
                               [](const ast::ByteMath&) { return std::string("byte_math"); },
                               [](const ast::BufferSize&) { return std::string("bsize"); },
                               [](const Base64Check&) { return std::string("base64_decode"); }},
                    check);
}

std::string name_of(const PacketCheck& check) {
  return std::visit(
      Overloaded{[](const ast::PayloadSize&) { return std::string("dsize"); },
                 [](const ast::HeaderNumber&) { return std::string("a number of the packet's header"); },
                 [](const ast::VlanId&) { return std::string("vlan.id"); },
                 [](const ast::BitFlags&) { return std::string("flags"); },
                 [](const ast::IpOption&) { return std::string("ipopts"); },
                 [](const ast::SameIp&) { return std::string("sameip"); },
                 [](const ast::Checksum&) { return std::string("a checksum"); },
                 [](const ast::StreamSize&) { return std::string("stream_size"); },
                 [](const ast::FlowNumber&) { return std::string("flow.age, bytes or packets"); },
                 [](const ast::TransactionNumber&) { return std::string("a number of the transaction"); },
                 [](const PacketEvent&) { return std::string("an event of the packet or stream"); },
                 [](const FlowBitCheck& c) {
                   return std::string(c.negated ? "flowbits:isnotset" : "flowbits:isset");
                 },
                 [](const FlowIntCheck&) { return std::string("flowint"); },
                 [](const HostBitCheck& c) {
                   return std::string(c.negated ? "hostbits or xbits:isnotset" : "hostbits or xbits:isset");
                 },
                 [](const ast::AppLayerProtocol&) { return std::string("app-layer-protocol"); },
                 [](const ast::TlsVersions&) { return std::string("tls.version"); },
                 [](const ast::TlsCertificateTime&) { return std::string("the certificate's time"); },
                 [](const FileHashCheck&) { return std::string("the file's checksum"); }},
      check);
}

RuleSummary summary_of(const DetectionRule& rule) {
  RuleSummary summary;
  const RuleInfo& info = rule.info;
  summary.name =
      std::to_string(info.gid) + ":" + std::to_string(info.sid) + " rev " + std::to_string(info.rev);
  summary.message = info.signature;
  summary.place = info.file + ":" + std::to_string(info.line);
  summary.action = name_of(info.action);
  summary.moment = moment_of(rule);
  if (rule.fast.part >= 0) {
    summary.buffer = buffer_name(rule.parts[static_cast<size_t>(rule.fast.part)]);
    summary.literal = as_content(rule.fast.bytes);
    summary.nocase = rule.fast.nocase;
  }
  for (const BufferPart& part : rule.parts) {
    if (part.absent) add(summary.conditions, buffer_name(part) + " absent");
    for (const ByteCheck& check : part.checks)
      add(summary.conditions, name_of(check) + " in " + buffer_name(part));
    if (!part.sets.empty()) add(summary.conditions, "a data set has " + buffer_name(part));
  }
  for (const PacketCheck& check : rule.packet_checks) add(summary.conditions, name_of(check));
  return summary;
}

std::string words_of(const DetectionRule& rule, const RuleStep& step) {
  using At = RuleStep::At;
  const std::string bytes = std::to_string(step.bytes) + (step.bytes == 1 ? " byte" : " bytes");
  const auto buffer = [&] {
    return step.part < rule.parts.size() ? buffer_name(rule.parts[step.part]) : std::string("its buffer");
  };
  switch (step.at) {
    case At::direction:
      return "nothing went the way that its `flow` asks for";
    case At::layer:
      return "the protocol of its header is another one";
    case At::app:
      return "the application protocol of its header is another one, or was not told yet";
    case At::flow:
      return "what it asks of the session with `flow` (established, ...) does not hold";
    case At::addresses:
      return "the addresses or ports of its header do not hold";
    case At::buffer:
      return buffer() + " did not come";
    case At::literal:
      return buffer() + " came (" + bytes + "), and \"" + as_content(rule.fast.bytes) + "\" is not " +
             (rule.fast.reach == 0 ? "in it"
                                   : "within its bytes " + std::to_string(rule.fast.from + 1) + " to " +
                                         std::to_string(rule.fast.reach));
    case At::bytes: {
      const bool named = step.part < rule.parts.size() && step.check < rule.parts[step.part].checks.size();
      const std::string what =
          named ? name_of(rule.parts[step.part].checks[step.check]) : std::string("a condition");
      return what + " does not hold in " + buffer() + " (" + bytes + ")" +
             (named ? ", its condition " + std::to_string(step.check + 1) + " there" : "");
    }
    case At::waits:
      return "it waited for more: " + buffer() + " was not decided";
    case At::state:
      return (step.check < rule.packet_checks.size() ? name_of(rule.packet_checks[step.check])
                                                     : std::string("what it asks of the session")) +
             " does not hold";
    case At::sets:
      return "its data set does not have the value";
    case At::silent:
      return "all of it held; a threshold or a suppression kept it from alerting";
    case At::noalert:
      return "all of it held; `noalert` keeps it from alerting";
    case At::fired:
      return "it fired";
  }
  return "";
}

}  // namespace weir::inspection
