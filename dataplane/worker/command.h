// What control asks of workers: done by each worker in slices between its bursts, then acknowledged.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "dataplane/worker/dataplane.h"

namespace weir::dataplane {

/// Owned by control, which frees it when every worker has acknowledged.
struct Command {
  enum class Kind : uint8_t { drain, purge_attachment, purge_domain, purge_stale_adjacencies, list_sessions };
  Kind kind{};
  uint32_t id = 0;  // of what is purged

  /// One worker's part. Only that worker writes it, until `done`.
  struct Part {
    std::vector<SessionRow> rows;  // list_sessions: room made by control
    size_t found = 0;
    std::atomic<bool> done{false};
  };
  std::unique_ptr<Part[]> parts;  // by WorkerIndex
};

}  // namespace weir::dataplane
