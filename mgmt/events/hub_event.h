// Events that the hub makes about itself, beside those of the workers: today an attachment's change of state.
//
// Control puts them, the writer thread takes them; a full queue loses the event and counts it.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace weir::events {

/// An attachment came up, went down, or is no longer known to be either.
struct AttachmentEvent {
  uint64_t time_ns = 0;  // monotonic
  std::string attachment, domain;
  std::string state, was, reason;
};

/// One line of EVE JSON, without the line end: `event_type` is "attachment". `offset_ns`: what to add to a
/// monotonic time to get nanoseconds since 1970.
std::string to_eve_json(const AttachmentEvent& event, int64_t offset_ns);

class HubEvents {
 public:
  static constexpr size_t kCapacity = 16'384;

  // --- any thread ---
  void put(AttachmentEvent event);
  /// At most `max`, in the order in which they were put.
  std::vector<AttachmentEvent> take(size_t max);
  uint64_t lost() const;

 private:
  mutable std::mutex mutex_;
  std::deque<AttachmentEvent> queue_;
  uint64_t lost_ = 0;
};

}  // namespace weir::events
