// DNS over UDP and TCP as transactions: each message one.
//
// Over UDP, advance() takes one datagram. Over TCP it takes the stream, in which messages stand behind their
// length (RFC 1035 section 4.2.2); where that cannot be right, the rest of the stream is not understood.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/dns/dns_transaction.h"

namespace weir::inspection {

/// Null: the pool is at its ceiling. `first_tx`: the id of the session's next transaction. `most_pointers`:
/// of compression, that one name may follow.
AppParser* make_dns_parser(BytePool& pool, bool over_tcp, uint64_t first_tx,
                           unsigned most_pointers = kDnsMaxPointers);

}  // namespace weir::inspection
