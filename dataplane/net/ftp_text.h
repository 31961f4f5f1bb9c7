// What FTP says of its data connections (RFC 959 section 4.1.2, RFC 2428): where in a line it stands, what it
// is, and how another address is written in its place. Inspection reads whole lines; who translates addresses
// reads a stream as it comes. Both by FtpScanner. Pure; nothing allocates.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dataplane/net/address.h"

namespace weir::net {

struct FtpEndpoint {
  enum class Form : uint8_t {
    host_port,  // "10,0,0,1,4,5" of PORT and 227
    extended,   // "|1|10.0.0.1|1029|" of EPRT
    port_alone  // "|||1029|" of 229
  };
  Form form = Form::host_port;
  uint16_t begin = 0, size = 0;  // its place in the line
  IpAddress address;             // not of port_alone
  uint16_t port = 0;             // not 0
};

/// The longest that is read and that write_ftp_endpoint() makes: an IPv6 address, a port, and the signs
/// around them.
inline constexpr size_t kFtpEndpointText = 64;
/// An endpoint that begins later in its line is none.
inline constexpr size_t kFtpLine = 512;

/// Goes through what one end sends, byte by byte. Of PORT and 227 the first six numbers with commas between
/// them count, as clients have it; of EPRT what stands behind it; of 229 what stands behind the first
/// parenthesis.
class FtpScanner {
 public:
  enum class Found : uint8_t {
    nothing,   // the byte is of no endpoint
    held,      // it may be of one: what is known of it and of held() before it comes with a later byte
    no,        // held(), whose last byte this is, is none
    endpoint,  // held() begins with one; behind it is at most this byte, by which its end is known
  };

  /// At the begin of a line. `reply`: of what the server says.
  explicit FtpScanner(bool reply) : reply_(reply) {}
  FtpScanner() = default;

  /// `out` is filled in of an endpoint; its `begin` is 0.
  Found take(char c, FtpEndpoint& out);
  /// Until the next byte.
  std::string_view held() const { return {held_.data(), held_size_}; }
  /// Bytes were `held` last.
  bool holds() const { return state_ == State::held; }
  /// Until the line ends there is nothing but `nothing`.
  bool skips() const { return state_ == State::skip; }

 private:
  enum class State : uint8_t { word, seek, open, held, skip };
  Found judge(FtpEndpoint& out) const;
  void read_word(char c);
  bool begins_endpoint(char c);
  void begin_line();

  std::array<char, kFtpEndpointText> held_{};
  uint16_t at_ = 0;  // in the line
  uint8_t held_size_ = 0;
  State state_ = State::word;
  uint8_t words_ = 0b11;  // of the two that are looked for, those that the line may begin with
  bool reply_ = false;
  bool behind_digit_ = false;
};

/// Of the client's "PORT ..." and "EPRT ...". `line` is without its end.
std::optional<FtpEndpoint> read_ftp_command(std::string_view line);
/// Of the server's "227 ..." and "229 ...".
std::optional<FtpEndpoint> read_ftp_reply(std::string_view line);

/// Writes it in that form, whose family is the address's; the size.
size_t write_ftp_endpoint(FtpEndpoint::Form form, const IpAddress& address, uint16_t port,
                          std::span<char, kFtpEndpointText> out);

}  // namespace weir::net
