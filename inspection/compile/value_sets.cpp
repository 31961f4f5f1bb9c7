#include "inspection/compile/value_sets.h"

namespace weir::inspection {

ValueSets::ValueSets(const ast::ParsedRuleset& parsed, ListReader read)
    : parsed_(parsed), read_(std::move(read)) {
  for (const ast::Rule& rule : parsed.rules) {
    for (const ast::Option& option : rule.options) {
      const auto* const set = std::get_if<ast::Dataset>(&option.value);
      if (set != nullptr && !set->load.empty()) definitions_.try_emplace(set->name, Definition{&rule, set});
    }
  }
}

template <typename Make>
Result<SharedSet> ValueSets::once(const std::string& kind, const ast::Rule& rule, const std::string& list,
                                  bool may_miss, Make&& make) {
  const std::string file = rule.file < parsed_.files.size() ? parsed_.files[rule.file] : std::string();
  const std::string key = kind + '\n' + file + '\n' + list;
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const auto text = read_(file, list);
  if (!text && may_miss) return known_[key] = nullptr;
  if (!text) return tl::unexpected(text.error());
  auto made = make(*text);
  if (!made) return tl::unexpected(std::move(made.error()).context(list));
  return known_[key] = std::make_shared<const ValueSet>(std::move(*made));
}

Result<SharedSet> ValueSets::of(const ast::Rule&, const ast::Dataset& asked) {
  const auto definition = definitions_.find(asked.name);
  if (definition == definitions_.end()) return SharedSet();
  const ast::Dataset& set = *definition->second.set;
  return once("dataset " + set.name, *definition->second.rule, set.load, set.load_may_miss,
              [&](const std::string& text) {
                return set.format == ast::Dataset::Format::lines ? ValueSet::from_lines(set.type, text)
                                                                 : ValueSet::from_json(set, text);
              });
}

Result<SharedSet> ValueSets::of(const ast::Rule& rule, const ast::Datarep& rep) {
  return once("datarep " + rep.name, rule, rep.load, false,
              [&](const std::string& text) { return ValueSet::from_reputations(rep.type, text); });
}

Result<SharedSet> ValueSets::of(const ast::Rule& rule, const ast::FileHash& hash) {
  return once("checksums " + std::to_string(static_cast<int>(hash.kind)), rule, hash.list, false,
              [&](const std::string& text) { return ValueSet::from_checksums(hash.kind, text); });
}

}  // namespace weir::inspection
