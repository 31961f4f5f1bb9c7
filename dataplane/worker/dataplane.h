// The data plane as control sees it: publish a snapshot, take what workers punt, send what control makes.
//
// Everything here is called by the control thread unless it says otherwise. Control never touches a worker's
// state: it publishes, it sends messages over bounded rings, it reads counters.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/core/counter.h"
#include "dataplane/core/snapshot.h"
#include "dataplane/core/time.h"
#include "dataplane/core/verdict.h"
#include "dataplane/fragment/fragment_table.h"
#include "dataplane/host/session_budgets.h"
#include "dataplane/io/port.h"
#include "dataplane/policy/rule_hits.h"
#include "dataplane/session/session.h"
#include "dataplane/worker/inspect_limits.h"
#include "dataplane/worker/pending_limits.h"
#include "dataplane/worker/profile.h"
#include "inspection/events/event_ring.h"
#include "inspection/inspector.h"
#include "inspection/names/name_finder.h"

namespace weir::dataplane {

enum class IdleMode : uint8_t { poll, adaptive };

/// What gives way to a new session when there is no room: half-open ones, then closed ones; or nothing.
enum class WhenFull : uint8_t { half_open, refuse };

struct DataplaneSettings {
  std::vector<uint32_t> cores;  // one worker on each; their number is the number of workers
  IdleMode idle = IdleMode::adaptive;
  uint32_t burst = 32;
  uint32_t sessions = 65'536;  // whole hub
  uint32_t ring_size = 2'048;
  uint32_t attachments = 16'384;        // that are counted and probed each for itself
  uint32_t policy_rules = 16'384;       // that are counted
  uint32_t punts_per_second = 2'000;    // per worker and kind of punt; as many notes of neighbours
  uint32_t punts_per_attachment = 200;  // of them
  uint32_t event_queue = 4'096;         // ordinary events: see EventRing
  uint32_t nat_bindings = 65'536;       // whole hub
  uint32_t ftp_controls = 1'024;        // control connections of FTP that are translated, whole hub
  FragmentLimits fragments = {};        // whole hub
  bool flow_events = true;
  uint32_t rule_events_per_second = 10;     // per policy rule and worker: see RuleLog
  uint32_t drop_events_per_second = 1'000;  // per worker: see DropLog
  uint32_t flow_interval = 0;  // ticks between the records of a session that lasts; 0: only at its end
  SessionBudgetLimits budgets = {};
  uint32_t half_open = 0;  // TCP sessions, whole hub; 0: a quarter of `sessions`
  WhenFull when_full = WhenFull::half_open;
  NanoTime stall_ns = kNanosPerMilli;      // see TurnProfile
  uint32_t sample_one_in = kSampleOneIn;   // see TurnProfile
  inspection::InspectorLimits inspection;  // `flows`: whole hub
  InspectLimits inspect = {};
  inspection::EventSettings inspection_events = {};
  /// What nobody is to guess (ports that are given out, hashes) comes from this and not from chance: for
  /// tests that want the same run again.
  std::optional<uint64_t> secret = {};
  PendingLimits pending = {};
  /// Makes one for each worker; empty: nobody finds the names that policy rules ask for.
  inspection::NameFinderFactory names = {};
};

/// Counters of one worker; each has that worker as its one writer. Any thread reads.
struct WorkerCounters {
  // in: rx + taken_over + resumed + generated = out: tx + dropped + punted + handed_over + consumed +
  // fragments_held + pending_held + inspect_held
  Counter rx;              // from ports
  Counter taken_over;      // from other workers
  Counter resumed;         // from control, which held them
  Counter generated;       // made by the hub: resets here, ARP, ND and ICMP errors by control
  Counter tx;              // accepted by ports: forwarded + answered + sent of the generated
  Counter forwarded;       // transit packets
  Counter answered;        // ARP, ND and echo for the hub's own addresses
  Counter punted;          // to control
  Counter handed_over;     // to other workers
  Counter consumed;        // ARP and ND answers that were taken note of
  Counter fragments_held;  // now
  Counter reassembled;     // outer datagrams put together
  std::array<Counter, kDropReasonCount> dropped;
  Counter sessions_created, sessions_expired, sessions_live;
  Counter sessions_half_open;  // now
  Counter sessions_given_way;  // ended so that a new one has room
  Counter nat_bindings;        // now
  Counter ftp_controls;        // now: translated control connections of FTP
  Counter ftp_rewritten;       // endpoints that they named and that were translated
  Counter ftp_gathered;        // of these, those that came in several segments
  Counter ftp_untracked;       // such connections that there was no room for: nothing is translated in them
  Counter hosts_untracked;     // times that the host table had no room for a source
  // Sessions looked at again after a change, by what has changed: policy; a route, or the way that packets
  // come; translation. And those that are no longer allowed then, or after their next hop went.
  Counter redecided_policy, redecided_route, redecided_nat;
  Counter cut_policy, cut_route, cut_nat;
  Counter
      tcp_ignored;  // segments that passed, but moved nothing: outside of the windows, SYN of a live session
  Counter resets_sent, inspected_packets;
  Counter inspect_held;      // now: packets that wait for inspection
  Counter inspect_waited;    // packets that had to, once or again
  Counter inspect_unseen;    // that passed without inspection, since there was no room or time for it
  Counter inspect_full;      // times that the queue had no room for one more
  Counter overloads;         // times that the worker became overloaded
  Counter overload_refused;  // sessions that began meanwhile, to which their profile's `fail` was applied
  Counter pending_sessions,
      pending_held;           // now: sessions whose rule is not known yet, packets that wait for it
  Counter pending_full;       // sessions decided without names, since there was no room for one more
  Counter pending_given_up;   // the same, since one more packet could not be held
  Counter pending_timed_out;  // the same, since they had waited for long enough
  Counter events_lost, notes_lost;
  std::array<Counter, inspection::kEventKinds> events_lost_of;  // by EventKind
  Counter drop_events_suppressed;  // packets that inspection dropped, not told: see DropLog
  Counter rule_events_suppressed;  // sessions that a logged rule refused or watched, not told: see RuleLog
  Counter turns, idle_turns, bursts;
};

/// What passed through one attachment, over all workers, since its slot was first used (an id before this one
/// included).
struct AttachmentTotals {
  uint64_t rx_packets = 0, rx_bytes = 0;
  uint64_t tx_packets = 0, tx_bytes = 0;
};

/// Why a packet was handed to control.
enum class PuntReason : uint8_t {
  resolve,        // held by control until `target` inside `attachment` answers, then resumed or discarded
  ttl_exceeded,   // control answers ICMP time exceeded
  mtu_exceeded,   // control answers fragmentation needed / packet too big with `mtu`
  underlay_arp,   // an ARP packet on a port that DPDK owns (from the outer Ethernet header on)
  underlay_icmp,  // an ICMP error for an address of such a port, the same
  multicast,      // multicast or broadcast of an attachment that has a port for it
  reject,         // control tells the sender that policy refuses the session
};
inline constexpr size_t kPuntReasons = 7;

/// A packet that control owns now, until it gives it back by exactly one of resume() and discard().
struct Punt {
  PuntReason reason{};
  AttachmentId attachment;  // resolve: of the next hop; else where it came in
  net::IpAddress target;    // resolve: the next hop inside
  AttachmentId ingress;     // where it came in
  uint16_t mtu = 0;         // mtu_exceeded: what would have fitted
  PortIndex port = 0;       // underlay_arp
  std::span<const uint8_t>
      frame;             // inner Ethernet header onward (underlay_arp: outer); valid while the Punt is owned
  void* mbuf = nullptr;  // the data plane's
};

/// A neighbour made itself known by ARP or ND: inside an attachment, or in the underlay of a port.
struct NeighborNote {
  /// How much it proves.
  enum class Kind : uint8_t {
    question,      // asked for an address of the hub
    answer,        // answered a question of the hub
    announcement,  // told everybody, unasked: gratuitous ARP, an unsolicited advertisement
  };
  AttachmentId attachment;  // invalid: in the underlay
  net::IpAddress address;
  net::Mac mac;
  PortIndex port = 0;  // in the underlay
  Kind kind = Kind::question;
};

/// One row of a session listing, copied by the session's worker.
/// What people and events call a session: unique for the hub's life. `generation`: how often the worker's
/// index was used.
constexpr uint64_t flow_id(WorkerIndex worker, SessionIndex index, uint32_t generation) {
  return uint64_t{worker} << 52 | uint64_t{generation & 0xfffff} << 32 | index;
}

constexpr SessionIndex session_of(uint64_t flow_id) { return static_cast<SessionIndex>(flow_id); }

struct SessionRow {
  WorkerIndex worker = 0;
  SessionIndex index = 0;
  uint32_t generation = 0;
  Tuple tuple;   // the initiator's
  Tuple leaves;  // as its packets leave; another one if the session is translated
  DomainId from, to;
  AttachmentId ingress, egress;
  SessionState state{};
  uint16_t flags = 0;
  uint32_t rule = 0;
  uint64_t packets[2] = {}, bytes[2] = {};
  NanoTime start_ns = 0;
  uint32_t idle_ticks = 0;
};

class Dataplane {
 public:
  /// Allocates everything that workers need. `ports` by PortIndex; `pool` is the one that the ports were
  /// opened with. `adjacencies` is the table that snapshots point to.
  static Result<std::unique_ptr<Dataplane>> create(const DataplaneSettings& settings,
                                                   std::vector<Port*> ports, rte_mempool* pool,
                                                   std::unique_ptr<const Snapshot> first);
  virtual ~Dataplane() = default;
  /// Private bytes per mbuf that make_packet_pool() has to provide.
  static uint16_t mbuf_private_size();

