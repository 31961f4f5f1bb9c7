// What the sessions of one domain may have of what a worker has for all, so that none takes it from the
// others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir::inspection {

/// Tables that count by domain have so many places, a power of two: twice as many as the domains that a hub
/// is built for. With more, some share a count.
inline constexpr size_t kDomainPlaces = 2'048;

/// Of `whole` so much is one domain's, if its share is `percent`: one at least, since a domain whose share is
/// rounded to nothing would have no inspection at all.
constexpr uint64_t domain_share(uint64_t whole, uint32_t percent) {
  return std::max<uint64_t>(whole / 100 * percent + whole % 100 * percent / 100, 1);
}

}  // namespace weir::inspection
