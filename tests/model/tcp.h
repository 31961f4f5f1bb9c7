// A TCP connection seen from between its ends, as docs/sessions.md tells it.
//
// Sequence numbers are counted in 64 bits from where each end began, so that nothing here wraps.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/model/network.h"

namespace weir::model {

enum class TcpState { loose, syn_sent, syn_received, established, fin_forward, fin_reverse, closing, reset };
const char* name_of(TcpState state);
constexpr bool is_half_open(TcpState s) {
  return s == TcpState::loose || s == TcpState::syn_sent || s == TcpState::syn_received;
}
constexpr bool is_over(TcpState s) { return s == TcpState::closing || s == TcpState::reset; }
constexpr bool is_open(TcpState s) {
  return s == TcpState::established || s == TcpState::fin_forward || s == TcpState::fin_reverse;
}

/// 0: the initiator's packets, 1: the responder's.
using Side = int;

class TcpConnection {
 public:
  /// By its first segment; nothing: no connection begins so.
  /// `bytes`: that it carries.
  static std::optional<TcpConnection> begin(const Packet& first, size_t bytes, const TcpOptions& options);

  enum class Fate {
    passes,   // it is part of the connection
    ignored,  // it passes, but moves nothing and keeps nothing alive
    outside,  // dropped: tcp_outside_window
    refused,  // dropped: tcp_unexpected
  };
  /// What becomes of a segment; moves what it moves.
  Fate follow(Side from, const Packet& segment, size_t bytes, const TcpOptions& options);

  TcpState state = TcpState::syn_sent;
  /// Could `from` have sent the segment at `seq` lately? For what an ICMP error quotes.
  bool was_sent(Side from, uint32_t seq) const;
  /// What `from`'s peer expects of it next, and where `from`'s own sending ends: a reset in its name.
  uint32_t expected_of(Side from) const {
    return static_cast<uint32_t>(ends_[static_cast<size_t>(from)].acked);
  }
  uint32_t end_of(Side from) const { return static_cast<uint32_t>(ends_[static_cast<size_t>(from)].sent); }

  /// What its window bounds would be, for generators: the next number, and the last allowed one.
  uint32_t allowed_of(Side from) const {
    return static_cast<uint32_t>(ends_[static_cast<size_t>(from)].allowed);
  }

 private:
  using Number = int64_t;
  /// One end as a sender; numbers are of its own data.
  struct End {
    bool known = false;               // it has sent something
    bool told = false;                // it has not, but its peer acknowledged what it must have sent
    bool reopening = false;           // the last that it said is SYN, while the connection was live
    std::optional<unsigned> offered;  // scale, in its SYN
    Number sent = 0;                  // behind the last that it sent
    Number allowed = 0;               // behind the last that its peer allowed
    Number acked = 0;                 // what its peer expects next
    int64_t window = 0;               // the largest that it announced, to be scaled
    unsigned scale = 0;
    int64_t bytes() const { return window << scale; }
  };
  struct Segment;
  Segment placed(Side from, const Packet& packet, size_t bytes) const;
  bool within(Side from, const Segment& s) const;
  void begin_end(End& end, const Segment& syn);
  void answer(Side from, const Segment& s);
  void reopen(Side from, const Segment& s);
  void note(Side from, const Segment& s);
  void note_loose(Side from, const Segment& s);
  void note_known(Side from, const Segment& s);
  End& end(Side side) { return ends_[static_cast<size_t>(side)]; }
  const End& end(Side side) const { return ends_[static_cast<size_t>(side)]; }

  std::array<End, 2> ends_;
};

}  // namespace weir::model
