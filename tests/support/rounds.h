// How often a random test tries.
#pragma once

namespace weir::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

/// `rounds`, or an eighth under sanitizers, which make each of them that much slower. What goes wrong in
/// memory does so in the first ones; that answers are right is shown without.
constexpr int rounds(int rounds) { return kSanitized ? rounds / 8 : rounds; }

}  // namespace weir::test
