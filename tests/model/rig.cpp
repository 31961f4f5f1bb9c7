#include "tests/model/rig.h"

#include <rte_mempool.h>
#include <sched.h>
#include <utility>

#include <algorithm>
#include <stdexcept>

#include "dataplane/io/eal.h"
#include "dataplane/io/memory_port.h"
#include "dataplane/worker/dataplane.h"
#include "tests/model/rig_config.h"
#include "tests/model/tunnel.h"

namespace weir::model {

using namespace dataplane;
using ModelAttachment = int;

namespace {

constexpr NanoTime kTick = NanoTime{1} << Tick::kShift;

template <typename T>
T require(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void start_eal() {
  static bool started = false;
  if (started) return;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  unsigned core = 0;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    while (core + 1 < CPU_SETSIZE && !CPU_ISSET(core, &allowed)) ++core;
  }
  EalSettings settings;
  settings.control_core = core;
  settings.worker_cores = {core};
  settings.hugepages = Hugepages::off;
  require(eal_start(settings));
  started = true;
}

const char* name_of(PuntReason reason) {
  switch (reason) {
    case PuntReason::resolve:
      return "punt resolve";
    case PuntReason::ttl_exceeded:
      return "punt ttl_exceeded";
    case PuntReason::mtu_exceeded:
      return "punt mtu_exceeded";
    case PuntReason::reject:
      return "punt reject";
    default:
      return "punt for another reason";
  }
}

const char* state_name(SessionState state) {
  static const char* const names[] = {"free",        "active",      "loose",       "syn_sent", "syn_received",
                                      "established", "fin_forward", "fin_reverse", "closing",  "reset"};
  return names[static_cast<size_t>(state)];
}

Ends ends_from(const Tuple& t) {
  return {address_from(t.src), address_from(t.dst), t.src_port, t.dst_port, t.protocol};
}

}  // namespace

struct Rig::Impl {
  Impl(const Network& network, uint64_t secret);
  ~Impl();
  const WorkerCounters& counters(unsigned w) const { return plane->counters(static_cast<WorkerIndex>(w)); }
  void settle();
  Outcome collect();
  uint64_t sum(Counter WorkerCounters::*counter) const {
    uint64_t total = 0;
    for (unsigned w = 0; w < workers; ++w) total += (counters(w).*counter).get();
    return total;
  }
  uint64_t rule_total(RuleIndex rule) const { return plane->rule_hits(rule).sessions; }
  void note_hits();
  void until(const bool& done);

