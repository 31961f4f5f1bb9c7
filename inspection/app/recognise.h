// Which protocol a session speaks, told by its first bytes in one direction and never by its ports alone.
//
// Pure; reads nothing beyond `bytes`. What says `more` may be asked again with more bytes from the same
// beginning.
#pragma once

#include <cstdint>
#include <span>

#include "inspection/app/transaction.h"

namespace weir::inspection {

struct Recognition {
  enum class Answer : uint8_t { yes, no, more };
  Answer answer = Answer::no;
  AppProtocol protocol = AppProtocol::unknown;
  bool from_server = false;  // these bytes are an answer: who sent them is the server
};

/// Bytes after which a stream that nobody recognised is none.
inline constexpr size_t kRecogniseLimit = 2'048;

/// What is known of the other direction while this one is asked.
struct StreamBefore {
  std::span<const uint8_t> begin;  // its first bytes, if they did not tell the protocol yet
  bool none = false;               // it begins like no protocol that is told apart
  bool midstream = false;          // the session was picked up in its midst: these may be no first bytes
};

/// The beginning of a TCP stream of that direction.
Recognition recognise_stream(Direction direction, std::span<const uint8_t> bytes,
                             const StreamBefore& before = {});
/// One datagram. The ports only keep apart what looks alike: multicast DNS and LLMNR are not DNS. On DNS's
/// own port a message that is damaged in one place is one still.
Recognition recognise_datagram(std::span<const uint8_t> bytes, uint16_t src_port, uint16_t dst_port);

}  // namespace weir::inspection
