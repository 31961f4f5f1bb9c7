// The whole data plane on memory ports, turned by hand, with the time that the test says.
//
// Every frame that leaves is kept in a capture for tests/packet/judge.py. The destructor checks what holds
// for every test: in = out on each worker, and each packet buffer back in the pool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dataplane/io/memory_port.h"
#include "dataplane/worker/dataplane.h"
#include "tests/packet/counts.h"
#include "tests/support/packet_builder.h"
#include "tests/support/snapshot_builder.h"

namespace weir::test {

/// The running test has seen a packet dropped for `reason`. A TestHub notes what it drops by itself.
void note_drop(dataplane::DropReason reason);
/// What was dropped in each test, by its full name, control's drops too.
const std::map<std::string, std::set<dataplane::DropReason>>& drops_by_test();

/// Starts EAL if it does not run yet: ordinary memory, no devices. Throws std::runtime_error.
void start_eal();

struct HubOptions {
  unsigned workers = 1;
  unsigned queues = 0;  // of each port, both ways; 0: as many as workers
  unsigned ports = 1;   // the MACs are 02:00:00:00:00:01 and on
  uint32_t buffers = 8'191;
  uint16_t data_bytes = dataplane::kLeastDataBytes;  // of each buffer
  uint32_t sessions = 4'096;
  uint32_t ring_size = 1'024;
  uint32_t punts_per_second = 1'000;
  uint32_t event_queue = 1'024;
  inspection::EventKinds inspection_events =
      inspection::EventKinds().set(inspection::EventKind::alert).set(inspection::EventKind::drop);
  uint32_t nat_bindings = 4'096;
  uint32_t ftp_controls = 64;
  dataplane::FragmentLimits fragments = {};
  bool flow_events = false;
  uint32_t flow_interval = 0;
  uint32_t rule_events_per_second = 10;
  dataplane::SessionBudgetLimits budgets = {};
  uint32_t half_open = 0;
  dataplane::WhenFull when_full = dataplane::WhenFull::half_open;
  dataplane::NanoTime stall_ns = dataplane::kNanosPerMilli;
  uint32_t sample_one_in = dataplane::kSampleOneIn;
  inspection::InspectorLimits inspection = {.flows = 64};
  dataplane::InspectLimits inspect = {};
  dataplane::PendingLimits pending = {};
  inspection::NameFinderFactory names = {};
};

class TestHub;
/// What `builder` builds, but later than what `hub` has: copies of a builder count versions each for
/// themselves.
std::unique_ptr<dataplane::Snapshot> later_than(TestHub& hub, SnapshotBuilder& builder);

class TestHub {
 public:
  /// `snapshot` says the number of workers by itself; it has to agree.
  TestHub(std::unique_ptr<dataplane::Snapshot> snapshot, HubOptions options = {});
  ~TestHub();
  TestHub(const TestHub&) = delete;
  TestHub& operator=(const TestHub&) = delete;

  dataplane::Dataplane& plane() { return *plane_; }
  dataplane::MemoryPort& port(size_t index = 0) { return *memory_[index]; }
  rte_mempool* pool() { return pool_; }

  // --- time ---
  dataplane::NanoTime now() const { return now_; }
  /// Lets time pass without a turn.
  void pass(dataplane::NanoTime ns) { now_ += ns; }
  void pass_seconds(double seconds) { pass(static_cast<dataplane::NanoTime>(seconds * 1e9)); }

  // --- packets ---
  /// On the wire to worker `queue`, to be received in its next turn.
  void inject(const Bytes& frame, uint16_t queue = 0, size_t port = 0);
  /// One turn of one worker.
  void turn(dataplane::WorkerIndex worker = 0);
  /// Turns all workers in order until none has anything to do.
  void settle();
  /// What was sent since the last call.
  std::vector<Bytes> sent(size_t port = 0);
  /// The judge looks at a frame that is not the hub's own too.
  void show_judge(const Bytes& frame);
  /// inject, settle, sent.
  std::vector<Bytes> pass_through(const Bytes& frame, uint16_t queue = 0, size_t port = 0);

  // --- control ---
  void publish(std::unique_ptr<dataplane::Snapshot> next);
  /// Turns and housekeeping until `done` is true. Fails the test after 10,000 rounds.
  void settle_until(const bool& done);
  std::vector<inspection::Event> events();
  /// What goes with them: of the last call, by event.
  const std::vector<std::vector<uint8_t>>& fields() const { return fields_; }

  // --- counters ---
  /// How far the counters of all workers together, or of one, moved since the last call for it.
  Counts moved();
  Counts moved(dataplane::WorkerIndex worker);
  /// in = out on each worker.
  void expect_balance();

 private:
  Counts total() const;

  rte_mempool* pool_ = nullptr;
  std::vector<std::unique_ptr<dataplane::MemoryPort>> memory_;
  std::vector<std::unique_ptr<dataplane::Port>> shared_;  // wrappers, where queues are shared
  std::unique_ptr<dataplane::Dataplane> plane_;
  dataplane::NanoTime now_;
  unsigned workers_;
  Counts seen_;
  std::map<dataplane::WorkerIndex, Counts> seen_of_;
  std::vector<std::vector<uint8_t>> fields_;
};

}  // namespace weir::test
