// The way of a packet, top to bottom: forward_received(), forward_owned().
#include "dataplane/worker/worker.h"

#include <rte_ethdev.h>
#include <rte_pause.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>

#include "dataplane/core/prefetch.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/encap.h"
#include "dataplane/stages/fragments.h"
#include "dataplane/stages/ftp.h"
#include "dataplane/stages/inner.h"
#include "dataplane/stages/inspect.h"
#include "dataplane/stages/mark.h"
#include "dataplane/stages/outer.h"
#include "dataplane/stages/owner.h"
#include "dataplane/stages/pend.h"
#include "dataplane/stages/receive_plain.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/stages/send_plain.h"
#include "dataplane/stages/session_lookup.h"
#include "dataplane/stages/translate.h"
#include "dataplane/worker/leave.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

constexpr uint32_t kExpirePerTurn = 64;
constexpr uint32_t kCommandSlice = 512;  // sessions looked at per turn
constexpr uint32_t kIdleTurnsBeforeSleep = 256;
constexpr long kSleepNanos = 50'000;

/// All that the way reads of a packet that comes in: the buffer's own line, what the stages note, the
/// headers.
void prefetch_packet(rte_mbuf* mbuf) {
  auto* meta = reinterpret_cast<uint8_t*>(&meta_of(mbuf));
  prefetch(meta);
  prefetch(meta + 64);
  prefetch(data_of(mbuf));
  prefetch(data_of(mbuf) + 64);
}

/// The same of a packet that another worker has had.
void prefetch_handed_over(rte_mbuf* mbuf) {
  prefetch_to_write(mbuf);
  auto* meta = reinterpret_cast<uint8_t*>(&meta_of(mbuf));
  prefetch(meta);
  prefetch(meta + 64);
}

/// How far ahead memory is asked for. Never for a whole burst at once: a core has room for some 20 misses,
/// and drops what is asked for beyond (docs/performance.md).
constexpr uint16_t kPacketsAhead = 4;      // four lines each
constexpr unsigned kHandedOverAhead = 20;  // three lines each, and two when the first is there
constexpr uint32_t kIndexAhead = 8;        // the index line before the session line
constexpr uint32_t kTranslationsAhead = 8;

/// Sessions whose packets go through pend() and inspect(), or are looked at closely as they leave.
constexpr uint16_t kWait = Session::kInspected | Session::kDropped | Session::kPending | Session::kFtp;

}  // namespace

/// Asks for what the look-ups of a burst are going to read: a packet's index line at once, its session's line
/// when the index line has had the time of some packets to arrive.
class LookupAhead {
 public:
  explicit LookupAhead(const SessionTable& sessions) : sessions_(sessions) {}
  /// For the packets of a burst in order: this is the one at `i`, and those before it are there.
  [[gnu::always_inline]] void add(uint32_t i, rte_mbuf* const* packets, const PacketMeta& meta) {
    sessions_.prefetch_bucket(meta.hash, ahead_[i]);
    if (i >= kIndexAhead) [[likely]]
      prefetch_session(i - kIndexAhead, packets);
  }
  /// Those that still wait, of a burst of `n`. Before the look-ups. `translated`: those of the last burst had
  /// a line more.
  void finish(uint32_t n, rte_mbuf* const* packets, bool translated) {
    for (uint32_t i = n < kIndexAhead ? 0 : n - kIndexAhead; i < n; ++i) prefetch_session(i, packets);
    if (!translated) [[likely]]
      return;
    for (uint32_t i = 0; i < std::min(n, kTranslationsAhead); ++i) sessions_.prefetch_translation(ahead_[i]);
  }
  /// Packet `i` is of a session that has that line. Asks for the one that a later packet may need.
  void after_translated(uint32_t i, uint32_t n) const {
    if (i + kTranslationsAhead < n) sessions_.prefetch_translation(ahead_[i + kTranslationsAhead]);
  }
  /// What was found for packet `i`. False: it is not a session of its key.
  [[gnu::always_inline]] bool found(uint32_t i, const PacketMeta& meta, SessionTable::Found& out) const {
    return meta.is_v4() ? sessions_.found(ahead_[i], meta.key4, out)
                        : sessions_.found(ahead_[i], meta.key6, out);
  }

