#include "dataplane/worker/dataplane.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring_elem.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>

#include "dataplane/decide/owner.h"
#include "dataplane/net/headers.h"
#include "dataplane/worker/tsc_clock.h"
#include "dataplane/worker/worker.h"

namespace weir::dataplane {

namespace {

NanoTime read_clock(const void* clock) { return static_cast<const TscClock*>(clock)->now(); }

struct FreeRte {
  void operator()(void* memory) const { rte_free(memory); }
};

/// EAL wants ring names that are unique in the process.
std::string ring_name(const char* what, unsigned worker) {
  return std::string("weir_") + what + std::to_string(worker);
}

Result<RingPtr> make_ring(const char* what, unsigned worker, uint32_t size, unsigned flags) {
  RingPtr ring(
      rte_ring_create(ring_name(what, worker).c_str(), size, SOCKET_ID_ANY, flags | RING_F_EXACT_SZ));
  if (ring == nullptr) {
    return fail(ErrorCode::exhausted, "no memory for the " + ring_name(what, worker) + " ring of " +
                                          std::to_string(size) + " entries: " + rte_strerror(rte_errno));
  }
  return ring;
}

Result<RingPtr> make_record_ring(const char* what, unsigned worker, uint32_t size, unsigned record_size) {
  RingPtr ring(rte_ring_create_elem(ring_name(what, worker).c_str(), record_size, size, SOCKET_ID_ANY,
                                    RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ));
  if (ring == nullptr) {
    return fail(ErrorCode::exhausted, "no memory for the " + ring_name(what, worker) + " ring of " +
                                          std::to_string(size) + " records: " + rte_strerror(rte_errno));
  }
  return ring;
}

static_assert(sizeof(NeighborNote) % 4 == 0, "ring records are whole words");

Result<WorkerRings> make_rings(unsigned worker, const DataplaneSettings& settings) {
  constexpr unsigned kSingle = RING_F_SP_ENQ | RING_F_SC_DEQ;
  WorkerRings rings;
  auto from_control = make_ring("ctl", worker, settings.ring_size, kSingle);
  auto punts = make_ring("punt", worker, settings.ring_size, kSingle);
  auto notes = make_record_ring("note", worker, settings.ring_size, sizeof(NeighborNote));
  for (auto* ring : {&from_control, &punts, &notes}) {
    if (!*ring) return tl::unexpected(std::move(ring->error()));
  }
  std::vector<std::unique_ptr<HandoffRing>> in(settings.cores.size());
  for (size_t from = 0; from < in.size(); ++from) {
    if (from != worker) in[from] = std::make_unique<HandoffRing>(settings.ring_size);
  }
  return WorkerRings{
      std::move(in), std::move(*from_control), std::move(*punts), std::move(*notes),
      std::make_unique<inspection::EventRing>(settings.event_queue * inspection::EventRing::kOrdinaryEvent)};
}

/// `frame`, with a tag between its addresses and its type if `vlan` is not 0.
void write_frame(char* at, std::span<const uint8_t> frame, uint16_t vlan) {
  constexpr size_t kMacs = 2 * sizeof(net::Mac);
  if (vlan == 0 || frame.size() < kMacs) {
    std::memcpy(at, frame.data(), frame.size());
    return;
  }
  const net::be16 tag[] = {net::be16::of(net::kEtherVlan), net::be16::of(vlan)};
  std::memcpy(at, frame.data(), kMacs);
  std::memcpy(at + kMacs, tag, sizeof tag);
  std::memcpy(at + kMacs + sizeof tag, frame.data() + kMacs, frame.size() - kMacs);
}

/// Numbers that nobody outside is to guess: unless a test says otherwise.
class Secrets {
 public:
  explicit Secrets(std::optional<uint64_t> fixed) : fixed_(fixed) {}
  uint64_t next() {
    if (fixed_) return *fixed_ = *fixed_ * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    return uint64_t{random_()} << 32 | random_();
  }

 private:
  std::optional<uint64_t> fixed_;
  std::random_device random_;
};

class DataplaneImpl final : public Dataplane {
 public:
  DataplaneImpl(std::vector<Port*> ports, rte_mempool* pool, std::unique_ptr<const Snapshot> first)
      : ports_(std::move(ports)), pool_(pool), current_(std::move(first)), root_(current_.get()) {}
  ~DataplaneImpl() override;

