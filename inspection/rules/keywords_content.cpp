// `content` with what changes it, and `pcre`.
#include "inspection/rules/content_bytes.h"
#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

constexpr int64_t kMaxPosition = 65'535;

/// `!"bytes"`: the text between the quotation marks, and whether it is negated.
Parsed<Token> take_quoted(const OptionText& option, bool& negated) {
  Token value = option.value;
  negated = value.text.starts_with('!');
  if (negated) value = value.sub(1).trimmed();
  return unquote(option, value);
}

Parsed<void> on_content(RuleContext& context, const OptionText& option, const Keyword&) {
  Content content;
  auto inner = take_quoted(option, content.negated);
  if (!inner) return tl::unexpected(inner.error());
  auto bytes = read_content_bytes(*inner, option.name.text);
  if (!bytes) return tl::unexpected(bytes.error());
  content.bytes = std::move(*bytes);
  content.use = context.use;
  context.add_looking(option, std::move(content));
  return {};
}

Parsed<void> on_uricontent(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  if (context.sticky) return wrong(option, "It cannot stand behind a sticky buffer.");
  if (auto ok = context.need_protocol(option, AppProtocol::http1); !ok) return ok;
  if (auto ok = on_content(context, option, keyword); !ok) return ok;
  std::get<Content>(context.rule.options.back().value).use = context.use_of(BufferId::http_uri);
  return {};
}

Parsed<Content*> content_before(RuleContext& context, const OptionText& option) {
  Content* content = context.last_content();
  if (content == nullptr) {
    return wrong(option, "No content stands before it in the same buffer.");
  }
  return content;
}

// --- flags ---

enum Flag { kNocase, kStartsWith, kEndsWith, kRawBytes };

Parsed<void> on_flag(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  auto content = content_before(context, option);
  if (!content) return tl::unexpected(content.error());
  Content& c = **content;
  switch (keyword.number) {
    case kNocase:
      if (c.nocase) return wrong(option, "The content has it already.");
      c.nocase = true;
      return {};
    case kStartsWith:
      if (c.starts_with) return wrong(option, "The content has it already.");
      if (c.offset || c.depth || c.is_relative()) {
        return wrong(option, "A content with startswith cannot have offset, depth, distance or within.");
      }
      c.starts_with = true;
      return {};
    case kEndsWith:
      if (c.ends_with) return wrong(option, "The content has it already.");
      c.ends_with = true;
      return {};
    default:
      return {};  // rawbytes: the payload is never decoded
  }
}

// --- positions ---

enum Position { kOffset, kDepth, kDistance, kWithin };

Parsed<void> on_position(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  auto content = content_before(context, option);
  if (!content) return tl::unexpected(content.error());
  Content& c = **content;
  const bool is_distance = keyword.number == kDistance;
  const int64_t max = is_distance ? 1'024 * 1'024 : kMaxPosition;
  auto value = read_operand(context, option, unquote_if_quoted(option.value), is_distance ? -max : 0, max);
  if (!value) return tl::unexpected(value.error());
  std::optional<Operand>* fields[] = {&c.offset, &c.depth, &c.distance, &c.within};
  std::optional<Operand>& field = *fields[keyword.number];
  if (field) return wrong(option, "The content has it already.");
  if (c.starts_with) return wrong(option, "A content with startswith cannot have another position.");
  const bool relative = keyword.number == kDistance || keyword.number == kWithin;
  if (relative ? (c.offset || c.depth) : c.is_relative()) {
    return wrong(option, "A content cannot have offset or depth together with distance or within.");
  }
  field = *value;
  const bool bounds = keyword.number == kDepth || keyword.number == kWithin;
  if (bounds && !value->is_slot() && static_cast<uint64_t>(value->value) < c.bytes.size()) {
    return wrong(option, "It is less than the " + std::to_string(c.bytes.size()) +
                             " bytes of the content, which could never match.");
  }
  return {};
}

// --- fast_pattern ---

