// What gives way when a ceiling is reached or something cannot be understood: Suricata's exception policies,
// by their names, one for each ceiling.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "inspection/event_count.h"

namespace weir::inspection {

enum class ExceptionPolicy : uint8_t {
  ignore,  // inspection goes on as well as it can
  drop_flow,
  drop_packet,
  reject,  // drop_flow, and whoever sent it is told
  bypass,  // the session takes the fast path
  pass_flow,
  pass_packet,
};
/// "drop-flow"; nullopt: there is no such policy. "auto" is not one: ask automatic().
std::optional<ExceptionPolicy> exception_policy(std::string_view name);
std::string_view name_of(ExceptionPolicy policy);
/// What "auto" means: drop-flow inline, ignore when watching.
constexpr ExceptionPolicy automatic(bool is_inline) {
  return is_inline ? ExceptionPolicy::drop_flow : ExceptionPolicy::ignore;
}

/// The ceilings, by the names that events use.
enum class Ceiling : uint8_t {
  session_memory,     // no entry for another session
  reassembly_memory,  // a segment could not be recorded
  midstream,          // a session without its handshake
  app_memory,         // a parser reached the pool's end
  app_transactions,   // too many open
  app_malformed,      // a parser gave up
  count_
};
inline constexpr size_t kCeilings = static_cast<size_t>(Ceiling::count_);
std::string_view name_of(Ceiling ceiling);

using ExceptionPolicies = std::array<ExceptionPolicy, kCeilings>;
using ExceptionCounters = std::array<EventCount, kCeilings>;

}  // namespace weir::inspection
