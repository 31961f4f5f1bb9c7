#include "dataplane/tunnel/attachment_board.h"

#include <algorithm>
#include <bit>

namespace weir::dataplane {

AttachmentTallies::AttachmentTallies(uint32_t capacity)
    : mask_(std::bit_ceil(std::clamp(capacity, 1u, AttachmentId::kMaxIndex + 1)) - 1) {
  entries_ = std::make_unique<AttachmentTally[]>(mask_ + 1);
}

}  // namespace weir::dataplane