  /// Starts the workers on their cores; stop() returns when all have ended (within 100 ms).
  virtual Status start() = 0;
  virtual void stop() = 0;
  /// Without start(): one loop turn of one worker at a time chosen by the test.
  virtual void turn(WorkerIndex worker, NanoTime now) = 0;

  // --- state ---
  /// Makes `next` the snapshot; the one before is freed once no worker can see it.
  virtual void publish(std::unique_ptr<const Snapshot> next) = 0;
  virtual const Snapshot& current() const = 0;
  /// Frees what is past its grace period, collects acknowledgements. Call each control turn.
  virtual void housekeeping() = 0;
  /// Calls `done` (from housekeeping()) once every worker has passed a quiescent state: none of them is in
  /// the midst of a turn that began before.
  virtual void after_grace_period(std::function<void()> done) = 0;
  /// The same, and each has finished what it did with what it saw before: drained its rings of packets that
  /// name stale ids. Waits behind purges.
  virtual void after_quiescence(std::function<void()> done) = 0;
  /// Every worker removes, in one sweep over all that it has, its sessions that come in by or leave through
  /// one of `attachments` or have an end in one of `domains`; then `done` (from housekeeping()).
  virtual void purge(std::vector<AttachmentId> attachments, std::vector<DomainId> domains,
                     std::function<void()> done) = 0;
  /// Every worker lets its sessions forget next hops that were removed from the adjacency table: they look
  /// their route up again, none is removed. Then `done`: the indices of what was removed before the call may
  /// be released.
  virtual void purge_stale_adjacencies(std::function<void()> done) = 0;

