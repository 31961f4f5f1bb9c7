// A question that somebody asks of a running hub: how far a rule gets in one session from now on.
//
// One at a time: the next one ends the one before. Any thread asks; the session's worker looks, and notes
// what it found.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "inspection/detect/alert.h"

namespace weir::inspection {

class RuleWatch {
 public:
  struct Answer {
    uint64_t packets = 0;              // of the session that were judged since
    uint64_t fired = 0;                // how often it did
    std::optional<RuleStep> furthest;  // none: it was held against nothing yet
  };

  /// What a worker sees of it, and where it notes what comes of it.
  class Question {
   public:
    RuleName rule() const {
      const uint64_t rule = rule_.load(std::memory_order_relaxed);
      return {static_cast<uint32_t>(rule >> 32), static_cast<uint32_t>(rule)};
    }
    /// Where the rule ended, in a packet of the session.
    void note(const RuleStep& step) {
      if (step.at == RuleStep::At::fired) fired_.fetch_add(1, std::memory_order_relaxed);
      const uint64_t before = furthest_.load(std::memory_order_relaxed);
      if (before == kNothing || step.at >= unpacked(before).at)
        furthest_.store(packed(step), std::memory_order_relaxed);
    }
    /// After all that it noted of one packet.
    void judged() { packets_.fetch_add(1, std::memory_order_release); }

   private:
    friend RuleWatch;
    std::atomic<uint64_t> session_ = 0, rule_ = 0, packets_ = 0, fired_ = 0, furthest_ = kNothing;
  };

  /// Of a session by its flow_id, which is not 0. The number is for answer() and end().
  uint64_t ask(RuleName rule, uint64_t session) {
    const std::lock_guard lock(asking_);
    Question& question = questions_[++number_ % questions_.size()];
    question.session_.store(session, std::memory_order_relaxed);
    question.rule_.store(uint64_t{rule.gid} << 32 | rule.sid, std::memory_order_relaxed);
    question.packets_.store(0, std::memory_order_relaxed);
    question.fired_.store(0, std::memory_order_relaxed);
    question.furthest_.store(kNothing, std::memory_order_relaxed);
    asked_.store(&question, std::memory_order_release);
    return number_;
  }
  /// Nothing: another question was asked since, or it was ended.
  std::optional<Answer> answer(uint64_t number) const {
    const std::lock_guard lock(asking_);
    const Question* const question = asked_.load(std::memory_order_relaxed);
    if (number != number_ || question == nullptr) return std::nullopt;
    Answer answer{question->packets_.load(std::memory_order_acquire),
                  question->fired_.load(std::memory_order_relaxed), std::nullopt};
    const uint64_t furthest = question->furthest_.load(std::memory_order_relaxed);
    if (furthest != kNothing) answer.furthest = unpacked(furthest);
    return answer;
  }
  /// Unless another was asked since.
  void end(uint64_t number) {
    const std::lock_guard lock(asking_);
    if (number == number_) asked_.store(nullptr, std::memory_order_relaxed);
  }

  /// Worker. Null: nobody asks about this session. Valid while its packet is judged.
  Question* of(uint64_t session) {
    Question* const question = asked_.load(std::memory_order_acquire);
    if (question == nullptr || question->session_.load(std::memory_order_relaxed) != session) [[likely]]
      return nullptr;
    return question;
  }

 private:
  static constexpr uint64_t kNothing = UINT64_MAX;

  static uint64_t packed(const RuleStep& step) {
    return uint64_t{static_cast<uint8_t>(step.at)} << 56 | (uint64_t{step.part} & 0xfff) << 44 |
           (uint64_t{step.check} & 0xfff) << 32 | step.bytes;
  }
  static RuleStep unpacked(uint64_t value) {
    return {static_cast<RuleStep::At>(value >> 56), static_cast<uint16_t>(value >> 44 & 0xfff),
            static_cast<uint16_t>(value >> 32 & 0xfff), static_cast<uint32_t>(value)};
  }

  // A worker in the midst of a packet when the next question is asked notes to its own; long before so many
  // were asked it is done with it.
  std::array<Question, 64> questions_;
  std::atomic<Question*> asked_ = nullptr;
  uint64_t number_ = 0;
  mutable std::mutex asking_;
};

}  // namespace weir::inspection
