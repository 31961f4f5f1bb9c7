// Changes at run time as text: the schema of the configuration file, under `add`, `remove` and `replace`;
// members of groups under `extend` and `reduce`.
//
//     [[add.attachment]]
//     name = "spoke-7"
//     ...
//     [[remove.route]]
//     domain = "prod"
//     prefix = "10.9.0.0/16"
//
// Pure. Any thread. What only the model can tell (is there such a domain) is for
// control::Control::transact().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "mgmt/config/change.h"
#include "mgmt/config/document.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// The changes in the order in which they are written, or every problem that the text has. `source` names it
/// in messages; an empty one leaves places out of them, for text that nobody has written. With a `verb` the
/// text has none, but things as a configuration file has them: `[[attachment]]`.
tl::expected<ModelChanges, std::vector<Problem>> read_changes_text(
    std::string_view text, const std::string& source, std::optional<ChangeVerb> verb = std::nullopt);

/// The same of a tree that was made from another notation. Where lines are equal (or not known) tables stay
/// in the order of the tree.
tl::expected<ModelChanges, std::vector<Problem>> read_changes(Document document,
                                                              std::optional<ChangeVerb> verb = std::nullopt);

/// "add", "remove", "replace", "extend" and "reduce".
std::string_view word_of(ChangeVerb verb);
std::optional<ChangeVerb> verb_of(std::string_view word);

}  // namespace weir::config
