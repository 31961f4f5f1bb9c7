// Keywords that say what a rule is: names, classes, references, what it asks of the engine.
#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

/// The release of Suricata whose language this is: what `requires: version` is held against.
constexpr unsigned kLanguageVersion[3] = {8, 0, 5};

Parsed<void> on_msg(RuleContext& context, const OptionText& option, const Keyword&) {
  if (context.has_message) return wrong(option, "It stands twice.");
  auto inner = unquote(option, option.value);
  if (!inner) return tl::unexpected(inner.error());
  context.has_message = true;
  for (size_t i = 0; i < inner->text.size(); ++i) {
    const char c = inner->text[i];
    if (c == '\\' && i + 1 < inner->text.size()) {
      const char next = inner->text[i + 1];
      if (next == '"' || next == ';' || next == '\\' || next == ':') ++i;
    }
    context.rule.message.push_back(inner->text[i]);
  }
  return {};
}

enum IdNumber { kSid, kRev, kGid };

Parsed<void> on_id(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  Rule& rule = context.rule;
  const uint32_t max = keyword.number == kGid ? kMaxGid : std::numeric_limits<uint32_t>::max();
  const auto value = read_number(unquote_if_quoted(option.value).text, max);
  if (!value || (*value == 0 && keyword.number == kSid)) {
    return wrong(option, "The value has to be a number from " +
                             std::string(keyword.number == kSid ? "1" : "0") + " to " + std::to_string(max) +
                             ".");
  }
  bool* once = keyword.number == kSid   ? &context.has_sid
               : keyword.number == kRev ? &context.has_rev
                                        : nullptr;
  if (once != nullptr && *once) return wrong(option, "It stands twice.");
  if (once != nullptr) *once = true;
  (keyword.number == kSid   ? rule.sid
   : keyword.number == kRev ? rule.rev
                            : rule.gid) = static_cast<uint32_t>(*value);
  return {};
}

Parsed<void> on_priority(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto value = read_number(unquote_if_quoted(option.value).text, 255);
  if (!value || *value == 0) return wrong(option, "The value has to be a number from 1 to 255.");
  context.rule.priority = static_cast<uint8_t>(*value);
  context.has_priority = true;
  return {};
}

Parsed<void> on_classtype(RuleContext& context, const OptionText& option, const Keyword&) {
  Rule& rule = context.rule;
  const std::string_view name = unquote_if_quoted(option.value).text;
  const RuleClass* found = context.classes->find(name);
  // A class that the classification file does not have is no reason to lose the rule.
  const uint8_t priority = found ? found->priority : 3;
  if (context.has_class && priority >= context.class_priority) return {};
  rule.class_name = name;
  rule.class_text = found ? found->text : "";
  context.class_priority = priority;
  context.has_class = true;
  return {};
}

Parsed<void> on_reference(RuleContext& context, const OptionText& option, const Keyword&) {
  const Token value = unquote_if_quoted(option.value);
  const size_t comma = value.text.find(',');
  if (comma == std::string_view::npos || comma == 0 || comma + 1 == value.text.size()) {
    return wrong(option, "The value has to be 'type,text'.");
  }
  context.rule.references.push_back(
      {std::string(trim(value.text.substr(0, comma))), std::string(trim(value.text.substr(comma + 1)))});
  return {};
}

Parsed<void> on_metadata(RuleContext& context, const OptionText& option, const Keyword&) {
  for (const Token& piece : split(option.value, ',')) {
    if (!piece.text.empty()) context.rule.metadata.emplace_back(piece.text);
  }
  return {};
}

Parsed<void> on_target(RuleContext& context, const OptionText& option, const Keyword&) {
  const bool source = option.value.text == "src_ip";
  if (!source && option.value.text != "dest_ip") return wrong(option, "The value is src_ip or dest_ip.");
  const Target::Is is = source ? Target::Is::source : Target::Is::destination;
  for (const Option& before : context.rule.options) {
    const auto* target = std::get_if<Target>(&before.value);
    if (target != nullptr && target->is != is)
      return wrong(option, "It stands twice and contradicts itself.");
  }
  context.add(option, Target{is});
  return {};
}

// --- requires ---

