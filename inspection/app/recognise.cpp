#include "inspection/app/recognise.h"

#include <algorithm>
#include <string_view>

#include "inspection/app/dns/dns_message.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using Answer = Recognition::Answer;

constexpr Recognition kNo{}, kMore{Answer::more, AppProtocol::unknown, false};
Recognition yes(AppProtocol protocol, bool from_server = false) {
  return {Answer::yes, protocol, from_server};
}

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

bool token_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || (c >= '0' && c <= '9');
}

constexpr std::string_view kMethods[] = {"GET",
                                         "POST",
                                         "HEAD",
                                         "PUT",
                                         "DELETE",
                                         "OPTIONS",
                                         "TRACE",
                                         "CONNECT",
                                         "PATCH",
                                         "PROPFIND",
                                         "PROPPATCH",
                                         "MKCOL",
                                         "COPY",
                                         "MOVE",
                                         "LOCK",
                                         "UNLOCK",
                                         "VERSION-CONTROL",
                                         "REPORT",
                                         "CHECKOUT",
                                         "CHECKIN",
                                         "UNCHECKOUT",
                                         "MKWORKSPACE",
                                         "UPDATE",
                                         "LABEL",
                                         "MERGE",
                                         "BASELINE-CONTROL",
                                         "MKACTIVITY",
                                         "SEARCH",
                                         "ORDERPATCH",
                                         "ACL",
                                         "BIND",
                                         "REBIND",
                                         "UNBIND",
                                         "LINK",
                                         "UNLINK"};

/// A request line: a method that is known, or any token of which the line ends in HTTP/1.
Recognition http_request(Bytes bytes) {
  std::string_view all = text(bytes);
  const size_t begin = all.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return all.size() < 16 ? kMore : kNo;
  if (begin > 8) return kNo;
  all.remove_prefix(begin);
  size_t size = 0;
  while (size < all.size() && token_char(all[size])) ++size;
  if (size > 24) return kNo;
  if (size == all.size()) return kMore;
  if (size == 0 || (all[size] != ' ' && all[size] != '\t')) return kNo;
  const std::string_view method = all.substr(0, size);
  if (std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods))
    return yes(AppProtocol::http1);
  const size_t end = all.find('\n');
  const std::string_view line = all.substr(0, end);
  if (line.find(" HTTP/1.") != std::string_view::npos) return yes(AppProtocol::http1);
  // Its line is not over: the version may still come, unless these bytes are no text.
  if (end != std::string_view::npos) return kNo;
  const bool plain =
      std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 || c < 0 || c == '\t'; });
  return plain ? kMore : kNo;
}

Recognition http_response(Bytes bytes) {
  constexpr std::string_view kVersion = "HTTP/1.", kAny = "HTTP/";
  const std::string_view all = text(bytes);
  const size_t common = std::min(all.size(), kAny.size());
  if (all.substr(0, common) != kAny.substr(0, common)) return kNo;
  if (all.size() < kVersion.size()) return kMore;
  return all[5] == '2' ? kNo : yes(AppProtocol::http1, true);
}

Recognition tls(Direction direction, Bytes bytes) {
  constexpr uint8_t kHandshake = 22, kAlert = 21, kClientHello = 1, kServerHello = 2, kHelloRequest = 0;
  // SSL 2.0's hello, in which older clients offer 3.0 and later (RFC 5246 appendix E.2).
  if ((bytes[0] & 0x80) != 0) {
    if (bytes.size() < 5) return bytes.size() < 3 || bytes[2] == kClientHello || bytes[2] == 4 ? kMore : kNo;
    const size_t length = (bytes[0] & 0x7fu) << 8 | bytes[1];
    const bool version = (bytes[3] == 3 && bytes[4] <= 4) || (bytes[3] == 0 && bytes[4] == 2);
    if (direction == Direction::to_server && bytes[2] == kClientHello && version && length >= 9)
      return yes(AppProtocol::tls);
    if (direction == Direction::to_client && bytes[2] == 4 && bytes.size() >= 7 && bytes[5] == 0 &&
        bytes[6] == 2)
      return yes(AppProtocol::tls, true);
    return kNo;
  }
  if (bytes[0] != kHandshake && bytes[0] != kAlert) return kNo;
  if (bytes.size() > 1 && bytes[1] != 3) return kNo;
  if (bytes.size() > 2 && bytes[2] > 4) return kNo;
  if (bytes.size() < 6) return kMore;
  const size_t length = static_cast<size_t>(bytes[3]) << 8 | bytes[4];
  if (bytes[0] == kAlert)
    return length == 2 && (bytes[5] == 1 || bytes[5] == 2) ? yes(AppProtocol::tls) : kNo;
  const bool hello = direction == Direction::to_server
                         ? bytes[5] == kClientHello
                         : bytes[5] == kServerHello || bytes[5] == kHelloRequest;
  return hello && length >= 1 ? yes(AppProtocol::tls) : kNo;
}

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

}  // namespace

Recognition recognise_stream(Direction direction, Bytes bytes) {
  if (bytes.empty()) return kMore;
  bool more = false;
  const Recognition answers[] = {
      direction == Direction::to_server ? http_request(bytes) : http_response(bytes), tls(direction, bytes),
      dns_stream(bytes)};
  for (const Recognition& answer : answers) {
    if (answer.answer == Answer::yes) return answer;
    more = more || answer.answer == Answer::more;
  }
  return more && bytes.size() < kRecogniseLimit ? kMore : kNo;
}

Recognition recognise_datagram(Bytes bytes, uint16_t src_port, uint16_t dst_port) {
  constexpr uint16_t kMdns = 5'353, kLlmnr = 5'355, kNetbiosNames = 137;
  for (const uint16_t other : {kMdns, kLlmnr, kNetbiosNames}) {
    if (src_port == other || dst_port == other) return kNo;
  }
  switch (probe_dns(bytes, bytes.size())) {
    case DnsProbe::query:
      return yes(AppProtocol::dns);
    case DnsProbe::answer:
      return yes(AppProtocol::dns, true);
    default:
      return kNo;
  }
}

}  // namespace weir::inspection
