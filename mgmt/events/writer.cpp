#include "mgmt/events/writer.h"

#include <chrono>
#include <utility>
#include <vector>

#include "mgmt/events/hub_event.h"
#include "mgmt/events/recent_alerts.h"
#include "mgmt/events/wall_clock.h"

namespace weir::events {

namespace {

using namespace std::chrono_literals;
constexpr size_t kBatch = 64;
constexpr auto kIdleSleep = 10ms;
constexpr auto kFlushAfter = 50ms;  // with the sleep, well within the 100 ms that is promised

}  // namespace

Writer::Writer(WriterParts parts) : parts_(std::move(parts)), format_(parts_.format) {
  next_stats_ns_ = parts_.monotonic_now_ns() + parts_.stats_interval_ns;
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void Writer::loop() {
  parts_.on_start();
  auto flushed = std::chrono::steady_clock::now();
  while (true) {
    const bool last = stop_.load(std::memory_order_relaxed);  // read before draining: nothing is left behind
    size_t taken = drain() + drain_hub();
    while (last && taken != 0) taken = drain() + drain_hub();
    write_stats();
    std::optional<EveFile>& file = parts_.file;
    if (reopen_.exchange(false, std::memory_order_relaxed) && file) check(file->reopen());
    const auto now = std::chrono::steady_clock::now();
    if (file && file->pending() && (last || now - flushed >= kFlushAfter)) {
      check(file->flush());
      flushed = now;
    }
    if (last) return;
    if (taken == 0) std::this_thread::sleep_for(kIdleSleep);
  }
}

size_t Writer::drain() {
  const int64_t offset = wall_offset_ns(parts_.monotonic_now_ns());
  return parts_.take(kBatch, [&](const inspection::Event& event, std::span<const uint8_t> fields) {
    const bool kept = parts_.alerts != nullptr && event.kind == inspection::EventKind::alert;
    if (!kept && !parts_.file) return;
    std::string line = format_.line(event, fields, offset);
    write(line);
    if (kept) parts_.alerts->put(std::move(line));
  });
}

size_t Writer::drain_hub() {
  if (parts_.hub == nullptr) return 0;
  const std::vector<AttachmentEvent> events = parts_.hub->take(kBatch);
  const int64_t offset = wall_offset_ns(parts_.monotonic_now_ns());
  for (const AttachmentEvent& event : events) write(to_eve_json(event, offset));
  return events.size();
}

void Writer::write_stats() {
  if (!parts_.file || !parts_.stats || parts_.stats_interval_ns == 0) return;
  const uint64_t now = parts_.monotonic_now_ns();
  if (now < next_stats_ns_) return;
  next_stats_ns_ = now + parts_.stats_interval_ns;
  write(parts_.stats(now, wall_offset_ns(now)));
}

void Writer::write(std::string_view line) {
  if (!parts_.file) return;
  check(parts_.file->append(line));
  written_.fetch_add(1, std::memory_order_relaxed);
}

void Writer::check(const Status& status) {
  if (status) return;
  if (write_errors_.fetch_add(1, std::memory_order_relaxed) == 0) {
    parts_.log.error("events: {}; further errors are only counted", status.error().message);
  }
}

}  // namespace weir::events
