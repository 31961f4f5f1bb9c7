// One worker's questions to libmagic (`file.magic`): a ring of places, each with the first bytes of a file
// and, later, with what was said of them. Questions are answered in their order, so three positions that only
// grow are all that the two sides share.
//
//   worker: ask() ----> place ----> serve(): the thread that has libmagic
//   worker: next(), take() <---- the same place, with its text
//
// Memory is taken when it is made. The worker never waits: without a free place, or if its domain has its
// share of them, a file is not asked about. A question names who asked until the answer is taken or
// withdraw() is called, so an answer never reaches another session than the one that asked.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "inspection/event_count.h"
#include "inspection/magic/magic_teller.h"
#include "inspection/memory/domain_share.h"

namespace weir::inspection {

struct MagicSettings {
  uint32_t bytes = 2'048;       // of a file's beginning that are shown to libmagic, at most
  uint32_t queue = 256;         // files of one worker that wait for an answer
  uint32_t domain_share = 100;  // percent of these for the sessions of one domain
};

/// One worker counts; any thread may read.
struct MagicCounters {
  EventCount asked;
  EventCount told;
  EventCount lost;  // files that were not asked about: no place, too many of one session or domain, no memory
  EventCount late;  // answers for whom nobody waits any more
  EventCount failed;  // libmagic returned an error
};

class MagicDesk {
 public:
  /// Of what libmagic says so much is kept; the rest of a longer text is cut off.
  static constexpr size_t kText = 256;
  /// Files of one session that wait at once; more of them are not asked about.
  static constexpr uint32_t kOfOneAsker = 16;

  /// A session that asks. It stays where it is until it has withdrawn.
  struct Asker {
    uint32_t name = 0;     // for the caller
    uint32_t waiting = 0;  // its questions without an answer
    uint32_t domain = 0;   // whose share its files are of
  };

  struct Asked {
    enum class State : uint8_t { lost, waits, told };
    State state = State::lost;
    uint64_t ticket = 0;         // waits: the answer has it
    std::string_view text = {};  // told: until the next call
  };

  struct Answer {
    uint64_t ticket = 0;
    std::optional<std::string_view> text;  // nothing: libmagic failed
  };

  static constexpr uint64_t bytes_for(const MagicSettings& settings);
  /// With `at_once` (offline) every question is answered before ask() returns, and nobody has to serve.
  explicit MagicDesk(const MagicSettings& settings, MagicTeller* at_once = nullptr);
  MagicDesk(const MagicDesk&) = delete;
  MagicDesk& operator=(const MagicDesk&) = delete;

  // --- worker thread ---
  /// Whose files are asked about from now on; null: nobody's, they are lost.
  void ask_for(Asker* asker) { asker_ = asker; }
  /// How many bytes of a file's beginning are wanted.
  size_t wanted() const { return settings_.bytes; }
  /// `begin`: at most wanted() bytes are looked at. `most`: of its asker's files may wait, beside
  /// kOfOneAsker.
  Asked ask(std::span<const uint8_t> begin, uint32_t most = kOfOneAsker);
  /// A file was not even asked about.
  void lose() { ++counters_.lost; }
  bool at_once() const { return at_once_ != nullptr; }
  /// Whose answer is the next to be taken; null: none is there. Answers for those who have withdrawn go.
  Asker* next();
  /// The one of next(), which is not null. The text is valid until the next call of ask() or take().
  Answer take();
  /// The answer of the last take() had nobody to wait for it.
  void note_late() { ++counters_.late; }
  /// The asker goes: what it still waits for is answered to nobody.
  void withdraw(Asker& asker);
  const MagicCounters& counters() const { return counters_; }

  // --- the thread that has libmagic ---
  /// Answers at most `max` questions; how many.
  size_t serve(MagicTeller& teller, size_t max);

 private:
  struct Place {
    // The worker's:
    Asker* asker = nullptr;
    uint32_t domain = 0;  // of who asked, also when that one has withdrawn
    // Of whoever has the place:
    uint32_t size = 0;       // of the bytes
    uint16_t text_size = 0;  // kFailed: libmagic failed
    char text[kText];
  };
  static constexpr uint16_t kFailed = UINT16_MAX;
  static_assert(kText < kFailed);

  uint32_t& places_of(uint32_t domain) { return places_of_domain_[domain % kDomainPlaces]; }
  /// The oldest place is free again.
  void free_oldest() { --places_of(place(taken_++).domain); }
  Place& place(uint64_t position) { return places_[position % settings_.queue]; }
  uint8_t* bytes_of(uint64_t position) {
    return bytes_.get() + (position % settings_.queue) * settings_.bytes;
  }
  static void tell(MagicTeller& teller, std::span<const uint8_t> begin, Place& place);

  const MagicSettings settings_;
  MagicTeller* const at_once_;
  std::unique_ptr<Place[]> places_;
  std::unique_ptr<uint8_t[]> bytes_;
  // The worker's alone:
  Asker* asker_ = nullptr;
  uint64_t taken_ = 0;      // places before it are free
  uint64_t seen_told_ = 0;  // its last look at told_
  const uint32_t most_of_domain_;
  std::array<uint32_t, kDomainPlaces> places_of_domain_{};
  MagicCounters counters_;
  // Positions only grow; each side's lies in a line of its own.
  alignas(64) std::atomic<uint64_t> asked_{0};
  alignas(64) std::atomic<uint64_t> told_{0};
};

constexpr uint64_t MagicDesk::bytes_for(const MagicSettings& settings) {
  return uint64_t{settings.queue} * (sizeof(Place) + settings.bytes);
}

}  // namespace weir::inspection