 private:
  [[gnu::always_inline]] void prefetch_session(uint32_t i, rte_mbuf* const* packets) {
    sessions_.prefetch_session(ahead_[i]);
    const PacketMeta& meta = meta_of(packets[i]);
    if (meta.has_more_lines()) [[unlikely]]
      sessions_.prefetch_more(ahead_[i], !meta.is_v4(), meta.tcp_flags != 0);
  }

  const SessionTable& sessions_;
  SessionTable::Ahead ahead_[kMaxRxBurst];
};

/// Other packets than the plain ones, stage by stage. What the outer headers say stays in registers.
[[gnu::noinline]] Next receive_other(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  new (&meta) PacketMeta(meta.port);
  Outer received;
  if (const Next next = outer(ctx, mbuf, received); !next.goes_on()) [[unlikely]]
    return next;
  const Attachment* ingress = find_tunnel(ctx, mbuf, received.key);
  if (ingress == nullptr) [[unlikely]]
    return unknown_tunnel(*ctx.snapshot, received.key);
  if (const Next next = decap(ctx, mbuf, *ingress, received); !next.goes_on()) [[unlikely]]
    return next;
  return inner(ctx, mbuf, *ingress, received);
}

/// The packet is allowed. On go_on it is queued for tx.
[[gnu::noinline]] Next send_other(WorkerContext& ctx, rte_mbuf* mbuf, AdjacencyTable::View next_hop) {
  const Attachment* egress = ctx.snapshot->attachment(next_hop.attachment);
  if (egress == nullptr) [[unlikely]]
    return Next::drop(DropReason::stale_attachment);
  if (const Next next = rewrite(ctx, mbuf, next_hop, *egress); !next.goes_on()) [[unlikely]]
    return next;
  return encap(ctx, mbuf, *egress);
}

namespace {

/// The same of one that has waited, or that was looked at closely.
[[gnu::noinline]] Next send_on(WorkerContext& ctx, rte_mbuf* mbuf) {
  AdjacencyTable::View next_hop;
  if (const Next next = find_next_hop(ctx, mbuf, next_hop); !next.goes_on()) return next;
  if (meta_of(mbuf).session != kNoSession) {  // else a reset, made as it leaves
    Session& session = ctx.sessions->at(meta_of(mbuf).session);
    if ((session.flags & Session::kMarked) != 0) mark(ctx, mbuf);
    if ((session.flags & Session::kTranslated) != 0) {
      const Attachment* egress = ctx.snapshot->attachment(next_hop.attachment);
      if ((session.flags & Session::kFtp) != 0) {
        if (const Next next = ftp_send(ctx, mbuf, egress); !next.goes_on()) return next;
      }
      const SessionTable::Found found{&session, meta_of(mbuf).direction};
      if (const Next next = translate(ctx, mbuf, found, egress); !next.goes_on()) return next;
    }
  }
  return send_other(ctx, mbuf, next_hop);
}

}  // namespace

FragmentState::FragmentState(const FragmentLimits& limits, uint64_t secret)
    : outer(limits, secret), inner(limits, secret), scratch(std::make_unique<uint8_t[]>(kDatagramRoom)) {
  released.reserve(limits.held + kMaxRxBurst);
  cleared.reserve(limits.held + kMaxRxBurst);
}

bool RingSink::push(inspection::Event& event, std::span<const uint8_t> fields) {
  if (ring_.push(event, fields)) return true;
  counters_.events_lost.add();
  counters_.events_lost_of[static_cast<size_t>(event.kind)].add();
  return false;
}

