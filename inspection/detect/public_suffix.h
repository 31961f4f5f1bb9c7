// Where the registered part of a host name begins, by the public suffix list (publicsuffix.org, libpsl).
//
// The list is that of the library, built in. Nothing is allocated. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace weir::inspection {

/// "evil.co.uk" of "www.evil.co.uk": the end of `name`, in its own letters. Nothing if it has no registered
/// part, is longer than a name may be (RFC 1035 section 2.3.4), or is not ASCII.
std::optional<std::span<const uint8_t>> registered_domain(std::span<const uint8_t> name);
/// "co.uk" of it; the last label where the list says nothing of it.
std::optional<std::span<const uint8_t>> public_suffix(std::span<const uint8_t> name);

}  // namespace weir::inspection
