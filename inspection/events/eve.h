// Events as EVE JSON, with Suricata 8's field names: the hub's and those of a capture.
//
// Writer thread or offline tool; allocates. Never throws on what an event contains: bytes that are no UTF-8
// are escaped, fields that contradict themselves are left out.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "inspection/events/event.h"
#include "inspection/events/event_fields.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

struct EveOptions {
  enum class Xff : uint8_t { none, extra_data, overwrite };
  Xff xff = Xff::none;  // what becomes of the address that a proxy names
  bool community_id = false;
  uint16_t community_seed = 0;
};

/// "2026-01-02T03:04:05.678901+0000" of a monotonic time; see EveFormat.
std::string eve_timestamp(uint64_t monotonic_ns, int64_t offset_ns);

/// One line, without the line end.
std::string eve_line(const nlohmann::ordered_json& json);

class EveFormat {
 public:
  explicit EveFormat(const EveOptions& options = {}) : options_(options) {}

  /// `fields`: what goes with the event (event_fields.h). `realtime_minus_monotonic_ns`: what to add to the
  /// event's monotonic times to get nanoseconds since 1970.
  nlohmann::ordered_json object(const Event& event, std::span<const uint8_t> fields,
                                int64_t realtime_minus_monotonic_ns);
  std::string line(const Event& event, std::span<const uint8_t> fields, int64_t realtime_minus_monotonic_ns) {
    return eve_line(object(event, fields, realtime_minus_monotonic_ns));
  }

 private:
  using Json = nlohmann::ordered_json;
  void add_fields(Json& json, const Event& event, std::span<const uint8_t> fields);
  void add_special(Json& json, const Event& event, Field field, std::string_view text, uint64_t number);
  void add_dns(Json& json, const Event& event, std::span<const uint8_t> message, bool from_server);

  EveOptions options_;
  std::string context_key_;         // of the field that follows
  std::unique_ptr<BytePool> pool_;  // for reading DNS messages; from the first one on
};

}  // namespace weir::inspection
