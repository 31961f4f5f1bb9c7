// What FTP says of its data connections (RFC 959 section 4.1.2, RFC 2428), for who translates addresses:
// where in a line it stands, what it is, and how another address is written in its place. Pure; nothing
// allocates.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dataplane/net/address.h"

namespace weir::dataplane {

struct FtpEndpoint {
  enum class Form : uint8_t {
    host_port,  // "10,0,0,1,4,5" of PORT and 227
    extended,   // "|1|10.0.0.1|1029|" of EPRT
    port_alone  // "|||1029|" of 229
  };
  Form form = Form::host_port;
  uint16_t begin = 0, size = 0;  // its place in the line
  net::IpAddress address;        // not of port_alone
  uint16_t port = 0;             // not 0
};

/// The longest that write_ftp_endpoint() makes: an IPv6 address, a port, and the signs around them.
inline constexpr size_t kFtpEndpointText = 64;
/// Of a longer line only so much is looked at.
inline constexpr size_t kFtpLine = 512;

/// Of the client's "PORT ..." and "EPRT ...". `line` is without its end.
std::optional<FtpEndpoint> read_ftp_command(std::string_view line);
/// Of the server's "227 ..." and "229 ...".
std::optional<FtpEndpoint> read_ftp_reply(std::string_view line);
/// The beginning of a line may become one of these: it ends too early to tell, or is one whose rest is
/// missing.
bool may_name_endpoint(std::string_view begin, bool reply);

/// Writes it in that form, whose family is the address's; the size.
size_t write_ftp_endpoint(FtpEndpoint::Form form, const net::IpAddress& address, uint16_t port,
                          std::span<char, kFtpEndpointText> out);

}  // namespace weir::dataplane
