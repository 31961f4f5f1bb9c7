#include "inspection/rules/rule_header.h"

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

Parsed<void> read_action(RuleContext& context, Token word) {
  static constexpr std::pair<std::string_view, Action> kActions[] = {
      {"alert", Action::alert},           {"drop", Action::drop},        {"pass", Action::pass},
      {"reject", Action::reject},         {"rejectsrc", Action::reject}, {"rejectdst", Action::reject_dst},
      {"rejectboth", Action::reject_both}};
  for (const auto& [name, action] : kActions) {
    if (word.text != name) continue;
    context.rule.action = action;
    return {};
  }
  if (word.text == "config" || word.text == "accept" || word.text.starts_with("accept:") ||
      word.text.starts_with("drop:") || word.text.starts_with("pass:")) {
    refuse_support(context, word, "This action is not carried out here.");
    return {};
  }
  return refuse(word.at, word.text.substr(0, 64),
                "The action is none of alert, drop, reject, rejectsrc, rejectdst, rejectboth, pass.");
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

Parsed<void> read_protocol(RuleContext& context, Token word) {
  Rule& rule = context.rule;
  const size_t colon = word.text.find(':');
  const std::string name = lower(word.text.substr(0, colon));
  rule.protocol.name = name;
  if (colon != std::string_view::npos) {
    rule.protocol.hook = word.text.substr(colon + 1);
    refuse_support(context, word, "Rules at a hook are not evaluated.");
  }
  for (const LayerName& row : kLayers) {
    if (row.name != name) continue;
    rule.protocol.layer = row.layer;
    rule.protocol.tcp_part = row.part;
    return {};
  }
  if (const AppName* app = find_app_name(name)) {
    rule.protocol.is_app = true;
    rule.protocol.app = rule.app = app->protocol;
    if (app->protocol == AppProtocol::unknown) refuse_support(context, word, "This protocol is not parsed.");
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
  if (word[4].text == "=>") {
    refuse_support(context, word[4], "Rules on both directions of a transaction are not evaluated.");
  } else if (word[4].text != "->" && word[4].text != "<>") {
    return refuse(word[4].at, word[4].text.substr(0, 64), "The direction is neither '->' nor '<>'.");
  }
  rule.both_ways = word[4].text == "<>";
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
