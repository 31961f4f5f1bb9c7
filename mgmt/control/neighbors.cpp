#include "mgmt/control/neighbors.h"

#include <algorithm>
#include <utility>

#include "mgmt/underlay/neighbor_frames.h"

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
  on_unreachable_ = nullptr;
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
  return usage != usage_.end() && usage->second.neighbors >= limits_.per_attachment;
}

Neighbors::Map::iterator Neighbors::enter(const Key& key, NanoTime now) {
  const auto at = neighbors_.emplace(key, Neighbor{}).first;
  ++usage_[key.first].neighbors;
  schedule(key, at->second, now + kRetry);
  return at;
}

void Neighbors::on_punt(const Punt& punt, NanoTime now) {
  const Attachment* attachment = dataplane_.current().attachment(punt.attachment);
  if (attachment == nullptr) return dataplane_.discard(punt, DropReason::stale_attachment);
  if (unusable_.contains(punt.attachment)) return dataplane_.discard(punt, DropReason::attachment_down);
  const Key key{punt.attachment, punt.target};
  auto at = neighbors_.find(key);
  if (at != neighbors_.end()) {
    if (knows_mac(at->second)) return dataplane_.resume(punt);
    if (at->second.state == State::failed) return drop_unreachable(punt);
  }
  if (!on_link_from(*attachment, punt.target) || attachment->is_gateway(punt.target)) {
    return dataplane_.discard(punt, DropReason::neighbor_unresolved);
  }
  const bool is_new = at == neighbors_.end();
  if (!may_hold(key, is_new ? nullptr : &at->second) || (is_new && over_share(key.first))) {
    return dataplane_.discard(punt, DropReason::hold_full);
  }
  if (is_new) at = enter(key, now);
  at->second.held.push_back(punt);
  ++usage_[key.first].held;
  ++held_;
  if (is_new || at->second.state == State::resting) {
    set_state(key, at->second, State::resolving);
    ask(key, at->second, now);
  }
}

std::optional<net::Mac> Neighbors::mac_of(AttachmentId attachment, const net::IpAddress& address) const {
  const auto at = neighbors_.find({attachment, address});
  if (at == neighbors_.end() || !knows_mac(at->second)) return std::nullopt;
  return at->second.mac;
}

std::optional<net::Mac> Neighbors::want(AttachmentId attachment, const net::IpAddress& address,
                                        NanoTime now) {
  const Key key{attachment, address};
  auto at = neighbors_.find(key);
  if (at != neighbors_.end() && !is_failed(at->second.state)) return mac_of(attachment, address);
  if (at == neighbors_.end()) {
    if (over_share(attachment)) return std::nullopt;
    at = enter(key, now);
  }
  set_state(key, at->second, State::resolving);
  ask(key, at->second, now);
  return std::nullopt;
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
    if (note.kind != NeighborNote::Kind::question) {
      ++counters_.ignored;
      return;
    }
    at = enter(key, now);
  }
  confirm(key, at->second, note.mac, now);
}

void Neighbors::confirm(const Key& key, Neighbor& neighbor, net::Mac mac, NanoTime now) {
  const bool changed = !knows_mac(neighbor) || neighbor.mac != mac;
  neighbor.mac = mac;
  if (changed && !unusable_.contains(key.first) && !publish(key, neighbor)) {
    ++counters_.refused;  // the table is full: nobody can be told the MAC
    make_room(key.first, now);
    return forget(neighbors_.find(key), DropReason::neighbor_unresolved);
  }
  ++counters_.learnt;
  set_state(key, neighbor, State::reachable);
  neighbor.tries = 0;
  neighbor.back_off = 0;
  schedule(key, neighbor, now + kProbeAge);
  let_go_held(key, neighbor);
}

/// Workers find it. False: the table is full.
bool Neighbors::publish(const Key& key, Neighbor& neighbor) {
  const auto id = adjacencies_.set(key.first, key.second, neighbor.mac);
  if (id) neighbor.adjacency = *id;
  return id.has_value();
}

/// Workers no longer find it, and sessions that name it look for another way.
void Neighbors::unpublish(Neighbor& neighbor) {
  if (!neighbor.adjacency.valid()) return;
  adjacencies_.remove(neighbor.adjacency);
  forgotten_.push_back(std::exchange(neighbor.adjacency, {}));
}

Status Neighbors::add_peer(AttachmentId attachment) {
  if (unusable_.contains(attachment) || adjacencies_.find(attachment, net::IpAddress{}).valid()) return {};
  const auto made = adjacencies_.set(attachment, net::IpAddress{}, net::Mac{});
  return made ? Status{} : tl::unexpected(made.error());
}

void Neighbors::set_usable(AttachmentId attachment, bool usable) {
  if (usable ? unusable_.erase(attachment) == 0 : !unusable_.insert(attachment).second) return;
  const Attachment* known = dataplane_.current().attachment(attachment);
  if (known != nullptr && !known->ethernet) set_peer_usable(attachment, usable);
  for (auto at = neighbors_.lower_bound({attachment, net::IpAddress{}});
       at != neighbors_.end() && at->first.first == attachment; ++at) {
    Neighbor& neighbor = at->second;
    if (!usable) {
      unpublish(neighbor);
      discard_held(at->first, neighbor, DropReason::attachment_down);
    } else if (knows_mac(neighbor) && !publish(at->first, neighbor)) {
      schedule(at->first, neighbor, 0);  // the next tick asks again, and by then there may be room
      neighbor.state = State::resolving;
      neighbor.tries = 0;
    }
  }
}

void Neighbors::set_peer_usable(AttachmentId attachment, bool usable) {
  const AdjacencyId peer = adjacencies_.find(attachment, net::IpAddress{});
  if (!usable && peer.valid()) {
    adjacencies_.remove(peer);
    forgotten_.push_back(peer);
  } else if (usable && !add_peer(attachment)) {
    unusable_.insert(attachment);  // no room; what comes is dropped as attachment_down
  }
}

