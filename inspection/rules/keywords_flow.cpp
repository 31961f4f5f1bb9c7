// Keywords about the session and about what is remembered of sessions and hosts.
#include <algorithm>
#include <array>

#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

tl::unexpected<ParseError> wrong_at(Token at, const OptionText& option, std::string message) {
  return refuse(at.at, option.name.text, std::move(message));
}

// --- flow ---

Parsed<void> on_flow(RuleContext& context, const OptionText& option, const Keyword&) {
  if (context.has_flow) return wrong(option, "It stands twice.");
  Flow flow;
  static constexpr std::pair<std::string_view, bool Flow::*> kWords[] = {
      {"established", &Flow::established}, {"not_established", &Flow::not_established},
      {"stateless", &Flow::stateless},     {"to_server", &Flow::to_server},
      {"toserver", &Flow::to_server},      {"from_client", &Flow::to_server},
      {"to_client", &Flow::to_client},     {"toclient", &Flow::to_client},
      {"from_server", &Flow::to_client},   {"only_stream", &Flow::only_stream},
      {"no_stream", &Flow::no_stream},     {"only_frag", &Flow::only_frag},
      {"no_frag", &Flow::no_frag}};
  for (const Token& piece : split(unquote_if_quoted(option.value), ',')) {
    const std::string word = lower(piece.text);
    const auto found = std::find_if(std::begin(kWords), std::end(kWords),
                                    [&](const auto& row) { return row.first == word; });
    if (found == std::end(kWords)) return wrong_at(piece, option, "'" + word + "' is unknown here.");
    if (flow.*(found->second)) return wrong_at(piece, option, "'" + word + "' stands twice.");
    flow.*(found->second) = true;
  }
  if (int{flow.established} + int{flow.not_established} + int{flow.stateless} > 1 ||
      (flow.to_server && flow.to_client) || (flow.only_stream && flow.no_stream) ||
      (flow.only_frag && flow.no_frag)) {
    return wrong(option, "Its words contradict each other.");
  }
  context.has_flow = true;
  context.add(option, flow);
  return {};
}

// --- bits ---

std::optional<FlowBits::Op> bits_operation(std::string_view text) {
  using Op = FlowBits::Op;
  static constexpr std::pair<std::string_view, Op> kOps[] = {{"set", Op::set},
                                                             {"unset", Op::unset},
                                                             {"toggle", Op::toggle},
                                                             {"isset", Op::isset},
                                                             {"isnotset", Op::isnotset}};
  for (const auto& [name, op] : kOps) {
    if (equal_nocase(text, name)) return op;
  }
  return std::nullopt;
}

/// A name without blanks inside.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 256 && text.find_first_of(" \t\"") == std::string_view::npos;
}

Parsed<void> on_flowbits(RuleContext& context, const OptionText& option, const Keyword&) {
  const Token value = unquote_if_quoted(option.value);
  const size_t comma = value.text.find(',');
  const Token word = value.sub(0, comma).trimmed();
  if (word.text == "noalert") {
    if (comma != std::string_view::npos) return wrong(option, "noalert takes no name.");
    context.add(option, NoAlert{});
    return {};
  }
  const auto op = bits_operation(word.text);
  if (!op) return wrong(option, "It begins with set, unset, toggle, isset, isnotset or noalert.");
  if (comma == std::string_view::npos) return wrong(option, "A name is missing.");
  FlowBits bits{*op, {}};
  for (const Token& name : split(value.sub(comma + 1), '|')) {
    if (!is_name(name.text)) return wrong_at(name, option, "A name is missing or has blanks.");
    bits.names.emplace_back(name.text);
  }
  const bool asks = *op == FlowBits::Op::isset || *op == FlowBits::Op::isnotset;
  if (bits.names.size() > 1 && !asks) return wrong(option, "Only isset and isnotset take several names.");
  context.add(option, std::move(bits));
  return {};
}

