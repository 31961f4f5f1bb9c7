// The forms of single values that have no parser elsewhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mgmt/config/config.h"

namespace weir::config {

/// 1 to 32 letters, digits, "-", "_" or ".": what events, the CLI and paths as DOMAIN/ADDRESS can carry
/// unquoted.
bool is_name(std::string_view text);
/// 1 to 64 letters, digits, "-" or "_": a TOML key that needs no quotes.
bool is_variable_name(std::string_view text);
/// No control characters, and at most 4096 bytes.
bool is_plain_text(std::string_view text);
/// What the kernel takes as an interface's name: 1 to 15 bytes without slash, colon or space, neither "." nor
/// "..".
bool is_interface(std::string_view text);
/// "0000:03:00.0": domain, bus, device and function.
bool is_pci_address(std::string_view text);
/// "8000-8100", both ends in 1..65535, the first not above the last; a single "80" is a range of one.
std::optional<PortRange> parse_port_range(std::string_view text);

/// Why this cannot be a host's address in its subnet, as the end of a sentence that begins with it; empty if
/// it can. The first and last address of an IPv4 subnet are its network and broadcast addresses (RFC 922)
/// unless it has just two or one (RFC 3021); the first of an IPv6 subnet is the routers' anycast address (RFC
/// 4291, 2.6.1; not on /127, RFC 6164).
std::string not_a_host_address(const net::InterfaceAddress& address);

}  // namespace weir::config
