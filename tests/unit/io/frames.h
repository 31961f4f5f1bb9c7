// Frames for the tests of this folder, byte by byte, so that they can also be wrong.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::test {

using Bytes = std::vector<uint8_t>;

inline void put16(Bytes& out, unsigned value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}
inline void put32(Bytes& out, uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
inline void put_mac(Bytes& out, const net::Mac& mac) {
  out.insert(out.end(), mac.bytes.begin(), mac.bytes.end());
}

/// An IPv4 packet in Ethernet; what a row does not say is a plain VXLAN-like datagram.
struct Ipv4Frame {
  net::Mac to, from;
  std::vector<uint16_t> vlan_types{};  // one tag each, of VLAN 5
  uint16_t ether_type = 0x0800;
  uint8_t version = 4;
  unsigned header_words = 5;  // as written; the real header has 5, or more with options
  uint16_t fragment = 0;      // flags and offset
  uint8_t protocol = 17;
  net::Ipv4 source{}, destination{};
  uint16_t port = 4789;
  size_t payload = 64;  // bytes behind the IP header
};

inline Bytes build(const Ipv4Frame& f) {
  Bytes out;
  put_mac(out, f.to);
  put_mac(out, f.from);
  for (uint16_t type : f.vlan_types) {
    put16(out, type);
    put16(out, 5);
  }
  put16(out, f.ether_type);
  const size_t ip = out.size();
  const size_t options = f.header_words > 5 ? (f.header_words - 5) * 4 : 0;
  out.push_back(static_cast<uint8_t>(f.version << 4 | f.header_words));
  out.push_back(0);
  put16(out, static_cast<unsigned>(20 + options + f.payload));
  put16(out, 0x1234);
  put16(out, f.fragment);
  out.push_back(64);
  out.push_back(f.protocol);
  put16(out, 0);
  put32(out, f.source.value);
  put32(out, f.destination.value);
  out.insert(out.end(), options, 1);  // no-operation
  uint32_t sum = 0;
  for (size_t i = ip; i < out.size(); i += 2) sum += static_cast<uint32_t>(out[i] << 8 | out[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  out[ip + 10] = static_cast<uint8_t>(~sum >> 8);
  out[ip + 11] = static_cast<uint8_t>(~sum);
  const size_t udp = out.size();
  put16(out, 50'000);
  put16(out, f.port);
  put16(out, static_cast<unsigned>(f.payload));
  put16(out, 0);
  out.resize(udp + f.payload);
  return out;
}

}  // namespace weir::test
