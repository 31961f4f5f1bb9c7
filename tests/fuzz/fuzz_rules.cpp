// Any bytes as a rule file: each logical line becomes a rule or an issue with a place, sets bind, and the
// rules compile.
#include <cstdlib>

#include "inspection/compile/compile_rule.h"
#include "inspection/rules/language.h"
#include "inspection/rules/source_text.h"

using namespace weir::inspection;

namespace {

/// What a rule names by index has to be there.
void check_rule(const ast::Rule& rule, const ast::ParsedRuleset& parsed) {
  if (rule.uses.empty() || rule.uses[0].buffer != BufferId::payload || !rule.uses[0].transforms.empty())
    std::abort();
  if (rule.source >= parsed.addresses.entries().size() ||
      rule.destination_ports >= parsed.ports.entries().size()) {
    std::abort();
  }
  for (const ast::Option& option : rule.options) {
    std::visit(
        [&](const auto& value) {
          if constexpr (requires { value.use; }) {
            if (value.use >= rule.uses.size()) std::abort();
          }
          if constexpr (requires { value.bytes.empty(); }) {
            if (value.bytes.empty()) std::abort();
          }
        },
        option.value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ast::ParsedRuleset parsed;
  ast::RuleReader().read("fuzz.rules", text, parsed);
  if (parsed.rules.size() + parsed.refused + parsed.skipped != split_rule_lines(text).size()) std::abort();
  for (const ast::Issue& issue : parsed.issues) {
    if (issue.line == 0 || issue.column == 0 || issue.message.empty() || to_string(issue, parsed).empty())
      std::abort();
  }
  const ast::RuleVariables variables = ast::RuleVariables::defaults();
  for (const ast::SetExpression& entry : parsed.addresses.entries())
    (void)ast::bind_addresses(entry, variables);
  for (const ast::SetExpression& entry : parsed.ports.entries()) (void)ast::bind_ports(entry, variables);
  FlowBitNames flowbits;
  TransformChains chains;
  // No file is read for what a fuzzer makes up: every list holds its own name.
  ValueSets sets(parsed,
                 [](const std::string&, const std::string& name) { return weir::Result<std::string>(name); });
  std::vector<SavedSet> saved;
  PcreCodes expressions;
  RuleCompileContext context{parsed, flowbits, chains, expressions, sets, saved};
  for (ast::Rule& rule : parsed.rules) {
    check_rule(rule, parsed);
    (void)compile_rule(rule, context);
  }
  return 0;
}
