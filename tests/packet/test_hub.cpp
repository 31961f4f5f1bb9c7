#include "tests/packet/test_hub.h"

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>

#include <algorithm>
#include <stdexcept>

#include "dataplane/io/eal.h"
#include "tests/support/pcap_writer.h"

namespace weir::test {

using namespace dataplane;

namespace {

/// A port with fewer tx queues than there are workers, as the worker sees it.
class SharedQueues final : public Port {
 public:
  explicit SharedQueues(Port& port) : port_(port) {}
  const std::string& name() const override { return port_.name(); }
  net::Mac mac() const override { return port_.mac(); }
  uint16_t mtu() const override { return port_.mtu(); }
  bool tx_checksums() const override { return port_.tx_checksums(); }
  bool link_up() const override { return port_.link_up(); }
  uint16_t device() const override { return port_.device(); }
  uint32_t kernel_ifindex() const override { return port_.kernel_ifindex(); }
  std::vector<uint16_t> rx_queues(WorkerIndex worker) const override { return port_.rx_queues(worker); }
  uint16_t tx_queue(WorkerIndex worker) const override { return port_.tx_queue(worker); }
  bool tx_shared() const override { return true; }

 private:
  Port& port_;
};

template <typename T>
T require(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

std::string test_name() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? "none" : std::string(test->test_suite_name()) + "." + test->name();
}

std::map<std::string, std::set<DropReason>> seen_drops;

/// One capture per test.
std::string capture_path() {
  std::string name = test_name();
  std::replace(name.begin(), name.end(), '/', '-');  // of parametrised tests
  return std::string(WEIR_CAPTURE_DIR) + "/" + name + ".pcap";
}

/// The writer of the running test. Several hubs of one test share it.
PcapWriter& capture() {
  static const void* writing = nullptr;
  static std::unique_ptr<PcapWriter> writer;
  const void* test = testing::UnitTest::GetInstance()->current_test_info();
  if (writer == nullptr || writing != test) {
    writer = std::make_unique<PcapWriter>(capture_path());
    writing = test;
  }
  return *writer;
}

/// The bench pins its programs.
unsigned first_allowed_core() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  unsigned core = 0;
  while (core + 1 < CPU_SETSIZE && !CPU_ISSET(core, &allowed)) ++core;
  return core;
}

}  // namespace

void note_drop(DropReason reason) { seen_drops[test_name()].insert(reason); }

const std::map<std::string, std::set<DropReason>>& drops_by_test() { return seen_drops; }

void start_eal() {
  static bool started = false;
  if (started) return;
  EalSettings settings;
  settings.control_core = first_allowed_core();
  settings.worker_cores = {settings.control_core};
  settings.hugepages = Hugepages::off;
  require(eal_start(settings));
  started = true;
}

TestHub::TestHub(std::unique_ptr<Snapshot> snapshot, HubOptions options) : workers_(options.workers) {
  start_eal();
  if (snapshot->workers != options.workers) throw std::invalid_argument("the snapshot has other workers");
  pool_ = require(make_packet_pool(options.buffers, Dataplane::mbuf_private_size(), options.data_bytes));
  const unsigned queues = options.queues == 0 ? options.workers : options.queues;
  std::vector<Port*> ports;
  for (unsigned i = 0; i < options.ports; ++i) {
    const net::Mac mac{{2, 0, 0, 0, 0, static_cast<uint8_t>(i + 1)}};
    memory_.push_back(require(MemoryPort::create("p" + std::to_string(i), queues, pool_, mac)));
    ports.push_back(memory_.back().get());
    if (queues < options.workers) {
      shared_.push_back(std::make_unique<SharedQueues>(*memory_.back()));
      ports.back() = shared_.back().get();
    }
  }
  DataplaneSettings settings;
  settings.cores.assign(options.workers, 0);
  settings.sessions = options.sessions;
  settings.ring_size = options.ring_size;
  settings.punts_per_second = options.punts_per_second;
  settings.event_queue = options.event_queue;
  settings.inspection_events.kinds = options.inspection_events;
  settings.nat_bindings = options.nat_bindings;
  settings.ftp_controls = options.ftp_controls;
  settings.fragments = options.fragments;
  settings.flow_events = options.flow_events;
  settings.flow_interval = options.flow_interval;
  settings.pending = options.pending;
  settings.inspect = options.inspect;
  settings.names = options.names;
  settings.rule_events_per_second = options.rule_events_per_second;
  settings.budgets = options.budgets;
  settings.half_open = options.half_open;
  settings.when_full = options.when_full;
  settings.stall_ns = options.stall_ns;
  settings.sample_one_in = options.sample_one_in;
  settings.inspection = options.inspection;
  plane_ = require(Dataplane::create(settings, std::move(ports), pool_, std::move(snapshot)));
  now_ = plane_->now();
}

