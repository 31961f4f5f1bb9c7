#include "mgmt/control/neighbors.h"

#include <algorithm>
#include <utility>

#include "mgmt/control/frames.h"

namespace weir::control {

using namespace dataplane;

std::optional<net::IpAddress> on_link_from(const Attachment& attachment, const net::IpAddress& target) {
  for (const auto& gateway : attachment.gateways) {
    if (gateway.subnet().contains(target)) return gateway.address;
  }
  return std::nullopt;
}

Neighbors::Neighbors(Dataplane& dataplane, AdjacencyTable& adjacencies, NeighborLimits limits)
    : dataplane_(dataplane), adjacencies_(adjacencies), limits_(limits) {}

Neighbors::~Neighbors() {
  for (auto& [key, neighbor] : neighbors_) discard_held(key, neighbor, DropReason::neighbor_unresolved);
}

bool Neighbors::may_hold(const Key& key, const Neighbor* neighbor) const {
  const uint32_t share =
      std::max(limits_.held_packets / 4, std::min(limits_.held_per_neighbor, limits_.held_packets));
  const auto usage = usage_.find(key.first);
  return held_ < limits_.held_packets && (usage == usage_.end() || usage->second.held < share) &&
         (neighbor == nullptr || neighbor->held.size() < limits_.held_per_neighbor);
}

bool Neighbors::over_share(AttachmentId attachment) const {
  const auto usage = usage_.find(attachment);
  return usage != usage_.end() && usage->second.neighbors >= std::max(adjacencies_.capacity() / 4, 1u);
}

void Neighbors::on_punt(const Punt& punt, NanoTime now) {
  const Attachment* attachment = dataplane_.current().attachment(punt.attachment);
  if (attachment == nullptr) return dataplane_.discard(punt, DropReason::stale_attachment);
  const Key key{punt.attachment, punt.target};
  auto at = neighbors_.find(key);
  if (at != neighbors_.end() && at->second.state != State::resolving) return dataplane_.resume(punt);
  if (!on_link_from(*attachment, punt.target) || attachment->is_gateway(punt.target)) {
    return dataplane_.discard(punt, DropReason::neighbor_unresolved);
  }
  const bool is_new = at == neighbors_.end();
  if (!may_hold(key, is_new ? nullptr : &at->second) || (is_new && over_share(key.first))) {
    return dataplane_.discard(punt, DropReason::hold_full);
  }
  Usage& usage = usage_[key.first];
  if (is_new) {
    at = neighbors_.emplace(key, Neighbor{}).first;
    ++usage.neighbors;
  }
  at->second.held.push_back(punt);
  ++usage.held;
  ++held_;
  if (is_new) ask(key, at->second, now);
}

void Neighbors::on_note(const NeighborNote& note, NanoTime now) {
  const Attachment* attachment = dataplane_.current().attachment(note.attachment);
  const bool credible = attachment != nullptr && !note.mac.is_multicast() && !note.mac.is_zero() &&
                        note.mac != attachment->hub_mac && on_link_from(*attachment, note.address) &&
                        !attachment->is_gateway(note.address);
  const Key key{note.attachment, note.address};
  auto at = neighbors_.find(key);
  if (!credible || (at == neighbors_.end() && over_share(note.attachment))) {
    ++counters_.refused;
    return;
  }
  if (at == neighbors_.end()) {
    at = neighbors_.emplace(key, Neighbor{}).first;
    ++usage_[key.first].neighbors;
  }
  confirm(key, at->second, note.mac, now);
}

void Neighbors::confirm(const Key& key, Neighbor& neighbor, net::Mac mac, NanoTime now) {
  if (neighbor.state == State::resolving || neighbor.mac != mac) {
    const auto id = adjacencies_.set(key.first, key.second, mac);
    if (!id) {  // the table is full: nobody can be told the MAC
      ++counters_.refused;
      return forget(neighbors_.find(key), DropReason::neighbor_unresolved);
    }
    neighbor.adjacency = *id;
    neighbor.mac = mac;
  }
  ++counters_.learnt;
  neighbor.state = State::reachable;
  neighbor.tries = 0;
  schedule(key, neighbor, now + kProbeAge);
  let_go_held(key, neighbor);
}

void Neighbors::ask(const Key& key, Neighbor& neighbor, NanoTime now) {
  ++neighbor.tries;
  schedule(key, neighbor, now + kRetry);
  const Attachment* attachment = dataplane_.current().attachment(key.first);
  if (attachment == nullptr) return;  // on_snapshot() is about to forget it
  const auto own = on_link_from(*attachment, key.second);
  if (!own) return;
  const bool probe = neighbor.state != State::resolving;
  const auto frame = neighbor_request(attachment->hub_mac, *own, key.second,
                                      probe ? std::optional<net::Mac>(neighbor.mac) : std::nullopt);
  dataplane_.send_inner(key.first, frame);  // a request that found no room is repeated like a lost one
  ++counters_.requests;
}

void Neighbors::tick(NanoTime now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    due(neighbors_.find(deadlines_.begin()->second), now);
  }
  purge_forgotten();
}

