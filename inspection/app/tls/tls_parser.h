// The handshake of a TLS session, from records in any portions (RFC 8446, RFC 5246, SSL 3.0, SSL 2.0's
// hello). Messages may be split over records and records over segments; what follows the handshake is
// encrypted, and the parser asks for no more of it.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

/// Null: the pool is at its ceiling. `first_tx`: the id of its transaction. `most_certificates`: of a chain
/// that are read, at most TlsTransaction::kMaxCertificates. `memory`: where it remembers whose certificates a
/// session was begun with.
AppParser* make_tls_parser(BytePool& pool, uint64_t first_tx,
                           size_t most_certificates = TlsTransaction::kMaxCertificates,
                           const TlsMemory& memory = {});

}  // namespace weir::inspection