WorkerContext::WorkerContext(WorkerIndex index, const DataplaneSettings& settings, WorkerRings own_rings)
    : id(index),
      tallies(settings.attachments),
      rule_hits(settings.policy_rules),
      rule_log(settings.policy_rules, settings.rule_events_per_second),
      profile(settings.stall_ns, settings.sample_one_in),
      inspect_limits(worker_share(settings.inspect, static_cast<uint32_t>(settings.cores.size()))),
      inspect_queue(inspect_limits.packets),
      ipv4_id(static_cast<uint16_t>(index * 0x9e37u)),
      rings(std::move(own_rings)),
      events(*rings.events, counters),
      punt_tokens{TokenBucket(settings.punts_per_second), TokenBucket(settings.punts_per_second),
                  TokenBucket(settings.punts_per_second), TokenBucket(settings.punts_per_second),
                  TokenBucket(settings.punts_per_second), TokenBucket(settings.punts_per_second),
                  TokenBucket(settings.punts_per_second)},
      note_tokens(settings.punts_per_second),
      punt_shares(kPuntReasons, AttachmentBuckets(settings.punts_per_attachment)),
      note_shares(settings.punts_per_attachment),
      policer(static_cast<uint32_t>(settings.cores.size())),
      drop_log{settings.inspection_events.all_drops, TokenBucket(settings.drop_events_per_second)},
      flow_events(settings.flow_events),
      flow_interval(settings.flow_events ? settings.flow_interval : 0),
      when_full(settings.when_full) {}

Worker::Worker(WorkerIndex index, const DataplaneSettings& settings, WorkerRings rings, RingPtr commands,
               const std::atomic<const Snapshot*>& root, const std::atomic<int64_t>& wall_offset_ns,
               rte_rcu_qsbr* qsbr)
    : ctx_(index, settings, std::move(rings)),
      commands_(std::move(commands)),
      root_(root),
      wall_offset_ns_(wall_offset_ns),
      qsbr_(qsbr),
      idle_(settings.idle),
      burst_size_(static_cast<uint16_t>(std::min<uint32_t>(settings.burst, kMaxRxBurst))),
      from_each_(kMaxRxBurst / std::max<uint32_t>(1, static_cast<uint32_t>(ctx_.rings.in.size()) - 1)),
      drain_to_(ctx_.rings.in.size()) {}

template <typename Step>
inline void Worker::pass(Stage stage, Burst& burst, Step&& step) {
  enter(ctx_, stage, burst.size);
  for_each_packet(ctx_, burst, step);
}

void Worker::forward_received(Burst& burst) {
  const bool alone = ctx_.snapshot->workers == 1;
  LookupAhead lookups(*ctx_.sessions);
  PlainReceiver plain(*ctx_.snapshot, meta_of(burst.packets[0]).port);
  enter(ctx_, Stage::outer, burst.size);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < burst.size; ++i) {
    rte_mbuf* mbuf = burst.packets[i];
    const Next next = plain.receive(ctx_, mbuf);
    if (!next.goes_on()) [[unlikely]] {
      leave(ctx_, mbuf, next);
      continue;
    }
    if (alone) lookups.add(kept, burst.packets, meta_of(mbuf));
    burst.packets[kept++] = mbuf;
  }
  burst.size = static_cast<uint16_t>(kept);
  if (alone) {
    lookups.finish(kept, burst.packets, translated_);
    forward_owned(burst, lookups);
  } else {
    forward_own(burst);
  }
  if (!ctx_.fragments->released.empty()) [[unlikely]]
    forward_released();
}

/// What belongs to others is handed over, the rest goes on.
void Worker::forward_own(Burst& burst) {
  enter(ctx_, Stage::hand_over);
  if (ctx_.snapshot->workers != 1) {
    share_out(ctx_, burst);
    flush_handoffs(ctx_);
  }
  LookupAhead lookups(*ctx_.sessions);
  for (uint16_t i = 0; i < burst.size; ++i) lookups.add(i, burst.packets, meta_of(burst.packets[i]));
  lookups.finish(burst.size, burst.packets, translated_);
  forward_owned(burst, lookups);
}

/// Empties `packets`, to which `forward` may add: in bursts and in order those that `keep(mbuf)` takes, which
/// lets the others go. What was in `burst` is done with.
template <typename Keep, typename Forward>
static void forward_all(std::vector<rte_mbuf*>& packets, Burst& burst, Keep&& keep, Forward&& forward) {
  for (size_t at = 0; at < packets.size();) {
    burst.size = 0;
    while (at < packets.size() && burst.size < kMaxRxBurst) {
      rte_mbuf* mbuf = packets[at++];
      if (keep(mbuf)) burst.push(mbuf);
    }
    forward();
  }
  packets.clear();
}

