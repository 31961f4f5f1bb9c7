// What the tests of address translation share.
//
// Spokes a and d are private (red), c too (green, with the same addresses as a in the tests of overlap), b is
// the Internet (blue).
#pragma once

#include <string>
#include <vector>

#include "tests/packet/spokes.h"

namespace weir::test {

struct Ends {
  std::string src, dst;
};

inline net::IpAddress ip_of(std::string_view text) { return *net::parse_ip(text); }

Bytes frame(net::Mac dst, net::Mac src, const Ends& ends, const Transport& transport, uint8_t ttl);
Bytes sent_by(const Spoke& spoke, const Ends& ends, const Transport& transport);
void expect_at(const std::vector<Bytes>& got, const Spoke& spoke, const Ends& ends,
               const Transport& transport);

/// 16 bits of an inner frame.
uint16_t port_at(const Bytes& inner_frame, size_t offset);
/// Of what the hub sent, whole IPv4 without options: source port, ICMP identifier, source and destination.
uint16_t source_port(const Bytes& sent);
uint16_t identifier(const Bytes& sent);
std::string source_address(const Bytes& sent);
std::string destination_address(const Bytes& sent);

/// All domains may reach each other.
SnapshotBuilder open_network(uint16_t workers);
/// From red to blue, by addresses of blue's subnet.
dataplane::NatRules pool_rules(const SnapshotBuilder& b, uint16_t workers, const char* first = "10.2.0.100",
                               const char* last = "10.2.0.103", uint16_t low = 1'024, uint16_t high = 65'535);
/// A server of red, seen by blue and red at 10.2.0.80, TCP port 443.
dataplane::NatRules web_rules(const SnapshotBuilder& b);

}  // namespace weir::test
