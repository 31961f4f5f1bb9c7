// Events of the hub's inspected sessions: what EventMaker makes, on its way to the worker's sink.
#pragma once

#include "inspection/detect/rule_watch.h"
#include "inspection/engine/event_maker.h"
#include "inspection/inspector.h"

namespace weir::inspection {

class InlineEvents final : public EventMaker {
 public:
  /// Bytes of the fields of one event at most; what does not fit is left out, and the event says so.
  static constexpr size_t kRoom = 12 * 1'024;

  InlineEvents(const EventSettings& settings, InspectorCounters& counters)
      : EventMaker(settings, kRoom, FieldWriter::Limits::of_fields),
        counters_(counters),
        all_drops_(settings.all_drops) {}

  /// Whose events come now, and where they go: until the next call. `drops`: what is to be dropped is.
  /// `told`: for which directions of the session a drop was told, as bits.
  void set(const FlowInfo& flow, EventSink& sink, bool drops, uint8_t& told) {
    flow_ = &flow;
    sink_ = &sink;
    told_ = &told;
    drops_ = drops;
  }

  /// What somebody asks about the session at hand; null: nothing.
  void set_question(RuleWatch::Question* question) { question_ = question; }

 private:
  void explained(const EngineSession*, const EnginePacket&, const RuleStep& step) override {
    if (question_ != nullptr) question_->note(step);
  }
  void made(Event& event, std::span<const uint8_t> fields, const EngineSession* session,
            const EnginePacket* packet) override;
  bool concluded(const EnginePacket& packet, const EngineVerdict& verdict) override;
  void alerted() override { ++counters_.alerts; }

  InspectorCounters& counters_;
  const FlowInfo* flow_ = nullptr;
  EventSink* sink_ = nullptr;
  uint8_t* told_ = nullptr;
  RuleWatch::Question* question_ = nullptr;
  const bool all_drops_;
  bool drops_ = false;
};

}  // namespace weir::inspection
