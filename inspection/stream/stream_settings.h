// How TCP streams are put together: what TcpTrack asks of a profile.
#pragma once

#include <cstdint>

namespace weir::inspection {

/// Whose bytes count where segments overlap before they were handed out, when watching (Novak and Sturges,
/// Target-Based TCP Stream Reassembly, 2007). Inline it is always the first.
enum class TcpOverlap : uint8_t { first, bsd, linux_, old_linux, solaris, last };
/// Inline: what becomes of a packet that contradicts what was seen.
enum class OnConflict : uint8_t { rewrite, drop_session };

struct StreamSettings {
  bool is_inline = false;
  bool midstream = false;      // sessions are picked up without their handshake
  bool async_oneside = false;  // one direction may be all that is seen
  uint32_t depth = 1'048'576;  // bytes of one direction that are looked at; 0: no end
  // Bytes that one direction may have recorded. Each record counts as kLeastRecord at least, so that a list
  // of tiny ones does not become long.
  uint32_t session_records = 262'144;
  TcpOverlap overlap = TcpOverlap::bsd;
  OnConflict on_conflict = OnConflict::rewrite;
  /// Inline, where nobody but this hub looks: no byte is sent that its receiver could read otherwise than it
  /// was judged. Data waits for the handshake, resets end nothing, and a server that begins anew is believed.
  bool strict = false;
  bool urgent_inline = true;  // urgent bytes belong to the stream
};

}  // namespace weir::inspection
