// QUIC as far as everybody can read it: headers, and the hellos in Initial packets. Each datagram is given
// whole.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/quic/quic_keys.h"
#include "inspection/app/quic/quic_transaction.h"

namespace weir::inspection {

/// Null: the pool is at its ceiling. `decryptor` is the worker's and outlives the parser; `first_tx`: the id
/// of the first transaction.
AppParser* make_quic_parser(BytePool& pool, QuicDecryptor& decryptor, uint64_t first_tx);

}  // namespace weir::inspection
