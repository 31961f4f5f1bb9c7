// One spoke that floods, and another one beside it that wants what every spoke may want from the hub.
//
// The flooder sends ARP requests of ever new hosts, packets with a TTL of 1, second fragments of
// datagrams that never begin, or tunnel packets with hardly anything inside. The bystander asks for its
// gateway's MAC and sends a traceroute's probes, all the time, and is to be answered each time. Tester's
// thread only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/hitless/traffic.h"

namespace weir::hitless {

enum class FloodKind : uint8_t { arp, ttl, fragments, tiny };
inline constexpr std::array kFloodKinds = {FloodKind::arp, FloodKind::ttl, FloodKind::fragments,
                                           FloodKind::tiny};
const char* name_of(FloodKind kind);

class Floods {
 public:
  Floods(const World& world, Traffic& traffic);

  /// Stages one frame of the flooder. False: no packet buffer was free.
  bool send(FloodKind kind);
  /// What the bystander asks now. Call about every 100 us.
  void step();
  /// Takes a frame that is for the flooder or the bystander; false for others, and for questions of the hub.
  bool take(const Seen& seen, std::span<const uint8_t> frame);

  uint64_t sent(FloodKind kind) const { return sent_[static_cast<size_t>(kind)]; }
  /// ARP replies, and ICMP errors, to the flooder.
  uint64_t replies() const { return replies_; }
  uint64_t errors() const { return errors_; }
  /// Of the bystander: a line for each thing that was asked and not answered as often.
  std::vector<std::string> problems() const;
  uint64_t asked() const { return arp_asked_ + probes_sent_; }

 private:
  bool stage(size_t length, rte_mbuf* buffer);

  const World& world_;
  Traffic& traffic_;
  std::array<uint64_t, kFloodKinds.size()> sent_{};
  uint64_t replies_ = 0, errors_ = 0;
  uint64_t arp_asked_ = 0, arp_answered_ = 0, probes_sent_ = 0, probes_answered_ = 0;
  Clock::time_point next_arp_, next_probe_;
};

}  // namespace weir::hitless
