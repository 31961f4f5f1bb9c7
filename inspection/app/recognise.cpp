#include "inspection/app/recognise.h"

#include <algorithm>

#include "inspection/app/dns/dns_message.h"
#include "inspection/app/probes.h"

namespace weir::inspection {

using Answer = Recognition::Answer;

namespace probe {

/// Over TCP each message stands behind its length (RFC 1035 section 4.2.2).
Recognition dns_stream(Bytes bytes) {
  if (bytes.size() >= 2) {
    const size_t length = static_cast<size_t>(bytes[0]) << 8 | bytes[1];
    if (length < kDnsHeader) return kNo;
  }
  if (bytes.size() < 2 + kDnsHeader) return kMore;
  const size_t length = static_cast<size_t>(bytes[0]) << 8 | bytes[1];
  const Bytes message = bytes.subspan(2, std::min(length, bytes.size() - 2));
  switch (probe_dns(message, length)) {
    case DnsProbe::no:
      return kNo;
    case DnsProbe::more:
      return kMore;
    case DnsProbe::query:
      return yes(AppProtocol::dns);
    case DnsProbe::answer:
      return yes(AppProtocol::dns, true);
  }
  return kNo;
}

}  // namespace probe

Recognition recognise_stream(Direction direction, std::span<const uint8_t> bytes,
                             const StreamBefore& before) {
  if (bytes.empty()) return probe::kMore;
  bool more = false;
  const Recognition answers[] = {probe::http(direction, bytes),
                                 probe::tls(direction, bytes, before),
                                 probe::ssh(direction, bytes),
                                 probe::http2(direction, bytes),
                                 probe::mail_or_files(direction, bytes, before),
                                 probe::mailbox(direction, bytes, before),
                                 probe::dns_stream(bytes)};
  for (const Recognition& answer : answers) {
    if (answer.answer == Answer::yes) return answer;
    more = more || answer.answer == Answer::more;
  }
  return more && bytes.size() < kRecogniseLimit ? probe::kMore : probe::kNo;
}

Recognition recognise_datagram(std::span<const uint8_t> bytes, uint16_t src_port, uint16_t dst_port) {
  constexpr uint16_t kDns = 53, kMdns = 5'353, kLlmnr = 5'355, kNetbiosNames = 137;
  if (bytes.empty()) return probe::kNo;
  for (const uint16_t other : {kMdns, kLlmnr, kNetbiosNames}) {
    if (src_port == other || dst_port == other) return probe::kNo;
  }
  DnsProbe dns = probe_dns(bytes, bytes.size());
  const bool own_port = src_port == kDns || dst_port == kDns;
  if (dns != DnsProbe::query && dns != DnsProbe::answer) {
    if (const Recognition told = probe::quic(bytes); told.answer == Answer::yes) return told;
  }
  if (dns != DnsProbe::query && dns != DnsProbe::answer && own_port) dns = probe_damaged_dns(bytes);
  switch (dns) {
    case DnsProbe::query:
      return probe::yes(AppProtocol::dns);
    case DnsProbe::answer:
      return probe::yes(AppProtocol::dns, true);
    default:
      return probe::kNo;
  }
}

}  // namespace weir::inspection
