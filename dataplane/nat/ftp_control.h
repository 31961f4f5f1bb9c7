// Control connections of FTP whose ends are translated: what was put in the place of what they say, and the
// sequence numbers that follow from it.
//
// One end's bytes have two numberings: its own, in which the hub follows the session and inspects it, and
// that of its peer, which has got text of another length. SequenceEdits has the way from one to the other,
// which is exact as far back as its last edits reach: what was sent before them is acknowledged long since.
//
// An endpoint that comes in several segments is held, as text, and its bytes are taken out of these. With the
// byte that ends it the peer gets what stands for all of it; that byte is its sender's to send again until it
// is acknowledged, so that the hub need not. Until then the peer has to acknowledge what it does not get, or
// a sender that waits for that (RFC 1122 section 4.2.3.4, Nagle) would never send the rest: a segment of
// which nothing is left has the byte before it once more, to which RFC 9293 section 3.10.7.4 has the peer
// answer.
//
// Pure: packets are the caller's (stages/ftp.h). One worker only; all memory is allocated by FtpControls.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/nat/bindings.h"
#include "dataplane/net/ftp_text.h"

namespace weir::dataplane {

using net::FtpEndpoint;
using net::FtpScanner;
using net::kFtpEndpointText;

/// Text that stands for other text of one end. Sequence numbers of that end's own.
struct FtpEdit {
  uint32_t seq = 0;    // of the first byte that was replaced
  uint16_t was = 0;    // so many bytes
  uint16_t size = 0;   // of `text`
  uint32_t shift = 0;  // what is before it is seen so many bytes later by the peer, modulo 2^32
  char before = 0;     // the byte in front; of one without text, which takes out what is held
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
  /// Behind all others. The oldest gives way. One without text goes on where one without text ends.
  void add(uint32_t seq, uint16_t was, std::string_view text, char before = 0);
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
  bool begun = false;  // its SYN was seen
  char last = 0;       // the byte before `next`
  uint32_t next = 0;   // what it sends next
  FtpScanner scanner;  // has seen what is before `next`
  SequenceEdits edits;

  /// Nothing that is before `from` matters. `reply`: it is the server.
  void begin(uint32_t from, bool reply) {
    begun = true;
    next = from;
    scanner = FtpScanner(reply);
    edits.clear();
  }
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
  static constexpr size_t kMost = 2 * SequenceEdits::kKept;
  struct Place {
    uint16_t at = 0;    // in the payload
    uint16_t size = 0;  // that is replaced
    uint16_t text_size = 0;
    bool taken_out = false;  // without text
    char before = 0;         // of one that is taken out: the byte in front of it
    std::array<char, kFtpEndpointText> text{};

    std::string_view as_text() const { return {text.data(), text_size}; }
  };
  std::array<Place, kMost> places;
  size_t count = 0;
  size_t known = 0;                    // of them, those of a segment that was sent before
  size_t rewritten = 0, gathered = 0;  // endpoints that others stand for; of them, those of several segments
  FtpScanner scanner;                  // behind it

  bool leaves_nothing_of(size_t size) const {
    size_t left = size;
    for (size_t i = 0; i < count; ++i) left = left - places[i].size + places[i].text_size;
    return left == 0;
  }
};

enum class FtpSegment : uint8_t {
  good,
  early,  // what is before it has not been seen, or half of what was replaced comes again
  full,   // more is replaced in it than fits
};

/// What of a segment's payload was replaced before: that of one that is sent again.
FtpSegment plan_again(const FtpSide& side, uint32_t seq, size_t size, FtpPlan& plan);

/// Goes through `payload` from `from` on, of which nothing was seen before. For each endpoint
/// `replace(endpoint, out)` says with how many bytes in `out` it is replaced; 0: it stays. Nothing of `side`
/// changes.
template <typename Replace>
FtpSegment plan_lines(const FtpSide& side, std::string_view payload, size_t from, FtpPlan& plan,
                      Replace&& replace) {
  FtpScanner& scanner = plan.scanner = side.scanner;
  bool carried = scanner.holds();  // what is held begins in a segment before, else at `begin`
  size_t begin = from;
  char before =
      side.edits.size() > 0 ? side.edits.at(side.edits.size() - 1).before : '\0';  // if it is carried
  const auto add = [&plan](size_t at, size_t size) -> FtpPlan::Place* {
    if (plan.count - plan.known == SequenceEdits::kKept) return nullptr;
    FtpPlan::Place& place = plan.places[plan.count++];
    place.at = static_cast<uint16_t>(at);
    place.size = static_cast<uint16_t>(size);
    return &place;
  };
  const auto take_out = [&](size_t end) {
    FtpPlan::Place* const place = add(begin, end - begin);
    if (place != nullptr) {
      place->taken_out = true;
      place->before = before;
    }
    return place != nullptr;
  };
  for (size_t at = from; at < payload.size(); ++at) {
    if (scanner.skips()) at = std::min(payload.find('\n', at), payload.size() - 1);
    FtpEndpoint endpoint;
    const FtpScanner::Found found = scanner.take(payload[at], endpoint);
    if (found == FtpScanner::Found::held && scanner.held().size() == 1) {
      begin = at;
      before = at > 0 ? payload[at - 1] : side.last;
    }
    if (found != FtpScanner::Found::no && found != FtpScanner::Found::endpoint) continue;
    std::array<char, kFtpEndpointText> text{};
    size_t size = found == FtpScanner::Found::endpoint ? replace(endpoint, std::span(text)) : 0;
    if (size > 0) ++plan.rewritten;
    if (carried) {
      // This byte stands for all that is held, so that it is the one to be sent again.
      plan.gathered += size > 0;
      const std::string_view rest = scanner.held().substr(size > 0 ? endpoint.size : 0);
      size += rest.copy(text.data() + size, text.size() - size);
      if (at > begin && !take_out(at)) return FtpSegment::full;
      begin = at;
      endpoint.size = 1;
    }
    carried = false;
    if (size == 0) continue;
    FtpPlan::Place* const place = add(begin, endpoint.size);
    if (place == nullptr) return FtpSegment::full;
    place->text = text;
    place->text_size = static_cast<uint16_t>(size);
  }
  return !scanner.holds() || begin == payload.size() || take_out(payload.size()) ? FtpSegment::good
                                                                                 : FtpSegment::full;
}

/// A segment of `size` bytes, of which `last` is the last, goes to its peer as planned.
void note_segment(FtpSide& side, uint32_t seq, size_t size, char last, const FtpPlan& plan);

}  // namespace weir::dataplane
