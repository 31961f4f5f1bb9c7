// Which bytes of a rule are worth looking for: how seldom they are to be expected in ordinary traffic.
//
// Pure; the builder's thread.
#pragma once

#include <string>
#include <string_view>

namespace weir::inspection {

/// No longer literal is looked for: what is beyond selects no better, and as many bytes are scanned again at
/// the end of a stream's block.
inline constexpr size_t kLongestLiteral = 16;

/// How much it tells that the bytes stand somewhere; larger is rarer. Text that stands in everybody's
/// requests and answers tells next to nothing, however long it is.
double strength(std::string_view bytes);

struct Stretch {
  std::string_view bytes;
  double strength = 0;
};
/// The strongest stretch of at most kLongestLiteral bytes.
Stretch strongest_stretch(std::string_view bytes);

}  // namespace weir::inspection