  /// What to add to now() to get nanoseconds since 1970. To be told again whenever the wall clock may have
  /// been set; rules on points in time (the validity of certificates) go by it, and nothing else does.
  virtual void set_wall_offset(int64_t offset_ns) = 0;

  // --- packets ---
  /// At most `max` punts. The caller owns each.
  virtual std::vector<Punt> take_punts(size_t max) = 0;
  virtual std::vector<NeighborNote> take_notes(size_t max) = 0;
  /// The packet goes on where it was punted (at the session lookup), on the worker that owns it.
  virtual void resume(const Punt& punt) = 0;
  virtual void discard(const Punt& punt, DropReason reason) = 0;
  /// Sends a whole frame out of a port. False: no room.
  virtual bool send_frame(PortIndex port, std::span<const uint8_t> frame) = 0;
  /// Encapsulates an inner Ethernet frame that control made and sends it through the attachment. False: no
  /// room.
  virtual bool send_inner(AttachmentId attachment, std::span<const uint8_t> frame) = 0;

  // --- events: the writer thread ---
  /// Gives at most `max` events of all workers to `take`; how many. One thread only.
  virtual size_t take_events(size_t max, const inspection::TakeEvent& take) = 0;

  // --- looking in ---
  /// The workers' clock now: what event and session times count in. Any thread.
  virtual NanoTime now() const = 0;
  virtual unsigned workers() const = 0;
  virtual const WorkerCounters& counters(WorkerIndex worker) const = 0;
  virtual const inspection::InspectorCounters& inspection_counters(WorkerIndex worker) const = 0;
  /// For its counters; null: there is none.
  virtual const inspection::Engine* inspection_engine(WorkerIndex worker) const = 0;
  /// What rules remember beyond one session. Any thread.
  virtual const inspection::RuleMemory& rule_memory() const = 0;
  virtual const ProfileCounters& profile(WorkerIndex worker) const = 0;
  virtual AttachmentTotals attachment_totals(AttachmentId attachment) const = 0;
  /// What a rule decided, over all workers, since the hub started: by its place, whichever rule had that.
  virtual RuleHit rule_hits(RuleIndex rule) const = 0;
  /// When a worker saw the answer to the attachment's probe with `token`; nothing if none did, or a later
  /// probe was answered since.
  virtual std::optional<NanoTime> probe_answered(AttachmentId attachment, ProbeToken token) const = 0;
  /// Until then the workers sample every turn for their profile, since someone looks.
  virtual void watch(NanoTime until) = 0;
  /// What a profile's cycles count in.
  virtual uint64_t cycles_per_second() const = 0;
  /// Drops that control made of packets that it owned.
  virtual uint64_t control_dropped(DropReason reason) const = 0;
  /// Packets that control holds now.
  virtual uint64_t held() const = 0;
  /// Starts a listing of at most `max` sessions; `done` gets the rows (from housekeeping()).
  virtual void list_sessions(size_t max, std::function<void(std::vector<SessionRow>)> done) = 0;
};

}  // namespace weir::dataplane
