#include "mgmt/config/change_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "mgmt/config/schema.h"
#include "mgmt/config/sections.h"

namespace weir::config {

namespace {

/// One table of a document of changes.
struct Written {
  const Node* table;
  ChangeVerb verb;
  std::string_view kind;
};

/// The TOML library gathers the tables of one name; the order in which they are written is that of their
/// lines.
std::vector<Written> in_order(const Document& document) {
  std::vector<Written> all;
  for (const Node& verb : document.root.children) {
    for (const Node& kind : verb.children) {
      for (const Node& table : kind.children) all.push_back({&table, *verb_of(verb.key), kind.key});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Written& a, const Written& b) {
    return std::tie(a.table->line, a.table->column) < std::tie(b.table->line, b.table->column);
  });
  return all;
}

RulePlace place_of(const Document& document, const Node& table, Problems& problems) {
  const Node* before = table.get("before");
  const Node* after = table.get("after");
  if (before != nullptr && after != nullptr) {
    problems.add(document.at(*after), "policy[].after",
                 "a rule goes before another one or behind it; leave one out");
  }
  if (before != nullptr) return {RulePlace::Side::before, before->text};
  if (after != nullptr) return {RulePlace::Side::after, after->text};
  return {};
}

/// Puts all that the document has under one verb.
void put_under(ChangeVerb verb, Document& document) {
  Node table;
  table.key = word_of(verb);
  table.children = std::move(document.root.children);
  document.root.children.clear();
  document.root.children.push_back(std::move(table));
}

void forget_places(Node& node) {
  node.line = node.column = node.key_line = node.key_column = 0;
  for (Node& child : node.children) forget_places(child);
}

}  // namespace

std::string_view word_of(ChangeVerb verb) {
  constexpr std::string_view kWords[] = {"add", "remove", "replace", "extend", "reduce"};
  return kWords[static_cast<size_t>(verb)];
}

std::optional<ChangeVerb> verb_of(std::string_view word) {
  for (const ChangeVerb verb :
       {ChangeVerb::add, ChangeVerb::remove, ChangeVerb::replace, ChangeVerb::extend, ChangeVerb::reduce}) {
    if (word_of(verb) == word) return verb;
  }
  return std::nullopt;
}

tl::expected<ModelChanges, std::vector<Problem>> read_changes(Document document,
                                                              std::optional<ChangeVerb> verb) {
  if (verb) put_under(*verb, document);
  Problems problems;
  check_changes_schema(document, problems);
  if (!problems.empty()) return tl::unexpected(problems.take());
  ModelChanges changes;
  for (const Written& w : in_order(document)) {
    if (w.kind == "nat" && w.verb != ChangeVerb::remove) {
      if (NatTables tables = nat_tables_of(*w.table); !tables.wrong.empty()) {
        problems.add(document.at(*tables.at), std::move(tables.key), std::move(tables.wrong));
        continue;
      }
    }
    ModelChange change{w.verb, read_subject(w.kind, document, *w.table)};
    if (w.kind == "policy") change.place = place_of(document, *w.table, problems);
    changes.push_back(std::move(change));
  }
  if (!problems.empty()) return tl::unexpected(problems.take());
  return changes;
}

tl::expected<ModelChanges, std::vector<Problem>> read_changes_text(std::string_view text,
                                                                   const std::string& source,
                                                                   std::optional<ChangeVerb> verb) {
  auto document = parse_document(text, source);
  if (!document) {
    if (source.empty()) document.error().where = {};
    return tl::unexpected(std::vector<Problem>{std::move(document.error())});
  }
  if (source.empty()) forget_places(document->root);
  return read_changes(*std::move(document), verb);
}

}  // namespace weir::config
