// What the test does to itself, to show that it notices: between the hub's port and the checker.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "tests/hitless/frame.h"

namespace weir::hitless {

enum class Sabotage : uint8_t {
  none,
  drop,         // one packet
  duplicate,    // one packet
  reorder,      // one packet comes after the next one of its session
  members,      // two attachments of one ECMP group change places
  attachments,  // an attachment of west and one of east change places
  inherit       // one packet to a spoke that went comes out at the spoke after it
};
std::optional<Sabotage> parse_sabotage(std::string_view text);

class Saboteur {
 public:
  using Deliver = std::function<void(const Seen&)>;
  explicit Saboteur(Sabotage what) : what_(what) {}

  /// From now on.
  void arm() { armed_ = what_ != Sabotage::none; }
  bool armed() const { return armed_; }
  /// Delivers a data packet as it is, or not so.
  void pass(Seen seen, const Deliver& deliver);

 private:
  Sabotage what_;
  bool armed_ = false;
  std::optional<Seen> held_;
};

}  // namespace weir::hitless
