// The parser of each protocol, by its name. The one place that knows them all.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/dns/dns_message.h"
#include "inspection/app/ftp/ftp_parser.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/mime/settings.h"
#include "inspection/app/quic/quic_keys.h"
#include "inspection/app/tls/identities.h"
#include "inspection/app/tls/tls_transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// Ceilings of the other parsers. One set for each profile.
struct AppLimits {
  unsigned dns_pointers = kDnsMaxPointers;                     // of compression, that one name may follow
  size_t tls_certificates = TlsTransaction::kMaxCertificates;  // of one chain
};

/// What the parsers of one worker share.
struct ParserShared {
  HttpLimits http;
  AppLimits app;
  HttpCounters http_counters;
  QuicDecryptor quic;
  bool ssh_fingerprints = true;  // events wait for them
  MimeSettings mime;
  FtpSettings ftp;
};

/// Others are a label: nothing of them is read.
bool has_parser(AppProtocol protocol);
/// Null: the pool is at its ceiling, or the protocol is not parsed. `first_tx`: the id of the session's next
/// transaction. `shared` outlives the parser. `client`: who opened the session. `tls`: of its server.
AppParser* make_parser(BytePool& pool, ParserShared& shared, AppProtocol protocol, bool over_tcp,
                       uint64_t first_tx, const net::IpAddress& client, const TlsMemory& tls = {});

}  // namespace weir::inspection
