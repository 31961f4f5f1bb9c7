// What control asks of workers: done by each worker in slices between its bursts, then acknowledged.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "dataplane/worker/dataplane.h"

namespace weir::dataplane {

/// Owned by control, which frees it when every worker has acknowledged.
struct Command {
  enum class Kind : uint8_t { drain, purge, purge_stale_adjacencies, list_sessions };
  Kind kind{};
  // What purge removes, in order.
  std::vector<AttachmentId> attachments;
  std::vector<uint16_t> domain_slots;

  /// One worker's part. Only that worker writes it, until `done`.
  struct Part {
    std::vector<SessionRow> rows;  // list_sessions: room made by control
    size_t found = 0;
    std::atomic<bool> done{false};
  };
  std::unique_ptr<Part[]> parts;  // by WorkerIndex

  bool names(AttachmentId id) const { return std::binary_search(attachments.begin(), attachments.end(), id); }
  bool names_domain(uint16_t slot) const {
    return std::binary_search(domain_slots.begin(), domain_slots.end(), slot);
  }
};

}  // namespace weir::dataplane