TestHub::~TestHub() {
  expect_balance();
  for (size_t i = 1; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    uint64_t dropped = plane_->control_dropped(reason);
    for (unsigned w = 0; w < workers_; ++w)
      dropped += plane_->counters(static_cast<WorkerIndex>(w)).dropped[i].get();
    if (dropped != 0) note_drop(reason);
  }
  EXPECT_EQ(plane_->held(), 0u) << "packets that control took and neither resumed nor discarded";
  plane_.reset();
  shared_.clear();
  memory_.clear();
  EXPECT_EQ(rte_mempool_avail_count(pool_), pool_->size) << "packet buffers were lost";
  rte_mempool_free(pool_);
}

void TestHub::inject(const Bytes& frame, uint16_t queue, size_t port) {
  if (!memory_[port]->inject(queue, frame)) throw std::runtime_error("the memory port takes no more");
}

void TestHub::turn(WorkerIndex worker) { plane_->turn(worker, now_); }

void TestHub::settle() {
  const auto busy_turns = [&] {
    uint64_t busy = 0;
    for (unsigned w = 0; w < workers_; ++w) {
      const WorkerCounters& c = plane_->counters(static_cast<WorkerIndex>(w));
      busy += c.turns.get() - c.idle_turns.get();
    }
    return busy;
  };
  for (uint64_t before = ~0ULL; before != busy_turns();) {
    before = busy_turns();
    for (unsigned w = 0; w < workers_; ++w) turn(static_cast<WorkerIndex>(w));
  }
}

std::vector<Bytes> TestHub::sent(size_t port) {
  std::vector<Bytes> frames = memory_[port]->collect();
  for (const Bytes& frame : frames) capture().write(frame, now_);
  return frames;
}

void TestHub::show_judge(const Bytes& frame) { capture().write(frame, now_); }

std::vector<Bytes> TestHub::pass_through(const Bytes& frame, uint16_t queue, size_t port) {
  inject(frame, queue, port);
  settle();
  return sent(port);
}

void TestHub::publish(std::unique_ptr<Snapshot> next) {
  plane_->publish(std::move(next));
  settle();
  plane_->housekeeping();
}

void TestHub::settle_until(const bool& done) {
  for (int round = 0; round < 10'000 && !done; ++round) {
    plane_->housekeeping();
    for (unsigned w = 0; w < workers_; ++w) turn(static_cast<WorkerIndex>(w));
  }
  EXPECT_TRUE(done) << "the workers do not get done";
}

std::vector<inspection::Event> TestHub::events() {
  std::vector<inspection::Event> events;
  fields_.clear();
  plane_->take_events(256, [&](const inspection::Event& event, std::span<const uint8_t> fields) {
    events.push_back(event);
    fields_.emplace_back(fields.begin(), fields.end());
  });
  return events;
}

Counts TestHub::total() const {
  Counts sum;
  for (unsigned w = 0; w < workers_; ++w)
    sum = sum + read_counts(plane_->counters(static_cast<WorkerIndex>(w)));
  return sum;
}

Counts TestHub::moved() {
  Counts now = total();
  Counts delta = test::moved(seen_, now);
  seen_ = std::move(now);
  return delta;
}

Counts TestHub::moved(WorkerIndex worker) {
  Counts now = read_counts(plane_->counters(worker));
  Counts& seen = seen_of_[worker];
  Counts delta = test::moved(seen, now);
  seen = std::move(now);
  return delta;
}

void TestHub::expect_balance() {
  for (unsigned w = 0; w < workers_; ++w) {
    EXPECT_EQ(imbalance(plane_->counters(static_cast<WorkerIndex>(w))), 0) << "worker " << w;
  }
}

std::unique_ptr<dataplane::Snapshot> later_than(TestHub& hub, SnapshotBuilder& builder) {
  auto next = builder.build();
  while (next->version <= hub.plane().current().version) next = builder.build();
  return next;
}

}  // namespace weir::test
