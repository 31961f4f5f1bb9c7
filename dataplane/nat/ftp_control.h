// Control connections of FTP whose ends are translated: what was put in the place of what they say, and the
// sequence numbers that follow from it.
//
// One end's bytes have two numberings: its own, in which the hub follows the session and inspects it, and
// that of its peer, which has got text of another length. SequenceEdits has the way from one to the other,
// which is exact as far back as its last edits reach: what was sent before them is acknowledged long since.
// Pure: packets are the caller's (stages/ftp.h). One worker only; all memory is allocated by FtpControls.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/nat/bindings.h"
#include "dataplane/nat/ftp_text.h"

namespace weir::dataplane {

/// Text that stands for other text of one end. Sequence numbers of that end's own.
struct FtpEdit {
  uint32_t seq = 0;    // of the first byte that was replaced
  uint16_t was = 0;    // so many bytes
  uint16_t size = 0;   // of `text`
  uint32_t shift = 0;  // what is before it is seen so many bytes later by the peer, modulo 2^32
  std::array<char, kFtpEndpointText> text{};

  uint32_t end() const { return seq + was; }
  uint32_t shift_behind() const { return shift + size - was; }
  std::string_view as_text() const { return {text.data(), size}; }
};

/// Of one end.
class SequenceEdits {
 public:
  static constexpr size_t kKept = 4;

  void clear() { count_ = 0; }
  /// Behind all others. The oldest gives way.
  void add(uint32_t seq, uint16_t was, std::string_view text);
  size_t size() const { return count_; }
  /// From the oldest on.
  const FtpEdit& at(size_t i) const { return edits_[i]; }

  /// As the peer numbers it. Inside of what was replaced: at most the end of what stands there.
  uint32_t to_peer(uint32_t seq) const;
  /// Back. Inside of what stands there now: the begin of what was replaced, so that no more counts as
  /// acknowledged than surely is.
  uint32_t from_peer(uint32_t seq) const;

 private:
  std::array<FtpEdit, kKept> edits_;
  size_t count_ = 0;
};

struct FtpSide {
  bool begun = false;       // its SYN was seen
  bool line_begins = true;  // `next` begins a line
  uint32_t next = 0;        // what it sends next
  SequenceEdits edits;
};

struct FtpControl {
  static constexpr size_t kAnnounced = 4;
  FtpSide side[2];  // by the direction in which it sends
  /// What the last data connections that were announced are to come to: held, so that nobody else gets it.
  std::array<BindingIndex, kAnnounced> announced;
  size_t next_announced = 0;
};

/// Of one worker.
class FtpControls {
 public:
  explicit FtpControls(uint32_t capacity) : controls_(capacity), free_(capacity) {
    for (uint32_t i = 0; i < capacity; ++i) free_[i] = capacity - 1 - i;
  }
  static constexpr uint32_t kNone = ~0u;

  /// kNone: all are in use.
  uint32_t open() {
    if (free_.empty()) return kNone;
    const uint32_t index = free_.back();
    free_.pop_back();
    FtpControl& control = controls_[index];
    for (FtpSide& side : control.side) {
      side.begun = false;
      side.line_begins = true;
      side.edits.clear();
    }
    control.announced.fill(kNoBinding);
    control.next_announced = 0;
    return index;
  }
  /// The caller has released what it held.
  void close(uint32_t index) { free_.push_back(index); }
  FtpControl& at(uint32_t index) { return controls_[index]; }
  uint32_t size() const { return static_cast<uint32_t>(controls_.size() - free_.size()); }

 private:
  std::vector<FtpControl> controls_;
  std::vector<uint32_t> free_;  // never grows beyond what it had
};

/// What is to be put into one segment.
struct FtpPlan {
  static constexpr size_t kMost = SequenceEdits::kKept;
  struct Place {
    uint16_t at = 0;    // in the payload
    uint16_t size = 0;  // that is replaced
    std::array<char, kFtpEndpointText> text{};
    uint16_t text_size = 0;
  };
  std::array<Place, kMost> places;
  size_t count = 0;
  size_t known = 0;         // of them, those of a segment that was sent before
  bool line_begins = true;  // behind it
};

enum class FtpSegment : uint8_t {
  good,
  early,  // what is before it has not been seen, or half of what was replaced comes again
  cut,    // a line that names an endpoint and goes on in another segment, or more of them than fit
};

/// What of a segment's payload was replaced before: that of one that is sent again.
FtpSegment plan_again(const FtpSide& side, uint32_t seq, size_t size, FtpPlan& plan);

/// Goes through the lines of `payload` from `from` on, of which nothing was seen before. For each that names
/// an endpoint `replace(endpoint, out)` says with how many bytes in `out` it is replaced; 0: it stays.
/// Nothing of `side` changes.
template <typename Replace>
FtpSegment plan_lines(const FtpSide& side, bool reply, std::string_view payload, size_t from, FtpPlan& plan,
                      Replace&& replace) {
  bool begins = side.line_begins;
  for (size_t at = from; at < payload.size();) {
    const size_t end = payload.find('\n', at);
    const bool whole = end != std::string_view::npos;
    const std::string_view line = payload.substr(at, whole ? end - at : std::string_view::npos);
    if (begins && !whole && may_name_endpoint(line, reply)) return FtpSegment::cut;
    const auto endpoint = !begins || !whole ? std::nullopt
                          : reply           ? read_ftp_reply(line)
                                            : read_ftp_command(line);
    if (endpoint) {
      if (plan.count == FtpPlan::kMost) return FtpSegment::cut;
      FtpPlan::Place& place = plan.places[plan.count];
      place.at = static_cast<uint16_t>(at + endpoint->begin);
      place.size = endpoint->size;
      place.text_size =
          static_cast<uint16_t>(replace(*endpoint, std::span<char, kFtpEndpointText>(place.text)));
      if (place.text_size > 0) ++plan.count;
    }
    begins = whole;
    at = whole ? end + 1 : payload.size();
  }
  plan.line_begins = begins;
  return FtpSegment::good;
}

}  // namespace weir::dataplane
