// How the sessions of one profile are inspected, beside its rules.
//
// A Ruleset has one; the engine looks at that of the packet at hand, so a session follows a change of its
// profile.
#pragma once

#include <cstdint>

#include "inspection/app/ftp/ftp_parser.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/mime/settings.h"
#include "inspection/detect/verdict.h"
#include "inspection/engine/exception_policy.h"
#include "inspection/engine/parsers.h"
#include "inspection/stream/stream_settings.h"

namespace weir::inspection {

struct SessionSettings {
  /// test: what ips would not send is sent, and counted.
  InspectMode mode = InspectMode::ids;
  StreamSettings stream;
  /// What an end acknowledges is judged at once, not with the next packet of who sent it.
  bool at_once = false;
  uint8_t min_ttl = 0;           // ips, test: what would not reach its receiver is not sent, below this
  bool bypass_encrypted = true;  // TLS after its handshake, SSH after its exchange of keys is not looked at,
                                 // nor inline QUIC after both hellos
  bool ssh_fingerprints =
      true;  // the event `ssh` waits for both ends' algorithms, not for their banners alone
  ExceptionPolicies policies{};
  HttpLimits http;
  MimeSettings mime;
  FtpSettings ftp;
  AppLimits app;
};

/// As the hub inspects where its configuration says nothing.
inline SessionSettings hub_settings(InspectMode mode) {
  SessionSettings settings;
  settings.mode = mode;
  settings.at_once = true;
  settings.stream.is_inline = settings.stream.strict = mode != InspectMode::ids;
  settings.stream.midstream = true;         // a policy may begin to inspect a session at any time
  settings.http.work_per_call = 16 * 1024;  // so that budgets are met within about that much
  // Nothing is sent unseen. What a parser cannot follow is still held against rules on streams and packets.
  settings.policies[static_cast<size_t>(Ceiling::session_memory)] = ExceptionPolicy::drop_packet;
  settings.policies[static_cast<size_t>(Ceiling::domain_memory)] = ExceptionPolicy::drop_packet;
  return settings;
}

}  // namespace weir::inspection
