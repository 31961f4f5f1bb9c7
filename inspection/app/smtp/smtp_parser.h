// SMTP (RFC 5321), both directions of a session, with pipelining (RFC 2920), chunks (BDAT, RFC 3030) and
// STARTTLS (RFC 3207), behind which the session's protocol is told anew.
//
// Mail is read as soon as DATA is sent, whether or not the server says that it may come: who does not wait
// for the answer would otherwise not be seen. If the server refuses, what follows is commands again. A line
// of one dot ends the mail however lines end, as the lenient of the servers have it.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/mime/settings.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// Null: the pool is at its ceiling. `first_tx`: the id of the session's next transaction. `limits` (of
/// files, and work_per_call) and `settings` outlive the parser.
AppParser* make_smtp_parser(BytePool& pool, const HttpLimits& limits, const MimeSettings& settings,
                            uint64_t first_tx);

}  // namespace weir::inspection
