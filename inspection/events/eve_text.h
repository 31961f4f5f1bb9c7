// Small pieces of EVE: how bytes become text, times, numbers that tools join events by.
//
// Writer thread or offline tool; these allocate.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "dataplane/net/address.h"

namespace weir::inspection {

/// Bytes as JSON text: valid UTF-8 as it is, otherwise what is not printable ASCII as \xHH, as Suricata.
std::string eve_text(std::span<const uint8_t> bytes);
std::string eve_text(std::string_view bytes);
/// Printable ASCII and CR, LF as they are, others as a dot: payload_printable.
std::string eve_printable(std::span<const uint8_t> bytes);
std::string to_base64(std::span<const uint8_t> bytes);
/// "aa:bb:cc", lower case.
std::string hex_with_colons(std::span<const uint8_t> bytes);
std::string to_hex(std::span<const uint8_t> bytes);
/// As Suricata writes them: IPv6 with all its digits.
std::string eve_address(const net::IpAddress& address);
/// "1970-01-01T00:00:00.000000+0000".
std::string eve_time(uint64_t ns_since_1970);
/// "TCP", "UDP", "ICMP", "IPv6-ICMP", "SCTP"; else the number as three digits, as Suricata has it.
std::string eve_protocol(uint8_t protocol);
/// Version 1 of the Community ID (https://github.com/corelight/community-id-spec), ports as in a flow.
std::string community_id(const net::IpAddress& src, const net::IpAddress& dst, uint16_t src_port,
                         uint16_t dst_port, uint8_t protocol, uint16_t seed);

}  // namespace weir::inspection
