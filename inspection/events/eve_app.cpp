#include "inspection/events/eve_app.h"

#include "inspection/app/dns/dns_transaction.h"
#include "inspection/app/http/transaction.h"
#include "inspection/app/tls/tls_transaction.h"
#include "inspection/events/eve_dns.h"
#include "inspection/events/eve_http.h"
#include "inspection/events/eve_tls.h"

namespace weir::inspection {

void add_app_object(nlohmann::ordered_json& json, Transaction& transaction) {
  switch (transaction.protocol()) {
    case AppProtocol::dns:
      json["dns"] = dns_object(static_cast<const DnsTransaction&>(transaction));
      return;
    case AppProtocol::tls:
      json["tls"] = tls_object(static_cast<const TlsTransaction&>(transaction));
      return;
    case AppProtocol::http1:
      json["http"] = http_object(static_cast<HttpTransaction&>(transaction));
      return;
    default:
      return;
  }
}

}  // namespace weir::inspection
