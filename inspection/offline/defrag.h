// IP datagrams put together from their fragments, by Suricata's policies for overlaps. Offline tool only: the
// hub's fragments are held by dataplane/fragment, which knows packets by pointer and refuses overlaps, as a
// hub may and a watcher may not.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::inspection::offline {

/// Whose bytes count where fragments overlap (Novak, Target-Based Fragmentation Reassembly, 2005).
enum class OverlapPolicy : uint8_t { bsd, first, last, linux_, windows };

struct FragmentPiece {
  net::IpAddress src, dst;
  uint32_t id = 0;
  uint8_t protocol = 0;     // IPv4; 0 for IPv6, where it is no part of the name
  uint8_t next_header = 0;  // of the payload, as this fragment's header says
  uint16_t vlan = 0;
  uint8_t level = 0;
  uint32_t offset = 0;
  bool more = false;
  std::span<const uint8_t> header;  // what precedes the payload, as in the first fragment
  std::span<const uint8_t> data;
};

class Defragmenter {
 public:
  /// `trackers`: datagrams in pieces at one time; beyond, the oldest goes. `timeout_ns` by capture time.
  explicit Defragmenter(OverlapPolicy policy = OverlapPolicy::bsd, size_t trackers = 65'535,
                        uint64_t timeout_ns = 60'000'000'000u)
      : policy_(policy), limit_(trackers), timeout_ns_(timeout_ns) {}

  /// What is told of a fragment; the first three if the datagram is whole: what it is made of, and the first
  /// fragment's next header.
  struct Told {
    std::vector<uint8_t>& header;
    std::vector<uint8_t>& payload;
    uint8_t& next_header;
    bool& overlap;    // it covers bytes that another brought
    bool& too_large;  // it reaches beyond the longest datagram
  };
  /// True: the datagram is whole.
  bool add(const FragmentPiece& piece, uint64_t now_ns, Told told);
  uint64_t timeouts() const { return timeouts_; }

 private:
  struct Key {
    net::IpAddress src, dst;
    uint32_t id;
    uint8_t protocol;
    uint8_t level;
    uint16_t vlan;
    auto operator<=>(const Key&) const = default;
  };
  struct Part {
    uint32_t offset;
    std::vector<uint8_t> data;
    uint32_t end() const { return offset + static_cast<uint32_t>(data.size()); }
  };
  struct Tracker {
    uint64_t since_ns = 0;
    uint32_t length = 0;  // of the payload, once the last fragment came
    bool has_last = false, has_first = false;
    bool too_large = false;  // was told
    uint8_t next_header = 0;
    size_t held = 0;
    std::vector<uint8_t> header;
    std::vector<Part> parts;  // as they came
  };
  static constexpr size_t kMaxParts = 65'535 / 8;
  void expire(uint64_t now_ns);
  bool build(const Tracker& tracker, std::vector<uint8_t>& payload) const;
  bool newer_wins(uint32_t new_offset, uint32_t new_end, uint32_t old_offset, uint32_t old_end) const;

  OverlapPolicy policy_;
  size_t limit_;
  uint64_t timeout_ns_;
  uint64_t timeouts_ = 0;
  std::map<Key, Tracker> trackers_;
  std::list<std::pair<uint64_t, Key>> order_;  // by age
};

}  // namespace weir::inspection::offline