/// Fragments that waited for another one. What is in `burst_` is done with.
void Worker::forward_released() {
  forward_all(
      ctx_.fragments->released, burst_, [&](rte_mbuf* mbuf) { return still_known(mbuf); },
      [&] { forward_own(burst_); });
}

/// Fragments of inspected datagrams, after the one that completed them. `burst` is done with.
void Worker::forward_cleared(Burst& burst) {
  const auto keep = [&](rte_mbuf* mbuf) {
    if (is_session_there(ctx_, meta_of(mbuf))) return true;
    leave(ctx_, mbuf, Next::drop(DropReason::session_gone));
    return false;
  };
  forward_all(ctx_.fragments->cleared, burst, keep, [&] { send_burst(burst); });
}

/// Packets that waited until their session's rule was known, and what came behind them. `burst` is done with.
void Worker::forward_pending(Burst& burst) {
  const auto all = [](rte_mbuf*) { return true; };
  forward_all(ctx_.pending->released, burst, all, [&] {
    inspect(ctx_, burst);
    send_burst(burst);
    if (!ctx_.fragments->cleared.empty()) forward_cleared(burst);
  });
}

void Worker::forward_owned(Burst& burst, const LookupAhead& lookups) {
  if (burst.size == 0) return;
  enter(ctx_, Stage::session_lookup, burst.size);
  const AttachmentTable::Reader attachments = ctx_.snapshot->attachments->reader();
  const SettledLookup lookup(*ctx_.snapshot);
  uint32_t waiting = 0;
  uint16_t inspected = 0;  // kWait as soon as one waits
  bool translated = false;
  for (uint32_t i = 0; i < burst.size; ++i) {
    rte_mbuf* mbuf = burst.packets[i];
    PacketMeta& meta = meta_of(mbuf);
    SessionTable::Found found;
    AdjacencyTable::View next_hop;
    Next next = Next::go_on();
    if (lookups.found(i, meta, found) && lookup.settled(*ctx_.sessions, mbuf, found, next_hop)) [[likely]] {
      count(ctx_, *found.session, found.direction, meta.ip_length);
      found.session->last_seen = ctx_.tick;
      const Attachment* egress = attachments.find(next_hop.attachment);
      if (const uint16_t flags = found.session->flags | inspected;
          (flags & (kWait | Session::kTranslated | Session::kMarked)) != 0) [[unlikely]] {
        if ((flags & (kWait | Session::kMarked)) != 0) {
          meta.session = ctx_.sessions->index_of(*found.session);
          meta.direction = found.direction;
          meta.adjacency = found.session->adjacency[static_cast<size_t>(found.direction)];
          // From the first one of an inspected session on they wait for each other, so that none is
          // overtaken.
          if ((flags & kWait) != 0) {
            note_session_use(ctx_, meta);
            burst.packets[waiting++] = mbuf;
            inspected = kWait;
            continue;
          }
          mark(ctx_, mbuf);
        }
        if ((flags & Session::kTranslated) != 0) {
          if ((flags & Session::kOtherEnd) == 0) [[unlikely]] {
            lookups.after_translated(i, burst.size);
            translated = true;
          }
          next = translate(ctx_, mbuf, found, egress);
        }
      }
      if (next.goes_on()) [[likely]]
        next = send_plain(ctx_, egress, mbuf, next_hop);
    } else if (next = session_unsettled(ctx_, mbuf); next.goes_on()) {
      if (((ctx_.sessions->at(meta.session).flags | inspected) & kWait) == 0) {
        next = send_on(ctx_, mbuf);
      } else {
        note_session_use(ctx_, meta);
        burst.packets[waiting++] = mbuf;
        inspected = kWait;
      }
    }
    if (!next.goes_on()) [[unlikely]]
      leave(ctx_, mbuf, next);
  }
  translated_ = translated;
  burst.size = static_cast<uint16_t>(waiting);
  if (waiting == 0) [[likely]]
    return;
  enter(ctx_, Stage::inspect, burst.size);
  // Decided before the first of them is settled: it may be the last, and have let packets go.
  const bool pending = ctx_.pending != nullptr && ctx_.pending->sessions() > 0;
  if (pending) [[unlikely]]
    pend(ctx_, burst);
  inspect(ctx_, burst);
  send_burst(burst);
  if (pending) [[unlikely]]
    forward_pending(burst);
  if (!ctx_.fragments->cleared.empty()) [[unlikely]]
    forward_cleared(burst);
}

