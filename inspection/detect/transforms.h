// What transforms make of a buffer. Worker thread; memory from the packet's scratch.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "inspection/compile/transform_chains.h"
#include "inspection/detect/scratch_bytes.h"

namespace weir::inspection {

/// The outcome of all steps, in `scratch` or in `bytes` itself; nullopt: there is not enough scratch memory.
/// A step that does not apply (no base64, no match) leaves the bytes as they are, as Suricata does.
std::optional<std::span<const uint8_t>> apply_transforms(const std::vector<TransformStep>& steps,
                                                         std::span<const uint8_t> bytes,
                                                         ScratchBytes& scratch, PcreScratch& pcre);

}  // namespace weir::inspection
