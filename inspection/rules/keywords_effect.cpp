// Keywords about what becomes of a match: thresholds, tags, alerts, bypass.
#include <algorithm>

#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

tl::unexpected<ParseError> wrong_at(Token at, const OptionText& option, std::string message) {
  return refuse(at.at, option.name.text, std::move(message));
}

// --- threshold and detection_filter ---

std::optional<Threshold::Type> threshold_type(std::string_view text) {
  using Type = Threshold::Type;
  if (text == "limit") return Type::limit;
  if (text == "threshold") return Type::threshold;
  if (text == "both") return Type::both;
  if (text == "backoff") return Type::backoff;
  return std::nullopt;
}

std::optional<Threshold::Track> threshold_track(std::string_view text) {
  using Track = Threshold::Track;
  if (text == "by_src") return Track::by_source;
  if (text == "by_dst") return Track::by_destination;
  if (text == "by_both") return Track::by_both;
  if (text == "by_rule") return Track::by_rule;
  if (text == "by_flow") return Track::by_flow;
  return std::nullopt;
}

/// Which of the words of a threshold were there.
struct ThresholdWords {
  bool type = false, track = false, count = false, seconds = false, multiplier = false;
};

Parsed<void> read_threshold_word(const OptionText& option, Token piece, bool filter, Threshold& threshold,
                                 ThresholdWords& seen) {
  const auto pair = words(piece);
  if (pair.size() != 2) return wrong_at(piece, option, "Each part is a word and its value.");
  const std::string_view word = pair[0].text, value = pair[1].text;
  const auto take = [&](bool& once) { return !std::exchange(once, true); };
  const auto number = read_number(value, std::numeric_limits<uint32_t>::max());
  if (word == "type" && !filter) {
    const auto type = threshold_type(value);
    if (!type || !take(seen.type))
      return wrong_at(piece, option, "type is limit, threshold, both or backoff.");
    threshold.type = *type;
  } else if (word == "track") {
    const auto track = threshold_track(value);
    if (!track || !take(seen.track)) {
      return wrong_at(piece, option, "track is by_src, by_dst, by_both, by_rule or by_flow.");
    }
    threshold.track = *track;
  } else if (word == "count") {
    if (!number || *number == 0 || !take(seen.count))
      return wrong_at(piece, option, "count is a number from 1 on.");
    threshold.count = static_cast<uint32_t>(*number);
  } else if (word == "seconds") {
    if (!number || *number == 0 || !take(seen.seconds)) {
      return wrong_at(piece, option, "seconds is a number from 1 on.");
    }
    threshold.seconds = static_cast<uint32_t>(*number);
  } else if (word == "multiplier" && !filter) {
    if (!number || *number == 0 || !take(seen.multiplier)) {
      return wrong_at(piece, option, "multiplier is a number from 1 on.");
    }
    threshold.multiplier = static_cast<uint32_t>(*number);
  } else if (word == "unique_on" && filter && (value == "src_port" || value == "dst_port")) {
    (value == "src_port" ? threshold.unique_source_port : threshold.unique_destination_port) = true;
  } else {
    return wrong_at(piece, option, "'" + std::string(word) + "' is unknown here.");
  }
  return {};
}

Parsed<void> on_threshold(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  const bool filter = keyword.number != 0;
  if (context.has_threshold || context.has_detection_filter) {
    return wrong(option, "A rule can have only one threshold or detection_filter.");
  }
  Threshold threshold;
  ThresholdWords seen;
  for (const Token& piece : split(unquote_if_quoted(option.value), ',')) {
    if (auto ok = read_threshold_word(option, piece, filter, threshold, seen); !ok) return ok;
  }
  if (filter) threshold.type = Threshold::Type::detection_filter;
  const bool backoff = threshold.type == Threshold::Type::backoff;
  const bool complete = seen.track && seen.count && (filter || seen.type) &&
                        (backoff ? seen.multiplier : seen.seconds && !seen.multiplier);
  if (!complete) {
    return wrong(option, filter    ? "track, count and seconds are required."
                         : backoff ? "type, track, count and multiplier are required."
                                   : "type, track, count and seconds are required.");
  }
  (filter ? context.has_detection_filter : context.has_threshold) = true;
  context.add(option, threshold);
  return {};
}