void Worker::send_burst(Burst& burst) {
  pass(Stage::rewrite, burst, [&](rte_mbuf* mbuf) { return send_on(ctx_, mbuf); });
  burst.size = 0;  // all are queued for tx
}

void Worker::send_answers() {
  pass(Stage::encap, ctx_.answers, [&](rte_mbuf* mbuf) {
    const Attachment* egress = ctx_.snapshot->attachment(meta_of(mbuf).egress);
    return egress != nullptr ? encap(ctx_, mbuf, *egress) : Next::drop(DropReason::stale_attachment);
  });
  ctx_.answers.size = 0;
}

bool Worker::turn(NanoTime now) {
  ctx_.now = now;
  ctx_.tick = Tick::of(now);
  ctx_.snapshot = root_.load(std::memory_order_acquire);
  ctx_.wall_offset_ns = wall_offset_ns_.load(std::memory_order_relaxed);
  const bool sampled = ctx_.profile.begin_turn(now);
  if (sampled) ctx_.profile.start(rte_rdtsc());
  const bool busy = work();
  if (sampled) ctx_.profile.finish(busy, rte_rdtsc());
  ctx_.profile.end_turn(busy);
  ctx_.counters.turns.add();
  if (!busy) ctx_.counters.idle_turns.add();
  rte_rcu_qsbr_quiescent(qsbr_, ctx_.id);
  return busy;
}

/// Packets that waited for inspection, before others are. What is in `burst_` is done with.
bool Worker::forward_inspected() {
  if (ctx_.inspect_queue.empty()) return false;
  enter(ctx_, Stage::inspect, ctx_.inspect_queue.size());
  inspect_waiting(ctx_, burst_);
  send_burst(burst_);
  if (!ctx_.fragments->cleared.empty()) forward_cleared(burst_);
  return true;
}

bool Worker::work() {
  bool busy = work_on_command();
  ctx_.inspect_work_left = ctx_.inspect_limits.turn_work;
  busy |= forward_inspected();
  take_magic(ctx_);
  enter(ctx_, Stage::take_over);
  busy |= take_handed_over();
  enter(ctx_, Stage::from_control);
  busy |= take_from_control();
  busy |= receive();
  for (const auto& ring : ctx_.rings.in) {  // for the next turn
    if (ring != nullptr) ring->prefetch_next();
  }
  if (ctx_.answers.size != 0) send_answers();
  enter(ctx_, Stage::hand_over);
  flush_handoffs(ctx_);
  enter(ctx_, Stage::tx);
  flush_tx(ctx_);
  enter(ctx_, Stage::expire);
  expire_sessions(ctx_, kExpirePerTurn);
  if (ctx_.pending != nullptr && ctx_.pending->sessions() > 0) [[unlikely]] {
    expire_pending(ctx_);
    forward_pending(burst_);
    flush_tx(ctx_);
  }
  if (ctx_.resets.size != 0) {
    send_burst(ctx_.resets);
    flush_tx(ctx_);
  }
  expire_fragments(ctx_);
  return busy;
}

bool Worker::receive() {
  bool busy = false;
  for (const RxQueue& queue : rx_queues_) {
    enter(ctx_, Stage::rx);
    const uint16_t n = rte_eth_rx_burst(queue.device, queue.queue, burst_.packets, burst_size_);
    if (n == 0) continue;
    busy = true;
    count_packets(ctx_, n);
    burst_.size = n;
    ctx_.counters.rx.add(n);
    ctx_.counters.bursts.add();
    for (uint16_t i = 0; i < n && i < kPacketsAhead; ++i) prefetch_packet(burst_.packets[i]);
    for (uint16_t i = 0; i < n; ++i) {
      if (i + kPacketsAhead < n) prefetch_packet(burst_.packets[i + kPacketsAhead]);
      meta_of(burst_.packets[i]).port = queue.port;
    }
    forward_received(burst_);
  }
  return busy;
}

