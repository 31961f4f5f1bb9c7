#include "mgmt/underlay/arp_resolver.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "dataplane/net/headers.h"

namespace weir::underlay {
namespace {

using net::ArpPacket;
using net::EthHeader;

constexpr net::Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr uint16_t kHardwareEthernet = 1;
constexpr size_t kFrameBytes = 60;  // the least that Ethernet carries, without its checksum

/// The ARP packet of a frame for IPv4 over Ethernet, or nothing.
std::optional<ArpPacket> parse(std::span<const uint8_t> frame) {
  if (frame.size() < sizeof(EthHeader) + sizeof(ArpPacket)) return std::nullopt;
  EthHeader ethernet;
  std::memcpy(&ethernet, frame.data(), sizeof(ethernet));
  ArpPacket arp;
  std::memcpy(&arp, frame.data() + sizeof(ethernet), sizeof(arp));
  const bool well_formed =
      ethernet.type.host() == net::kEtherArp && arp.hardware.host() == kHardwareEthernet &&
      arp.protocol.host() == net::kEtherIpv4 && arp.hardware_size == 6 && arp.protocol_size == 4;
  if (!well_formed) return std::nullopt;
  return arp;
}

bool subnet_contains(const net::InterfaceAddress& own, net::Ipv4 address) {
  return own.address.is_v4() && own.subnet().contains(net::IpAddress(address));
}

}  // namespace

bool ArpResolver::owns(net::Ipv4 local) const {
  return std::any_of(port_.addresses.begin(), port_.addresses.end(),
                     [&](const auto& own) { return own.address == net::IpAddress(local); });
}

Result<net::Ipv4> ArpResolver::next_hop(net::Ipv4 local, net::Ipv4 remote) const {
  const std::string way = net::to_string(remote) + " from " + net::to_string(local);
  if (owns(remote)) return fail(ErrorCode::not_found, "no way to " + way + ": it is the hub's own address");
  for (const auto& own : port_.addresses) {
    if (subnet_contains(own, remote)) return remote;
  }
  if (port_.gateway) return *port_.gateway;
  return fail(ErrorCode::not_found,
              "no way to " + way + ": it is on no subnet of port " + port_.name + ", which has no gateway");
}

net::Ipv4 ArpResolver::question_source(net::Ipv4 local, net::Ipv4 target) const {
  for (const auto& own : port_.addresses) {
    if (subnet_contains(own, target)) return own.address.v4();
  }
  return local;
}

Result<Hop> ArpResolver::resolve(net::Ipv4 local, net::Ipv4 remote) {
  const auto target = next_hop(local, remote);
  if (!target) return tl::unexpected(target.error());
  Neighbor& neighbor = neighbors_[*target];
  if (neighbor.watches.empty()) neighbor.ask_from = question_source(local, *target);
  neighbor.watches.emplace(local, remote);
  if (!neighbor.mac && !neighbor.asked && budget_ > 0) {
    ask(*target, neighbor);
    neighbor.asked = true;
  }
  return Hop{port_.index, neighbor.mac, port_.mtu, true};
}

void ArpResolver::forget(net::Ipv4 local, net::Ipv4 remote) {
  const auto target = next_hop(local, remote);
  if (!target) return;
  const auto found = neighbors_.find(*target);
  if (found == neighbors_.end()) return;
  found->second.watches.erase({local, remote});
  if (found->second.watches.empty()) neighbors_.erase(found);
}

void ArpResolver::ask(net::Ipv4 target, const Neighbor& neighbor) {
  if (budget_ > 0) --budget_;
  EthHeader ethernet{};
  ethernet.dst = neighbor.mac.value_or(kBroadcast);
  ethernet.src = port_.mac;
  ethernet.type = net::be16::of(net::kEtherArp);
  ArpPacket arp{};
  arp.hardware = net::be16::of(kHardwareEthernet);
  arp.protocol = net::be16::of(net::kEtherIpv4);
  arp.hardware_size = 6;
  arp.protocol_size = 4;
  arp.operation = net::be16::of(ArpPacket::kRequest);
  arp.sender_mac = port_.mac;
  arp.sender_ip = neighbor.ask_from.be();
  arp.target_ip = target.be();
  std::array<uint8_t, kFrameBytes> frame{};
  std::memcpy(frame.data(), &ethernet, sizeof(ethernet));
  std::memcpy(frame.data() + sizeof(ethernet), &arp, sizeof(arp));
  send_(port_.index, frame);
}

bool ArpResolver::on_arp(std::span<const uint8_t> frame) {
  const auto arp = parse(frame);
  if (!arp) return false;
  const net::Ipv4 sender{arp->sender_ip.host()};
  const net::Ipv4 target{arp->target_ip.host()};
  const auto found = neighbors_.find(sender);
  if (found == neighbors_.end()) return false;
  const net::Mac mac = arp->sender_mac;
  if (mac.is_multicast() || mac.is_zero() || mac == port_.mac) return false;
  const bool reply_to_us = arp->operation.host() == ArpPacket::kReply && owns(target);
  // A question to us tells as much as an answer; one for its own address announces a change (RFC 5227 section
  // 3).
  const bool request = arp->operation.host() == ArpPacket::kRequest && (owns(target) || target == sender);
  if (!reply_to_us && !request) return false;
  Neighbor& neighbor = found->second;
  const bool changed = neighbor.mac != mac;
  neighbor.mac = mac;
  neighbor.unanswered = 0;
  neighbor.due_known = false;  // the next tick counts kRefresh from then
  return changed;
}

/// What is due for one neighbour now. True if its address was forgotten.
bool ArpResolver::expire(net::Ipv4 target, Neighbor& neighbor, dataplane::NanoTime now) {
  if (!neighbor.due_known) {
    neighbor.due_known = true;
    neighbor.retry = kFirstRetry;
    // Not asked yet: the budget was used up when it was wanted.
    neighbor.due = neighbor.mac ? now + kRefresh : neighbor.asked ? now + kFirstRetry : now;
  }
  if (now < neighbor.due || budget_ == 0) return false;
  bool forgotten = false;
  if (neighbor.mac && neighbor.unanswered >= kMisses) {
    neighbor.mac.reset();
    neighbor.retry = kFirstRetry;
    forgotten = true;
  }
  ask(target, neighbor);
  neighbor.asked = true;
  ++neighbor.unanswered;
  neighbor.due = now + neighbor.retry;
  if (!neighbor.mac) neighbor.retry = std::min(2 * neighbor.retry, kSlowestRetry);
  return forgotten;
}

bool ArpResolver::tick(dataplane::NanoTime now) {
  budget_ = kRequestsPerTick;
  bool changed = false;
  for (auto& [target, neighbor] : neighbors_) changed |= expire(target, neighbor, now);
  return changed;
}

}  // namespace weir::underlay
