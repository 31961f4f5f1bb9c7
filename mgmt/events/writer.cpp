#include "mgmt/events/writer.h"

#include <chrono>
#include <utility>

#include "inspection/events/eve.h"
#include "mgmt/events/hub_event.h"

namespace weir::events {

namespace {

using namespace std::chrono_literals;
constexpr size_t kBatch = 64;
constexpr auto kIdleSleep = 10ms;
constexpr auto kFlushAfter = 50ms;  // with the sleep, well within the 100 ms that is promised

/// To be added to a monotonic time to get wall-clock time, both in ns.
int64_t realtime_minus(uint64_t monotonic_ns) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() -
         static_cast<int64_t>(monotonic_ns);
}

}  // namespace

Writer::Writer(TakeEvents take, std::optional<EveFile> file, std::function<uint64_t()> monotonic_now_ns,
               spdlog::logger& log, std::function<void()> on_start, HubEvents* hub)
    : take_(std::move(take)),
      file_(std::move(file)),
      monotonic_now_ns_(std::move(monotonic_now_ns)),
      log_(log),
      hub_(hub),
      thread_([this, on_start = std::move(on_start)] { loop(on_start); }) {}

Writer::~Writer() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void Writer::loop(const std::function<void()>& on_start) {
  on_start();
  std::vector<inspection::Event> batch(kBatch);
  auto flushed = std::chrono::steady_clock::now();
  while (true) {
    const bool last = stop_.load(std::memory_order_relaxed);  // read before draining: nothing is left behind
    size_t taken = drain(batch) + drain_hub();
    while (last && taken != 0) taken = drain(batch) + drain_hub();
    if (reopen_.exchange(false, std::memory_order_relaxed) && file_) check(file_->reopen());
    const auto now = std::chrono::steady_clock::now();
    if (file_ && file_->pending() && (last || now - flushed >= kFlushAfter)) {
      check(file_->flush());
      flushed = now;
    }
    if (last) return;
    if (taken == 0) std::this_thread::sleep_for(kIdleSleep);
  }
}

size_t Writer::drain(std::vector<inspection::Event>& batch) {
  const size_t taken = take_(batch);
  if (!file_ || taken == 0) return taken;
  const int64_t offset = realtime_minus(monotonic_now_ns_());
  for (size_t i = 0; i < taken; ++i) check(file_->append(inspection::to_eve_json(batch[i], offset)));
  written_.fetch_add(taken, std::memory_order_relaxed);
  return taken;
}

size_t Writer::drain_hub() {
  if (hub_ == nullptr) return 0;
  const std::vector<AttachmentEvent> events = hub_->take(kBatch);
  if (!file_ || events.empty()) return events.size();
  const int64_t offset = realtime_minus(monotonic_now_ns_());
  for (const AttachmentEvent& event : events) check(file_->append(to_eve_json(event, offset)));
  written_.fetch_add(events.size(), std::memory_order_relaxed);
  return events.size();
}

void Writer::check(const Status& status) {
  if (status) return;
  if (write_errors_.fetch_add(1, std::memory_order_relaxed) == 0) {
    log_.error("events: {}; further errors are only counted", status.error().message);
  }
}

}  // namespace weir::events
