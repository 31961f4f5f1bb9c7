// SSH in clear: banners and the exchange of algorithms, up to where each end changes to its keys (RFC 4253).
// What follows is encrypted, and the parser asks for no more of it.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/ssh/ssh_transaction.h"

namespace weir::inspection {

/// Null: the pool is at its ceiling. `fingerprints`: the event waits for those of both ends. `first_tx`: the
/// id of its transaction.
AppParser* make_ssh_parser(BytePool& pool, bool fingerprints, uint64_t first_tx);

}  // namespace weir::inspection
