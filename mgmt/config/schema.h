// Checks a document against the key table: unknown keys, wrong kinds, ranges, what is missing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mgmt/config/document.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// Reports everything that the key table alone can tell, and marks what is wrong as `bad`, each table around
/// it included. Afterwards every value that is not bad has the kind and form that its key declares.
void check_schema(Document& document, Problems& problems);

/// The same of a document of changes: `add`, `remove` and `replace`, each with lists of the things that can
/// be changed at run time, and `extend` and `reduce` with lists of groups. What a removal says has to be what
/// names the thing, what the last two say has to be members.
void check_changes_schema(Document& document, Problems& problems);

/// "domain", "attachment", "route", "connection", "group", "policy", "nat": what can be changed at run time.
std::span<const std::string_view> changeable_kinds();

/// What is wrong with `text` as the value of one key (or of an element of its list), in the words of
/// check_schema(); numbers and truth values are read from the text.
std::optional<std::string> problem_of_text(std::string_view key, std::string_view text);
/// That the key is missing, in the same words.
std::string missing_text(std::string_view key);

}  // namespace weir::config
