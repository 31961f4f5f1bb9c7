#include "inspection/rules/keyword.h"

#include <algorithm>
#include <unordered_map>

#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

/// Whether `option` looks into a buffer, and into which use.
std::optional<uint16_t> use_looked_into(const OptionValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<uint16_t> {
        if constexpr (requires { v.use; }) return v.use;
        return std::nullopt;
      },
      value);
}

}  // namespace

std::span<const Keyword> keywords() {
  static const std::vector<Keyword> table = [] {
    std::vector<Keyword> all;
    for (const auto part :
         {about_keywords(), content_keywords(), byte_keywords(), buffer_keywords(), transform_keywords(),
          packet_keywords(), flow_keywords(), effect_keywords(), app_keywords(), refused_keywords()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    std::sort(all.begin(), all.end(), [](const Keyword& a, const Keyword& b) { return a.name < b.name; });
    return all;
  }();
  return table;
}

const Keyword* find_keyword(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, const Keyword*> map;
    for (const Keyword& keyword : keywords()) map.emplace(keyword.name, &keyword);
    return map;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

Content* RuleContext::last_content() {
  for (auto option = rule.options.rbegin(); option != rule.options.rend(); ++option) {
    auto* content = std::get_if<Content>(&option->value);
    if (content == nullptr) continue;
    return !sticky || content->use == use ? content : nullptr;
  }
  return nullptr;
}

std::optional<Direction> read_direction(std::string_view text) {
  if (text == "to_server" || text == "toserver") return Direction::to_server;
  if (text == "to_client" || text == "toclient") return Direction::to_client;
  return std::nullopt;
}

uint16_t RuleContext::use_of(BufferId buffer, std::optional<Direction> side) {
  for (size_t i = 0; i < rule.uses.size(); ++i) {
    const BufferUse& known = rule.uses[i];
    if (known.buffer == buffer && known.side == side && known.transforms.empty())
      return static_cast<uint16_t>(i);
  }
  rule.uses.push_back({buffer, side, {}});
  return static_cast<uint16_t>(rule.uses.size() - 1);
}

int16_t RuleContext::slot(std::string_view name) const {
  const auto found = std::find(rule.slots.begin(), rule.slots.end(), name);
  return found == rule.slots.end() ? int16_t{-1} : static_cast<int16_t>(found - rule.slots.begin());
}

int16_t RuleContext::make_slot(std::string_view name) {
  if (const int16_t known = slot(name); known >= 0) return known;
  rule.slots.emplace_back(name);
  return static_cast<int16_t>(rule.slots.size() - 1);
}

uint16_t RuleContext::use_for(bool relative) const {
  if (sticky || !relative) return use;
  for (auto option = rule.options.rbegin(); option != rule.options.rend(); ++option) {
    if (const auto before = use_looked_into(option->value)) return *before;
  }
  return use;
}

Parsed<void> RuleContext::need_protocol(const OptionText& option, AppProtocol protocol) {
  if (protocol == AppProtocol::unknown || is_of(protocol, rule.app)) return {};
  if (is_of(rule.app, protocol) && !rule.protocol.is_app) {
    rule.app = protocol;  // of HTTP, and now of HTTP/2
    return {};
  }
  if (rule.app != AppProtocol::unknown) {
    return wrong(option, "It belongs to " + std::string(name_of(protocol)) + ", and the rule is one of " +
                             std::string(name_of(rule.app)) + ".");
  }
  if (rule.protocol.is_app) {
    // An application protocol that this engine does not know: the rule is refused for that already.
    return {};
  }
  rule.app = protocol;
  return {};
}

Parsed<Token> unquote(const OptionText& option, Token value) {
  if (value.text.size() < 2 || value.text.front() != '"' || value.text.back() != '"') {
    return refuse(option.name.at, option.name.text, "The value has to stand between quotation marks.");
  }
  return value.sub(1, value.text.size() - 2);
}

Token unquote_if_quoted(Token value) {
  if (value.text.size() < 2 || value.text.front() != '"' || value.text.back() != '"') return value;
  return value.sub(1, value.text.size() - 2).trimmed();
}

Parsed<Operand> read_operand(const RuleContext& context, const OptionText& option, Token text, int64_t min,
                             int64_t max) {
  if (const auto number = read_signed(text.text, min, max)) return Operand{*number, -1};
  const int16_t slot = context.slot(text.text);
  if (slot < 0) {
    return refuse(text.at, option.name.text,
                  "The value is no number from " + std::to_string(min) + " to " + std::to_string(max) +
                      " and no variable of an earlier byte_extract or byte_math.");
  }
  return Operand{0, slot};
}

}  // namespace weir::inspection::ast
