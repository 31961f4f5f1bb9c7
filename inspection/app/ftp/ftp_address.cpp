#include "inspection/app/ftp/ftp_address.h"

#include <algorithm>
#include <array>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

/// Takes a number of at most five digits from the front.
std::optional<unsigned> take_number(std::string_view& text) {
  size_t size = 0;
  unsigned value = 0;
  while (size < text.size() && size < 5 && http::is_digit(text[size]))
    value = value * 10 + static_cast<unsigned>(text[size++] - '0');
  if (size == 0) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

}  // namespace

std::optional<FtpAddress> read_ftp_port(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_of("0123456789")));
  std::array<unsigned, 6> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) {
      if (text.empty() || text.front() != ',') return std::nullopt;
      text.remove_prefix(1);
      while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    }
    const auto number = take_number(text);
    if (!number || *number > 255) return std::nullopt;
    numbers[i] = *number;
  }
  const uint32_t address = numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3];
  const auto port = static_cast<uint16_t>(numbers[4] << 8 | numbers[5]);
  if (port == 0) return std::nullopt;
  return FtpAddress{net::IpAddress(net::Ipv4{address}), port};
}

std::optional<FtpAddress> read_ftp_extended_port(std::string_view text) {
  if (text.size() < 5) return std::nullopt;
  const char delimiter = text.front();
  std::array<std::string_view, 3> fields;
  text.remove_prefix(1);
  for (std::string_view& field : fields) {
    const size_t end = text.find(delimiter);
    if (end == std::string_view::npos) return std::nullopt;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  FtpAddress found;
  const auto port = take_number(fields[2]);
  if (!port || *port == 0 || *port > UINT16_MAX || !fields[2].empty()) return std::nullopt;
  found.port = static_cast<uint16_t>(*port);
  if (!fields[1].empty()) {
    found.address = net::parse_ip(fields[1]);
    if (!found.address) return std::nullopt;
  }
  return found;
}

}  // namespace weir::inspection