/// A purge walks every session of every worker, so there is one at a time, for all that were forgotten
/// meanwhile.
void Neighbors::purge_forgotten() {
  if (purging_ || forgotten_.empty()) return;
  purging_ = true;
  dataplane_.purge_stale_adjacencies([this, purged = std::exchange(forgotten_, {})] {
    for (const AdjacencyId id : purged) adjacencies_.release(id);
    purging_ = false;
  });
}

void Neighbors::due(Map::iterator at, NanoTime now) {
  Neighbor& neighbor = at->second;
  if (neighbor.state == State::reachable) {
    neighbor.state = State::probing;
    neighbor.tries = 0;
  }
  if (neighbor.tries < kTries) return ask(at->first, neighbor, now);
  ++(neighbor.state == State::resolving ? counters_.unresolved : counters_.lost);
  forget(at, DropReason::neighbor_unresolved);
}

void Neighbors::on_snapshot() {
  for (auto at = neighbors_.begin(); at != neighbors_.end();) {
    const auto next = std::next(at);
    const Attachment* attachment = dataplane_.current().attachment(at->first.first);
    if (attachment == nullptr || !on_link_from(*attachment, at->first.second) ||
        attachment->is_gateway(at->first.second)) {
      forget(at, attachment == nullptr ? DropReason::stale_attachment : DropReason::neighbor_unresolved);
    }
    at = next;
  }
}

void Neighbors::schedule(const Key& key, Neighbor& neighbor, NanoTime deadline) {
  deadlines_.erase({neighbor.deadline, key});
  neighbor.deadline = deadline;
  deadlines_.insert({deadline, key});
}

void Neighbors::discard_held(const Key& key, Neighbor& neighbor, DropReason reason) {
  for (const Punt& punt : neighbor.held) dataplane_.discard(punt, reason);
  held_ -= neighbor.held.size();
  usage_[key.first].held -= static_cast<uint32_t>(neighbor.held.size());
  neighbor.held.clear();
}

void Neighbors::let_go_held(const Key& key, Neighbor& neighbor) {
  for (const Punt& punt : neighbor.held) dataplane_.resume(punt);
  held_ -= neighbor.held.size();
  usage_[key.first].held -= static_cast<uint32_t>(neighbor.held.size());
  neighbor.held.clear();
  neighbor.held.shrink_to_fit();
}

void Neighbors::forget(Map::iterator at, DropReason reason) {
  const Key key = at->first;
  discard_held(key, at->second, reason);
  deadlines_.erase({at->second.deadline, key});
  if (const AdjacencyId id = at->second.adjacency; id.valid()) {
    adjacencies_.remove(id);
    forgotten_.push_back(id);
  }
  neighbors_.erase(at);
  const auto usage = usage_.find(key.first);
  if (--usage->second.neighbors == 0) usage_.erase(usage);
}

}  // namespace weir::control
