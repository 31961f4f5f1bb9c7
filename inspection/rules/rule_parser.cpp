#include "inspection/rules/rule_parser.h"

#include "inspection/rules/header_parser.h"
#include "inspection/rules/option_parser.h"
#include "inspection/rules/source_text.h"

namespace weir::inspection {

namespace {

Parsed<Rule> parse_rule(std::string_view text) {
  if (text.size() > kMaxRuleBytes) return refuse(0, "", "The rule is longer than 65536 bytes.");
  const Token line = Token{text, 0}.trimmed();
  const size_t open = line.text.find('(');
  if (open == std::string_view::npos) return refuse(line.at, "", "The rule has no options in parentheses.");
  if (line.text.back() != ')') {
    return refuse(line.at + line.text.size() - 1, "", "The rule does not end with a closing parenthesis.");
  }
  Rule rule;
  if (auto ok = parse_rule_header(line.sub(0, open).trimmed(), rule); !ok) return tl::unexpected(ok.error());
  const Token options = line.sub(open + 1, line.text.size() - open - 2);
  if (auto ok = parse_rule_options(options, rule); !ok) return tl::unexpected(ok.error());
  return rule;
}

}  // namespace

void RuleParser::parse_file(const std::string& file, std::string_view text, ParsedRules& out) {
  for (const LogicalLine& line : split_rule_lines(text)) {
    auto rule = parse_rule(line.text);
    if (rule && !seen_.insert({rule->gid, rule->sid}).second) {
      const size_t at = line.text.find_first_not_of(" \t");
      rule = refuse(at, "sid", "Another rule has the sid " + std::to_string(rule->sid) + " already.");
    }
    if (!rule) {
      const SourcePosition where = line.position(rule.error().at);
      out.issues.push_back({file, where.line, where.column, rule.error().keyword, rule.error().message});
      continue;
    }
    rule->file = file;
    rule->line = line.position(line.text.find_first_not_of(" \t")).line;
    out.rules.push_back(std::move(*rule));
  }
}

}  // namespace weir::inspection
