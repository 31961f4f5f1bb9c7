// The literals of a Suricata ruleset for the frozen reference: one for each enabled rule.
//
// A benchmark compares the engine with one Hyperscan database of all of them. So that this database stays the
// same whatever the engine becomes, the rules are read here by a small reader of contents of its own, and the
// SHA-256 of the list is committed in bench/reference_literals.digest.
//
// What is taken: of each line that is not empty and not a comment, the content with `fast_pattern`, else the
// longest one (of equal ones the first); never a negated one. `fast_pattern:OFFSET,LENGTH` takes the whole
// content. With `nocase` the letters A-Z become small. Each pair of bytes and case flag counts once.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/result.h"

namespace weir::bench {

struct ReferenceLiteral {
  std::string bytes;
  bool nocase = false;
  auto operator<=>(const ReferenceLiteral&) const = default;
};

/// Of one line of a rule file; nothing if it is no rule or has no content that could be taken.
std::optional<ReferenceLiteral> reference_literal(std::string_view line);

/// Of a whole rule file: sorted by bytes, then case flag; none twice.
std::vector<ReferenceLiteral> reference_literals(std::string_view text);

/// The list in the form that the digest is made of: for each literal its bytes in hexadecimal, a blank, 1 if
/// case does not matter, else 0, and a line feed.
std::string canonical_text(const std::vector<ReferenceLiteral>& literals);

/// "HEX COUNT", as bench/reference_literals.digest has it: the SHA-256 of the canonical text, and how many.
std::string digest_of(const std::vector<ReferenceLiteral>& literals);

/// The literals of the corpus. An error: no corpus, or other rules than those of the committed digest.
Result<std::vector<ReferenceLiteral>> load_reference_literals();

}  // namespace weir::bench
