// Weir's engine as a consumer of HttpTraffic: sessions that are opened, complete their handshake, send, are
// acknowledged and closed, many at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/engine/engine.h"
#include "inspection/engine/ruleset.h"
#include "inspection/inspector.h"

namespace weir::bench {

/// A ring as a worker writes it, with nobody who reads: pushing copies the event and never fails.
class RingSink final : public inspection::EventSink {
 public:
  RingSink() : ring_(kSize) {}
  bool push(inspection::Event& event, std::span<const uint8_t> fields) override {
    Told& place = ring_[count_++ % kSize];
    place.event = event;
    place.fields.assign(fields.begin(), fields.end());
    return true;
  }
  uint64_t count() const { return count_; }
  /// The latest events, at most as many as the ring has; the oldest first.
  struct Told {
    inspection::Event event;
    std::vector<uint8_t> fields;
  };
  std::vector<Told> latest() const;

 private:
  static constexpr size_t kSize = 1'024;
  std::vector<Told> ring_;
  uint64_t count_ = 0;
};

/// The session that stream `number` belongs to, the same on every pass.
inspection::FlowInfo flow_info(size_t number);

/// No sequence number is used twice within 2^32 bytes: every session begins elsewhere.
class EngineSessions {
 public:
  /// For `sessions` at a time. An error: the inspector cannot be made.
  static Result<std::unique_ptr<EngineSessions>> create(std::shared_ptr<const inspection::Ruleset> ruleset,
                                                        size_t sessions);

  void begin(size_t session);
  /// Every second one in a row of a direction is acknowledged by itself, the others by what comes back.
  void segment(size_t session, inspection::Direction direction, std::span<const uint8_t> bytes);
  void end(size_t session);

  const inspection::InspectorCounters& counters() const { return inspector_->counters(); }
  const inspection::DetectorCounters& detection() const { return inspector_->engine().detection(); }
  const RingSink& events() const { return sink_; }
  const inspection::Ruleset& ruleset() const { return *ruleset_; }
  /// Empty if all was as ordinary traffic has to be: every packet passed, in order, completely parsed and
  /// scanned.
  std::string trouble() const;
  /// Sends `request` in a session of its own, in segments of 100 bytes; true if the rule `sid` alerts.
  bool alerts_on(std::string_view request, uint32_t sid);

 private:
  struct Session {
    inspection::FlowInfo info;
    inspection::FlowHandle handle;
    uint32_t client_next = 0, server_next = 0;
    uint32_t unacknowledged = 0;  // segments of the direction that sent last
    inspection::Direction sent_last = inspection::Direction::to_server;
  };
  EngineSessions(std::shared_ptr<const inspection::Ruleset> ruleset,
                 std::unique_ptr<inspection::Inspector> inspector, size_t sessions);
  void packet(const Session& session, inspection::Direction direction, uint8_t flags,
              std::span<const uint8_t> payload);

  std::shared_ptr<const inspection::Ruleset> ruleset_;
  std::unique_ptr<inspection::Inspector> inspector_;
  std::vector<Session> sessions_;  // the last one is for what is planted
  RingSink sink_;
  uint32_t next_isn_ = 1;
  uint64_t now_ns_ = 0;
  uint64_t flows_ = 0;
  uint64_t not_passed_ = 0;
};

}  // namespace weir::bench
