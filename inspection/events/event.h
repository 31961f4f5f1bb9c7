// A record for the outside, as a worker writes it: plain data, no pointers, nothing formatted. What a kind of
// event says beside it follows as fields (event_fields.h). The writer thread turns both into EVE JSON
// (eve.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "dataplane/net/address.h"
#include "inspection/app/transaction.h"

namespace weir::inspection {

/// Text of at most N bytes, kept in place; longer text is cut.
template <size_t N>
struct FixedText {
  uint16_t size = 0;
  std::array<char, N> bytes{};
  void assign(std::string_view text) {
    size = static_cast<uint16_t>(text.size() < N ? text.size() : N);
    if (size > 0) std::memcpy(bytes.data(), text.data(), size);  // an empty view may be null
  }
  std::string_view view() const { return {bytes.data(), size}; }
};

/// The ends of a tuple, as FlowInfo has them.
struct FlowEnds {
  net::IpAddress src, dst;
  uint16_t src_port = 0, dst_port = 0;  // 0 unless TCP or UDP
};

/// The session that an event speaks of: the initiator's original tuple, in both directions.
struct FlowInfo {
  uint64_t flow_id = 0;   // 0: no session was made
  uint64_t start_ns = 0;  // monotonic
  net::IpAddress src;     // initiator
  net::IpAddress dst;
  uint16_t src_port = 0;  // 0 unless TCP or UDP; for ICMP the type
  uint16_t dst_port = 0;  // for ICMP the code
  uint8_t protocol = 0;
  std::array<uint32_t, 2>
      domain{};  // ids of the domains that the initiator's and the other's addresses are of
  FixedText<32> from_domain;
  FixedText<32> to_domain;
  FixedText<32> attachment;  // the initiator's
  FixedText<32> policy_rule;
  bool translated = false;
  FlowEnds leaves;  // translated: how the initiator's packets leave
};

/// watch: a policy rule that only watches would have decided the session. overload: of no session. fuse: a
/// rule has dropped too many sessions. From http on: of a transaction.
enum class EventKind : uint8_t {
  alert,
  drop,
  flow,
  watch,
  overload,
  fuse,
  http,
  tls,
  dns,
  ssh,
  quic,
  smtp,
  ftp,
  ftp_data,
  fileinfo,
  anomaly,
  count_
};

inline constexpr size_t kEventKinds = static_cast<size_t>(EventKind::count_);

/// Which kinds are wanted.
class EventKinds {
 public:
  constexpr EventKinds() = default;
  static constexpr EventKinds all() {
    EventKinds kinds;
    kinds.bits_ = (1U << static_cast<unsigned>(EventKind::count_)) - 1;
    return kinds;
  }
  constexpr EventKinds& set(EventKind kind, bool wanted = true) {
    const uint32_t bit = 1U << static_cast<unsigned>(kind);
    bits_ = wanted ? bits_ | bit : bits_ & ~bit;
    return *this;
  }
  constexpr bool has(EventKind kind) const { return (bits_ >> static_cast<unsigned>(kind) & 1) != 0; }

 private:
  uint32_t bits_ = 0;
};

/// What inspection says in its events.
struct EventSettings {
  EventKinds kinds = EventKinds::all();
  bool payload = false, payload_printable = false;  // of alerts
  bool app_layer = true;                            // of alerts: what their transaction says
  bool metadata = true, rule_text = false, references = false;
  bool drop_alerts = true;  // drops name the rule
  bool all_drops = false;   // each packet that is not sent; else one of each direction of a session
  /// Lower case: the field of the request in which proxies name their client; empty: it is not asked for.
  std::string xff_header;
  bool xff_reverse = true;  // the last one of several counts, as of a reverse proxy; else the first
};

/// none: it has not ended; begun: it has just begun.
enum class FlowEnd : uint8_t { timeout, closed, reset, dropped, purged, given_way, none, begun };
/// What a policy rule says.
enum class PolicyWord : uint8_t { allow, deny, reject, inspect };

struct AlertBody {
  uint32_t gid = 1;
  uint32_t sid = 0;
  uint32_t rev = 0;
  uint32_t priority = 3;
  bool blocked = false;      // action: "blocked" or "allowed"
  bool would_block = false;  // "allowed", since the profile only tests
  bool to_client = false;    // EVE's direction
  bool cut = false;          // a text below is not whole
  FixedText<256> signature;
  FixedText<96> category;
};

struct FlowBody {
  uint64_t packets_to_server = 0, packets_to_client = 0;
  uint64_t bytes_to_server = 0, bytes_to_client = 0;
  uint64_t end_ns = 0;
  FlowEnd end = FlowEnd::timeout;
  bool alerted = false;
  uint8_t tcp_flags_to_server = 0, tcp_flags_to_client = 0;
};

/// A worker has more to inspect than it may spend time on, or no longer has.
struct OverloadBody {
  bool begins = false;
  uint16_t worker = 0;
  uint32_t waiting = 0;  // packets
};

/// A session's protocols, as far as they were told: its own, by each direction alone (by Direction), and the
/// one before.
struct AppProtocols {
  AppProtocol own = AppProtocol::unknown, before = AppProtocol::unknown;
  AppProtocol told[2] = {};
};

struct Event {
  static constexpr uint64_t kNoTransaction = UINT64_MAX;

  EventKind kind = EventKind::alert;
  /// The packet went from flow.dst to flow.src; of a transaction's event, what it speaks of.
  bool turned = false;
  bool cut = false;                              // fields are not whole
  PolicyWord policy_action = PolicyWord::allow;  // watch
  AppProtocols app;                              // alert and flow of an inspected session
  uint16_t packet_length = 0;
  uint32_t suppressed = 0;  // drop by a policy rule, watch: how many alike were not told since the last one
  uint64_t time_ns = 0;     // monotonic; the writer knows the wall clock
  uint64_t tx_id = kNoTransaction;
  FlowInfo flow;
  FlowBody flow_stats;        // flow: the whole session; alert and drop: so far, where known
  FixedText<32> drop_reason;  // drop: the name of the data plane's reason, or inspection's
  OverloadBody overload;
  uint32_t fuse_sessions = 0;  // fuse: how many the rule, which `alert` names, may drop in a minute
  AlertBody alert;             // last: see has_alert()

  /// Of other kinds `alert` says nothing.
  bool has_alert() const {
    return kind == EventKind::alert || kind == EventKind::drop || kind == EventKind::watch ||
           kind == EventKind::fuse;
  }
};
static_assert(std::is_trivially_copyable_v<Event>);

/// Where a worker puts events, with their fields. push() adds to the event what the sink alone knows, copies
/// it, never blocks, and returns false when there is no room (the caller counts it).
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual bool push(Event& event, std::span<const uint8_t> fields) = 0;
};

}  // namespace weir::inspection
