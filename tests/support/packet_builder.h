// Builds packets byte by byte, for tests: layer by layer, from the outside in.
//
//   Bytes frame = PacketBuilder().ether(dst, src).ipv4("10.1.0.5", "10.2.0.5").udp(1000,
//   53).payload("hi").build();
//
// Types of what follows, lengths and checksums are right by default; each can be spoilt: length(), type() and
// bad_checksum() change the layer added last. What is changed by byte() is covered by the right checksum.
// Deliberately shares nothing with the parsers under test: it has offsets and a checksum of its own.
// A wrong use (an address that is none, a TTL without an IP header) throws std::invalid_argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::test {

using Bytes = std::vector<uint8_t>;

/// RFC 1071, two bytes at a time, in network order.
uint16_t plain_checksum(const Bytes& bytes);

class PacketBuilder {
 public:
  // --- link ---
  PacketBuilder& ether(net::Mac dst, net::Mac src);
  PacketBuilder& vlan(uint16_t id, uint16_t tag_type = 0x8100);
  /// `operation` 1: request, 2: reply.
  PacketBuilder& arp(uint16_t operation, net::Mac sender, std::string_view sender_ip, net::Mac target,
                     std::string_view target_ip);
  PacketBuilder& arp_request(net::Mac sender, std::string_view sender_ip, std::string_view target_ip);
  PacketBuilder& arp_reply(net::Mac sender, std::string_view sender_ip, net::Mac target,
                           std::string_view target_ip);

  // --- IP ---
  /// Either family, by how the addresses are written.
  PacketBuilder& ip(std::string_view src, std::string_view dst);
  PacketBuilder& ipv4(std::string_view src, std::string_view dst);
  PacketBuilder& ipv6(std::string_view src, std::string_view dst);
  PacketBuilder& ttl(uint8_t hops);             // of the innermost IP header
  PacketBuilder& traffic_class(uint8_t value);  // of the innermost IP header: DSCP and ECN
  PacketBuilder& flow_label(uint32_t label);    // of the innermost IP header, IPv6
  PacketBuilder& ip_id(uint16_t id);
  PacketBuilder& dont_fragment();
  PacketBuilder& options(const Bytes& bytes);                 // IPv4; padded to words by zeroes
  PacketBuilder& fragment(uint16_t offset_bytes, bool more);  // IPv4
  /// `protocol` 0, 43 or 60; `body` follows the two fixed bytes and is padded to 8n by zeroes.
  PacketBuilder& extension(uint8_t protocol, const Bytes& body = {});
  PacketBuilder& fragment6(uint16_t offset_bytes, bool more, uint32_t id);

  // --- transport ---
  PacketBuilder& udp(uint16_t src_port, uint16_t dst_port);
  PacketBuilder& no_checksum();  // UDP: sent as 0
  PacketBuilder& tcp(uint16_t src_port, uint16_t dst_port, uint8_t flags, uint32_t seq = 0, uint32_t ack = 0);
  PacketBuilder& window(uint16_t bytes);
  PacketBuilder& tcp_options(const Bytes& bytes);  // padded to words by zeroes
  /// The family's echo request, or its reply.
  PacketBuilder& icmp_echo(uint16_t id, uint16_t seq, bool reply = false);
  /// An ICMP message of any kind: `rest` are bytes 4 to 7.
  PacketBuilder& icmp(uint8_t type, uint8_t code, uint32_t rest = 0);
  /// An ICMP error about `quoted`, an IP packet; `rest` holds the MTU where there is one.
  PacketBuilder& icmp_error(uint8_t type, uint8_t code, const Bytes& quoted, uint32_t rest = 0);
  /// Set the hop limit of the IPv6 header to 255. A zero MAC: without the option.
  PacketBuilder& nd_solicit(std::string_view target, net::Mac source);
  PacketBuilder& nd_advertise(std::string_view target, net::Mac mac, uint32_t flags = 0x6000'0000);

  // --- inside ---
  PacketBuilder& vxlan(uint32_t vni);
  /// `options` are written as they are; their length is announced in whole words.
  PacketBuilder& geneve(uint32_t vni, uint16_t protocol = 0x6558, const Bytes& options = {});
  struct Gre {
    std::optional<uint32_t> key = {};
    bool checksum = false;
    std::optional<uint32_t> sequence = {};
  };
  PacketBuilder& gre(uint16_t protocol, const Gre& fields);
  PacketBuilder& payload(std::string_view text);
  PacketBuilder& payload(const Bytes& bytes);
  /// `size` bytes of a counting pattern.
  PacketBuilder& filler(size_t size);
  /// Adds `frame` as what the last layer carries, as it is.
  PacketBuilder& frame(const Bytes& frame) { return payload(frame); }

  // --- spoil the layer added last ---
  PacketBuilder& length(uint16_t value);
  PacketBuilder& type(uint16_t value);
  PacketBuilder& bad_checksum();
  PacketBuilder& byte(size_t offset, uint8_t value);
  /// Zeroes behind everything, as short Ethernet frames have.
  PacketBuilder& pad_to(size_t frame_size);

  Bytes build() const;

 private:
  enum class Kind : uint8_t {
    ether,
    vlan,
    arp,
    ipv4,
    ipv6,
    extension,
    udp,
    tcp,
    icmp4,
    icmp6,
    vxlan,  // and GENEVE: nothing to complete
    gre,
    payload
  };
  struct Layer {
    Kind kind;
    Bytes header;
    uint8_t protocol = 0;  // extension: its own number
    std::optional<uint16_t> length, type;
    bool bad_checksum = false;
    bool no_checksum = false;
  };

  Layer& add(Kind kind, Bytes header);
  Layer& last();
  Layer& innermost_ip();
  PacketBuilder& neighbor(uint8_t type, uint32_t flags, std::string_view target, uint8_t option,
                          net::Mac mac);
  static uint16_t type_of(const Layer& layer, bool after_ip);
  uint16_t type_after(size_t index) const;
  uint16_t transport_checksum(size_t index, const Bytes& bytes) const;
  void finish(size_t index, Bytes& bytes) const;

  std::vector<Layer> layers_;
  size_t frame_size_ = 0;
};

}  // namespace weir::test
