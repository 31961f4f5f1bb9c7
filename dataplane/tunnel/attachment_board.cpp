#include "dataplane/tunnel/attachment_board.h"

#include <algorithm>
#include <bit>

namespace weir::dataplane {

AttachmentTallies::AttachmentTallies(uint32_t capacity)
    : entries_(new AttachmentTally[std::bit_ceil(std::max(capacity, 1u))]),
      mask_(std::bit_ceil(std::max(capacity, 1u)) - 1) {}

}  // namespace weir::dataplane
