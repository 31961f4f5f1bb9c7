// The compiled XDP program as it lies inside this binary.
#pragma once

#include <cstddef>
#include <span>

namespace weir::dataplane {

/// The ELF object of xdp/steer.bpf.c.
std::span<const std::byte> steer_object();

}  // namespace weir::dataplane
