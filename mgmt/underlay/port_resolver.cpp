#include "mgmt/underlay/port_resolver.h"

#include <algorithm>
#include <string>

namespace weir::underlay {
namespace {

constexpr size_t kFrameBytes = 60;  // the least that Ethernet carries, without its checksum

}  // namespace

bool PortResolver::owns(const net::IpAddress& local) const {
  return std::any_of(port_.addresses.begin(), port_.addresses.end(),
                     [&](const auto& own) { return own.address == local; });
}

void PortResolver::use_mac(net::Mac mac) {
  port_.mac = mac;
  for (const auto& own : port_.addresses) {
    if (!own.address.is_v4()) continue;
    std::vector<uint8_t> frame = neighbor_request(mac, own.address, own.address, std::nullopt);
    frame.resize(std::max(frame.size(), kFrameBytes));
    send_(port_.index, frame);
  }
}

Result<net::IpAddress> PortResolver::next_hop(const net::IpAddress& local,
                                              const net::IpAddress& remote) const {
  const std::string way = net::to_string(remote) + " from " + net::to_string(local);
  if (owns(remote)) return fail(ErrorCode::not_found, "no way to " + way + ": it is the hub's own address");
  for (const auto& own : port_.addresses) {
    if (own.subnet().contains(remote)) return remote;
  }
  for (const net::IpAddress& gateway : port_.gateways) {
    if (gateway.family == remote.family) return gateway;
  }
  return fail(ErrorCode::not_found, "no way to " + way + ": it is on no subnet of port " + port_.name +
                                        ", which has no " + (remote.is_v4() ? "" : "IPv6 ") + "gateway");
}

net::IpAddress PortResolver::question_source(const net::IpAddress& local,
                                             const net::IpAddress& target) const {
  for (const auto& own : port_.addresses) {
    if (own.subnet().contains(target)) return own.address;
  }
  return local;
}

Result<Hop> PortResolver::resolve(const net::IpAddress& local, const net::IpAddress& remote) {
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

void PortResolver::forget(const net::IpAddress& local, const net::IpAddress& remote) {
  const auto target = next_hop(local, remote);
  if (!target) return;
  const auto found = neighbors_.find(*target);
  if (found == neighbors_.end()) return;
  found->second.watches.erase({local, remote});
  if (found->second.watches.empty()) neighbors_.erase(found);
}

void PortResolver::ask(const net::IpAddress& target, const Neighbor& neighbor) {
  if (budget_ > 0) --budget_;
  std::vector<uint8_t> frame = neighbor_request(port_.mac, neighbor.ask_from, target, neighbor.mac);
  frame.resize(std::max(frame.size(), kFrameBytes));
  send_(port_.index, frame);
}

bool PortResolver::on_frame(std::span<const uint8_t> frame) {
  const auto claim = parse_neighbor_claim(frame);
  if (!claim) return false;
  if (claim->kind != NeighborClaim::Kind::announcement && !owns(claim->to)) return false;
  const auto found = neighbors_.find(claim->address);
  if (found == neighbors_.end()) return false;
  if (!claim->overrides && found->second.mac && found->second.mac != claim->mac) return false;
  return confirm(found->second, claim->mac);
}

bool PortResolver::on_note(const net::IpAddress& address, net::Mac mac) {
  const auto found = neighbors_.find(address);
  if (found == neighbors_.end() || mac.is_multicast() || mac.is_zero()) return false;
  return confirm(found->second, mac);
}

/// True if it had another MAC, or none.
bool PortResolver::confirm(Neighbor& neighbor, net::Mac mac) {
  if (mac == port_.mac) return false;
  const bool changed = neighbor.mac != mac;
  neighbor.mac = mac;
  neighbor.unanswered = 0;
  neighbor.due_known = false;  // the next tick counts kRefresh from then
  return changed;
}

/// What is due for one neighbour now. True if its MAC was forgotten.
bool PortResolver::expire(const net::IpAddress& target, Neighbor& neighbor, dataplane::NanoTime now) {
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

bool PortResolver::tick(dataplane::NanoTime now) {
  budget_ = kRequestsPerTick;
  bool changed = false;
  auto at = neighbors_.upper_bound(last_looked_at_);
  for (size_t left = std::min(neighbors_.size(), kLooksPerTick); left > 0; --left, ++at) {
    if (at == neighbors_.end()) at = neighbors_.begin();
    changed |= expire(at->first, at->second, now);
    last_looked_at_ = at->first;
  }
  return changed;
}

}  // namespace weir::underlay
