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
  automatic,  // "auto", as it is configured: see settled()
};
/// "drop-flow"; nullopt: there is no such policy.
std::optional<ExceptionPolicy> exception_policy(std::string_view name);
std::string_view name_of(ExceptionPolicy policy);
/// What "auto" means: drop-flow inline, ignore when watching.
constexpr ExceptionPolicy automatic(bool is_inline) {
  return is_inline ? ExceptionPolicy::drop_flow : ExceptionPolicy::ignore;
}
/// What a policy as it is configured comes to; the engine knows no other.
constexpr ExceptionPolicy settled(ExceptionPolicy configured, bool is_inline) {
  return configured == ExceptionPolicy::automatic ? automatic(is_inline) : configured;
}

/// The ceilings, by the names that events use.
enum class Ceiling : uint8_t {
  session_memory,     // no entry for another session
  reassembly_memory,  // a segment could not be recorded
  midstream,          // a session without its handshake
  app_memory,         // a parser reached the pool's end
  app_transactions,   // too many open
  app_malformed,      // a parser gave up
  domain_memory,      // the sessions of one domain have their share of the worker's memory
  dns_pointers,       // a name follows too many
  certificates,       // a chain of TLS has too many
  rule_work,          // a rule was given up: too much to look at, or too many steps of a regular expression
  count_
};
inline constexpr size_t kCeilings = static_cast<size_t>(Ceiling::count_);
std::string_view name_of(Ceiling ceiling);

using ExceptionPolicies = std::array<ExceptionPolicy, kCeilings>;
using ExceptionCounters = std::array<EventCount, kCeilings>;

}  // namespace weir::inspection