  Status init(const DataplaneSettings& settings);

  Status start() override;
  void stop() override;
  void turn(WorkerIndex worker, NanoTime now) override { workers_[worker]->turn(now); }

  void publish(std::unique_ptr<const Snapshot> next) override;
  const Snapshot& current() const override { return *current_; }
  void housekeeping() override;
  void after_grace_period(std::function<void()> done) override {
    retired_.push_back({rte_rcu_qsbr_start(qsbr_.get()), nullptr, std::move(done)});
  }
  void after_quiescence(std::function<void()> done) override;
  void purge(std::vector<AttachmentId> attachments, std::vector<DomainId> domains,
             std::function<void()> done) override;
  void purge_stale_adjacencies(std::function<void()> done) override {
    send_command(Command::Kind::purge_stale_adjacencies, std::move(done));
  }

  const inspection::RuleMemory& rule_memory() const override { return *rule_memory_; }
  void set_wall_offset(int64_t offset_ns) override {
    wall_offset_ns_.store(offset_ns, std::memory_order_relaxed);
  }

  std::vector<Punt> take_punts(size_t max) override;
  std::vector<NeighborNote> take_notes(size_t max) override;
  void resume(const Punt& punt) override;
  void discard(const Punt& punt, DropReason reason) override;
  bool send_frame(PortIndex port, std::span<const uint8_t> frame) override;
  bool send_inner(AttachmentId attachment, std::span<const uint8_t> frame) override;

  size_t take_events(size_t max, const inspection::TakeEvent& take) override;

  NanoTime now() const override { return clock_.now(); }
  unsigned workers() const override { return static_cast<unsigned>(workers_.size()); }
  const WorkerCounters& counters(WorkerIndex worker) const override {
    return workers_[worker]->context().counters;
  }
  const inspection::InspectorCounters& inspection_counters(WorkerIndex worker) const override {
    return workers_[worker]->context().inspector->counters();
  }
  const inspection::Engine* inspection_engine(WorkerIndex worker) const override {
    return &workers_[worker]->context().inspector->engine();
  }
  const ProfileCounters& profile(WorkerIndex worker) const override {
    return workers_[worker]->context().profile.counters();
  }
  AttachmentTotals attachment_totals(AttachmentId attachment) const override;
  RuleHit rule_hits(RuleIndex rule) const override {
    RuleHit total;
    for (const auto& worker : workers_) total += worker->context().rule_hits.of(rule);
    return total;
  }
  std::optional<NanoTime> probe_answered(AttachmentId attachment, ProbeToken token) const override;
  void watch(NanoTime until) override {
    for (const auto& worker : workers_) worker->context().profile.watch(until);
  }
  uint64_t cycles_per_second() const override { return clock_.cycles_per_second(); }
  uint64_t control_dropped(DropReason reason) const override {
    return dropped_[static_cast<size_t>(reason)].get();
  }
  uint64_t held() const override { return held_.get(); }
  void list_sessions(size_t max, std::function<void(std::vector<SessionRow>)> done) override;

 private:
  /// Something to do once all workers have answered a command, and whom it still has to be sent to.
  struct Pending {
    std::unique_ptr<Command> command;
    WorkerIndex sent = 0;  // to workers below this number
    std::function<void(Command&)> done;
  };
  struct Retired {
    uint64_t token;
    std::unique_ptr<const Snapshot> snapshot;  // freed then, or null
    std::function<void()> done;                // called then, or empty
  };

  Status init_worker(WorkerIndex index, const DataplaneSettings& settings, Secrets& secrets);
  void connect(WorkerIndex index);
  std::unique_ptr<Command> make_command(Command::Kind kind) const;
  void send_command(Command::Kind kind, std::function<void()> done);
  void enqueue(std::unique_ptr<Command> command, std::function<void(Command&)> done);
  bool advance(Pending& pending);
  /// What is taken from each worker's ring at a time, so that none starves the others.
  size_t share_of(size_t max) const { return std::max<size_t>(1, max / workers_.size()); }
  bool send_made(PortIndex port, AttachmentId attachment, Entry entry, std::span<const uint8_t> frame);
  static int run_worker(void* argument);

