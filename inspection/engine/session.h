// What the engine keeps for one inspected session. Lies in the worker's BytePool, and so does all that it
// grows. Worker thread.
#pragma once

#include <array>
#include <cstdint>

#include "inspection/app/app_parser.h"
#include "inspection/detect/inspected.h"
#include "inspection/detect/session_detection.h"
#include "inspection/engine/exception_policy.h"
#include "inspection/magic/magic_desk.h"
#include "inspection/memory/byte_pool.h"
#include "inspection/stream/tcp_track.h"

namespace weir::inspection {

/// Why a packet was not sent, by the names that EVE's drop.reason has.
enum class DropReason : uint8_t {
  none,
  rules,
  rate_filter,    // a rule that matched too often
  flow_drop,      // the session was dropped before
  stream_error,   // its receiver would discard it, or it contradicts what was seen
  stream_memcap,  // could not be recorded
  stream_midstream,
  app_layer_error,
  flow_memcap,
  defrag_error,
  checksum,
  ttl,
  count_
};
const char* name_of(DropReason reason);

struct EngineSession {
  explicit EngineSession(BytePool& pool) noexcept : upgraded(pool), sides{{Side(pool), Side(pool)}} {}
  EngineSession(const EngineSession&) = delete;
  EngineSession& operator=(const EngineSession&) = delete;

  struct Side {
    explicit Side(BytePool& pool) noexcept : raw(pool), waiting(pool) {}
    PoolBytes raw;  // the last bytes of the stream: `judged` of carry-over, then new ones
    uint32_t judged = 0;
    uint32_t hidden = 0;  // of `judged`: of an exchange that is over, or long ago; kept for comparison alone
    uint64_t raw_base = 0;    // the place of raw[0] in the stream
    PoolBytes waiting;        // the stream's beginning, while its protocol is not known
    bool recognised = false;  // whether this direction alone has told the protocol, or that it is none
    bool unjudged = false;    // the parser moved in this direction since it was judged last
    bool ended = false;       // the parser knows that nothing follows
    bool forwarded = false;   // a proxy's header stood before it
  };

  net::IpAddress client, server;
  uint16_t client_port = 0, server_port = 0;
  // Where its client's packets go in the end, if their destination is translated; else port 0.
  net::IpAddress meant;
  uint16_t meant_port = 0;
  uint8_t protocol = 0;
  uint8_t vlan_count = 0;
  uint16_t vlans[3] = {};
  uint8_t icmp_type = 0, icmp_code = 0;
  uint8_t client_ttl = 0;
  bool answered = false;    // packets of both directions were seen
  bool dropped = false;     // a tombstone: nothing of it is sent
  bool bypassed = false;    // nothing of it is inspected
  bool encrypted = false;   // after the handshake: only headers are looked at
  bool app_failed = false;  // the parser gave up
  bool resting = false;     // between two exchanges: there is no parser until bytes come
  bool mismatched = false;  // both directions told different protocols
  bool policy_applied = false;
  DropReason dropped_for = DropReason::none;
  Ceiling policy_ceiling = Ceiling::midstream;
  ExceptionPolicy policy = ExceptionPolicy::ignore;
  uint64_t id = 0;
  uint64_t last_ns = 0;
  uint64_t last_number = 0;
  uint64_t next_tx = 0;
  SessionFacts facts;
  SessionDetection detection;
  TcpTrack* tcp = nullptr;
  AppParser* parser = nullptr;
  struct EnginePause* pause = nullptr;          // where its packet at hand goes on (engine.h)
  PoolBytes upgraded;                           // the request behind which HTTP/2 begins, four texts with NUL
  AppProtocol previous = AppProtocol::unknown;  // before it changed (CONNECT, upgrade)
  MagicDesk::Asker magic;                       // its files that libmagic is asked about
  std::array<Side, 2> sides;

  Side& side(Direction direction) { return sides[static_cast<size_t>(direction)]; }
  const Side& side(Direction direction) const { return sides[static_cast<size_t>(direction)]; }
};

}  // namespace weir::inspection
