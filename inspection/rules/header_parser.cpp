#include "inspection/rules/header_parser.h"

#include <algorithm>
#include <array>

namespace weir::inspection {

namespace {

constexpr unsigned kMaxNesting = 16;

/// Variables stand for any address: an attachment's prefixes are not known to a ruleset that many sessions
/// share.
constexpr std::array<std::string_view, 12> kAddressVariables = {
    "HOME_NET",    "EXTERNAL_NET",   "HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS",   "DNS_SERVERS",
    "AIM_SERVERS", "TELNET_SERVERS", "DC_SERVERS",   "DNP3_SERVER",  "MODBUS_SERVER", "ENIP_SERVER"};

struct PortVariable {
  std::string_view name;
  uint16_t first, last;
};
constexpr std::array<PortVariable, 6> kPortVariables = {{{"HTTP_PORTS", 0, 65535},
                                                         {"SSH_PORTS", 22, 22},
                                                         {"ORACLE_PORTS", 1521, 1521},
                                                         {"FTP_PORTS", 21, 21},
                                                         {"DNP3_PORTS", 20000, 20000},
                                                         {"MODBUS_PORTS", 502, 502}}};

Parsed<AddressSet> parse_single(Token token, const AddressSet*) {
  const std::string_view text = token.text;
  if (text == "any") return AddressSet::all();
  if (text.starts_with('$')) {
    const auto name = text.substr(1);
    if (std::find(kAddressVariables.begin(), kAddressVariables.end(), name) != kAddressVariables.end()) {
      return AddressSet::all();
    }
    return refuse(token.at, text, "There is no address variable of this name.");
  }
  AddressSet set;
  const auto add_range = [&](const net::IpAddress& first, const net::IpAddress& last) {
    if (first.is_v4()) {
      set.v4 = IntervalSet<uint32_t>::of(first.v4().value, last.v4().value);
    } else {
      set.v6 = IntervalSet<uint128>::of(to_uint128(first.v6()), to_uint128(last.v6()));
    }
  };
  if (const size_t dash = text.find('-'); dash != std::string_view::npos) {
    const auto first = net::parse_ip(text.substr(0, dash)), last = net::parse_ip(text.substr(dash + 1));
    if (first && last && first->family == last->family && *first <= *last) {
      add_range(*first, *last);
      return set;
    }
  } else if (const auto address = net::parse_ip(text)) {
    add_range(*address, *address);
    return set;
  } else if (const auto subnet = net::parse_interface_address(text)) {
    add_range(subnet->subnet().first(), subnet->subnet().last());
    return set;
  }
  return refuse(token.at, text, "This is not an address, a prefix or a range of addresses.");
}

Parsed<PortSet> parse_single(Token token, const PortSet*) {
  const std::string_view text = token.text;
  if (text == "any") return PortSet::all();
  if (text.starts_with('$')) {
    for (const PortVariable& variable : kPortVariables) {
      if (variable.name == text.substr(1)) return PortSet::of(variable.first, variable.last);
    }
    return refuse(token.at, text, "There is no port variable of this name.");
  }
  const size_t colon = text.find(':');
  const auto low = text.substr(0, colon);
  const auto high = colon == std::string_view::npos ? low : text.substr(colon + 1);
  const auto first = low.empty() ? std::optional<uint16_t>(uint16_t{0}) : parse_number<uint16_t>(low);
  const auto last = high.empty() ? std::optional<uint16_t>(uint16_t{65535}) : parse_number<uint16_t>(high);
  if (text.empty() || text == ":" || !first || !last) {
    return refuse(token.at, text, "This is not a port (0 to 65535) or a range of ports.");
  }
  if (*first > *last) return refuse(token.at, text, "The range of ports ends before it begins.");
  return PortSet::of(*first, *last);
}

/// `any`, one element, `!element` or `[element,element,...]`, nested.
template <typename Set>
Parsed<Set> parse_set(Token token, unsigned nesting);

/// The elements of a list: the union of the plain ones (all, if there are only negated ones) without the
/// negated ones.
template <typename Set>
Parsed<Set> parse_list(Token inner, unsigned nesting) {
  Set wanted, unwanted;
  bool any_wanted = false;
  size_t begin = 0;
  while (begin <= inner.text.size()) {
    size_t end = begin;
    int depth = 0;
    for (; end < inner.text.size() && (depth > 0 || inner.text[end] != ','); ++end) {
      if (inner.text[end] == '[') ++depth;
      if (inner.text[end] == ']') --depth;
    }
    Token element = inner.sub(begin, end - begin).trimmed();
    begin = end + 1;
    if (element.text.empty()) return refuse(element.at, "", "An element of the list is empty.");
    const bool negated = element.text.front() == '!';
    if (negated) element = element.sub(1).trimmed();
    auto set = parse_set<Set>(element, nesting + 1);
    if (!set) return set;
    any_wanted |= !negated;
    (negated ? unwanted : wanted).append(*set);
  }
  wanted.normalise();
  unwanted.normalise();
  if (!any_wanted) wanted = Set::all();
  wanted.subtract(unwanted);
  return wanted;
}

template <typename Set>
Parsed<Set> parse_set(Token token, unsigned nesting) {
  if (nesting > kMaxNesting) return refuse(token.at, "", "The list is nested too deeply.");
  if (token.text.starts_with('!')) {
    auto inner = parse_set<Set>(token.sub(1).trimmed(), nesting + 1);
    if (!inner) return inner;
    Set set = Set::all();
    set.subtract(*inner);
    return set;
  }
  if (token.text.starts_with('[')) {
    if (!token.text.ends_with(']')) return refuse(token.at, "", "The list is not closed by ']'.");
    return parse_list<Set>(token.sub(1, token.text.size() - 2), nesting);
  }
  return parse_single(token, static_cast<const Set*>(nullptr));
}

template <typename Set>
Parsed<Set> parse_non_empty(Token token) {
  auto set = parse_set<Set>(token, 0);
  if (set && set->empty()) {
    return refuse(token.at, token.text,
                  "Nothing is left of this set; variables such as $HOME_NET stand for any.");
  }
  return set;
}

/// The next word; blanks inside brackets do not end it.
Token next_word(Token& rest) {
  rest = rest.trimmed();
  size_t end = 0;
  int depth = 0;
  for (; end < rest.text.size(); ++end) {
    const char c = rest.text[end];
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (depth <= 0 && (c == ' ' || c == '\t')) break;
  }
  const Token word = rest.sub(0, end);
  rest = rest.sub(end);
  return word;
}

Parsed<void> parse_action_and_protocol(Token action, Token protocol, Rule& rule) {
  if (action.text == "alert") {
    rule.action = RuleAction::alert;
  } else if (action.text == "drop") {
    rule.action = RuleAction::drop;
  } else {
    return refuse(action.at, action.text, "Only the actions alert and drop are supported.");
  }
  struct Name {
    std::string_view name;
    RuleProtocol protocol;
  };
  static constexpr std::array<Name, 6> kNames = {{{"ip", RuleProtocol::ip},
                                                  {"tcp", RuleProtocol::tcp},
                                                  {"udp", RuleProtocol::udp},
                                                  {"icmp", RuleProtocol::icmp},
                                                  {"http", RuleProtocol::http},
                                                  {"http1", RuleProtocol::http}}};
  for (const Name& name : kNames) {
    if (name.name == protocol.text) {
      rule.protocol = name.protocol;
      return {};
    }
  }
  return refuse(protocol.at, protocol.text, "Only the protocols ip, tcp, udp, icmp and http are supported.");
}

}  // namespace

Parsed<void> parse_rule_header(Token header, Rule& rule) {
  Token rest = header;
  const Token action = next_word(rest), protocol = next_word(rest), source = next_word(rest),
              source_ports = next_word(rest), direction = next_word(rest), destination = next_word(rest),
              destination_ports = next_word(rest);
  if (auto ok = parse_action_and_protocol(action, protocol, rule); !ok) return ok;
  if (destination_ports.text.empty()) {
    return refuse(header.at, "",
                  "The header is not 'action protocol address ports direction address ports'.");
  }
  if (rest = rest.trimmed(); !rest.text.empty()) {
    return refuse(rest.at, "", "There is more in the header than its seven parts.");
  }
  if (direction.text != "->" && direction.text != "<>") {
    return refuse(direction.at, direction.text, "The direction is neither '->' nor '<>'.");
  }
  rule.both_ways = direction.text == "<>";

  auto from = parse_non_empty<AddressSet>(source), to = parse_non_empty<AddressSet>(destination);
  auto from_ports = parse_non_empty<PortSet>(source_ports),
       to_ports = parse_non_empty<PortSet>(destination_ports);
  if (!from) return tl::unexpected(from.error());
  if (!from_ports) return tl::unexpected(from_ports.error());
  if (!to) return tl::unexpected(to.error());
  if (!to_ports) return tl::unexpected(to_ports.error());
  rule.source = std::move(*from);
  rule.source_ports = std::move(*from_ports);
  rule.destination = std::move(*to);
  rule.destination_ports = std::move(*to_ports);
  return {};
}

}  // namespace weir::inspection
