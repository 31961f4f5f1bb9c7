#include "tests/hitless/floods.h"

namespace weir::hitless {

namespace {

constexpr auto kArpEvery = std::chrono::milliseconds(5);
/// Well under limits.icmp_errors_per_second and limits.punts_per_attachment.
constexpr auto kProbeEvery = std::chrono::milliseconds(25);
constexpr uint32_t kFlows = 512;  // of packets with a TTL of 1
constexpr uint8_t kUdp = 17, kIcmp = 1, kTimeExceeded = 11;
/// Where things lie in a frame from the hub that carries IPv4 or ARP.
constexpr size_t kEtherType = 62, kProtocol = 64 + 9, kIcmpType = 64 + 20;

}  // namespace

const char* name_of(FloodKind kind) {
  switch (kind) {
    case FloodKind::arp:
      return "ARP";
    case FloodKind::ttl:
      return "TTL 1";
    case FloodKind::fragments:
      return "fragments";
    case FloodKind::tiny:
      return "tiny";
  }
  return "";
}

Floods::Floods(const World& world, Traffic& traffic) : world_(world), traffic_(traffic) {}

bool Floods::stage(size_t length, rte_mbuf* buffer) {
  traffic_.stage_other(buffer, length);
  return true;
}

bool Floods::send(FloodKind kind) {
  rte_mbuf* buffer = traffic_.fresh();
  if (buffer == nullptr) return false;
  auto* out = rte_pktmbuf_mtod(buffer, uint8_t*);
  const auto number = static_cast<uint32_t>(sent_[static_cast<size_t>(kind)]++);
  const Spoke spoke = World::spoke(kFlooder);
  Packet packet;
  packet.flow = {false,
                 kUdp,
                 World::noise_host(kFlooder),
                 World::west_host(number % kFlows),
                 static_cast<uint16_t>(2'000 + number % kFlows),
                 33'434};
  packet.stamp = {kNobody, number, 0};
  switch (kind) {
    case FloodKind::arp:
      // Of 60,000 hosts in turn, which all say that they are where the flooder is.
      return stage(write_arp_request(out, world_.link(), spoke, World::noise_host(kFlooder) + number % 60'000,
                                     World::noise_gateway(kFlooder)),
                   buffer);
    case FloodKind::ttl:
      packet.hops = 1;
      break;
    case FloodKind::fragments:
      packet.part = Part::second;
      packet.stamp.sequence = 2 * number;  // names the datagram
      break;
    case FloodKind::tiny:
      return stage(write_tiny(out, world_.link(), spoke, number % 20), buffer);
  }
  return stage(write_frame(out, world_.link(), spoke, packet), buffer);
}

void Floods::step() {
  const auto now = Clock::now();
  const Spoke spoke = World::spoke(kBystander);
  if (now >= next_arp_) {
    if (rte_mbuf* buffer = traffic_.fresh()) {
      next_arp_ = now + kArpEvery;
      ++arp_asked_;
      stage(write_arp_request(rte_pktmbuf_mtod(buffer, uint8_t*), world_.link(), spoke,
                              World::noise_host(kBystander), World::noise_gateway(kBystander)),
            buffer);
    }
  }
  if (now >= next_probe_) {
    if (rte_mbuf* buffer = traffic_.fresh()) {
      next_probe_ = now + kProbeEvery;
      ++probes_sent_;
      Packet packet;
      packet.flow = {false, kUdp, World::noise_host(kBystander), World::west_host(1), 1'000, 33'434};
      packet.stamp = {kNobody, static_cast<uint32_t>(probes_sent_), 0};
      packet.hops = 1;
      stage(write_frame(rte_pktmbuf_mtod(buffer, uint8_t*), world_.link(), spoke, packet), buffer);
    }
  }
}

bool Floods::take(const Seen& seen, std::span<const uint8_t> frame) {
  if (seen.kind != Kind::strange || frame.size() <= kIcmpType) return false;
  const auto to = World::number_of(seen.vni);
  if (to != kFlooder && to != kBystander) return false;
  const bool arp = frame[kEtherType] == 0x08 && frame[kEtherType + 1] == 0x06;
  const bool exceeded = !arp && frame[kProtocol] == kIcmp && frame[kIcmpType] == kTimeExceeded;
  if (!arp && !exceeded) return false;
  if (to == kFlooder) {
    (arp ? replies_ : errors_) += 1;
  } else {
    (arp ? arp_answered_ : probes_answered_) += 1;
  }
  return true;
}

std::vector<std::string> Floods::problems() const {
  std::vector<std::string> problems;
  const auto judge = [&](const char* what, uint64_t asked, uint64_t answered) {
    if (asked == 0 || asked != answered)
      problems.push_back("of the bystander's " + std::to_string(asked) + " " + what + " " +
                         std::to_string(answered) + " were answered");
  };
  judge("ARP requests", arp_asked_, arp_answered_);
  judge("packets with a TTL of 1", probes_sent_, probes_answered_);
  return problems;
}

}  // namespace weir::hitless
