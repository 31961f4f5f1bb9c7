// Any bytes as a rule file: each logical line becomes a rule or an issue, and the rules compile.
#include <cstdlib>

#include "inspection/compile/ruleset.h"
#include "inspection/rules/rule_parser.h"
#include "inspection/rules/source_text.h"

using namespace weir::inspection;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ParsedRules parsed;
  RuleParser().parse_file("fuzz.rules", text, parsed);
  if (parsed.rules.size() + parsed.issues.size() != split_rule_lines(text).size()) std::abort();
  for (const RuleIssue& issue : parsed.issues) {
    if (issue.line == 0 || issue.column == 0 || issue.message.empty()) std::abort();
  }
  // Compiling is Hyperscan's work and slow; a few rules are enough to reach ours.
  if (!parsed.rules.empty() && parsed.rules.size() <= 4 && !Ruleset::compile(std::move(parsed.rules), 1))
    std::abort();
  return 0;
}
