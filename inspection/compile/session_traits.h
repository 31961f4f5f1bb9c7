// What a session is, as far as it tells which rules it can match.
#pragma once

#include <cstdint>

namespace weir::inspection {

/// What a session is, in one direction, as far as many rules need it. Of most rulesets one half is about what
/// leaves the network and the other about what comes into it, so one half cannot match in a session, and it
/// is not searched for those. Most sessions are of the web, and many rules about other ports alone, above all
/// those without a literal, which each packet would be held against.
using SessionTraits = uint8_t;               // of these bits
inline constexpr SessionTraits kLeaves = 1;  // between the two sets of addresses that most rules name
inline constexpr SessionTraits kEnters = 2;  // its source lies in the second of those
inline constexpr SessionTraits kOffWeb = 4;  // not HTTP or TLS on one of the web's ports, or not known to be
inline constexpr SessionTraits kAllTraits = kLeaves | kEnters | kOffWeb;

/// Which traits sessions can have at once.
enum class TraitsNeeded : uint8_t {
  any,
  one_way,  // nothing leaves and enters at once: the two sets of addresses have nothing in common
};

/// Whether a rule that needs so much can match in a session that is so.
constexpr bool is_meant(SessionTraits needs, SessionTraits traits) { return (needs & ~traits) == 0; }
/// Whether sessions can be so.
constexpr bool can_be(SessionTraits traits, TraitsNeeded needed) {
  constexpr SessionTraits kBothWays = kLeaves | kEnters;
  return needed == TraitsNeeded::any || (traits & kBothWays) != kBothWays;
}

}  // namespace weir::inspection
