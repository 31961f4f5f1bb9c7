#include "inspection/rules/language.h"

#include <algorithm>

#include "inspection/rules/keyword.h"
#include "inspection/rules/rule_header.h"
#include "inspection/rules/rule_validate.h"
#include "inspection/rules/source_text.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

constexpr size_t kMaxOptions = 512;

/// Cuts the next option off `rest`, which becomes what lies behind its semicolon. A semicolon behind a
/// backslash ends nothing.
Parsed<OptionText> next_option(Token& rest) {
  size_t end = 0;
  for (;; ++end) {
    end = rest.text.find(';', end);
    if (end == std::string_view::npos) {
      const Token left = rest.trimmed();
      return refuse(left.at, left.text.substr(0, std::min<size_t>(left.text.find(':'), 64)),
                    "No semicolon ends this option.");
    }
    if (end == 0 || rest.text[end - 1] != '\\') break;
  }
  const Token whole = rest.sub(0, end);
  rest = rest.sub(end + 1);
  OptionText option;
  const size_t colon = whole.text.find(':');
  option.name = whole.sub(0, colon).trimmed();
  option.has_value = colon != std::string_view::npos;
  if (option.has_value) option.value = whole.sub(colon + 1).trimmed();
  return option;
}

Parsed<void> read_option(RuleContext& context, const OptionText& option) {
  const Keyword* keyword = find_keyword(option.name.text);
  if (keyword == nullptr) keyword = find_keyword(lower(option.name.text));
  if (keyword == nullptr) {
    return refuse(option.name.at, option.name.text.substr(0, 64), "The keyword is unknown.");
  }
  if (keyword->value == Value::required && option.value.text.empty()) {
    return wrong(option, "The keyword needs a value.");
  }
  if (keyword->value == Value::none && option.has_value && !option.value.text.empty()) {
    return wrong(option, "The keyword takes no value.");
  }
  if (keyword->support == Support::refused) context.refuse_support(option, std::string(keyword->note));
  if (keyword->parse == nullptr) return {};
  return keyword->parse(context, option, *keyword);
}

Parsed<void> read_options(RuleContext& context, Token options) {
  size_t count = 0;
  Token rest = options;
  while (!rest.trimmed().text.empty()) {
    if (++count > kMaxOptions) return refuse(rest.at, "", "The rule has more than 512 options.");
    auto option = next_option(rest);
    if (!option) return tl::unexpected(option.error());
    if (option->name.text.empty() && !option->has_value) continue;  // ";;"
    // Behind what is not supported other keywords may look wrong; they are read for what they need only.
    if (auto ok = read_option(context, *option); !ok && context.unsupported.empty()) return ok;
    if (!context.skip_reason.empty()) return {};
  }
  return {};
}

Parsed<void> read_rule(RuleContext& context, Token line, SetTable& addresses, SetTable& ports) {
  if (line.text.size() > kMaxRuleBytes) return refuse(line.at, "", "The rule is longer than 65536 bytes.");
  const size_t open = line.text.find('(');
  if (open == std::string_view::npos) return refuse(line.at, "", "The rule has no options in parentheses.");
  if (line.text.back() != ')') {
    return refuse(line.at + line.text.size() - 1, "", "The rule does not end with a closing parenthesis.");
  }
  context.rule.uses.push_back({BufferId::payload, {}, {}});
  const Token options = line.sub(open + 1, line.text.size() - open - 2);
  auto header = read_rule_header(context, line.sub(0, open), addresses, ports);
  // What the options ask for comes first: a rule for a later release may have a header that is new too.
  if (auto ok = read_options(context, options); !ok) return header ? ok : header;
  if (!context.skip_reason.empty()) return {};
  if (!header) return header;
  return validate_rule(context, options.at);
}

/// A number of a rule by its keyword, before the rule is read, or if its text is wrong; 0: there is none.
uint32_t guess_number(std::string_view text, std::string_view keyword) {
  for (size_t at = text.find(keyword); at != std::string_view::npos; at = text.find(keyword, at + 1)) {
    // "sid:" and not "flowbits:set,x.sid:".
    const bool begins = at == 0 || text[at - 1] == ';' || text[at - 1] == '(' || is_blank(text[at - 1]);
    if (!begins) continue;
    const std::string_view rest = trim(text.substr(at + keyword.size()));
    const auto number = read_number(rest.substr(0, rest.find_first_not_of("0123456789")), 0xffff'ffff);
    return number ? static_cast<uint32_t>(*number) : 0;
  }
  return 0;
}
uint32_t guess_sid(std::string_view text) { return guess_number(text, "sid:"); }

/// A comment that may be a rule: behind its marks there is an action and somewhere a sid.
Token rule_in_comment(std::string_view text) {
  const size_t begin = text.find_first_not_of("# \t");
  if (begin == std::string_view::npos) return {};
  const Token rest = Token{text, 0}.sub(begin).trimmed();
  const std::string_view word = rest.text.substr(0, rest.text.find_first_of(" \t"));
  return is_action(word) && rest.text.ends_with(')') && guess_sid(rest.text) != 0 ? rest : Token{};
}

bool has_noalert(const Rule& rule) {
  return std::any_of(rule.options.begin(), rule.options.end(),
                     [](const Option& option) { return std::holds_alternative<NoAlert>(option.value); });
}

}  // namespace

