// Keywords about one packet's headers and size.
#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

using Field = HeaderNumber::Field;

uint64_t highest_of(Field field) {
  switch (field) {
    case Field::ttl:
    case Field::tos:
    case Field::ip_protocol:
    case Field::icmp_type:
    case Field::icmp_code:
    case Field::tcp_wscale:
    case Field::vlan_layers:
      return 255;
    case Field::tcp_seq:
    case Field::tcp_ack:
    case Field::icmpv6_mtu:
      return std::numeric_limits<uint32_t>::max();
    default:
      return 65'535;
  }
}

/// The protocols that ip_proto takes by name.
std::optional<uint64_t> ip_protocol_number(std::string_view text) {
  static constexpr std::pair<std::string_view, uint64_t> kNames[] = {
      {"icmp", 1},  {"igmp", 2},   {"ipip", 4},   {"tcp", 6},        {"udp", 17},    {"ipv6", 41},
      {"gre", 47},  {"esp", 50},   {"ah", 51},    {"ipv6-icmp", 58}, {"icmpv6", 58}, {"ospf", 89},
      {"pim", 103}, {"vrrp", 112}, {"sctp", 132}, {"udplite", 136}};
  for (const auto& [name, number] : kNames) {
    if (equal_nocase(text, name)) return number;
  }
  return read_number(text, 255);
}

/// tos takes "xFF" for 0xFF too.
std::optional<uint64_t> tos_number(std::string_view text) {
  if (text.starts_with('x') || text.starts_with('X')) return read_number("0" + std::string(text), 255);
  return read_number(text, 255);
}

Parsed<void> on_header_number(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  const auto field = static_cast<Field>(keyword.number);
  const uint64_t max = highest_of(field);
  const auto read = [&](std::string_view text) -> std::optional<uint64_t> {
    text = trim(text);
    if (field == Field::ip_protocol) return ip_protocol_number(text);
    if (field == Field::tos) return tos_number(text);
    return read_size(text, max);
  };
  auto compare = read_compare(unquote_if_quoted(option.value).text, max, read);
  if (!compare) {
    return wrong(option, "The value is a comparison with a number up to " + std::to_string(max) +
                             ": 5, !5, <5, >5, 5<>9.");
  }
  context.add(option, HeaderNumber{field, *compare});
  return {};
}

