#include "dataplane/nat/ftp_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::dataplane {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool begins_with(std::string_view line, std::string_view word) {
  return line.size() >= word.size() && std::equal(word.begin(), word.end(), line.begin(), [](char w, char c) {
           return w == (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
         });
}

/// Takes a number of at most five digits from the front.
std::optional<unsigned> take_number(std::string_view& text) {
  size_t size = 0;
  unsigned value = 0;
  while (size < text.size() && size < 5 && is_digit(text[size]))
    value = value * 10 + static_cast<unsigned>(text[size++] - '0');
  if (size == 0) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

std::optional<FtpEndpoint> read_host_port(std::string_view line, size_t from) {
  const size_t begin = line.find_first_of("0123456789", from);
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view rest = line.substr(begin);
  std::array<unsigned, 6> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) {
      if (rest.empty() || rest.front() != ',') return std::nullopt;
      rest.remove_prefix(std::min(rest.find_first_not_of(' ', 1), rest.size()));
    }
    const auto number = take_number(rest);
    if (!number || *number > 255) return std::nullopt;
    numbers[i] = *number;
  }
  FtpEndpoint found;
  found.begin = static_cast<uint16_t>(begin);
  found.size = static_cast<uint16_t>(line.size() - begin - rest.size());
  found.address =
      net::IpAddress(net::Ipv4{numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]});
  found.port = static_cast<uint16_t>(numbers[4] << 8 | numbers[5]);
  return found.port != 0 ? std::optional(found) : std::nullopt;
}

/// `begin`: of the first delimiter, which may be any sign.
std::optional<FtpEndpoint> read_extended(std::string_view line, size_t begin) {
  if (begin >= line.size()) return std::nullopt;
  const char delimiter = line[begin];
  std::array<std::string_view, 3> fields;
  size_t at = begin + 1;
  for (std::string_view& field : fields) {
    const size_t end = line.find(delimiter, at);
    if (end == std::string_view::npos) return std::nullopt;
    field = line.substr(at, end - at);
    at = end + 1;
  }
  FtpEndpoint found;
  found.form = fields[1].empty() ? FtpEndpoint::Form::port_alone : FtpEndpoint::Form::extended;
  found.begin = static_cast<uint16_t>(begin);
  found.size = static_cast<uint16_t>(at - begin);
  const auto port = take_number(fields[2]);
  if (!port || *port == 0 || *port > UINT16_MAX || !fields[2].empty()) return std::nullopt;
  found.port = static_cast<uint16_t>(*port);
  if (found.form == FtpEndpoint::Form::extended) {
    const auto address = net::parse_ip(fields[1]);
    if (!address) return std::nullopt;
    found.address = *address;
  }
  return found;
}

char* write_number(char* at, unsigned value) { return std::to_chars(at, at + 5, value).ptr; }

}  // namespace

std::optional<FtpEndpoint> read_ftp_command(std::string_view line) {
  line = line.substr(0, kFtpLine);
  if (begins_with(line, "PORT ")) return read_host_port(line, 5);
  if (!begins_with(line, "EPRT ")) return std::nullopt;
  const auto found = read_extended(line, line.find_first_not_of(' ', 5));
  return found && found->form == FtpEndpoint::Form::extended ? found : std::nullopt;
}

std::optional<FtpEndpoint> read_ftp_reply(std::string_view line) {
  line = line.substr(0, kFtpLine);
  const bool extended = line.starts_with("229 ");
  if (!extended && !line.starts_with("227 ")) return std::nullopt;
  const size_t parenthesis = line.find('(');
  if (!extended) return read_host_port(line, parenthesis != std::string_view::npos ? parenthesis : 4);
  if (parenthesis == std::string_view::npos) return std::nullopt;
  return read_extended(line, parenthesis + 1);
}

bool may_name_endpoint(std::string_view begin, bool reply) {
  for (const std::string_view word : {reply ? "227 " : "PORT ", reply ? "229 " : "EPRT "}) {
    if (begins_with(begin, word.substr(0, std::min(word.size(), begin.size())))) return true;
  }
  return false;
}

size_t write_ftp_endpoint(FtpEndpoint::Form form, const net::IpAddress& address, uint16_t port,
                          std::span<char, kFtpEndpointText> out) {
  char* at = out.data();
  if (form == FtpEndpoint::Form::host_port) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      at = write_number(at, address.v4().value >> shift & 0xff);
      *at++ = ',';
    }
    at = write_number(at, port >> 8u);
    *at++ = ',';
    at = write_number(at, port & 0xffu);
    return static_cast<size_t>(at - out.data());
  }
  *at++ = '|';
  if (form == FtpEndpoint::Form::extended) {
    std::array<uint8_t, 16> bytes{};
    *at++ = address.is_v4() ? '1' : '2';
    *at++ = '|';
    if (address.is_v4()) {
      const uint32_t v4 = htonl(address.v4().value);
      std::copy_n(reinterpret_cast<const uint8_t*>(&v4), sizeof v4, bytes.begin());
    } else {
      address.v6().store(bytes.data());
    }
    // It writes INET6_ADDRSTRLEN bytes at most, and takes nothing from the heap.
    inet_ntop(address.is_v4() ? AF_INET : AF_INET6, bytes.data(), at, INET6_ADDRSTRLEN);
    at = std::find(at, at + INET6_ADDRSTRLEN, '\0');
  } else {
    *at++ = '|';
  }
  *at++ = '|';
  at = write_number(at, port);
  *at++ = '|';
  return static_cast<size_t>(at - out.data());
}

}  // namespace weir::dataplane
