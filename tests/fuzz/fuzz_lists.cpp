// The first line is an entry of a list, the rest a rule file: only `disable` takes rules away.
#include <algorithm>
#include <cstdlib>

#include "inspection/rules/language.h"

using namespace weir::inspection;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(all.find('\n'), all.size());
  const std::string pattern(all.substr(0, end));
  const std::string_view text = all.substr(std::min(end + 1, all.size()));
  ast::ParsedRuleset plain;
  ast::RuleReader().read("fuzz.rules", text, plain);
  for (size_t c = 0; c < ast::kRuleChangeNames.size(); ++c) {
    const auto change = static_cast<ast::RuleChange>(c);
    auto lists = ast::RuleLists::make({{change, pattern}});
    if (!lists) {
      if (lists.error().empty()) std::abort();
      return 0;
    }
    ast::RuleReader reader(ast::ClassTable::defaults(), std::move(*lists));
    ast::ParsedRuleset parsed;
    reader.read("fuzz.rules", text, parsed);
    const bool fewer = parsed.rules.size()<plain.rules.size(), more = parsed.rules.size()> plain.rules.size();
    if (change == ast::RuleChange::disable ? more : fewer || parsed.disabled != 0) std::abort();
    if (more && change != ast::RuleChange::enable) std::abort();
  }
  return 0;
}
