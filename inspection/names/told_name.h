// Names that somebody says a session has, where nobody has seen it: of `weirctl policy test` and the like.
#pragma once

#include <string>
#include <string_view>

#include "inspection/names/name_question.h"

namespace weir::inspection {

/// May sessions over TCP, or over UDP, have names of this kind?
bool occurs_over(NameKind kind, uint8_t protocol);

/// What is wrong with such a name, in the words of read_name_pattern(); empty if nothing is. What no rule
/// could ask for is refused, and so is a pattern. Pure; any thread.
std::string misfit_of_told_name(NameKind kind, std::string_view name);

}  // namespace weir::inspection