void RuleReader::take(Rule rule, ParsedRuleset& out) {
  const auto [known, added] = by_number_.try_emplace({rule.gid, rule.sid}, out.rules.size());
  if (added) {
    out.rules.push_back(std::move(rule));
    return;
  }
  Rule& other = out.rules[known->second];
  const bool replaces = rule.rev > other.rev;
  const Rule& loser = replaces ? other : rule;
  const Rule& winner = replaces ? rule : other;
  const bool same = rule.rev == other.rev;
  const std::string where = out.files[winner.file] + ":" + std::to_string(winner.line);
  out.issues.push_back({same ? Issue::Kind::wrong : Issue::Kind::skipped, loser.file, loser.line,
                        loser.column, loser.sid, "sid",
                        same ? "Another rule has this sid already: " + where + "."
                             : "A rule with this sid and a higher rev stands at " + where + "."});
  ++(same ? out.refused : out.skipped);
  if (replaces) other = std::move(rule);
}

struct RuleReader::Line {
  const LogicalLine& whole;
  Token rule;
  RuleLists::Effect effect = {};

  SourcePosition position(size_t at) const { return whole.position(std::min(at, whole.text.size())); }
};

RuleLists::Effect RuleReader::effect_of(const Line& line, std::string_view file) {
  const uint32_t gid = guess_number(line.rule.text, "gid:");
  return lists_.of({gid == 0 ? 1 : gid, guess_sid(line.rule.text), file, line.rule.text});
}

void RuleReader::read(std::string_view file, std::string_view text, ParsedRuleset& out) {
  const auto file_index = static_cast<uint32_t>(out.files.size());
  out.files.emplace_back(file);
  for (const LogicalLine& logical : split_rule_lines(text, lists_.enables())) {
    Line line{logical, logical.comment ? rule_in_comment(logical.text) : Token{logical.text, 0}.trimmed()};
    if (line.rule.text.empty()) continue;
    if (!lists_.empty()) line.effect = effect_of(line, file);
    if (logical.comment && !line.effect.on) continue;
    if (line.effect.off && !line.effect.on) {
      ++out.disabled;
      continue;
    }
    out.enabled += logical.comment ? 1 : 0;
    read_line(line, file_index, out);
  }
}

void RuleReader::read_line(const Line& line, uint32_t file, ParsedRuleset& out) {
  Rule rule;
  RuleContext context(rule, classes_);
  const auto read = read_rule(context, line.rule, out.addresses, out.ports);
  if (!context.has_priority && context.has_class) rule.priority = context.class_priority;
  const auto issue = [&](Issue::Kind kind, const ParseError& error) {
    const SourcePosition where = line.position(error.at);
    out.issues.push_back({kind, file, where.line, where.column,
                          rule.sid != 0 ? rule.sid : guess_sid(line.rule.text), error.keyword,
                          error.message});
  };
  if (!context.skip_reason.empty()) {
    issue(Issue::Kind::skipped, {line.rule.at, "requires", context.skip_reason});
    ++out.skipped;
    return;
  }
  for (const ParseError& error : context.unsupported) issue(Issue::Kind::unsupported, error);
  if (!read && context.unsupported.empty()) issue(Issue::Kind::wrong, read.error());
  if (!read || !context.unsupported.empty()) {
    ++out.refused;
    return;
  }
  const SourcePosition where = line.position(line.rule.at);
  rule.file = file;
  rule.line = where.line;
  rule.column = where.column;
  rule.text = std::string(line.rule.text);
  // A rule that only marks sessions for others would drop them if it did more.
  if (line.effect.action && *line.effect.action != rule.action && !has_noalert(rule)) {
    rule.action = *line.effect.action;
    ++out.changed;
  }
  for (Reference& reference : rule.references) reference.prefix = references_.prefix(reference.type);
  rule.silent = line.effect.silent;
  out.silenced += rule.silent ? 1 : 0;
  take(std::move(rule), out);
}

std::string to_string(const Issue& issue, const ParsedRuleset& rules) {
  std::string text =
      rules.files[issue.file] + ":" + std::to_string(issue.line) + ":" + std::to_string(issue.column) + ": ";
  if (!issue.keyword.empty()) text += issue.keyword + ": ";
  return text + issue.message;
}

}  // namespace weir::inspection::ast