Parsed<void> on_dsize(RuleContext& context, const OptionText& option, const Keyword&) {
  if (context.has_dsize) return wrong(option, "It stands twice.");
  const auto size = read_compare(unquote_if_quoted(option.value).text, 65'535);
  if (!size)
    return wrong(option, "The value is a comparison with a number up to 65535: 5, !5, <5, >5, 5<>9.");
  context.has_dsize = true;
  context.add(option, PayloadSize{*size});
  return {};
}

Parsed<void> on_vlan_id(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  VlanId vlan;
  const auto compare = read_compare(pieces[0].text, 4'095);
  if (!compare || pieces.size() > 2) return wrong(option, "The value is a comparison and perhaps a layer.");
  vlan.compare = *compare;
  if (pieces.size() == 2) {
    const auto layer = read_signed(pieces[1].text, -3, 2);
    if (pieces[1].text == "all") {
      vlan.all = true;
    } else if (layer) {
      vlan.any = false;
      vlan.layer = static_cast<int8_t>(*layer);
    } else if (pieces[1].text != "any") {
      return refuse(pieces[1].at, option.name.text, "The layer is -3 to 2, any or all.");
    }
  }
  context.add(option, vlan);
  return {};
}

// --- flags and fragbits ---

std::optional<uint8_t> tcp_flag(char c) {
  switch (c) {
    case 'F':
      return 0x01;
    case 'S':
      return 0x02;
    case 'R':
      return 0x04;
    case 'P':
      return 0x08;
    case 'A':
      return 0x10;
    case 'U':
      return 0x20;
    case 'E':
    case '2':
      return 0x40;
    case 'C':
    case '1':
      return 0x80;
    case '0':
      return 0x00;
    default:
      return std::nullopt;
  }
}

std::optional<uint8_t> fragment_bit(char c) {
  switch (c) {
    case 'M':
      return 1;
    case 'D':
      return 2;
    case 'R':
      return 4;
    default:
      return std::nullopt;
  }
}

std::optional<BitFlags::Mode> bits_mode(char c) {
  switch (c) {
    case '+':
      return BitFlags::Mode::all_of;
    case '*':
      return BitFlags::Mode::any_of;
    case '!':
      return BitFlags::Mode::not_all_of;
    default:
      return std::nullopt;
  }
}

Parsed<void> on_bits(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  BitFlags flags;
  flags.field = static_cast<BitFlags::Field>(keyword.number);
  const bool tcp = flags.field == BitFlags::Field::tcp_flags;
  const auto bit_of = [tcp](char c) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return tcp ? tcp_flag(upper) : fragment_bit(upper);
  };
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  if (pieces.size() > 2 || (!tcp && pieces.size() > 1)) return wrong(option, "It has too many commas.");
  bool any = false, has_mode = false;
  for (const char c : pieces[0].text) {
    if (c == ' ') continue;
    if (const auto mode = bits_mode(c)) {
      if (has_mode) return wrong(option, "Only one of + * ! may stand.");
      flags.mode = *mode;
      has_mode = true;
    } else if (const auto bit = bit_of(c)) {
      flags.bits |= *bit;
      any = true;
    } else {
      return wrong(option, tcp ? "The letters are F S R P A U E C 1 2 0." : "The letters are M D R.");
    }
  }
  if (!any) return wrong(option, "It names no bit.");
  if (pieces.size() == 2) {
    for (const char c : pieces[1].text) {
      const auto bit = bit_of(c);
      if (!bit) return wrong(option, "The letters are F S R P A U E C 1 2.");
      flags.ignored |= *bit;
    }
  }
  context.add(option, flags);
  return {};
}

Parsed<void> on_ipopts(RuleContext& context, const OptionText& option, const Keyword&) {
  static constexpr std::pair<std::string_view, uint8_t> kNames[] = {
      {"rr", 7},     {"eol", 0},    {"nop", 1},     {"ts", 68},     {"sec", 130},    {"esec", 133},
      {"lsrr", 131}, {"ssrr", 137}, {"satid", 136}, {"cipso", 134}, {"rtralt", 148}, {"qs", 25}};
  if (option.value.text == "any") {
    context.add(option, IpOption{0, true});
    return {};
  }
  for (const auto& [name, type] : kNames) {
    if (option.value.text != name) continue;
    context.add(option, IpOption{type, false});
    return {};
  }
  return wrong(option, "It is one of rr eol nop ts sec esec lsrr ssrr satid cipso rtralt qs any.");
}

Parsed<void> on_sameip(RuleContext& context, const OptionText& option, const Keyword&) {
  context.add(option, SameIp{});
  return {};
}

Parsed<void> on_checksum(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  const std::string_view text = unquote_if_quoted(option.value).text;
  if (!equal_nocase(text, "valid") && !equal_nocase(text, "invalid"))
    return wrong(option, "It is valid or invalid.");
  context.add(option, Checksum{static_cast<Checksum::Of>(keyword.number), equal_nocase(text, "valid")});
  return {};
}

constexpr Keyword checksum(std::string_view name, Checksum::Of of, std::string_view means) {
  return {name,  KeywordGroup::packet, Value::required, on_checksum, Support::yes, "",
          means, static_cast<int>(of)};
}

constexpr Keyword number(std::string_view name, Field field, std::string_view means,
                         Support support = Support::yes, std::string_view note = {}) {
  return {name,  KeywordGroup::packet,   Value::required, on_header_number, support, note,
          means, static_cast<int>(field)};
}

constexpr KeywordGroup kGroup = KeywordGroup::packet;
constexpr int kTcpFlags = static_cast<int>(BitFlags::Field::tcp_flags);
constexpr int kFragBits = static_cast<int>(BitFlags::Field::fragment_bits);
constexpr Keyword kKeywords[] = {
    {"dsize", kGroup, Value::required, on_dsize, Support::yes, "", "bytes of the packet's payload"},
    number("ttl", Field::ttl, "time to live or hop limit"),
    number("tos", Field::tos, "type of service or traffic class"),
    number("id", Field::ip_id, "the identification of IPv4"),
    number("ip_proto", Field::ip_protocol, "the protocol over IP, by number or name"),
    number("fragoffset", Field::fragment_offset, "the fragment's offset, in 8 bytes"),
    number("seq", Field::tcp_seq, "TCP's sequence number"),
    number("tcp.seq", Field::tcp_seq, "the same"),
    number("ack", Field::tcp_ack, "TCP's acknowledgement"),
    number("tcp.ack", Field::tcp_ack, "the same"),
    number("window", Field::tcp_window, "TCP's window as sent"),
    number("tcp.window", Field::tcp_window, "the same"),
    number("tcp.mss", Field::tcp_mss, "TCP's option of the largest segment"),
    number("tcp.wscale", Field::tcp_wscale, "TCP's option of the window's scale"),
    number("itype", Field::icmp_type, "ICMP's type"),
    number("icode", Field::icmp_code, "ICMP's code"),
    number("icmp_id", Field::icmp_id, "the identifier of an echo"),
    number("icmp_seq", Field::icmp_seq, "the number of an echo"),
    number("icmpv6.mtu", Field::icmpv6_mtu, "the MTU of packet too big"),
    number("vlan.layers", Field::vlan_layers, "how many VLAN tags"),
    {"vlan.id", kGroup, Value::required, on_vlan_id, Support::yes, "", "a VLAN tag, of a layer, any or all"},
    {"flags", kGroup, Value::required, on_bits, Support::yes, "", "TCP's flags", kTcpFlags},
    {"tcp.flags", kGroup, Value::required, on_bits, Support::yes, "", "the same", kTcpFlags},
    {"fragbits", kGroup, Value::required, on_bits, Support::yes, "", "IP's fragment bits", kFragBits},
    {"ipopts", kGroup, Value::required, on_ipopts, Support::yes, "", "an option of IPv4"},
    checksum("ipv4-csum", Checksum::Of::ipv4, "whether the header's checksum is right"),
    checksum("tcpv4-csum", Checksum::Of::tcpv4, "the same, of TCP over IPv4"),
    checksum("tcpv6-csum", Checksum::Of::tcpv6, "the same, of TCP over IPv6"),
    checksum("udpv4-csum", Checksum::Of::udpv4, "the same, of UDP over IPv4; none is right"),
    checksum("udpv6-csum", Checksum::Of::udpv6, "the same, of UDP over IPv6"),
    checksum("icmpv4-csum", Checksum::Of::icmpv4, "the same, of ICMP"),
    checksum("icmpv6-csum", Checksum::Of::icmpv6, "the same, of ICMPv6"),
    {"sameip", kGroup, Value::none, on_sameip, Support::yes, "", "source and destination are equal"},
};

}  // namespace

std::span<const Keyword> packet_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
