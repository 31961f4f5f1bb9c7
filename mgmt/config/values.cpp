#include "mgmt/config/values.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace weir::config {

namespace {

// Not <cctype>: what a name may hold must not depend on a locale.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
constexpr bool is_control(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0) return std::nullopt;
  return port;
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_letter(c) || c == '-' || c == '_' || c == '.';
  });
}

bool is_variable_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_letter(c) || c == '-' || c == '_';
  });
}

bool is_plain_text(std::string_view text) {
  return text.size() <= 4'096 && std::none_of(text.begin(), text.end(), is_control);
}

bool is_interface(std::string_view text) {
  return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return is_control(c) || c == '/' || c == ':' || c == ' '; });
}

bool is_pci_address(std::string_view text) {
  constexpr std::string_view kForm = "hhhh:hh:hh.f";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool fits = kForm[i] == 'h'   ? is_hex(text[i])
                      : kForm[i] == 'f' ? text[i] >= '0' && text[i] <= '7'
                                        : text[i] == kForm[i];
    if (!fits) return false;
  }
  return true;
}

std::optional<PortRange> parse_port_range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return PortRange{*first, *last};
}

std::string not_a_host_address(const net::InterfaceAddress& a) {
  if (net::is_martian(a.address)) return "is not a routable unicast address";
  const net::Prefix subnet = a.subnet();
  if (a.address.is_v4()) {
    if (a.length >= 31) return {};
    if (a.address == subnet.first())
      return "is the network address of its subnet; a host's address is needed";
    if (a.address == subnet.last())
      return "is the broadcast address of its subnet; a host's address is needed";
  } else if (a.length < 127 && a.address == subnet.first()) {
    return "is the anycast address of its subnet's routers; a host's address is needed";
  }
  return {};
}

}  // namespace weir::config