std::optional<FlowInt::Op> int_operation(std::string_view text) {
  using Op = FlowInt::Op;
  static constexpr std::pair<std::string_view, Op> kOps[] = {
      {"=", Op::set},          {"+", Op::add},         {"-", Op::subtract},
      {"<", Op::less},         {"<=", Op::less_equal}, {"==", Op::equal},
      {"!=", Op::not_equal},   {"!", Op::not_equal},   {">=", Op::greater_equal},
      {">", Op::greater},      {"isset", Op::isset},   {"isnotset", Op::isnotset},
      {"notset", Op::isnotset}};
  for (const auto& [name, op] : kOps) {
    if (text == name) return op;
  }
  return std::nullopt;
}

Parsed<void> on_flowint(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  FlowInt number;
  const auto op = pieces.size() >= 2 ? int_operation(pieces[1].text) : std::nullopt;
  if (!op || !is_name(pieces[0].text)) return wrong(option, "The value is 'name, operator, number'.");
  const bool asks_if_set = *op == FlowInt::Op::isset || *op == FlowInt::Op::isnotset;
  if (pieces.size() != (asks_if_set ? 2u : 3u)) {
    return wrong(option, "isset and isnotset take no number, all others one.");
  }
  number.name = pieces[0].text;
  number.op = *op;
  if (!asks_if_set) {
    if (const auto value = read_number(pieces[2].text, std::numeric_limits<uint32_t>::max())) {
      number.value = static_cast<uint32_t>(*value);
    } else if (is_name(pieces[2].text) && !(pieces[2].text[0] >= '0' && pieces[2].text[0] <= '9') &&
               pieces[2].text[0] != '-') {
      number.other = pieces[2].text;
    } else {
      return wrong_at(pieces[2], option, "It is neither a number of 32 bits nor a name.");
    }
  }
  context.add(option, std::move(number));
  return {};
}

Parsed<void> on_xbits(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  if (pieces.size() == 1 && pieces[0].text == "noalert") {
    context.add(option, NoAlert{});
    return {};
  }
  const auto op = bits_operation(pieces[0].text);
  if (!op || pieces.size() < 3 || !is_name(pieces[1].text)) {
    return wrong(option, "The value is 'set|unset|isset|isnotset|toggle, name, track HOW'.");
  }
  HostBits bits{*op, std::string(pieces[1].text), HostBits::Track::source, 300};
  for (size_t i = 2; i < pieces.size(); ++i) {
    const auto pair = words(pieces[i]);
    if (pair.size() == 2 && pair[0].text == "track") {
      using Track = HostBits::Track;
      const std::string_view how = pair[1].text;
      if (how == "ip_src")
        bits.track = Track::source;
      else if (how == "ip_dst")
        bits.track = Track::destination;
      else if (how == "ip_pair")
        bits.track = Track::pair;
      else if (how == "tx")
        bits.track = Track::transaction;
      else
        return wrong_at(pair[1], option, "track is ip_src, ip_dst, ip_pair or tx.");
    } else if (pair.size() == 2 && pair[0].text == "expire") {
      const auto seconds = read_number(pair[1].text, std::numeric_limits<uint32_t>::max());
      if (!seconds || *seconds == 0) return wrong_at(pair[1], option, "expire is a number of seconds.");
      bits.expire_seconds = static_cast<uint32_t>(*seconds);
    } else {
      return wrong_at(pieces[i], option, "Only 'track HOW' and 'expire SECONDS' may follow.");
    }
  }
  context.add(option, std::move(bits));
  return {};
}

Parsed<void> on_hostbits(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  if (pieces.size() == 1 && pieces[0].text == "noalert") {
    context.add(option, NoAlert{});
    return {};
  }
  const auto op = bits_operation(pieces[0].text);
  if (!op || pieces.size() < 2 || pieces.size() > 3 || !is_name(pieces[1].text)) {
    return wrong(option,
                 "The value is 'set|unset|toggle|isset|isnotset, name' and perhaps src, dst or both.");
  }
  HostBits bits{*op, std::string(pieces[1].text), HostBits::Track::source, 300};
  if (pieces.size() == 3) {
    const std::string_view how = pieces[2].text;
    if (how != "src" && how != "dst" && how != "both")
      return wrong_at(pieces[2], option, "It is src, dst or both.");
    bits.track = how == "src"   ? HostBits::Track::source
                 : how == "dst" ? HostBits::Track::destination
                                : HostBits::Track::both;
  }
  context.add(option, std::move(bits));
  return {};
}

