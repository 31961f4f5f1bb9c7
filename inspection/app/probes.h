// The questions of recognise.h, one for each protocol: does it begin like this? Pure; they read nothing
// beyond `bytes`, which are not empty.
#pragma once

#include <string_view>

#include "inspection/app/recognise.h"

namespace weir::inspection::probe {

using Bytes = std::span<const uint8_t>;

inline constexpr Recognition kNo{};
inline constexpr Recognition kMore{Recognition::Answer::more, AppProtocol::unknown, false};
constexpr Recognition yes(AppProtocol protocol, bool from_server = false) {
  return {Recognition::Answer::yes, protocol, from_server};
}
inline std::string_view text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Recognition http(Direction direction, Bytes bytes);
Recognition http2(Direction direction, Bytes bytes);
Recognition tls(Direction direction, Bytes bytes, const StreamBefore& before);
Recognition dns_stream(Bytes bytes);
Recognition ssh(Direction direction, Bytes bytes);
/// SMTP and FTP greet alike. What the greeting leaves open the client's first command decides; for a command
/// that both have, `before` does, the other direction's beginning.
Recognition mail_or_files(Direction direction, Bytes bytes, const StreamBefore& before);
/// POP3 and IMAP by the server's greeting, which comes before anything of the client.
Recognition mailbox(Direction direction, Bytes bytes, const StreamBefore& before);
Recognition quic(Bytes datagram);

}  // namespace weir::inspection::probe
