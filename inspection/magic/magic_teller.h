// Who says what a file is by its first bytes: libmagic, with its database.
//
// Not for workers: it allocates, and takes as long as it takes. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/net/result.h"

namespace weir::inspection {

class MagicTeller {
 public:
  virtual ~MagicTeller() = default;
  /// Writes the text into `text`, clipped to its size; how long it is. Nothing: libmagic failed.
  virtual std::optional<size_t> tell(std::span<const uint8_t> begin, std::span<char> text) = 0;
};

/// The system's libmagic and its usual database. The error is libmagic's own sentence.
Result<std::unique_ptr<MagicTeller>> open_libmagic();

}  // namespace weir::inspection
