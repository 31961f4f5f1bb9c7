#include <algorithm>

#include "inspection/app/probes.h"

namespace weir::inspection::probe {

namespace {

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
Recognition request(Bytes bytes) {
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

Recognition response(Bytes bytes) {
  constexpr std::string_view kVersion = "HTTP/1.", kAny = "HTTP/";
  const std::string_view all = text(bytes);
  const size_t common = std::min(all.size(), kAny.size());
  if (all.substr(0, common) != kAny.substr(0, common)) return kNo;
  if (all.size() < kVersion.size()) return kMore;
  return all[5] == '2' ? kNo : yes(AppProtocol::http1, true);
}

}  // namespace

Recognition http(Direction direction, Bytes bytes) {
  return direction == Direction::to_server ? request(bytes) : response(bytes);
}

/// The client's preface, the server's first frame, which is of settings (RFC 9113 section 3.4).
Recognition http2(Direction direction, Bytes bytes) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  constexpr size_t kFrameHeader = 9, kSetting = 6, kMostSettings = 64;
  constexpr uint8_t kSettings = 4;
  const size_t common = std::min(bytes.size(), kPreface.size());
  if (direction == Direction::to_server) {
    if (text(bytes.first(common)) != kPreface.substr(0, common)) return kNo;
    return common < kPreface.size() ? kMore : yes(AppProtocol::http2);
  }
  if (bytes[0] != 0 || (bytes.size() > 1 && bytes[1] != 0)) return kNo;
  if (bytes.size() < kFrameHeader) return kMore;
  const bool stream_0 = std::all_of(bytes.begin() + 5, bytes.begin() + 9, [](uint8_t b) { return b == 0; });
  const size_t length = bytes[2];
  const bool frame = bytes[3] == kSettings && bytes[4] == 0 && stream_0;
  return frame && length % kSetting == 0 && length / kSetting <= kMostSettings ? yes(AppProtocol::http2, true)
                                                                               : kNo;
}

}  // namespace weir::inspection::probe
