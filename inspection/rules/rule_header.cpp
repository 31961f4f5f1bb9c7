#include "inspection/rules/rule_header.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "inspection/rules/protocol_names.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

/// The next word; blanks inside of brackets belong to it. Empty at the end.
Token next_word(Token& rest) {
  rest = rest.trimmed();
  size_t depth = 0, end = 0;
  for (; end < rest.text.size(); ++end) {
    const char c = rest.text[end];
    if (c == '[') ++depth;
    if (c == ']' && depth != 0) --depth;
    if (is_blank(c) && depth == 0) break;
  }
  const Token word = rest.sub(0, end);
  rest = rest.sub(end);
  return word;
}

void refuse_support(RuleContext& context, Token at, std::string reason) {
  context.unsupported.push_back({at.at, std::string(at.text.substr(0, 64)), std::move(reason)});
}

struct ActionName {
  std::string_view name;
  Action action;
  bool quiet = false;  // `config`: an alert that nobody hears; what it is for is its keyword of that name
};
constexpr ActionName kActions[] = {{"alert", Action::alert},
                                   {"drop", Action::drop},
                                   {"pass", Action::pass},
                                   {"reject", Action::reject},
                                   {"rejectsrc", Action::reject},
                                   {"rejectdst", Action::reject_dst},
                                   {"rejectboth", Action::reject_both},
                                   {"config", Action::alert, true}};

Parsed<void> read_action(RuleContext& context, Token word) {
  const auto* const known = std::ranges::find(kActions, word.text, &ActionName::name);
  if (known != std::end(kActions)) {
    context.rule.action = known->action;
    if (known->quiet) context.rule.options.push_back({.value = NoAlert{}});
    return {};
  }
  if (word.text == "accept" || word.text.starts_with("accept:") || word.text.starts_with("drop:") ||
      word.text.starts_with("pass:")) {
    refuse_support(context, word, "This action is not carried out here.");
    return {};
  }
  return refuse(word.at, word.text.substr(0, 64),
                "The action is none of alert, drop, reject, rejectsrc, rejectdst, rejectboth, pass, config.");
}

struct LayerName {
  std::string_view name;
  Layer layer;
  TcpPart part = TcpPart::both;
};

constexpr LayerName kLayers[] = {{"ip", Layer::ip},
                                 {"ipv4", Layer::ipv4},
                                 {"ip4", Layer::ipv4},
                                 {"ipv6", Layer::ipv6},
                                 {"ip6", Layer::ipv6},
                                 {"tcp", Layer::tcp},
                                 {"tcp-pkt", Layer::tcp, TcpPart::packets},
                                 {"tcp-stream", Layer::tcp, TcpPart::stream},
                                 {"udp", Layer::udp},
                                 {"icmp", Layer::icmp},
                                 {"icmpv4", Layer::icmpv4},
                                 {"icmpv6", Layer::icmpv6},
                                 {"sctp", Layer::sctp},
                                 {"pkthdr", Layer::any}};

struct Hook {
  AppProtocol app;
  std::string_view name;
  Direction direction;
  uint8_t step;
};

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;
constexpr Hook kHooks[] = {{AppProtocol::http1, "request_started", kServer, HttpStep::line},
                           {AppProtocol::http1, "request_line", kServer, HttpStep::line},
                           {AppProtocol::http1, "request_headers", kServer, HttpStep::headers},
                           {AppProtocol::http1, "request_body", kServer, HttpStep::body},
                           {AppProtocol::http1, "request_trailer", kServer, HttpStep::trailer},
                           {AppProtocol::http1, "request_complete", kServer, HttpStep::complete},
                           {AppProtocol::http1, "response_started", kClient, HttpStep::line},
                           {AppProtocol::http1, "response_line", kClient, HttpStep::line},
                           {AppProtocol::http1, "response_headers", kClient, HttpStep::headers},
                           {AppProtocol::http1, "response_body", kClient, HttpStep::body},
                           {AppProtocol::http1, "response_trailer", kClient, HttpStep::trailer},
                           {AppProtocol::http1, "response_complete", kClient, HttpStep::complete},
                           {AppProtocol::dns, "request_started", kServer, DnsStep::complete},
                           {AppProtocol::dns, "request_complete", kServer, DnsStep::complete},
                           {AppProtocol::dns, "response_started", kClient, DnsStep::complete},
                           {AppProtocol::dns, "response_complete", kClient, DnsStep::complete},
                           {AppProtocol::tls, "client_hello_done", kServer, TlsStep::hello},
                           {AppProtocol::tls, "client_cert_done", kServer, TlsStep::certificate},
                           {AppProtocol::tls, "client_handshake_done", kServer, TlsStep::complete},
                           {AppProtocol::tls, "client_finished", kServer, TlsStep::complete},
                           {AppProtocol::tls, "server_hello", kClient, TlsStep::hello},
                           {AppProtocol::tls, "server_cert_done", kClient, TlsStep::certificate},
                           {AppProtocol::tls, "server_hello_done", kClient, TlsStep::certificate},
                           {AppProtocol::tls, "server_handshake_done", kClient, TlsStep::complete},
                           {AppProtocol::tls, "server_finished", kClient, TlsStep::complete}};