  struct Seen {
    std::array<uint64_t, kDropReasonCount> dropped{};
    uint64_t punted = 0;
  };
  unsigned workers;
  Network net;
  RigConfig config;
  rte_mempool* pool = nullptr;
  std::unique_ptr<MemoryPort> port;
  std::unique_ptr<Dataplane> plane;
  NanoTime now = 0;
  std::vector<Seen> seen;
  uint64_t created = 0, ended = 0, given_way = 0, cut = 0, ignored = 0, held = 0;
  std::vector<uint64_t> hits_before;
};

Rig::Impl::Impl(const Network& network, uint64_t secret)
    : workers(network.workers), net(network), config(network), seen(network.workers) {
  start_eal();
  pool = require(make_packet_pool(4'095, Dataplane::mbuf_private_size()));
  port =
      require(MemoryPort::create("p0", workers, pool, net::Mac::from_word(mac_word(kPortMac)), {512, 2'048}));
  DataplaneSettings settings;
  settings.cores.assign(workers, 0);
  settings.sessions = network.sessions * workers;
  settings.half_open = network.half_open * workers;
  settings.when_full = network.gives_way ? WhenFull::half_open : WhenFull::refuse;
  settings.nat_bindings = network.bindings * workers;
  settings.ring_size = 1'024;
  settings.attachments = 64;
  settings.policy_rules = 1'024;
  settings.punts_per_second = 1'000'000;
  settings.punts_per_attachment = 1'000'000;
  settings.event_queue = 64;
  settings.flow_events = false;
  settings.fragments = {4'096, 4'096, 64};
  settings.inspection = {
      .flows = std::min(network.sessions, 512u) * workers, .stream_window = 1'024, .host_marks = 1'024};
  const auto limits = [](const Budget& b) { return BudgetLimits{b.per_second, b.half_open}; };
  settings.budgets = {limits(network.of_host), limits(network.of_attachment), limits(network.of_domain),
                      4'096};
  settings.secret = secret;
  plane = require(Dataplane::create(settings, {port.get()}, pool, config.snapshot(network)));
  now = (plane->now() / kTick + 2) * kTick;
  settle();
  note_hits();
}

Rig::Impl::~Impl() {
  plane.reset();
  port.reset();
  rte_mempool_free(pool);
}

/// Turns all workers in order until none has anything to do.
void Rig::Impl::settle() {
  for (uint64_t before = ~0ULL;;) {
    const uint64_t busy = sum(&WorkerCounters::turns) - sum(&WorkerCounters::idle_turns);
    if (busy == before) return;
    before = busy;
    for (unsigned w = 0; w < workers; ++w) plane->turn(static_cast<WorkerIndex>(w), now);
  }
}

/// What has left, and how the counters have moved, since the last call.
Outcome Rig::Impl::collect() {
  Outcome o;
  for (unsigned w = 0; w < workers; ++w) {
    for (const Bytes& bytes : port->collect(static_cast<uint16_t>(w))) {
      Sent sent;
      sent.worker = static_cast<int>(w);
      FromHub left = read_from_hub(net, bytes);
      sent.to = left.to;
      sent.next = left.frame.dst;
      sent.ip = std::move(left.frame.data);
      const bool bridged = carries_ethernet(net.tunnel_of(sent.to).kind);
      if (!left.wrong.empty()) {
        sent.read.wrong = left.wrong;
      } else if (bridged && left.frame.src != net.hub_mac(sent.to)) {
        sent.read.wrong = "it comes from another MAC than the hub's";
      } else if (left.frame.type != (!sent.ip.empty() && sent.ip[0] >> 4 == 6 ? kEtherIpv6 : kEtherIpv4)) {
        sent.read.wrong = "no IP, or another IP than it says";
      } else {
        sent.read = read(sent.ip);
      }
      o.sent.push_back(std::move(sent));
    }
    const WorkerCounters& c = counters(w);
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      for (uint64_t n = c.dropped[i].get(); seen[w].dropped[i] < n; ++seen[w].dropped[i])
        o.refused.push_back({static_cast<int>(w), std::string(info(static_cast<DropReason>(i)).name)});
    }
  }
  std::vector<Punt> punts;
  for (std::vector<Punt> some = plane->take_punts(64); !some.empty(); some = plane->take_punts(64))
    punts.insert(punts.end(), some.begin(), some.end());
  size_t next = 0;
  for (unsigned w = 0; w < workers; ++w) {
    for (uint64_t n = counters(w).punted.get(); seen[w].punted < n; ++seen[w].punted, ++next)
      o.refused.push_back(
          {static_cast<int>(w), next < punts.size() ? name_of(punts[next].reason) : "punt lost"});
  }
  for (const Punt& punt : punts) plane->discard(punt, DropReason::punt_unwanted);
  const auto step = [this](uint64_t& before, Counter WorkerCounters::*counter) {
    const uint64_t after = sum(counter);
    const auto moved = static_cast<int64_t>(after - before);
    before = after;
    return moved;
  };
  o.created = step(created, &WorkerCounters::sessions_created);
  o.ended = step(ended, &WorkerCounters::sessions_expired);
  o.given_way = step(given_way, &WorkerCounters::sessions_given_way);
  const uint64_t all_cut =
      sum(&WorkerCounters::cut_policy) + sum(&WorkerCounters::cut_route) + sum(&WorkerCounters::cut_nat);
  o.cut = static_cast<int64_t>(all_cut - std::exchange(cut, all_cut));
  o.ignored = step(ignored, &WorkerCounters::tcp_ignored);
  o.held = static_cast<int>(step(held, &WorkerCounters::fragments_held));
  return o;
}

void Rig::Impl::note_hits() {
  hits_before.clear();
  for (RuleIndex r = 0; r < net.rules.size(); ++r) hits_before.push_back(rule_total(r));
  hits_before.push_back(rule_total(kDefaultDeny));
}

void Rig::Impl::until(const bool& done) {
  for (int round = 0; round < 10'000 && !done; ++round) {
    plane->housekeeping();
    for (unsigned w = 0; w < workers; ++w) plane->turn(static_cast<WorkerIndex>(w), now);
  }
  if (!done) throw std::runtime_error("the workers do not answer");
}

Rig::Rig(const Network& network, uint64_t secret) : impl_(std::make_unique<Impl>(network, secret)) {}
Rig::~Rig() = default;

Outcome Rig::inject(const std::vector<Bytes>& burst, int worker) {
  for (const Bytes& frame : burst) {
    if (!impl_->port->inject(static_cast<uint16_t>(worker), frame))
      throw std::runtime_error("the port takes no packet");
  }
  impl_->settle();
  return impl_->collect();
}

Outcome Rig::pass(unsigned ticks) {
  impl_->now += ticks * kTick;
  // A turn expires some sessions only.
  for (uint64_t before = ~0ULL;;) {
    impl_->settle();
    const uint64_t work = impl_->sum(&WorkerCounters::sessions_expired) + impl_->sum(&WorkerCounters::tx) -
                          impl_->sum(&WorkerCounters::fragments_held);
    if (work == before) break;
    before = work;
  }
  return impl_->collect();
}

void Rig::change(const Network& next) {
  Impl& i = *impl_;
  if (auto snapshot = i.config.change(i.net, next)) {
    i.plane->publish(std::move(snapshot));
    i.settle();
    i.plane->housekeeping();
  }
  const std::vector<AdjacencyId> gone = i.config.neighbours(i.net, next);
  if (!gone.empty()) {  // their indices are given out again when no session names them
    bool done = false;
    i.plane->purge_stale_adjacencies([&] { done = true; });
    i.until(done);
    i.config.release(gone);
  }
  i.net = next;
  i.note_hits();
}

std::vector<Listed> Rig::sessions() {
  std::vector<Listed> out;
  bool done = false;
  impl_->plane->list_sessions(impl_->net.sessions * impl_->workers, [&](std::vector<SessionRow> rows) {
    for (const SessionRow& row : rows) {
      out.push_back({row.worker,
                     static_cast<int>(row.from.index()),
                     static_cast<int>(row.to.index()),
                     ends_from(row.tuple),
                     ends_from(row.leaves),
                     state_name(row.state),
                     (row.flags & Session::kDropped) != 0,
                     {row.packets[0], row.packets[1]}});
    }
    done = true;
  });
  impl_->until(done);
  return out;
}

uint64_t Rig::sessions_live() const { return impl_->sum(&WorkerCounters::sessions_live); }
uint64_t Rig::half_open() const { return impl_->sum(&WorkerCounters::sessions_half_open); }
uint64_t Rig::fragments_held() const { return impl_->sum(&WorkerCounters::fragments_held); }
uint64_t Rig::bindings() const { return impl_->config.ports_taken(); }

std::vector<uint64_t> Rig::hits() const {
  std::vector<uint64_t> out;
  for (size_t r = 0; r + 1 < impl_->hits_before.size(); ++r)
    out.push_back(impl_->rule_total(static_cast<RuleIndex>(r)) - impl_->hits_before[r]);
  out.push_back(impl_->rule_total(kDefaultDeny) - impl_->hits_before.back());
  return out;
}

std::string Rig::imbalance() const {
  for (unsigned w = 0; w < impl_->workers; ++w) {
    const WorkerCounters& c = impl_->counters(w);
    const uint64_t in = c.rx.get() + c.taken_over.get() + c.resumed.get() + c.generated.get();
    uint64_t out =
        c.tx.get() + c.punted.get() + c.handed_over.get() + c.consumed.get() + c.fragments_held.get();
    for (const Counter& dropped : c.dropped) out += dropped.get();
    if (in != out)
      return "worker " + std::to_string(w) + " had " + std::to_string(in) + " packets in and " +
             std::to_string(out) + " out";
  }
  const uint64_t out = impl_->pool->size - rte_mempool_avail_count(impl_->pool);
  if (out != fragments_held())
    return std::to_string(out) + " packet buffers are out, and " + std::to_string(fragments_held()) +
           " fragments are held";
  return {};
}

}  // namespace weir::model
