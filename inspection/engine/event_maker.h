// What the engine tells, as events with their fields: those of the hub and those of a capture are made here
// alike.
//
// Who is derived from it says where they go, and adds what only it knows. Worker thread; writes into its own
// memory, and allocates nothing after it was made.
#pragma once

#include <memory>

#include "inspection/engine/engine.h"
#include "inspection/events/event.h"
#include "inspection/events/event_fields.h"

namespace weir::inspection {

/// What was told of the session's protocol.
AppProtocols protocols_of(const EngineSession& session);

class EventMaker : public EngineEvents {
 public:
  void alert(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert) final;
  void fuse(const EngineSession* session, const EnginePacket& packet, const RuleInfo& rule,
            uint32_t sessions) final;
  void transaction(const EngineSession& session, const EnginePacket& packet, Transaction& transaction) final;
  void moved(const EngineSession& session, const EnginePacket& packet,
             std::span<Transaction* const> transactions) final;
  void judged(const EngineSession* session, const EnginePacket& packet, const EngineVerdict& verdict) final;
  void ended(const EngineSession& session) override;

 protected:
  /// `room`: bytes of memory for the fields of one event.
  EventMaker(EventSettings settings, size_t room, FieldWriter::Limits limits)
      : settings_(std::move(settings)),
        memory_(std::make_unique<uint8_t[]>(room)),
        fields_({memory_.get(), room}, limits) {}

  /// An event is made; `packet` is null where it speaks of a session alone.
  virtual void made(Event& event, std::span<const uint8_t> fields, const EngineSession* session,
                    const EnginePacket* packet) = 0;
  /// Before judged() makes a drop of it. False: none is wanted.
  virtual bool concluded(const EnginePacket& packet, const EngineVerdict& verdict) = 0;
  /// A rule alerts, whether or not an event is made of that.
  virtual void alerted() {}

 private:
  // Files of its transaction that an alert names.
  static constexpr size_t kAlertFiles = 8;

  Event& begin(EventKind kind, uint64_t time_ns, const EngineSession* session, const EnginePacket* packet);
  void finish(const EngineSession* session, const EnginePacket* packet);
  void name_rule(const RuleInfo& rule);
  void write_payload(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert);
  void alert_files(const Transaction& transaction, Direction way);
  void write_dropped(const EnginePacket& packet);
  void files(const EngineSession& session, const EnginePacket& packet, Transaction& transaction, bool last);
  void anomalies(const EngineSession& session, const EnginePacket& packet, const Transaction& transaction);
  void write_transaction_of(const EngineSession& session, Transaction& transaction);

  /// The fields of a transaction that is over, where they lie in `memory_`: with its file and of itself they
  /// are the same, and mostly told in a row.
  struct Written {
    uint64_t event = 0, session = 0, transaction = 0;
    std::span<const uint8_t> fields;
  };

  EventSettings settings_;
  std::unique_ptr<uint8_t[]> memory_;
  FieldWriter fields_;
  Event event_;
  uint64_t begun_ = 0;  // events
  Written written_;
};

}  // namespace weir::inspection