void read_hook(RuleContext& context, Token word, Protocol& protocol) {
  if (protocol.hook == "flow_start" && !protocol.is_app) {
    protocol.flow_start = true;
    return;
  }
  for (const Hook& hook : kHooks) {
    if (!protocol.is_app || hook.app != protocol.app || hook.name != protocol.hook) continue;
    protocol.hook_direction = hook.direction;
    protocol.hook_step = hook.step;
    return;
  }
  refuse_support(context, word, "Rules at this hook are not evaluated.");
}

Parsed<void> read_protocol(RuleContext& context, Token word) {
  Rule& rule = context.rule;
  const size_t colon = word.text.find(':');
  const std::string name = lower(word.text.substr(0, colon));
  rule.protocol.name = name;
  if (colon != std::string_view::npos) rule.protocol.hook = word.text.substr(colon + 1);
  for (const LayerName& row : kLayers) {
    if (row.name != name) continue;
    rule.protocol.layer = row.layer;
    rule.protocol.tcp_part = row.part;
    if (colon != std::string_view::npos) read_hook(context, word, rule.protocol);
    return {};
  }
  if (const AppName* app = find_app_name(name)) {
    rule.protocol.is_app = true;
    rule.protocol.app = rule.app = app->protocol;
    if (app->protocol == AppProtocol::unknown) {
      refuse_support(context, word, "This protocol is not parsed.");
    } else if (colon != std::string_view::npos) {
      read_hook(context, word, rule.protocol);
    }
    return {};
  }
  if (name == "ether" || name == "arp") {
    refuse_support(context, word, "Layer 2 is not inspected.");
    return {};
  }
  return refuse(word.at, word.text.substr(0, 64), "This is no protocol.");
}

Parsed<uint32_t> read_addresses(Token word, SetTable& table) {
  auto expression = parse_address_expression(word.text);
  if (!expression) return refuse(word.at, word.text.substr(0, 64), std::move(expression.error()));
  return table.intern(std::move(*expression));
}

Parsed<uint32_t> read_ports(Token word, SetTable& table) {
  auto expression = parse_port_expression(word.text);
  if (!expression) return refuse(word.at, word.text.substr(0, 64), std::move(expression.error()));
  return table.intern(std::move(*expression));
}

}  // namespace

bool is_action(std::string_view word) {
  return std::ranges::find(kActions, word, &ActionName::name) != std::end(kActions);
}

Parsed<void> read_rule_header(RuleContext& context, Token header, SetTable& addresses, SetTable& ports) {
  Token rest = header;
  Token word[7];
  for (Token& w : word) w = next_word(rest);
  Rule& rule = context.rule;
  if (auto ok = read_action(context, word[0]); !ok) return ok;
  if (word[6].text.empty()) {
    return refuse(header.at, "",
                  "The header is not 'action protocol address ports direction address ports'.");
  }
  if (rest = rest.trimmed(); !rest.text.empty()) {
    return refuse(rest.at, "", "There is more in the header than its seven parts.");
  }
  if (auto ok = read_protocol(context, word[1]); !ok) return ok;
  if (word[4].text != "->" && word[4].text != "<>" && word[4].text != "=>")
    return refuse(word[4].at, word[4].text.substr(0, 64), "The direction is none of '->', '<>' and '=>'.");
  rule.both_ways = word[4].text == "<>";
  rule.both_sides = word[4].text == "=>";
  auto source = read_addresses(word[2], addresses), destination = read_addresses(word[5], addresses);
  auto from = read_ports(word[3], ports), to = read_ports(word[6], ports);
  for (auto* part : {&source, &from, &destination, &to}) {
    if (!*part) return tl::unexpected(part->error());
  }
  rule.source = *source;
  rule.source_ports = *from;
  rule.destination = *destination;
  rule.destination_ports = *to;
  return {};
}

}  // namespace weir::inspection::ast