// --- numbers of the session ---

std::optional<Side> side_of(std::string_view text) {
  if (text == "server" || text == "toserver" || text == "to_server") return Side::to_server;
  if (text == "client" || text == "toclient" || text == "to_client") return Side::to_client;
  if (text == "both") return Side::both;
  if (text == "either") return Side::either;
  return std::nullopt;
}

Parsed<void> on_stream_size(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  auto side = pieces.size() == 3 ? side_of(pieces[0].text) : std::nullopt;
  if (!side) return wrong(option, "The value is 'server|client|both|either, operator, number'.");
  // `server` are the bytes that the server sent.
  if (*side == Side::to_server || *side == Side::to_client) {
    side = *side == Side::to_server ? Side::to_client : Side::to_server;
  }
  const std::string text = std::string(pieces[1].text) + std::string(pieces[2].text);
  const auto size = read_compare(text, std::numeric_limits<uint32_t>::max());
  if (!size) return wrong(option, "The comparison cannot be read, or never holds.");
  context.add(option, StreamSize{*side, *size});
  return {};
}

enum FlowField { kAge, kBytes, kBytesToServer, kBytesToClient, kPackets, kPacketsToServer, kPacketsToClient };

Parsed<void> on_flow_number(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  FlowNumber number;
  Token value = unquote_if_quoted(option.value);
  const int which = keyword.number;
  number.field = which == kAge       ? FlowNumber::Field::age_seconds
                 : which >= kPackets ? FlowNumber::Field::packets
                                     : FlowNumber::Field::bytes;
  if (which == kBytesToServer || which == kPacketsToServer) number.side = Side::to_server;
  if (which == kBytesToClient || which == kPacketsToClient) number.side = Side::to_client;
  if (which == kBytes || which == kPackets) {
    const size_t comma = value.text.find(',');
    const auto side = side_of(value.sub(0, comma).trimmed().text);
    if (comma == std::string_view::npos || !side) {
      return wrong(option, "The value is 'toserver|toclient|both|either, comparison'.");
    }
    number.side = *side;
    value = value.sub(comma + 1).trimmed();
  }
  const uint64_t max = number.field == FlowNumber::Field::bytes ? std::numeric_limits<uint64_t>::max()
                                                                : std::numeric_limits<uint32_t>::max();
  const auto compare = read_compare(value.text, max);
  if (!compare) return wrong(option, "The comparison cannot be read, or never holds.");
  number.compare = *compare;
  context.add(option, number);
  return {};
}

constexpr Keyword flow_number(std::string_view name, FlowField field, std::string_view means) {
  return {name, KeywordGroup::flow, Value::required, on_flow_number, Support::yes, "", means, field};
}

constexpr KeywordGroup kGroup = KeywordGroup::flow;
constexpr Keyword kKeywords[] = {
    {"flow", kGroup, Value::required, on_flow, Support::yes, "", "direction and state of the session"},
    {"flowbits", kGroup, Value::required, on_flowbits, Support::yes, "", "marks of the session"},
    {"flowint", kGroup, Value::required, on_flowint, Support::yes, "", "counters of the session"},
    {"xbits", kGroup, Value::required, on_xbits, Support::partly, "'track tx' is refused.",
     "marks of hosts and pairs of hosts"},
    {"hostbits", kGroup, Value::required, on_hostbits, Support::yes, "", "marks of hosts"},
    {"stream_size", kGroup, Value::required, on_stream_size, Support::yes, "",
     "bytes of TCP's streams so far"},
    flow_number("flow.age", kAge, "seconds since the session began"),
    flow_number("flow.bytes", kBytes, "bytes of the session, by direction"),
    flow_number("flow.bytes_toserver", kBytesToServer, "bytes to the server"),
    flow_number("flow.bytes_toclient", kBytesToClient, "bytes to the client"),
    flow_number("flow.pkts", kPackets, "packets of the session, by direction"),
    flow_number("flow.pkts_toserver", kPacketsToServer, "packets to the server"),
    flow_number("flow.pkts_toclient", kPacketsToClient, "packets to the client"),
};

}  // namespace

std::span<const Keyword> flow_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
