// The bytes of a `content`: text, |hex| and escapes.
#pragma once

#include <string>

#include "inspection/rules/parse_support.h"

namespace weir::inspection::ast {

/// The longest content, in bytes: a longer one would not fit a window with its context.
inline constexpr size_t kMaxContentBytes = 8'192;

/// The bytes that `value`, what lies between the quotation marks, stands for: |hex| and the escapes
/// \" \; \\ \: resolved. Errors name `keyword`.
Parsed<std::string> read_content_bytes(Token value, std::string_view keyword);

}  // namespace weir::inspection::ast