  std::vector<Port*> ports_;
  rte_mempool* pool_;
  std::unique_ptr<const Snapshot> current_;
  std::atomic<const Snapshot*> root_;
  std::unique_ptr<rte_rcu_qsbr, FreeRte> qsbr_;
  TscClock clock_;
  std::unique_ptr<SessionBudgets> budgets_;              // null: there are no bounds
  std::shared_ptr<inspection::RuleMemory> rule_memory_;  // of all workers
  std::vector<std::unique_ptr<Worker>> workers_;
  std::deque<Pending> pending_;
  std::deque<Retired> retired_;
  std::array<Counter, kDropReasonCount> dropped_;
  Counter held_;
  std::atomic<int64_t> wall_offset_ns_{0};
  std::atomic<bool> stop_{false};
  bool running_ = false;
  struct Launch {
    DataplaneImpl* dataplane;
    WorkerIndex worker;
  };
  std::vector<Launch> launches_;
};

Status DataplaneImpl::init(const DataplaneSettings& settings) {
  const auto count = static_cast<uint32_t>(settings.cores.size());
  const size_t size = rte_rcu_qsbr_get_memsize(count);
  qsbr_.reset(static_cast<rte_rcu_qsbr*>(rte_zmalloc("weir_qsbr", size, RTE_CACHE_LINE_SIZE)));
  if (qsbr_ == nullptr || rte_rcu_qsbr_init(qsbr_.get(), count) != 0) {
    return fail(ErrorCode::exhausted, "no memory for the workers' quiescent states");
  }
  Secrets secrets(settings.secret);
  if (settings.budgets.any()) {
    auto budgets = SessionBudgets::create(settings.budgets, settings.attachments, secrets.next());
    if (!budgets) return tl::unexpected(std::move(budgets.error()).context("host table"));
    budgets_ = std::move(*budgets);
  }
  const inspection::InspectorLimits& limits = settings.inspection;
  auto memory = inspection::RuleMemory::create(
      {limits.host_marks, limits.dataset_values, limits.tls_identities}, secrets.next());
  if (!memory) return tl::unexpected(std::move(memory.error()).context("inspection"));
  rule_memory_ = std::move(*memory);
  for (uint32_t i = 0; i < count; ++i) {
    if (auto status = init_worker(static_cast<WorkerIndex>(i), settings, secrets); !status) return status;
  }
  for (uint32_t i = 0; i < count; ++i) connect(static_cast<WorkerIndex>(i));
  return {};
}

Status DataplaneImpl::init_worker(WorkerIndex index, const DataplaneSettings& settings, Secrets& secrets) {
  const auto count = static_cast<uint32_t>(settings.cores.size());
  auto rings = make_rings(index, settings);
  if (!rings) return tl::unexpected(std::move(rings.error()));
  auto commands = make_ring("cmd", index, 64, RING_F_SP_ENQ | RING_F_SC_DEQ);
  if (!commands) return tl::unexpected(std::move(commands.error()));
  auto worker = std::make_unique<Worker>(index, settings, std::move(*rings), std::move(*commands), root_,
                                         wall_offset_ns_, qsbr_.get());

  WorkerContext& ctx = worker->context();
  const uint32_t share = (settings.sessions + count - 1) / count;
  auto sessions = SessionTable::create(share, Tick::of(clock_.now()));
  if (!sessions) return tl::unexpected(std::move(sessions.error()).context("session table"));
  ctx.sessions = std::move(*sessions);
  ctx.budgets = budgets_.get();
  const uint32_t half_open = settings.half_open == 0 ? settings.sessions / 4 : settings.half_open;
  ctx.half_open_limit = std::max(1u, (half_open + count - 1) / count);
  inspection::InspectorLimits limits = settings.inspection;
  limits.flows = (limits.flows + count - 1) / count;
  auto inspector = inspection::Inspector::create(index, limits, rule_memory_, settings.inspection_events);
  if (!inspector) return tl::unexpected(std::move(inspector.error()).context("inspection"));
  ctx.inspector = std::move(*inspector);
  ctx.bindings = std::make_unique<Bindings>(std::max<uint32_t>(settings.nat_bindings / count, 1), ctx.id,
                                            secrets.next());
  ctx.ftp = std::make_unique<FtpControls>((settings.ftp_controls + count - 1) / count);
  ctx.fragments = std::make_unique<FragmentState>(worker_share(settings.fragments, count), secrets.next());
  if (settings.names) {
    auto finder = settings.names(index, rule_memory_);
    if (!finder) return tl::unexpected(std::move(finder.error()).context("names"));
    ctx.pending =
        std::make_unique<PendingSessions>(worker_share(settings.pending, count), std::move(*finder));
  }
  ctx.pool = pool_;
  if (rte_rcu_qsbr_thread_register(qsbr_.get(), index) != 0) {
    return fail(ErrorCode::internal, "a worker's quiescent state cannot be registered");
  }
  rte_rcu_qsbr_thread_online(qsbr_.get(), index);
  workers_.push_back(std::move(worker));
  return {};
}

void DataplaneImpl::connect(WorkerIndex index) {
  Worker& worker = *workers_[index];
  WorkerContext& ctx = worker.context();
  for (const auto& peer : workers_) ctx.peers.push_back(peer->context().rings.in[index].get());
  for (size_t p = 0; p < ports_.size(); ++p) {
    const Port& port = *ports_[p];
    for (const uint16_t queue : port.rx_queues(index)) {
      worker.add_rx_queue({port.device(), queue, static_cast<PortIndex>(p)});
    }
    // Of the workers that share a tx queue the first one owns it.
    WorkerIndex tx_owner = index;
    if (port.tx_shared()) {
      tx_owner = 0;
      while (port.tx_queue(tx_owner) != port.tx_queue(index)) ++tx_owner;
    }
    auto buffer = std::make_unique<TxBuffer>();
    buffer->device = port.device();
    buffer->queue = port.tx_queue(index);
    buffer->owner = tx_owner;
    if (tx_owner != index) buffer->size = TxBuffer::kElsewhere;
    ctx.tx.push_back(std::move(buffer));
  }
}

DataplaneImpl::~DataplaneImpl() {
  stop();
  // Packets that still wait in rings go back to the pool, which outlives us.
  for (const auto& worker : workers_) {
    const auto free = [](void* packet) { rte_pktmbuf_free(static_cast<rte_mbuf*>(packet)); };
    worker->context().fragments->outer.clear(free);
    worker->context().fragments->inner.clear(free);
    const WorkerRings& rings = worker->context().rings;
    for (const auto& ring : rings.in) {
      for (rte_mbuf* mbuf; ring != nullptr && ring->pop(&mbuf, 1) == 1;) rte_pktmbuf_free(mbuf);
    }
    for (rte_ring* ring : {rings.from_control.get(), rings.punts.get()}) {
      void* mbuf = nullptr;
      while (rte_ring_dequeue(ring, &mbuf) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
    }
  }
}

int DataplaneImpl::run_worker(void* argument) {
  const auto& launch = *static_cast<Launch*>(argument);
  DataplaneImpl& self = *launch.dataplane;
  self.workers_[launch.worker]->run(self.stop_, read_clock, &self.clock_);
  return 0;
}

Status DataplaneImpl::start() {
  launches_.clear();
  for (size_t i = 0; i < workers_.size(); ++i) launches_.push_back({this, static_cast<WorkerIndex>(i)});
  stop_.store(false);
  unsigned lcore = RTE_MAX_LCORE;
  size_t started = 0;
  // Worker i runs on the i-th lcore after the main one; eal_start() maps it to its core.
  for (lcore = rte_get_next_lcore(static_cast<unsigned>(-1), 1, 0);
       lcore < RTE_MAX_LCORE && started < launches_.size(); lcore = rte_get_next_lcore(lcore, 1, 0)) {
    if (rte_eal_remote_launch(run_worker, &launches_[started], lcore) != 0) break;
    ++started;
  }
  running_ = true;
  if (started == launches_.size()) return {};
  stop();
  return fail(ErrorCode::unavailable, "only " + std::to_string(started) + " of " +
                                          std::to_string(launches_.size()) +
                                          " workers could be started on their cores");
}

void DataplaneImpl::stop() {
  if (!running_) return;
  stop_.store(true);
  rte_eal_mp_wait_lcore();
  running_ = false;
}

void DataplaneImpl::publish(std::unique_ptr<const Snapshot> next) {
  root_.store(next.get(), std::memory_order_release);
  std::unique_ptr<const Snapshot> old = std::exchange(current_, std::move(next));
  retired_.push_back({rte_rcu_qsbr_start(qsbr_.get()), std::move(old), {}});
}

void DataplaneImpl::after_quiescence(std::function<void()> done) {
  // First a grace period, so that nothing new is handed over by what was seen before; then the rings run dry
  // of it.
  retired_.push_back({rte_rcu_qsbr_start(qsbr_.get()), nullptr,
                      [this, done = std::move(done)] { send_command(Command::Kind::drain, done); }});
}

void DataplaneImpl::housekeeping() {
  // Moved out first: a callback may retire or send more.
  while (!retired_.empty() && rte_rcu_qsbr_check(qsbr_.get(), retired_.front().token, false) == 1) {
    const Retired past = std::move(retired_.front());
    retired_.pop_front();
    if (past.done) past.done();
  }
  while (!pending_.empty() && advance(pending_.front())) {
    Pending finished = std::move(pending_.front());
    pending_.pop_front();
    finished.done(*finished.command);
  }
}

bool DataplaneImpl::advance(Pending& pending) {
  while (pending.sent < workers_.size() && workers_[pending.sent]->command(pending.command.get()))
    ++pending.sent;
  if (pending.sent < workers_.size()) return false;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (!pending.command->parts[i].done.load(std::memory_order_acquire)) return false;
  }
  return true;
}

void DataplaneImpl::enqueue(std::unique_ptr<Command> command, std::function<void(Command&)> done) {
  pending_.push_back({std::move(command), 0, std::move(done)});
}

std::unique_ptr<Command> DataplaneImpl::make_command(Command::Kind kind) const {
  auto command = std::make_unique<Command>();
  command->kind = kind;
  command->parts = std::make_unique<Command::Part[]>(workers_.size());
  return command;
}

void DataplaneImpl::send_command(Command::Kind kind, std::function<void()> done) {
  enqueue(make_command(kind), [done = std::move(done)](Command&) { done(); });
}

void DataplaneImpl::purge(std::vector<AttachmentId> attachments, std::vector<DomainId> domains,
                          std::function<void()> done) {
  auto command = make_command(Command::Kind::purge);
  std::sort(attachments.begin(), attachments.end());
  command->attachments = std::move(attachments);
  for (const DomainId id : domains) command->domain_slots.push_back(static_cast<uint16_t>(id.index()));
  std::sort(command->domain_slots.begin(), command->domain_slots.end());
  enqueue(std::move(command), [done = std::move(done)](Command&) { done(); });
}

void DataplaneImpl::list_sessions(size_t max, std::function<void(std::vector<SessionRow>)> done) {
  auto command = make_command(Command::Kind::list_sessions);
  for (size_t i = 0; i < workers_.size(); ++i) command->parts[i].rows.resize(max);
  enqueue(std::move(command), [this, max, done = std::move(done)](Command& finished) {
    std::vector<SessionRow> rows;
    for (size_t i = 0; i < workers_.size(); ++i) {
      const Command::Part& part = finished.parts[i];
      rows.insert(rows.end(), part.rows.begin(), part.rows.begin() + static_cast<std::ptrdiff_t>(part.found));
    }
    if (rows.size() > max) rows.resize(max);
    done(std::move(rows));
  });
}

AttachmentTotals DataplaneImpl::attachment_totals(AttachmentId attachment) const {
  AttachmentTotals totals;
  for (const auto& worker : workers_) {
    const AttachmentTally& tally = worker->context().tallies[attachment];
    totals.rx_packets += tally.rx_packets.get();
    totals.rx_bytes += tally.rx_bytes.get();
    totals.tx_packets += tally.tx_packets.get();
    totals.tx_bytes += tally.tx_bytes.get();
  }
  return totals;
}

std::optional<NanoTime> DataplaneImpl::probe_answered(AttachmentId attachment, ProbeToken token) const {
  for (const auto& worker : workers_) {
    const AttachmentTally& tally = worker->context().tallies[attachment];
    if (tally.answered.load(std::memory_order_acquire) == token.value) {
      return tally.answered_at.load(std::memory_order_relaxed);
    }
  }
  return std::nullopt;
}

std::vector<Punt> DataplaneImpl::take_punts(size_t max) {
  std::vector<Punt> punts;
  const size_t share = share_of(max);
  for (const auto& worker : workers_) {
    void* item = nullptr;
    for (size_t i = 0; i < share && rte_ring_sc_dequeue(worker->context().rings.punts.get(), &item) == 0;
         ++i) {
      auto* mbuf = static_cast<rte_mbuf*>(item);
      const PacketMeta& meta = meta_of(mbuf);
      Punt punt;
      punt.reason = static_cast<PuntReason>(meta.punt_reason);
      punt.attachment = meta.ingress;
      punt.ingress = meta.ingress;
      if (punt.reason == PuntReason::resolve) {
        punt.attachment = meta.egress;
        punt.target = meta.wait_for;
      }
      punt.mtu = meta.punt_mtu;
      punt.port = meta.port;
      punt.frame = bytes_of(mbuf);
      punt.mbuf = mbuf;
      punts.push_back(punt);
    }
  }
  held_.add(punts.size());
  return punts;
}

std::vector<NeighborNote> DataplaneImpl::take_notes(size_t max) {
  std::vector<NeighborNote> notes;
  const size_t share = share_of(max);
  for (const auto& worker : workers_) {
    rte_ring* ring = worker->context().rings.notes.get();
    NeighborNote note;
    for (size_t i = 0; i < share && rte_ring_sc_dequeue_elem(ring, &note, sizeof note) == 0; ++i) {
      notes.push_back(note);
    }
  }
  return notes;
}

void DataplaneImpl::resume(const Punt& punt) {
  auto* mbuf = static_cast<rte_mbuf*>(punt.mbuf);
  PacketMeta& meta = meta_of(mbuf);
  meta.entry = Entry::session_lookup;
  const uint16_t domain = meta.is_v4() ? meta.key4.domain : meta.key6.domain;
  const WorkerIndex home = owner_of(OwnerQuery{.tuple = meta.tuple(), .domain = domain}, *current_);
  if (rte_ring_sp_enqueue(workers_[home]->context().rings.from_control.get(), mbuf) != 0) {
    return discard(punt, DropReason::punt_full);
  }
  held_.set(held_.get() - 1);
}

void DataplaneImpl::discard(const Punt& punt, DropReason reason) {
  dropped_[static_cast<size_t>(reason)].add();
  rte_pktmbuf_free(static_cast<rte_mbuf*>(punt.mbuf));
  held_.set(held_.get() - 1);
}

bool DataplaneImpl::send_made(PortIndex port, AttachmentId attachment, Entry entry,
                              std::span<const uint8_t> frame) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr) return false;
  // What goes to the underlay is tagged as the port says.
  const uint16_t vlan = entry == Entry::tx ? current_->ports[port].vlan : uint16_t{0};
  const size_t size = frame.size() + (vlan != 0 ? sizeof(net::VlanTag) : 0);
  char* at = size > UINT16_MAX ? nullptr : rte_pktmbuf_append(mbuf, static_cast<uint16_t>(size));
  if (at != nullptr) {
    write_frame(at, frame, vlan);
    PacketMeta& meta = *new (&meta_of(mbuf)) PacketMeta(port);
    meta.egress = attachment;
    meta.entry = entry;
    meta.ip_offset = entry == Entry::encap ? sizeof(net::EthHeader) : 0;  // `frame` is an Ethernet frame
    meta.origin = Origin::generated;
    if (rte_ring_sp_enqueue(workers_.front()->context().rings.from_control.get(), mbuf) == 0) return true;
  }
  rte_pktmbuf_free(mbuf);
  return false;
}

bool DataplaneImpl::send_frame(PortIndex port, std::span<const uint8_t> frame) {
  return send_made(port, {}, Entry::tx, frame);
}

bool DataplaneImpl::send_inner(AttachmentId attachment, std::span<const uint8_t> frame) {
  return send_made(0, attachment, Entry::encap, frame);
}

size_t DataplaneImpl::take_events(size_t max, const inspection::TakeEvent& take) {
  size_t taken = 0;
  const size_t share = share_of(max);
  for (const auto& worker : workers_)
    taken += worker->context().rings.events->take(std::min(share, max - taken), take);
  return taken;
}

}  // namespace

uint16_t Dataplane::mbuf_private_size() { return sizeof(PacketMeta); }

Result<std::unique_ptr<Dataplane>> Dataplane::create(const DataplaneSettings& settings,
                                                     std::vector<Port*> ports, rte_mempool* pool,
                                                     std::unique_ptr<const Snapshot> first) {
  auto dataplane = std::make_unique<DataplaneImpl>(std::move(ports), pool, std::move(first));
  if (auto status = dataplane->init(settings); !status) return tl::unexpected(std::move(status.error()));
  return dataplane;
}

}  // namespace weir::dataplane
