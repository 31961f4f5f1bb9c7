// Cuts IP packets into fragments, and puts them together again, the plain way and sharing nothing with the
// hub.
#pragma once

#include <vector>

#include "tests/support/packet_builder.h"

namespace weir::test {

/// `frame` with its IP packet, which begins at `ip_offset`, in pieces of at most `size` payload bytes (a
/// multiple of 8). IPv6 without extension headers.
std::vector<Bytes> fragments_of(const Bytes& frame, size_t size, uint32_t id = 0x1234, size_t ip_offset = 14);

/// The frame of which these are the fragments, in any order; empty if they do not fit together.
Bytes whole_of(std::vector<Bytes> frames, size_t ip_offset = 14);

}  // namespace weir::test
