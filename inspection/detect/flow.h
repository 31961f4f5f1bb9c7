// What an Inspector remembers of one session.
#pragma once

#include <array>
#include <cstdint>

#include "inspection/compile/ruleset.h"
#include "inspection/inspector.h"
#include "inspection/stream/tcp_stream.h"

namespace weir::inspection {

/// Rules that have alerted, so that they do so once in each direction. Of fixed size: when it is full,
/// further alerts of the session are lost and counted; drops are not affected.
class AlertedRules {
 public:
  enum class Insert : uint8_t { added, present, full };
  void clear() { count_ = 0; }
  Insert insert(uint64_t rule_key, Direction direction) {
    const uint64_t entry = rule_key | static_cast<uint64_t>(direction) << 63;
    for (size_t i = 0; i < count_; ++i) {
      if (entries_[i] == entry) return Insert::present;
    }
    if (count_ == entries_.size()) return Insert::full;
    entries_[count_++] = entry;
    return Insert::added;
  }

 private:
  std::array<uint64_t, 32> entries_{};
  size_t count_ = 0;
};

struct Flow {
  FlowInfo info;
  Transport transport = Transport::other;
  bool open = false;
  uint8_t generation = 0;
  uint32_t next_free = 0;
  uint64_t ruleset_serial = 0;  // the ruleset seen last

  std::array<bool, 2> seen{};  // a packet in that direction
  bool syn = false, syn_ack = false;
  bool established = false;
  bool dropped = false;
  uint32_t dropped_by = 0;  // sid
  /// Which header-only rules were judged, by direction: 0 none, 1 before, 2 after it was established.
  std::array<uint8_t, 2> header_judged{};

  std::array<StreamState, 2> streams;
  bool http_begun = false;
  AlertedRules alerted;
};

}  // namespace weir::inspection
