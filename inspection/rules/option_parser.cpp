#include "inspection/rules/option_parser.h"

#include <algorithm>
#include <array>

#include "inspection/rules/classification.h"
#include "inspection/rules/rule_checks.h"

namespace weir::inspection {

namespace {

/// What the handlers of keywords share while one rule is parsed.
struct OptionContext {
  Rule& rule;
  Buffer sticky = Buffer::payload;
  Token sticky_token;          // the keyword that set `sticky`
  bool sticky_unused = false;  // nothing has looked into it yet
  bool has_priority = false;
  std::optional<uint32_t> class_priority;
};

/// One option: `name` or `name:value`.
struct Option {
  Token name;
  Token value;
  bool has_value = false;
};

using Handler = Parsed<void> (*)(OptionContext&, const Option&);

Parsed<void> wrong(const Option& option, std::string message) {
  return refuse(option.name.at, option.name.text, std::move(message));
}

/// The text between quotation marks.
Parsed<Token> unquote(const Option& option, Token value) {
  if (value.text.size() < 2 || value.text.front() != '"' || value.text.back() != '"') {
    return refuse(option.name.at, option.name.text, "The value has to stand between quotation marks.");
  }
  return value.sub(1, value.text.size() - 2);
}

Content* last_content(OptionContext& context) {
  return context.rule.contents.empty() ? nullptr : &context.rule.contents.back();
}

// --- who and what ---

Parsed<void> on_msg(OptionContext& context, const Option& option) {
  auto inner = unquote(option, option.value);
  if (!inner) return tl::unexpected(inner.error());
  context.rule.message.clear();
  for (size_t i = 0; i < inner->text.size(); ++i) {
    if (inner->text[i] == '\\' && i + 1 < inner->text.size()) ++i;
    context.rule.message.push_back(inner->text[i]);
  }
  return {};
}

template <uint32_t Rule::*Field, uint32_t Lowest, uint32_t Highest>
Parsed<void> on_number(OptionContext& context, const Option& option) {
  const auto value = parse_number<uint32_t>(option.value.text);
  if (!value || *value < Lowest || *value > Highest) {
    return wrong(option, "The value has to be a number from " + std::to_string(Lowest) + " to " +
                             std::to_string(Highest) + ".");
  }
  context.rule.*Field = *value;
  if (option.name.text == "priority") context.has_priority = true;
  return {};
}

Parsed<void> on_classtype(OptionContext& context, const Option& option) {
  const auto found = find_classification(option.value.text);
  if (!found) return wrong(option, "There is no class named '" + std::string(option.value.text) + "'.");
  context.rule.category = found->category;
  context.class_priority = found->priority;
  return {};
}

Parsed<void> on_reference(OptionContext&, const Option& option) {
  const size_t comma = option.value.text.find(',');
  if (comma == 0 || comma == std::string_view::npos || comma + 1 == option.value.text.size()) {
    return wrong(option, "A reference is written 'type,value'.");
  }
  return {};
}

Parsed<void> on_metadata(OptionContext&, const Option& option) {
  if (option.value.text.empty()) return wrong(option, "The metadata are empty.");
  return {};
}

Parsed<void> on_target(OptionContext&, const Option& option) {
  if (option.value.text != "src_ip" && option.value.text != "dest_ip") {
    return wrong(option, "The target is either src_ip or dest_ip.");
  }
  return {};
}

Parsed<void> on_flow(OptionContext& context, const Option& option) {
  FlowCondition& flow = context.rule.flow;
  for (size_t begin = 0; begin <= option.value.text.size();) {
    const size_t end = std::min(option.value.text.find(',', begin), option.value.text.size());
    const Token word = option.value.sub(begin, end - begin).trimmed();
    begin = end + 1;
    if (word.text == "established") {
      flow.established = true;
    } else if (word.text == "not_established") {
      flow.not_established = true;
    } else if (word.text == "to_server" || word.text == "from_client") {
      flow.to_server = true;
    } else if (word.text == "to_client" || word.text == "from_server") {
      flow.to_client = true;
    } else if (word.text != "stateless") {
      return refuse(word.at, "flow", "'" + std::string(word.text) + "' is not supported in flow.");
    }
  }
  if (flow.to_server && flow.to_client)
    return wrong(option, "A packet cannot go to the server and to the client.");
  if (flow.established && flow.not_established) {
    return wrong(option, "A session cannot be established and not established.");
  }
  return {};
}

// --- buffers and contents ---

Parsed<void> on_content(OptionContext& context, const Option& option) {
  Token value = option.value;
  Content content;
  if (value.text.starts_with('!')) {
    content.negated = true;
    value = value.sub(1).trimmed();
  }
  auto inner = unquote(option, value);
  if (!inner) return tl::unexpected(inner.error());
  auto pattern = parse_content_pattern(*inner);
  if (!pattern) return tl::unexpected(pattern.error());
  content.pattern = std::move(*pattern);
  content.buffer = context.sticky;
  content.at = option.name.at;
  context.sticky_unused = false;
  context.rule.contents.push_back(std::move(content));
  return {};
}

template <bool Content::*Flag>
Parsed<void> on_flag(OptionContext& context, const Option& option) {
  Content* content = last_content(context);
  if (content == nullptr) return wrong(option, "No content stands before it.");
  if (content->*Flag) return wrong(option, "It is given twice for the same content.");
  content->*Flag = true;
  return {};
}

template <typename Number, std::optional<Number> Content::*Field, Number Lowest, Number Highest>
Parsed<void> on_position(OptionContext& context, const Option& option) {
  Content* content = last_content(context);
  if (content == nullptr) return wrong(option, "No content stands before it.");
  if (content->*Field) return wrong(option, "It is given twice for the same content.");
  const auto value = parse_number<Number>(option.value.text);
  if (!value || *value < Lowest || *value > Highest) {
    return wrong(option, "The value has to be a number from " + std::to_string(Lowest) + " to " +
                             std::to_string(Highest) + "; variables are not supported.");
  }
  content->*Field = *value;
  return {};
}

Parsed<void> on_fast_pattern(OptionContext& context, const Option& option) {
  Content* content = last_content(context);
  if (content == nullptr) return wrong(option, "No content stands before it.");
  for (const Content& other : context.rule.contents) {
    if (other.fast_pattern) return wrong(option, "A rule can have only one fast_pattern.");
  }
  content->fast_pattern = true;
  if (!option.has_value || option.value.text == "only") return {};
  const size_t comma = option.value.text.find(',');
  if (comma == std::string_view::npos) return wrong(option, "The value is either 'only' or 'offset,length'.");
  const auto offset = parse_number<uint32_t>(option.value.text.substr(0, comma));
  const auto length = parse_number<uint32_t>(option.value.sub(comma + 1).trimmed().text);
  const size_t size = content->pattern.size();
  if (!offset || !length || *length == 0 || *offset >= size || *length > size - *offset) {
    return wrong(option, "Offset and length have to lie within the content.");
  }
  content->fast_offset = *offset;
  content->fast_length = *length;
  return {};
}

Parsed<void> on_bsize(OptionContext& context, const Option& option) {
  if (context.sticky == Buffer::payload)
    return wrong(option, "It needs a buffer such as http.uri before it.");
  SizeCondition size;
  size.buffer = context.sticky;
  size.at = option.name.at;
  std::string_view text = option.value.text;
  const size_t between = text.find("<>");
  const auto number = [](std::string_view t) { return parse_number<uint32_t>(t); };
  std::optional<uint32_t> low, high;
  if (between != std::string_view::npos) {
    low = number(text.substr(0, between)), high = number(text.substr(between + 2));
    if (!low || !high || *low >= *high || *high - *low < 2)
      return wrong(option, "The range of sizes is empty.");
    size.min = *low + 1, size.max = *high - 1;
  } else if (text.starts_with('<')) {
    high = number(text.substr(1));
    if (!high || *high == 0) return wrong(option, "The size is not a number that a buffer can have.");
    size.max = *high - 1;
  } else if (text.starts_with('>')) {
    low = number(text.substr(1));
    if (!low || *low == size.max) return wrong(option, "The size is not a number that a buffer can have.");
    size.min = *low + 1;
  } else {
    low = number(text);
    if (!low) return wrong(option, "The size is not a number.");
    size.min = size.max = *low;
  }
  context.sticky_unused = false;
  context.rule.sizes.push_back(size);
  return {};
}

// --- tables ---

enum class Value : uint8_t { none, needed, optional };
struct Keyword {
  std::string_view name;
  Value value;
  Handler handler;
};

constexpr uint32_t kU32 = std::numeric_limits<uint32_t>::max();
constexpr std::array kKeywords = {
    Keyword{"msg", Value::needed, on_msg},
    Keyword{"sid", Value::needed, on_number<&Rule::sid, 1, kU32>},
    Keyword{"gid", Value::needed, on_number<&Rule::gid, 0, kMaxGid>},
    Keyword{"rev", Value::needed, on_number<&Rule::rev, 0, kU32>},
    Keyword{"priority", Value::needed, on_number<&Rule::priority, 1, 255>},
    Keyword{"classtype", Value::needed, on_classtype},
    Keyword{"reference", Value::needed, on_reference},
    Keyword{"metadata", Value::needed, on_metadata},
    Keyword{"target", Value::needed, on_target},
    Keyword{"flow", Value::needed, on_flow},
    Keyword{"content", Value::needed, on_content},
    Keyword{"nocase", Value::none, on_flag<&Content::nocase>},
    Keyword{"startswith", Value::none, on_flag<&Content::starts_with>},
    Keyword{"endswith", Value::none, on_flag<&Content::ends_with>},
    Keyword{"offset", Value::needed, on_position<uint32_t, &Content::offset, 0, 65'535>},
    Keyword{"depth", Value::needed, on_position<uint32_t, &Content::depth, 1, 65'535>},
    Keyword{"distance", Value::needed, on_position<int32_t, &Content::distance, -65'535, 65'535>},
    Keyword{"within", Value::needed, on_position<uint32_t, &Content::within, 1, 65'535>},
    Keyword{"fast_pattern", Value::optional, on_fast_pattern},
    Keyword{"bsize", Value::needed, on_bsize},
};

Parsed<void> unused_buffer(const OptionContext& context) {
  return refuse(context.sticky_token.at, context.sticky_token.text, "No content follows it.");
}

/// A keyword that names a buffer, sticky or in the older way after the content.
std::optional<Parsed<void>> handle_buffer(OptionContext& context, const Option& option) {
  for (const HttpBufferInfo& info : buffer_table()) {
    const bool sticky = option.name.text == info.sticky;
    const bool modifier = !info.modifier.empty() && option.name.text == info.modifier;
    if (!sticky && !modifier) continue;
    if (option.has_value) return wrong(option, "It takes no value.");
    if (sticky) {
      if (context.sticky_unused) return unused_buffer(context);
      context.sticky = info.buffer;
      context.sticky_token = option.name;
      context.sticky_unused = info.buffer != Buffer::payload;
      return Parsed<void>{};
    }
    Content* content = last_content(context);
    if (content == nullptr) return wrong(option, "No content stands before it.");
    if (content->buffer != Buffer::payload)
      return wrong(option, "The content before it has a buffer already.");
    content->buffer = info.buffer;
    return Parsed<void>{};
  }
  return std::nullopt;
}

Parsed<void> handle_option(OptionContext& context, const Option& option) {
  for (const Keyword& keyword : kKeywords) {
    if (keyword.name != option.name.text) continue;
    if (keyword.value == Value::needed && option.value.text.empty())
      return wrong(option, "It needs a value.");
    if (keyword.value == Value::none && option.has_value) return wrong(option, "It takes no value.");
    return keyword.handler(context, option);
  }
  if (auto handled = handle_buffer(context, option)) return *handled;
  return wrong(option, "This keyword is not supported.");
}

/// Takes the next option, up to a semicolon that is not escaped.
Parsed<Option> next_option(Token& rest) {
  size_t end = 0;
  while (end < rest.text.size() && rest.text[end] != ';') end += rest.text[end] == '\\' ? 2 : 1;
  if (end >= rest.text.size()) {
    return refuse(rest.at, rest.text.substr(0, rest.text.find_first_of(": \t")),
                  "The option does not end with a semicolon.");
  }
  const Token whole = rest.sub(0, end).trimmed();
  rest = rest.sub(end + 1).trimmed();
  const size_t colon = whole.text.find(':');
  Option option{whole.sub(0, colon).trimmed(), {}, colon != std::string_view::npos};
  if (option.has_value) option.value = whole.sub(colon + 1).trimmed();
  if (option.name.text.empty()) return refuse(whole.at, "", "A keyword is missing here.");
  return option;
}

}  // namespace

Parsed<void> parse_rule_options(Token options, Rule& rule) {
  OptionContext context{rule, Buffer::payload, {}, false, false, std::nullopt};
  Token rest = options.trimmed();
  while (!rest.text.empty()) {
    const auto option = next_option(rest);
    if (!option) return tl::unexpected(option.error());
    if (auto ok = handle_option(context, *option); !ok) return ok;
  }
  if (context.sticky_unused) return unused_buffer(context);
  if (rule.sid == 0) return refuse(options.at, "sid", "The rule has no sid.");
  if (!context.has_priority && context.class_priority) rule.priority = *context.class_priority;
  return check_rule(options.at, rule);
}

}  // namespace weir::inspection
