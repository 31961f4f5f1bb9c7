#include "inspection/app/app_events.h"

#include <span>

#include "inspection/app/dns/dns_transaction.h"
#include "inspection/app/http/events.h"
#include "inspection/app/quic/quic_transaction.h"
#include "inspection/app/ssh/ssh_transaction.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

std::string_view app_event_name(AppProtocol protocol, unsigned bit) {
  if (protocol == AppProtocol::http1) {
    const bool known = bit < static_cast<unsigned>(HttpEvent::count);
    return known ? name_of(static_cast<HttpEvent>(bit)) : std::string_view{};
  }
  std::span<const std::string_view> names;
  if (protocol == AppProtocol::dns) names = dns_event_names();
  if (protocol == AppProtocol::tls) names = tls_event_names();
  if (protocol == AppProtocol::ssh) names = ssh_event_names();
  if (protocol == AppProtocol::quic) names = quic_event_names();
  return bit < names.size() ? names[bit] : std::string_view{};
}

std::optional<unsigned> app_event_bit(AppProtocol protocol, std::string_view name) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::string_view known = app_event_name(protocol, bit);
    if (known.empty()) break;
    if (known == name) return bit;
  }
  return std::nullopt;
}

}  // namespace weir::inspection