// --- tag ---

Parsed<void> on_tag(RuleContext& context, const OptionText& option, const Keyword&) {
  Tag tag;
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  const bool host = pieces[0].text == "host";
  if (!host && pieces[0].text != "session") return wrong(option, "It begins with session or host.");
  tag.scope = host ? Tag::Scope::host : Tag::Scope::session;
  tag.metric = Tag::Metric::packets;
  if (pieces.size() == 1) {
    if (host) return wrong(option, "host needs 'count, metric, src|dst'.");
    context.add(option, tag);
    return {};
  }
  const auto count = read_number(pieces[1].text, std::numeric_limits<uint32_t>::max());
  const std::string_view metric = pieces.size() >= 3 ? pieces[2].text : std::string_view();
  const bool known = metric == "packets" || metric == "bytes" || metric == "seconds";
  if (!count || *count == 0 || !known || pieces.size() > (host ? 4u : 3u)) {
    return wrong(option,
                 "The value is 'session|host, count, packets|bytes|seconds' and for host src or dst.");
  }
  tag.count = static_cast<uint32_t>(*count);
  tag.metric = metric == "packets" ? Tag::Metric::packets
               : metric == "bytes" ? Tag::Metric::bytes
                                   : Tag::Metric::seconds;
  if (host) {
    const std::string_view side = pieces.size() == 4 ? pieces[3].text : std::string_view();
    if (side != "src" && side != "dst") return wrong(option, "host needs src or dst.");
    tag.side = side == "src" ? Side::to_server : Side::to_client;
  }
  context.add(option, tag);
  return {};
}

// --- flags of the rule ---

template <typename Effect>
Parsed<void> on_effect(RuleContext& context, const OptionText& option, const Keyword&) {
  context.add(option, Effect{});
  return {};
}

/// "logging disable, type tx, scope tx": Suricata's `tracking` would switch off what keeps sessions apart
/// here.
Parsed<void> on_config(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  const auto is = [&](size_t piece, std::string_view first, std::string_view second) {
    const auto pair = words(pieces[piece]);
    return pair.size() == 2 && pair[0].text == first && pair[1].text == second;
  };
  if (pieces.size() != 3 || !is(0, "logging", "disable") || !is(1, "type", "tx") || !is(2, "scope", "tx"))
    return wrong(option, "It is 'logging disable, type tx, scope tx'; nothing else can be set by a rule.");
  context.add(option, DisableLogging{});
  return {};
}

Parsed<void> on_prefilter(RuleContext& context, const OptionText& option, const Keyword&) {
  if (context.rule.options.empty()) return wrong(option, "It needs a keyword before it.");
  context.add(option, Prefilter{});
  return {};
}

constexpr KeywordGroup kGroup = KeywordGroup::effect;
constexpr Keyword kKeywords[] = {
    {"threshold", kGroup, Value::required, on_threshold, Support::yes, "", "how many alerts in what time", 0},
    {"detection_filter", kGroup, Value::required, on_threshold, Support::yes, "",
     "how many matches before the first alert", 1},
    {"tag", kGroup, Value::required, on_tag, Support::partly,
     "Without effect: the alert is made, packets behind it are not recorded.",
     "packets behind the alert are recorded"},
    {"noalert", kGroup, Value::none, on_effect<NoAlert>, Support::yes, "", "no alert, all else is done"},
    {"alert", kGroup, Value::none, on_effect<AlertToo>, Support::yes, "", "an alert of a pass rule too"},
    {"bypass", kGroup, Value::none, on_effect<Bypass>, Support::yes, "",
     "the session is inspected no further"},
    {"config", kGroup, Value::required, on_config, Support::yes, "",
     "`logging disable, type tx, scope tx`: no event of the transaction"},
    {"prefilter", kGroup, Value::none, on_prefilter, Support::partly,
     "Without effect: which literal proposes a rule is chosen by rarity and length.", "a hint for speed"},
};

}  // namespace

std::span<const Keyword> effect_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
