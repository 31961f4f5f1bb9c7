// The compiled XDP program as it lies inside the binary.
#pragma once

#include <cstddef>
#include <span>

namespace weir::feed {

/// The ELF object of feed.bpf.c.
std::span<const std::byte> feed_object();

}  // namespace weir::feed
