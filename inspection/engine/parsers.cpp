#include "inspection/engine/parsers.h"

#include "inspection/app/dns/dns_parser.h"
#include "inspection/app/http/parser.h"
#include "inspection/app/mailbox/mailbox_parser.h"
#include "inspection/app/quic/quic_parser.h"
#include "inspection/app/smtp/smtp_parser.h"
#include "inspection/app/ssh/ssh_parser.h"
#include "inspection/app/tls/tls_parser.h"

namespace weir::inspection {

bool has_parser(AppProtocol protocol) {
  switch (protocol) {
    case AppProtocol::http1:
    case AppProtocol::dns:
    case AppProtocol::tls:
    case AppProtocol::ssh:
    case AppProtocol::quic:
    case AppProtocol::smtp:
    case AppProtocol::ftp:
    case AppProtocol::http2:
    case AppProtocol::pop3:
    case AppProtocol::imap:
      return true;
    default:
      return false;
  }
}

AppParser* make_parser(BytePool& pool, ParserShared& shared, AppProtocol protocol, bool over_tcp,
                       uint64_t first_tx, const net::IpAddress& client, const TlsMemory& tls) {
  switch (protocol) {
    case AppProtocol::http1:
      return HttpParser::make(pool, shared.http, shared.http_counters);
    case AppProtocol::dns:
      return make_dns_parser(pool, over_tcp, first_tx, shared.app.dns_pointers);
    case AppProtocol::tls:
      return make_tls_parser(pool, first_tx, shared.app.tls_certificates, tls);
    case AppProtocol::ssh:
      return make_ssh_parser(pool, shared.ssh_fingerprints, first_tx);
    case AppProtocol::quic:
      return make_quic_parser(pool, shared.quic, first_tx);
    case AppProtocol::ftp:
      return FtpParser::make(pool, shared.ftp, client, first_tx);
    case AppProtocol::smtp:
      return make_smtp_parser(pool, shared.http, shared.mime, first_tx);
    case AppProtocol::pop3:
    case AppProtocol::imap:
      return make_mailbox_parser(pool, protocol);
    default:
      return nullptr;
  }
}

}  // namespace weir::inspection