/// The packet has waited: the attachment that it came in by may have gone. Then it is dropped.
[[gnu::always_inline]] inline bool Worker::still_known(rte_mbuf* mbuf) {
  if (ctx_.snapshot->attachment(meta_of(mbuf).ingress) != nullptr) [[likely]]
    return true;
  leave(ctx_, mbuf, Next::drop(DropReason::stale_attachment));
  return false;
}

/// A packet that goes on at the look-up joins `burst_`, of which `lookups` knows the others.
[[gnu::always_inline]] inline void Worker::take_up(rte_mbuf* mbuf, LookupAhead& lookups) {
  if (!still_known(mbuf)) [[unlikely]]
    return;
  lookups.add(burst_.size, burst_.packets, meta_of(mbuf));
  burst_.packets[burst_.size++] = mbuf;
}

bool Worker::take_handed_over() {
  rte_mbuf* taken[kMaxRxBurst];
  unsigned n = 0;
  for (const auto& ring : ctx_.rings.in) {
    if (ring != nullptr) n += ring->pop(taken + n, from_each_);
  }
  if (n == 0) return false;
  ctx_.counters.taken_over.add(n);
  count_packets(ctx_, n);
  burst_.size = 0;
  LookupAhead lookups(*ctx_.sessions);
  unsigned outer_fragments = 0;
  for (unsigned i = 0; i < n && i < kHandedOverAhead; ++i) prefetch_handed_over(taken[i]);
  for (unsigned i = 0; i < n; ++i) {
    rte_mbuf* mbuf = taken[i];
    if (i + kHandedOverAhead < n) prefetch_handed_over(taken[i + kHandedOverAhead]);
    prefetch_to_write(data_of(mbuf));
    prefetch_to_write(data_of(mbuf) + 64);
    if (const Entry entry = meta_of(mbuf).entry; entry == Entry::session_lookup) [[likely]] {
      take_up(mbuf, lookups);
    } else if (entry == Entry::outer) {
      taken[outer_fragments++] = mbuf;
    } else if (entry == Entry::gather) {
      gather_handed_over(ctx_, mbuf);
    } else {  // Entry::tx; none is handed over to be encapsulated
      transmit(ctx_, mbuf);
    }
  }
  lookups.finish(burst_.size, burst_.packets, translated_);
  forward_owned(burst_, lookups);
  if (!ctx_.fragments->released.empty()) forward_released();
  if (outer_fragments != 0) {
    burst_.size = 0;
    for (unsigned i = 0; i < outer_fragments; ++i) burst_.push(taken[i]);
    forward_received(burst_);
  }
  return true;
}

bool Worker::is_drained() const {
  for (size_t from = 0; from < drain_to_.size(); ++from) {
    const HandoffRing* ring = ctx_.rings.in[from].get();
    if (ring != nullptr && static_cast<int32_t>(drain_to_[from] - ring->popped()) > 0) return false;
  }
  return true;
}

bool Worker::take_from_control() {
  void* taken[kMaxRxBurst];
  const unsigned n = rte_ring_sc_dequeue_burst(ctx_.rings.from_control.get(), taken, kMaxRxBurst, nullptr);
  if (n == 0) return false;
  count_packets(ctx_, n);
  burst_.size = 0;
  LookupAhead lookups(*ctx_.sessions);
  for (unsigned i = 0; i < n; ++i) {
    auto* mbuf = static_cast<rte_mbuf*>(taken[i]);
    switch (meta_of(mbuf).entry) {
      case Entry::tx:
        ctx_.counters.generated.add();
        transmit(ctx_, mbuf);
        break;
      case Entry::encap:
        ctx_.counters.generated.add();
        if (!ctx_.answers.push(mbuf)) leave(ctx_, mbuf, Next::drop(DropReason::tx_full));
        break;
      case Entry::session_lookup:
        ctx_.counters.resumed.add();
        take_up(mbuf, lookups);
        break;
      case Entry::outer:  // control sends none of these
      case Entry::gather:
        leave(ctx_, mbuf, Next::drop(DropReason::punt_unwanted));
        break;
    }
  }
  lookups.finish(burst_.size, burst_.packets, translated_);
  forward_owned(burst_, lookups);
  return true;
}