Parsed<void> on_fast_pattern(RuleContext& context, const OptionText& option, const Keyword&) {
  auto content = content_before(context, option);
  if (!content) return tl::unexpected(content.error());
  Content& c = **content;
  if (context.has_fast_pattern) return wrong(option, "A rule can have only one fast_pattern.");
  context.has_fast_pattern = true;
  c.fast_pattern = true;
  if (!option.has_value) return {};
  if (option.value.text == "only") {
    c.fast_pattern_only = true;
    return {};
  }
  const auto pieces = split(option.value, ',');
  const auto offset = pieces.size() == 2 ? read_number(pieces[0].text, kMaxPosition) : std::nullopt;
  const auto length = pieces.size() == 2 ? read_number(pieces[1].text, kMaxPosition) : std::nullopt;
  if (!offset || !length || *length == 0) return wrong(option, "The value is 'only' or 'offset,length'.");
  if (*offset + *length > c.bytes.size()) {
    return wrong(option, "The part for the matcher is longer than the content.");
  }
  c.fast_offset = static_cast<uint16_t>(*offset);
  c.fast_length = static_cast<uint16_t>(*length);
  return {};
}

// --- pcre ---

/// The buffer that a flag of the older kind names, or payload for 'B', or nothing.
std::optional<BufferId> buffer_of_flag(char flag) {
  switch (flag) {
    case 'U':
      return BufferId::http_uri;
    case 'I':
      return BufferId::http_uri_raw;
    case 'P':
      return BufferId::http_request_body;
    case 'Q':
      return BufferId::http_response_body;
    case 'H':
      return BufferId::http_header;
    case 'D':
      return BufferId::http_header_raw;
    case 'M':
      return BufferId::http_method;
    case 'C':
      return BufferId::http_cookie;
    case 'S':
      return BufferId::http_stat_code;
    case 'Y':
      return BufferId::http_stat_msg;
    case 'V':
      return BufferId::http_user_agent;
    case 'W':
      return BufferId::http_host;
    case 'Z':
      return BufferId::http_host_raw;
    default:
      return std::nullopt;
  }
}

Parsed<void> read_pcre_flags(const OptionText& option, Token flags, Pcre& pcre,
                             std::optional<BufferId>& buffer) {
  for (size_t i = 0; i < flags.text.size(); ++i) {
    switch (const char flag = flags.text[i]) {
      case 'i':
        pcre.caseless = true;
        break;
      case 'm':
        pcre.multi_line = true;
        break;
      case 's':
        pcre.dot_all = true;
        break;
      case 'x':
        pcre.extended = true;
        break;
      case 'A':
        pcre.anchored = true;
        break;
      case 'E':
        pcre.dollar_end_only = true;
        break;
      case 'G':
        pcre.ungreedy = true;
        break;
      case 'R':
        pcre.relative = true;
        break;
      case 'O':  // a match limit of its own: ours holds
      case 'B':
        break;  // raw bytes: the payload is never decoded
      default: {
        const auto named = buffer_of_flag(flag);
        if (!named) {
          return refuse(flags.at + i, option.name.text, std::string("The flag '") + flag + "' is unknown.");
        }
        if (buffer && *buffer != *named) {
          return refuse(flags.at + i, option.name.text, "Its flags name two buffers.");
        }
        buffer = *named;
      }
    }
  }
  return {};
}

std::optional<PcreCapture::Store> capture_store(std::string_view word) {
  using Store = PcreCapture::Store;
  if (word == "flow") return Store::flow;
  if (word == "pkt") return Store::packet;
  if (word == "alert") return Store::alert;
  return std::nullopt;
}

/// ", flow:name" or ", pkt:a, alert:b" behind the flags: what the groups are kept as, in order.
Parsed<void> read_pcre_captures(const OptionText& option, Token text, Pcre& pcre) {
  uint16_t group = 0;
  for (const Token& piece : split(text, ',')) {
    const size_t colon = piece.text.find(':');
    const auto store = capture_store(piece.text.substr(0, colon));
    if (colon == std::string_view::npos || colon + 1 == piece.text.size() || !store) {
      return refuse(piece.at, option.name.text, "A capture is 'flow:name', 'pkt:name' or 'alert:name'.");
    }
    pcre.captures.push_back({++group, *store, std::string(piece.text.substr(colon + 1))});
  }
  return {};
}

/// Groups that are named `flow_x`, `pkt_x` or `alert_x` in the pattern are kept as well.
void read_named_captures(Pcre& pcre) {
  uint16_t group = 0;
  bool in_class = false;
  const std::string_view p = pcre.pattern;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == '\\') {
      ++i;
    } else if (in_class) {
      in_class = p[i] != ']';
    } else if (p[i] == '[') {
      in_class = true;
    } else if (p[i] == '(') {
      const std::string_view rest = p.substr(i + 1);
      const size_t skip = rest.starts_with("?P<") ? 3 : rest.starts_with("?<") ? 2 : 0;
      const bool named = skip != 0 && rest.size() > skip && rest[skip] != '=' && rest[skip] != '!';
      if ((rest.starts_with('?') && !named) || rest.starts_with('*')) continue;
      ++group;
      const std::string_view name = named ? rest.substr(skip, rest.find('>') - skip) : std::string_view();
      const size_t bar = name.find('_');
      const auto store = bar == std::string_view::npos ? std::nullopt : capture_store(name.substr(0, bar));
      if (store) pcre.captures.push_back({group, *store, std::string(name.substr(bar + 1))});
    }
  }
}

