#include "inspection/compile/rules_report.h"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "inspection/compile/rule_summary.h"

namespace weir::inspection {

namespace {

std::string why_nothing_proposes(const DetectionRule& rule) {
  bool contents = false, expressions = false;
  for (const BufferPart& part : rule.parts) {
    for (const ByteCheck& check : part.checks) {
      contents |= std::holds_alternative<ContentCheck>(check);
      expressions |= std::holds_alternative<PcreCheck>(check);
    }
  }
  if (contents) return "All its contents are negated or lie where no literal is looked for.";
  if (expressions) return "It has a pcre without a content, and no literal that every match of it contains.";
  return "It only computes with bytes: no content proposes it.";
}

std::string why_slow(const DetectionRule& rule, bool nothing_proposes) {
  if (nothing_proposes) return why_nothing_proposes(rule);
  if (rule.fast.part < 0 || rule.fast.bytes.size() >= kShortLiteral) return "";
  return "Its longest literal has " + std::to_string(rule.fast.bytes.size()) +
         (rule.fast.bytes.size() == 1 ? " byte." : " bytes.");
}

RuleNeeds needs_of(const DetectionRule& rule, bool nothing_proposes) {
  RuleNeeds needs;
  needs.gid = rule.info.gid;
  needs.sid = rule.info.sid;
  needs.rev = rule.info.rev;
  needs.file = rule.info.file;
  needs.line = rule.info.line;
  needs.message = rule.info.signature;
  needs.moment = moment_of(rule);
  for (const BufferPart& part : rule.parts) {
    std::string name = buffer_name(part);
    if (std::find(needs.buffers.begin(), needs.buffers.end(), name) == needs.buffers.end()) {
      needs.buffers.push_back(std::move(name));
    }
  }
  if (rule.fast.part >= 0) needs.literal = as_content(rule.fast.bytes);
  needs.slow = why_slow(rule, nothing_proposes);
  return needs;
}

// --- tables ---

using Row = std::vector<std::string>;

std::string table(const Row& head, const std::vector<Row>& rows) {
  std::vector<size_t> width(head.size(), 0);
  const auto measure = [&](const Row& row) {
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  };
  measure(head);
  std::for_each(rows.begin(), rows.end(), measure);
  std::string out;
  const auto add = [&](const Row& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + (i + 1 < row.size() ? std::string(width[i] - row[i].size() + 2, ' ') : "");
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add(head);
  std::for_each(rows.begin(), rows.end(), add);
  return out;
}

/// Control bytes of a rule's text do not reach the terminal.
std::string shown(std::string_view text, size_t longest = 60) {
  std::string out;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  if (text.size() > longest) out += "...";
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "-" : out;
}

std::string place(const ast::Issue& issue, const ast::ParsedRuleset& parsed) {
  return shown(parsed.files[issue.file], 200) + ":" + std::to_string(issue.line) + ":" +
         std::to_string(issue.column);
}

std::string_view word_of(ast::Issue::Kind kind) {
  switch (kind) {
    case ast::Issue::Kind::wrong:
      return "wrong";
    case ast::Issue::Kind::unsupported:
      return "not supported";
    case ast::Issue::Kind::skipped:
      return "left out";
  }
  return "";
}

std::string print_summary(const RulesReport& report) {
  std::map<std::string, size_t> moments, buffers;
  size_t slow = 0;
  for (const RuleNeeds& rule : report.rules) {
    ++moments[rule.moment];
    for (const std::string& buffer : rule.buffers) ++buffers[buffer];
    slow += rule.slow.empty() ? 0 : 1;
  }
  std::string out = std::to_string(report.loaded) + " rules load, " + std::to_string(report.refused) +
                    " are refused, " + std::to_string(report.skipped) + " left out, " + std::to_string(slow) +
                    " are slow.\n";
  if (report.enabled + report.disabled + report.changed + report.silenced != 0) {
    out += "By the profile's lists " + std::to_string(report.enabled) + " are enabled, " +
           std::to_string(report.disabled) + " disabled, " + std::to_string(report.changed) +
           " have another action, " + std::to_string(report.silenced) + " are suppressed.\n";
  }
  for (const std::string& warning : report.warnings) out += "warning: " + shown(warning, 400) + "\n";
  out += "\n";
  const auto rows_of = [](const std::map<std::string, size_t>& counts) {
    std::vector<std::pair<std::string, size_t>> sorted(counts.begin(), counts.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::vector<Row> rows;
    for (const auto& [name, count] : sorted) rows.push_back({std::to_string(count), name});
    return rows;
  };
  if (!moments.empty()) out += table({"RULES", "JUDGED BY"}, rows_of(moments)) + "\n";
  if (!buffers.empty()) out += table({"RULES", "LOOK INTO"}, rows_of(buffers)) + "\n";
  return out;
}

}  // namespace

RulesReport make_rules_report(const ast::ParsedRuleset& parsed, const DetectionRuleset& compiled) {
  RulesReport report;
  report.issues = parsed.issues;
  report.issues.insert(report.issues.end(), compiled.issues().begin(), compiled.issues().end());
  const std::set<uint32_t> slow(compiled.slow().begin(), compiled.slow().end());
  for (uint32_t i = 0; i < compiled.rules().size(); ++i) {
    report.rules.push_back(needs_of(compiled.rule(i), slow.contains(i)));
  }
  // Compiled rules lie in the order of judgement; people know them by their place.
  std::stable_sort(report.rules.begin(), report.rules.end(), [](const RuleNeeds& a, const RuleNeeds& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  report.loaded = compiled.rules().size();
  report.refused = parsed.refused + (parsed.rules.size() - compiled.rules().size());
  report.skipped = parsed.skipped;
  report.enabled = parsed.enabled;
  report.disabled = parsed.disabled;
  report.changed = parsed.changed;
  report.silenced = parsed.silenced;
  return report;
}

std::string print_rules_report(const RulesReport& report, const ast::ParsedRuleset& parsed, bool each) {
  std::string out = print_summary(report);
  std::vector<Row> rows;
  for (const ast::Issue& issue : report.issues) {
    rows.push_back({place(issue, parsed), issue.sid == 0 ? "-" : std::to_string(issue.sid),
                    std::string(word_of(issue.kind)), shown(issue.keyword), shown(issue.message, 200)});
  }
  if (!rows.empty()) out += table({"PLACE", "SID", "", "KEYWORD", "REASON"}, rows) + "\n";
  rows.clear();
  for (const RuleNeeds& rule : report.rules) {
    if (rule.slow.empty()) continue;
    rows.push_back({shown(rule.file, 200) + ":" + std::to_string(rule.line), std::to_string(rule.sid),
                    shown(rule.message), rule.slow});
  }
  if (!rows.empty()) out += table({"SLOW", "SID", "", "WHY"}, rows) + "\n";
  rows.clear();
  if (!each) return out;
  for (const RuleNeeds& rule : report.rules) {
    rows.push_back({shown(rule.file, 200) + ":" + std::to_string(rule.line), std::to_string(rule.sid),
                    rule.moment, joined(rule.buffers), rule.literal.empty() ? "-" : shown(rule.literal)});
  }
  return out + table({"RULE", "SID", "JUDGED BY", "LOOKS INTO", "PROPOSED BY"}, rows);
}

nlohmann::ordered_json rules_report_json(const RulesReport& report, const ast::ParsedRuleset& parsed) {
  using Json = nlohmann::ordered_json;
  Json issues = Json::array(), rules = Json::array();
  for (const ast::Issue& issue : report.issues) {
    issues.push_back({{"file", parsed.files[issue.file]},
                      {"line", issue.line},
                      {"column", issue.column},
                      {"sid", issue.sid},
                      {"kind", std::string(word_of(issue.kind))},
                      {"keyword", issue.keyword},
                      {"reason", issue.message}});
  }
  for (const RuleNeeds& rule : report.rules) {
    rules.push_back({{"file", rule.file},
                     {"line", rule.line},
                     {"gid", rule.gid},
                     {"sid", rule.sid},
                     {"rev", rule.rev},
                     {"msg", rule.message},
                     {"judged_by", rule.moment},
                     {"looks_into", rule.buffers},
                     {"proposed_by", rule.literal},
                     {"slow", rule.slow}});
  }
  return {{"loaded", report.loaded},       {"refused", report.refused},   {"skipped", report.skipped},
          {"enabled", report.enabled},     {"disabled", report.disabled}, {"changed", report.changed},
          {"suppressed", report.silenced}, {"warnings", report.warnings}, {"issues", std::move(issues)},
          {"rules", std::move(rules)}};
}

}  // namespace weir::inspection
