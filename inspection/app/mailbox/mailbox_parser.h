// POP3 (RFC 1939) and IMAP (RFC 9051) as far as they lead to TLS: STLS and STARTTLS (RFC 2595), behind which
// the session's protocol is told anew. Nothing else of them is read, and they have no transactions: rules
// that look into their sessions look at the stream.
//
// TLS begins where a client sends its first record behind a command that the server has just granted, and
// only before a login: what comes later may be somebody's mail, in which the same words may stand.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// `protocol`: pop3 or imap. Null: the pool is at its ceiling.
AppParser* make_mailbox_parser(BytePool& pool, AppProtocol protocol);

}  // namespace weir::inspection