Parsed<void> on_pcre(RuleContext& context, const OptionText& option, const Keyword&) {
  Pcre pcre;
  Token value = option.value;
  pcre.negated = value.text.starts_with('!');
  if (pcre.negated) value = value.sub(1).trimmed();
  const Token inner = unquote_if_quoted(value);  // its slashes are quotation enough
  const std::string_view text = inner.text;
  // The last slash ends the pattern, unless it stands among captures, whose names have none.
  const size_t end = text.rfind('/');
  if (!text.starts_with('/') || end == 0) return wrong(option, "The value is not \"/pattern/flags\".");
  if (end == 1) return wrong(option, "The pattern is empty.");
  pcre.pattern = text.substr(1, end - 1);
  const Token behind = inner.sub(end + 1);
  const size_t comma = behind.text.find(',');
  std::optional<BufferId> buffer;
  if (auto ok = read_pcre_flags(option, behind.sub(0, comma).trimmed(), pcre, buffer); !ok) return ok;
  read_named_captures(pcre);
  if (comma != std::string_view::npos) {
    if (auto ok = read_pcre_captures(option, behind.sub(comma + 1), pcre); !ok) return ok;
  }
  if (buffer) {
    // Answers' bodies have two names.
    const bool is_body = *buffer == BufferId::http_response_body && context.sticky &&
                         context.rule.uses[context.use].buffer == BufferId::file_data;
    const uint16_t named = is_body ? context.use : context.use_of(*buffer);
    if (context.sticky && context.use != named) {
      return wrong(option, "A flag names another buffer than the sticky one before it.");
    }
    if (auto ok = context.need_protocol(option, AppProtocol::http1); !ok) return ok;
    pcre.use = named;
  } else {
    pcre.use = context.use_for(pcre.relative);
  }
  if (pcre.relative && !context.sticky && !buffer) {
    bool found = false;
    for (const Option& before : context.rule.options) {
      found |= std::holds_alternative<Content>(before.value) || std::holds_alternative<Pcre>(before.value);
    }
    if (!found) return wrong(option, "The flag R needs a content or pcre before it.");
  }
  context.add_looking(option, std::move(pcre));
  return {};
}

constexpr KeywordGroup kGroup = KeywordGroup::payload;
constexpr Keyword kKeywords[] = {
    {"content", kGroup, Value::required, on_content, Support::yes, "",
     "bytes that the buffer has to hold, or with ! must not"},
    {"uricontent", kGroup, Value::required, on_uricontent, Support::yes, "", "a content in http.uri"},
    {"nocase", kGroup, Value::none, on_flag, Support::yes, "", "upper and lower case are equal", kNocase},
    {"startswith", kGroup, Value::none, on_flag, Support::yes, "", "the content lies at the buffer's begin",
     kStartsWith},
    {"endswith", kGroup, Value::none, on_flag, Support::yes, "", "the content lies at the buffer's end",
     kEndsWith},
    {"rawbytes", kGroup, Value::none, on_flag, Support::partly,
     "Without effect: payloads are never decoded in place.", "the payload as it was sent", kRawBytes},
    {"offset", kGroup, Value::required, on_position, Support::yes, "", "bytes at the begin that are left out",
     kOffset},
    {"depth", kGroup, Value::required, on_position, Support::yes, "",
     "within so many bytes from the begin, or from offset", kDepth},
    {"distance", kGroup, Value::required, on_position, Support::yes, "",
     "so many bytes behind the match before", kDistance},
    {"within", kGroup, Value::required, on_position, Support::yes, "",
     "ends within so many bytes behind the match before", kWithin},
    {"fast_pattern", kGroup, Value::optional, on_fast_pattern, Support::yes, "",
     "the content for the matcher, or the part of it"},
    {"pcre", kGroup, Value::required, on_pcre, Support::yes, "",
     "a regular expression, with the flags i m s x A E G R and those of the older HTTP buffers"},
};

}  // namespace

std::span<const Keyword> content_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
