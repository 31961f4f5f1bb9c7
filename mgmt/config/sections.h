// A checked document -> Config values, section by section.
#pragma once

#include <string>
#include <vector>

#include "mgmt/config/change.h"
#include "mgmt/config/config.h"
#include "mgmt/config/document.h"

namespace weir::config {

/// A Config and, for each element of its lists, the table that it was read from, so that later checks can
/// point at single keys. Lists and sources have the same order and size. Valid while the document lives.
struct Draft {
  const Document& document;
  Config config;
  std::vector<const Node*> ports, domains, attachments, routes, connections, prefixes, groups, services,
      policy, profiles, nat;
};

/// The table of a rule of address translation that says what it is. `wrong`: there is none, or more than one;
/// what that is about, and where.
struct NatTables {
  const Node* at = nullptr;
  std::string key;
  std::string wrong;
};
NatTables nat_tables_of(const Node& rule);

/// One table that check_changes_schema() left good. `kind` as in changeable_kinds().
ChangeSubject read_subject(std::string_view kind, const Document& document, const Node& table);

/// Takes what check_schema() left good; the rest keeps its default. Relative file names become absolute.
Draft read_sections(const Document& document);

}  // namespace weir::config