/// -1, 0, 1: how this language's version stands to `text`, or nothing if that is no version.
std::optional<int> version_against(std::string_view text) {
  unsigned i = 0;
  int order = 0;
  const auto pieces = split({text, 0}, '.');
  if (pieces.size() > 3) return std::nullopt;
  for (const Token& piece : pieces) {
    const auto number = read_number(piece.text.substr(0, piece.text.find('-')), 10'000);
    if (!number) return std::nullopt;
    if (order == 0 && *number != kLanguageVersion[i]) order = kLanguageVersion[i] > *number ? 1 : -1;
    ++i;
  }
  for (; i < 3 && order == 0; ++i) order = kLanguageVersion[i] > 0 ? 1 : 0;
  return order;
}

/// "version >= 8.0.1", one condition. Nothing: not understood.
std::optional<bool> version_holds(std::string_view text) {
  static constexpr std::pair<std::string_view, int> kOps[] = {{">=", 0}, {"<=", 1}, {">", 2},
                                                              {"<", 3},  {"==", 4}, {"=", 4}};
  for (const auto& [sign, op] : kOps) {
    if (!take_prefix(text, sign)) continue;
    const auto order = version_against(text);
    if (!order) return std::nullopt;
    switch (op) {
      case 0:
        return *order >= 0;
      case 1:
        return *order <= 0;
      case 2:
        return *order > 0;
      case 3:
        return *order < 0;
      default:
        return *order == 0;
    }
  }
  return std::nullopt;
}

/// All conditions between blanks hold ("version >= 7.0.3 < 8"), for one of the alternatives between bars.
std::optional<bool> versions_hold(std::string_view text) {
  bool one = false;
  for (const Token& alternative : split({text, 0}, '|')) {
    std::string_view rest = alternative.text;
    if (rest.empty()) return std::nullopt;
    bool all = true;
    while (!rest.empty()) {
      // One sign, its number, up to the next sign.
      const size_t number = rest.find_first_not_of("<>= ");
      if (number == std::string_view::npos) return std::nullopt;
      const size_t end = std::min(rest.find_first_of("<>=", number), rest.size());
      const auto holds = version_holds(trim(rest.substr(0, end)));
      if (!holds) return std::nullopt;
      all = all && *holds;
      rest = trim(rest.substr(end));
    }
    one = one || all;
  }
  return one;
}

Parsed<void> on_requires(RuleContext& context, const OptionText& option, const Keyword&) {
  for (const Token& piece : split(option.value, ',')) {
    std::string_view rest = piece.text;
    const size_t blank = rest.find_first_of(" \t<>=");
    const std::string_view what = rest.substr(0, blank);
    rest = blank == std::string_view::npos ? std::string_view() : trim(rest.substr(blank));
    if (what == "version") {
      const auto holds = versions_hold(rest);
      if (!holds) return wrong(option, "The condition on the version cannot be read.");
      if (!*holds) context.skip_reason = "It asks for another version than 8.0: '" + std::string(rest) + "'.";
    } else if (what == "keyword") {
      const Keyword* named = find_keyword(rest);
      if (named == nullptr || named->support == Support::refused) {
        context.skip_reason = "It asks for the keyword '" + std::string(rest) + "', which is not supported.";
      }
    } else if (what == "feature") {
      context.skip_reason = "It asks for the feature '" + std::string(rest) + "'.";
    } else {
      context.skip_reason = "It asks for something unknown: '" + std::string(what) + "'.";
    }
  }
  return {};
}

constexpr KeywordGroup kGroup = KeywordGroup::about;
constexpr Keyword kKeywords[] = {
    {"msg", kGroup, Value::required, on_msg, Support::yes, "", "what the alert says"},
    {"sid", kGroup, Value::required, on_id, Support::yes, "", "the rule's number; required, once per gid",
     kSid},
    {"rev", kGroup, Value::required, on_id, Support::yes, "", "its revision", kRev},
    {"gid", kGroup, Value::required, on_id, Support::yes, "", "who made the number; 1 unless given", kGid},
    {"priority", kGroup, Value::required, on_priority, Support::yes, "",
     "1 is the most severe; over that of the classtype"},
    {"classtype", kGroup, Value::required, on_classtype, Support::yes, "",
     "its class, of classification.config"},
    {"reference", kGroup, Value::required, on_reference, Support::yes, "", "where to read more"},
    {"metadata", kGroup, Value::required, on_metadata, Support::yes, "", "words for the event"},
    {"target", kGroup, Value::required, on_target, Support::yes, "", "which end is the victim"},
    {"requires", kGroup, Value::required, on_requires, Support::yes, "",
     "leaves the rule out unless the engine has what it asks for"},
};

}  // namespace

std::span<const Keyword> about_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
