// The sessions of one worker whose policy rule is not known yet, and the packets that wait for it.
//
// All memory is allocated at the start. Bounded in sessions, packets (of all and of each), bytes and time:
// who finds no room, or has waited for long enough, is decided without the names that it waited for.
// stages/pend.h is what happens to packets; policy/pending_steps.h says what that is. Worker only.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/core/time.h"
#include "dataplane/policy/policy.h"
#include "dataplane/session/session.h"
#include "dataplane/worker/pending_limits.h"
#include "inspection/names/name_finder.h"

namespace weir::dataplane {

/// A place in PendingSessions.
using PendingIndex = uint32_t;
inline constexpr PendingIndex kNotPending = ~0u;

class PendingSessions {
 public:
  /// `limits` of this worker alone. `finder` may not be null.
  PendingSessions(const PendingLimits& limits, std::unique_ptr<inspection::NameFinder> finder);
  PendingSessions(const PendingSessions&) = delete;
  PendingSessions& operator=(const PendingSessions&) = delete;
  ~PendingSessions();

  bool has_room() const { return free_ != kNotPending; }
  /// While there is room. If the finder has none the session's names are given up at once.
  PendingIndex open(SessionIndex session, const inspection::FlowInfo& flow, NanoTime now);
  /// Nothing of it may be held any more; what was kept goes.
  void close(PendingIndex index);

  /// For the classifier, while it is open.
  const NameSource& names(PendingIndex index) const { return entries_[index]; }
  /// A first packet, of which nothing can be known.
  const NameSource& nothing_yet() const { return nothing_yet_; }
  void read(PendingIndex index, const inspection::Packet& packet);
  /// What it has read, and holds, may pass though its names are not known (NameFinder::passes).
  bool passes(PendingIndex index) const {
    const Entry& entry = entries_[index];
    return !entry.given_up && finder_->passes(entry.handle);
  }
  void give_up(PendingIndex index) { entries_[index].given_up = true; }
  bool given_up(PendingIndex index) const { return entries_[index].given_up; }

  /// False: there is no room; the packet is still the caller's.
  bool hold(PendingIndex index, rte_mbuf* mbuf);
  /// Calls `take(mbuf)` for all that it holds, in order; they are the caller's then.
  template <typename Take>
  void take_held(PendingIndex index, Take&& take) {
    take_all(index, entries_[index].held, take);
  }

  /// The session that has waited for the longest, if its time is up; else kNoSession.
  SessionIndex due(NanoTime now) const {
    return oldest_ != kNotPending && entries_[oldest_].deadline <= now ? entries_[oldest_].session
                                                                       : kNoSession;
  }
  /// Keeps `copy` of a packet that is let go on before the rule is known, until the session is closed: its
  /// rule may be one that inspects. It takes room as one that is held does. False: there is none; `copy` is
  /// still the caller's.
  bool keep_sent(PendingIndex index, rte_mbuf* copy) { return add(index, entries_[index].sent, copy); }
  /// Calls `see(mbuf)` for all that were kept, in the order in which they went; they stay.
  template <typename See>
  void for_each_sent(PendingIndex index, See&& see) const {
    for (uint32_t node = entries_[index].sent.first; node != kNone; node = nodes_[node].next)
      see(nodes_[node].mbuf);
  }

  uint32_t sessions() const { return sessions_; }
  bool half_full() const { return 2 * uint64_t{held_} >= limits_.packets; }
  /// Packets that are held, and copies of some that went on.
  uint32_t held() const { return held_; }

  /// Packets that wait no more, on their way to be sent; emptied in the turn in which they are put in.
  std::vector<rte_mbuf*> released;

 private:
  static constexpr uint32_t kNone = ~0u;

  /// By node, first come first.
  struct Packets {
    uint32_t first = kNone, last = kNone;
  };

  struct Entry final : NameSource {
    NameAnswer ask(const NameQuestion& names) const override {
      return given_up ? NameAnswer::given_up : finder->ask(handle, names);
    }
    const inspection::NameFinder* finder = nullptr;
    inspection::NameHandle handle;
    bool given_up = false;
    SessionIndex session = kNoSession;
    NanoTime deadline = 0;
    Packets held, sent;
    uint32_t packets = 0, bytes = 0;  // of both
    // By age; free ones by `newer` alone.
    PendingIndex older = kNotPending, newer = kNotPending;
  };
  struct NothingYet final : NameSource {
    NameAnswer ask(const NameQuestion&) const override { return NameAnswer::not_yet; }
  };
  struct Node {
    rte_mbuf* mbuf = nullptr;
    uint32_t next = kNone;
  };

  bool add(PendingIndex index, Packets& to, rte_mbuf* mbuf);
  /// The packet that a list begins with comes out of it.
  rte_mbuf* take_first(PendingIndex index, Packets& from);
  template <typename Take>
  void take_all(PendingIndex index, Packets& from, Take&& take) {
    while (from.first != kNone) take(take_first(index, from));
  }

  PendingLimits limits_;
  std::unique_ptr<inspection::NameFinder> finder_;
  NothingYet nothing_yet_;
  std::vector<Entry> entries_;
  std::vector<Node> nodes_;
  PendingIndex free_ = kNotPending, oldest_ = kNotPending, newest_ = kNotPending;
  uint32_t free_node_ = kNone;
  uint32_t sessions_ = 0, held_ = 0;
};

}  // namespace weir::dataplane
