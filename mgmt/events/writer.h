// The writer thread: takes events from the workers' rings, writes them as EVE JSON lines.
//
// Never holds up a worker: what the rings cannot take while this thread is slow is lost and counted there.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <spdlog/logger.h>

#include "inspection/events/eve.h"
#include "inspection/events/event_ring.h"
#include "mgmt/events/eve_file.h"

namespace weir::events {

class HubEvents;
class RecentAlerts;

/// Gives at most so many events away and says how many; never blocks.
using TakeEvents = std::function<size_t(size_t max, const inspection::TakeEvent& take)>;

/// What a Writer works with; all that it refers to outlives it.
struct WriterParts {
  TakeEvents take;
  /// Without one, events are taken and forgotten, so that the rings do not fill up; alerts are kept all the
  /// same.
  std::optional<EveFile> file;
  std::function<uint64_t()> monotonic_now_ns;  // the clock of the events' times
  spdlog::logger& log;
  std::function<void()> on_start = [] {};  // runs first on the thread
  inspection::EveOptions format = {};
  HubEvents* hub = nullptr;        // what the hub says about itself
  RecentAlerts* alerts = nullptr;  // who asks for the latest ones
  /// EVE's event `stats` of that moment (monotonic, and what to add for nanoseconds since 1970), asked for at
  /// this interval; 0: never.
  std::function<std::string(uint64_t now_ns, int64_t offset_ns)> stats = {};
  uint64_t stats_interval_ns = 0;
};

class Writer {
 public:
  /// Starts the thread.
  explicit Writer(WriterParts parts);
  /// Writes what is left and ends the thread.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // --- any thread ---
  /// The next write goes to a newly opened file.
  void reopen() { reopen_.store(true, std::memory_order_relaxed); }
  uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  uint64_t write_errors() const { return write_errors_.load(std::memory_order_relaxed); }

 private:
  void loop();
  size_t drain();
  size_t drain_hub();
  void write_stats();
  void write(std::string_view line);
  void check(const Status& status);

  WriterParts parts_;
  inspection::EveFormat format_;
  uint64_t next_stats_ns_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> reopen_{false};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> write_errors_{0};
  std::thread thread_;
};

}  // namespace weir::events
