// HTTP/2 in clear (RFC 9113), both directions of a session: with prior knowledge, or behind an upgrade from
// HTTP/1, whose request is then stream 1.
//
// Use it through AppParser. Frames are read as they come, none is kept whole: bodies go through their
// windows, header blocks through HPACK. Where a header block cannot be read, nothing of its direction can be
// any more. Worker thread.
#pragma once

#include <string_view>

#include "inspection/app/app_parser.h"
#include "inspection/app/http/limits.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// The request that asked for HTTP/2 (`Upgrade: h2c`), as far as HTTP/2 has it, too.
struct UpgradedRequest {
  std::string_view method, path, authority;
  std::string_view settings;  // HTTP2-Settings, in base64url (RFC 7540 section 3.2.1)
};

/// Null: the pool is at its ceiling. `limits` outlive the parser; `upgraded` may be null.
AppParser* make_http2_parser(BytePool& pool, const HttpLimits& limits, uint64_t first_tx,
                             const UpgradedRequest* upgraded);

}  // namespace weir::inspection
