// Names of things that outlive a loop turn: an index with a generation, never a pointer.
//
// An index is given out again only after every worker purged what names it, and then with the next
// generation, so that a stale id is recognised wherever it turns up (ring, queue, session, timer).
#pragma once

#include <compare>
#include <cstdint>

namespace weir::dataplane {

/// `index` in the low 20 bits, `generation` in the high 12. Generation 0 is never given out, so that a
/// zeroed id is no id.
template <typename Tag>
struct Id {
  static constexpr uint32_t kIndexBits = 20;
  static constexpr uint32_t kMaxIndex = (1u << kIndexBits) - 1;
  static constexpr uint32_t kMaxGeneration = (1u << (32 - kIndexBits)) - 1;

  uint32_t value = 0;

  static constexpr Id make(uint32_t index, uint32_t generation) {
    return {generation << kIndexBits | (index & kMaxIndex)};
  }
  constexpr uint32_t index() const { return value & kMaxIndex; }
  constexpr uint32_t generation() const { return value >> kIndexBits; }
  constexpr bool valid() const { return generation() != 0; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

using AttachmentId = Id<struct AttachmentTag>;
using DomainId = Id<struct DomainTag>;
/// A next hop inside an attachment: (attachment, inner address) and the MAC it has now.
using AdjacencyId = Id<struct AdjacencyTag>;
using PortIndex = uint16_t;
using WorkerIndex = uint8_t;
using ProfileIndex = uint16_t;

/// The VXLAN network identifier, 24 bits, host order.
struct Vni {
  uint32_t value = 0;
  static constexpr uint32_t kMax = 0xff'ffff;
  friend constexpr auto operator<=>(const Vni&, const Vni&) = default;
};

}  // namespace weir::dataplane