void Neighbors::ask(const Key& key, Neighbor& neighbor, NanoTime now) {
  ++neighbor.tries;
  schedule(key, neighbor, now + kRetry);
  const Attachment* attachment = dataplane_.current().attachment(key.first);
  if (attachment == nullptr) return;  // attachment_changed() is about to forget it
  const auto own = on_link_from(*attachment, key.second);
  if (!own) return;
  const bool probe = neighbor.state == State::probing;
  const auto frame = underlay::neighbor_request(attachment->hub_mac, *own, key.second,
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
  const Key& key = at->first;
  Neighbor& neighbor = at->second;
  switch (neighbor.state) {
    case State::reachable:
      set_state(key, neighbor, State::probing);
      neighbor.tries = 0;
      return ask(key, neighbor, now);
    case State::resolving:
    case State::probing:
      // One who failed before is tried once only.
      if (neighbor.tries < (neighbor.back_off == 0 ? kTries : 1)) return ask(key, neighbor, now);
      return give_up(at, now);
    case State::failed:
      set_state(key, neighbor, State::resting);
      return schedule(key, neighbor, now + kLongestBackOff);
    case State::resting:
      return forget(at, DropReason::neighbor_unresolved);
  }
}

/// Packets to it are dropped at once for a while, so that a dead host costs little however much is sent to
/// it.
void Neighbors::give_up(Map::iterator at, NanoTime now) {
  const Key& key = at->first;
  Neighbor& neighbor = at->second;
  ++(neighbor.state == State::resolving ? counters_.unresolved : counters_.lost);
  const Usage& usage = usage_[key.first];
  unpublish(neighbor);
  discard_held(key, neighbor, DropReason::neighbor_unresolved);
  // Else a scan of a subnet would leave no room for hosts that exist.
  if (usage.failed >= limits_.per_attachment / 4) return forget(at, DropReason::neighbor_unresolved);
  set_state(key, neighbor, State::failed);
  neighbor.tries = 0;
  neighbor.back_off =
      neighbor.back_off == 0 ? kFirstBackOff : std::min(2 * neighbor.back_off, kLongestBackOff);
  schedule(key, neighbor, now + neighbor.back_off);
}

void Neighbors::set_state(const Key& key, Neighbor& neighbor, State state) {
  Usage& usage = usage_[key.first];
  usage.failed -= is_failed(neighbor.state);
  usage.failed += is_failed(state);
  if (state == State::resolving && neighbor.state != State::resolving) neighbor.tries = 0;
  neighbor.state = state;
}

/// The table is full: of the attachment that has most in it, the neighbour that was confirmed longest ago
/// gives way, if that attachment has more than the one that wants room. There is room once the purge is done.
void Neighbors::make_room(AttachmentId wanted_by, NanoTime now) {
  if (evicted_at_ != 0 && now < evicted_at_ + kEvictEvery) return;
  const auto largest = std::max_element(usage_.begin(), usage_.end(), [](const auto& a, const auto& b) {
    return a.second.neighbors < b.second.neighbors;
  });
  if (largest->second.neighbors <= usage_[wanted_by].neighbors) return;
  auto oldest = neighbors_.end();
  for (auto at = neighbors_.lower_bound({largest->first, net::IpAddress{}});
       at != neighbors_.end() && at->first.first == largest->first; ++at) {
    if (!at->second.adjacency.valid()) continue;
    if (oldest == neighbors_.end() || at->second.deadline < oldest->second.deadline) oldest = at;
  }
  if (oldest == neighbors_.end()) return;
  evicted_at_ = now;
  ++counters_.evicted;
  forget(oldest, DropReason::neighbor_unresolved);
}

void Neighbors::attachment_changed(AttachmentId id) {
  const Attachment* attachment = dataplane_.current().attachment(id);
  auto at = neighbors_.lower_bound({id, net::IpAddress{}});
  while (at != neighbors_.end() && at->first.first == id) {
    const auto next = std::next(at);
    if (attachment == nullptr || !on_link_from(*attachment, at->first.second) ||
        attachment->is_gateway(at->first.second)) {
      forget(at, attachment == nullptr ? DropReason::stale_attachment : DropReason::neighbor_unresolved);
    }
    at = next;
  }
  if (attachment == nullptr) unusable_.erase(id);
}

void Neighbors::schedule(const Key& key, Neighbor& neighbor, NanoTime deadline) {
  deadlines_.erase({neighbor.deadline, key});
  neighbor.deadline = deadline;
  deadlines_.insert({deadline, key});
}

void Neighbors::drop_unreachable(const Punt& punt) {
  if (on_unreachable_) on_unreachable_(punt);
  dataplane_.discard(punt, DropReason::neighbor_unresolved);
}

void Neighbors::discard_held(const Key& key, Neighbor& neighbor, DropReason reason) {
  if (neighbor.held.empty()) return;
  for (const Punt& punt : neighbor.held) {
    reason == DropReason::neighbor_unresolved ? drop_unreachable(punt) : dataplane_.discard(punt, reason);
  }
  held_ -= neighbor.held.size();
  usage_[key.first].held -= static_cast<uint32_t>(neighbor.held.size());
  neighbor.held.clear();
}

void Neighbors::let_go_held(const Key& key, Neighbor& neighbor) {
  if (neighbor.held.empty()) return;
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
  unpublish(at->second);
  const auto usage = usage_.find(key.first);
  usage->second.failed -= is_failed(at->second.state);
  neighbors_.erase(at);
  if (--usage->second.neighbors == 0) usage_.erase(usage);
}

}  // namespace weir::control
