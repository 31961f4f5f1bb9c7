// The writer thread: takes events from the workers' rings, writes them as EVE JSON lines.
//
// Never holds up a worker: what the rings cannot take while this thread is slow is lost and counted there.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/logger.h>

#include "inspection/events/event.h"
#include "mgmt/events/eve_file.h"

namespace weir::events {

class HubEvents;

/// Copies events into the span and says how many; never blocks.
using TakeEvents = std::function<size_t(std::span<inspection::Event>)>;

class Writer {
 public:
  /// Starts the thread; `on_start` runs first on it. `monotonic_now_ns` is the clock of the events' times.
  /// Without a file (nullopt) events are taken and forgotten, so that the rings do not fill up.
  /// `hub`: what the hub says about itself; null, or outlives the writer.
  Writer(TakeEvents take, std::optional<EveFile> file, std::function<uint64_t()> monotonic_now_ns,
         spdlog::logger& log, std::function<void()> on_start, HubEvents* hub = nullptr);
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
  void loop(const std::function<void()>& on_start);
  size_t drain(std::vector<inspection::Event>& batch);
  size_t drain_hub();
  void check(const Status& status);

  TakeEvents take_;
  std::optional<EveFile> file_;
  std::function<uint64_t()> monotonic_now_ns_;
  spdlog::logger& log_;
  HubEvents* hub_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> reopen_{false};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> write_errors_{0};
  std::thread thread_;
};

}  // namespace weir::events
