#include "dataplane/worker/pending.h"

#include <algorithm>
#include <utility>

#include "dataplane/worker/packet.h"

namespace weir::dataplane {

PendingLimits worker_share(const PendingLimits& limits, uint32_t workers) {
  PendingLimits share = limits;
  share.sessions = (limits.sessions + workers - 1) / workers;
  share.packets = (limits.packets + workers - 1) / workers;
  return share;
}

PendingSessions::PendingSessions(const PendingLimits& limits, std::unique_ptr<inspection::NameFinder> finder)
    : limits_(limits), finder_(std::move(finder)), entries_(limits.sessions), nodes_(limits.packets) {
  for (PendingIndex i = limits.sessions; i-- > 0;) {
    entries_[i].finder = finder_.get();
    entries_[i].newer = std::exchange(free_, i);
  }
  for (uint32_t n = limits.packets; n-- > 0;) nodes_[n].next = std::exchange(free_node_, n);
  released.reserve(limits.packets + Burst::kCapacity);
}

PendingSessions::~PendingSessions() {
  for (PendingIndex i = oldest_; i != kNotPending; i = entries_[i].newer) {
    take_held(i, [](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
    take_all(i, entries_[i].sent, [](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
  }
}

PendingIndex PendingSessions::open(SessionIndex session, const inspection::FlowInfo& flow, NanoTime now) {
  const PendingIndex index = free_;
  Entry& entry = entries_[index];
  free_ = entry.newer;
  entry.handle = finder_->open(flow);
  entry.given_up = !entry.handle.valid();
  entry.session = session;
  entry.deadline = now + limits_.time_ns;
  entry.older = std::exchange(newest_, index);
  entry.newer = kNotPending;
  (entry.older != kNotPending ? entries_[entry.older].newer : oldest_) = index;
  ++sessions_;
  return index;
}

void PendingSessions::close(PendingIndex index) {
  Entry& entry = entries_[index];
  take_all(index, entry.sent, [](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
  if (entry.handle.valid()) finder_->close(entry.handle);
  (entry.older != kNotPending ? entries_[entry.older].newer : oldest_) = entry.newer;
  (entry.newer != kNotPending ? entries_[entry.newer].older : newest_) = entry.older;
  entry.session = kNoSession;
  entry.newer = std::exchange(free_, index);
  --sessions_;
}

void PendingSessions::read(PendingIndex index, const inspection::Packet& packet) {
  const Entry& entry = entries_[index];
  if (!entry.given_up) finder_->read(entry.handle, packet);
}

bool PendingSessions::hold(PendingIndex index, rte_mbuf* mbuf) {
  return add(index, entries_[index].held, mbuf);
}

bool PendingSessions::add(PendingIndex index, Packets& to, rte_mbuf* mbuf) {
  Entry& entry = entries_[index];
  const uint32_t bytes = meta_of(mbuf).ip_length;
  if (free_node_ == kNone || entry.packets == limits_.packets_per_session ||
      entry.bytes + bytes > limits_.bytes_per_session)
    return false;
  const uint32_t node = free_node_;
  free_node_ = nodes_[node].next;
  nodes_[node] = {mbuf, kNone};
  (to.last != kNone ? nodes_[to.last].next : to.first) = node;
  to.last = node;
  ++entry.packets;
  entry.bytes += bytes;
  ++held_;
  return true;
}

rte_mbuf* PendingSessions::take_first(PendingIndex index, Packets& from) {
  const uint32_t node = from.first;
  rte_mbuf* const mbuf = nodes_[node].mbuf;
  from.first = nodes_[node].next;
  if (from.first == kNone) from.last = kNone;
  nodes_[node].next = free_node_;
  free_node_ = node;
  --held_;
  --entries_[index].packets;
  entries_[index].bytes -= meta_of(mbuf).ip_length;
  return mbuf;
}

}  // namespace weir::dataplane
