// Where FTP's data connections go, as commands and replies write it (RFC 959 section 4.1.2, RFC 2428). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/net/address.h"

namespace weir::inspection {

struct FtpAddress {
  std::optional<net::IpAddress> address;  // none: the host that says it
  uint16_t port = 0;                      // not 0
};

/// "192,168,0,13,234,10", as PORT has it, and with other text around it the reply 227.
std::optional<FtpAddress> read_ftp_port(std::string_view text);
/// "|1|192.0.2.1|5282|", "|2|2001:db8::1|5282|" of EPRT, "|||5282|" of the reply 229; any delimiter.
std::optional<FtpAddress> read_ftp_extended_port(std::string_view text);

}  // namespace weir::inspection