void Worker::purge_or_list(SessionIndex index, const Command& command, Command::Part& part) {
  Session& session = ctx_.sessions->at(index);
  const SessionCold& cold = ctx_.sessions->cold(index);
  switch (command.kind) {
    case Command::Kind::drain:
      break;
    case Command::Kind::purge:
      if (command.names(cold.ingress) || command.names(cold.egress) ||
          command.names_domain(session.domain[0]) || command.names_domain(session.domain[1])) {
        end_session(ctx_, index, inspection::FlowEnd::purged);
      }
      break;
    case Command::Kind::purge_stale_adjacencies:
      for (AdjacencyId& adjacency : session.adjacency) {
        if (AdjacencyTable::View view; !ctx_.snapshot->adjacencies->get(adjacency, view)) adjacency = {};
      }
      break;
    case Command::Kind::list_sessions: {
      if (part.found == part.rows.size()) break;
      const auto domain_id = [&](uint16_t slot) {
        const auto& domain = ctx_.snapshot->domains[slot];
        return domain != nullptr ? domain->id : DomainId{};
      };
      SessionRow& row = part.rows[part.found++];
      row.worker = ctx_.id;
      row.index = index;
      row.generation = cold.generation;
      row.tuple = ctx_.sessions->tuple(index);
      row.leaves = ctx_.sessions->leaving(index, Direction::forward);
      row.from = domain_id(session.domain[0]);
      row.to = domain_id(session.domain[1]);
      row.ingress = cold.ingress;
      row.egress = cold.egress;
      row.state = session.state;
      row.flags = session.flags;
      row.rule = cold.rule;
      for (size_t d = 0; d < 2; ++d) {
        row.packets[d] = total_packets(session, cold, d);
        row.bytes[d] = total_bytes(session, cold, d);
      }
      row.start_ns = cold.start_ns;
      row.idle_ticks = ctx_.tick.since(session.last_seen);
      break;
    }
  }
}

bool Worker::work_on_command() {
  if (command_ == nullptr) {
    void* next = nullptr;
    if (rte_ring_sc_dequeue(commands_.get(), &next) != 0) return false;
    command_ = static_cast<Command*>(next);
    cursor_ = 0;
    // What was published before the command was sent holds for the sessions that this turn makes.
    ctx_.snapshot = root_.load(std::memory_order_acquire);
    for (size_t from = 0; from < drain_to_.size(); ++from) {
      if (const auto& ring = ctx_.rings.in[from]; ring != nullptr) drain_to_[from] = ring->pushed();
    }
  }
  Command::Part& part = command_->parts[ctx_.id];
  bool done;
  if (command_->kind == Command::Kind::drain) {
    done = is_drained();
  } else {
    const uint32_t end = std::min(cursor_ + kCommandSlice, ctx_.sessions->capacity());
    for (; cursor_ < end; ++cursor_) {
      if (ctx_.sessions->in_use(cursor_)) purge_or_list(cursor_, *command_, part);
    }
    done = end == ctx_.sessions->capacity();
  }
  if (done) {
    command_ = nullptr;
    part.done.store(true, std::memory_order_release);
  }
  return true;
}

void Worker::sleep_a_little() {
  // Offline, so that control does not wait for a sleeping worker.
  rte_rcu_qsbr_thread_offline(qsbr_, ctx_.id);
  const timespec pause{0, kSleepNanos};
  nanosleep(&pause, nullptr);
  rte_rcu_qsbr_thread_online(qsbr_, ctx_.id);
}

void Worker::run(const std::atomic<bool>& stop, NanoTime (*clock)(const void*), const void* clock_state) {
  prctl(PR_SET_TIMERSLACK, 1UL);  // else each sleep takes 50 us longer than asked
  uint32_t idle_turns = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    const bool busy = turn(clock(clock_state));
    idle_turns = busy ? 0 : idle_turns + 1;
    if (idle_ == IdleMode::adaptive && idle_turns >= kIdleTurnsBeforeSleep) {
      sleep_a_little();
    } else if (!busy) {
      rte_pause();
    }
  }
  rte_rcu_qsbr_thread_offline(qsbr_, ctx_.id);
}

}  // namespace weir::dataplane
