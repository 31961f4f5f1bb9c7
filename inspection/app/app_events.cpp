#include "inspection/app/app_events.h"

#include <algorithm>
#include <span>

#include "inspection/app/dns/dns_transaction.h"
#include "inspection/app/ftp/ftp_transaction.h"
#include "inspection/app/http/events.h"
#include "inspection/app/http2/http2_transaction.h"
#include "inspection/app/quic/quic_transaction.h"
#include "inspection/app/smtp/smtp_transaction.h"
#include "inspection/app/ssh/ssh_transaction.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

namespace {

/// Suricata writes the names of some in capitals, and takes either in rules.
bool same(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

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
  if (protocol == AppProtocol::http2) names = http2_event_names();
  if (protocol == AppProtocol::ftp) names = ftp_event_names();
  if (protocol == AppProtocol::smtp) names = smtp_event_names();
  return bit < names.size() ? names[bit] : std::string_view{};
}

std::optional<unsigned> app_event_bit(AppProtocol protocol, std::string_view name) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::string_view known = app_event_name(protocol, bit);
    if (known.empty()) break;
    if (same(known, name)) return bit;
  }
  return std::nullopt;
}

}  // namespace weir::inspection
