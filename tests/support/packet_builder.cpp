#include "tests/support/packet_builder.h"

#include <arpa/inet.h>

#include <stdexcept>
#include <string>

namespace weir::test {

namespace {

constexpr uint8_t kTransportAfterIpv6 = 58;

void put16(Bytes& bytes, size_t offset, uint16_t value) {
  bytes[offset] = static_cast<uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<uint8_t>(value);
}

void append(Bytes& bytes, uint64_t value, int size) {
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<uint8_t>(value >> shift));
}

void append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

void append(Bytes& bytes, net::Mac mac) { bytes.insert(bytes.end(), mac.bytes.begin(), mac.bytes.end()); }

Bytes address_bytes(std::string_view text, int family) {
  Bytes bytes(family == AF_INET ? 4 : 16);
  if (inet_pton(family, std::string(text).c_str(), bytes.data()) != 1)
    throw std::invalid_argument("no such address: " + std::string(text));
  return bytes;
}

void pad_to_multiple(Bytes& bytes, size_t of) {
  while (bytes.size() % of != 0) bytes.push_back(0);
}

}  // namespace

uint16_t plain_checksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const uint32_t low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    sum += static_cast<uint32_t>(bytes[i]) << 8 | low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

PacketBuilder::Layer& PacketBuilder::add(Kind kind, Bytes header) {
  Layer& layer = layers_.emplace_back();
  layer.kind = kind;
  layer.header = std::move(header);
  return layer;
}

PacketBuilder::Layer& PacketBuilder::last() {
  if (layers_.empty()) throw std::invalid_argument("no layer yet");
  return layers_.back();
}

PacketBuilder::Layer& PacketBuilder::innermost_ip() {
  for (size_t i = layers_.size(); i-- > 0;) {
    if (layers_[i].kind == Kind::ipv4 || layers_[i].kind == Kind::ipv6) return layers_[i];
  }
  throw std::invalid_argument("no IP header yet");
}

PacketBuilder& PacketBuilder::ether(net::Mac dst, net::Mac src) {
  Bytes header;
  append(header, dst);
  append(header, src);
  append(header, 0, 2);
  add(Kind::ether, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::vlan(uint16_t id, uint16_t tag_type) {
  Bytes header;
  append(header, id, 2);
  append(header, 0, 2);
  Layer& before = last();  // the tag's own type lies in what comes before
  before.type = tag_type;
  add(Kind::vlan, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::arp(uint16_t operation, net::Mac sender, std::string_view sender_ip,
                                  net::Mac target, std::string_view target_ip) {
  Bytes header;
  append(header, 0x0001'0800'06'04, 6);
  append(header, operation, 2);
  append(header, sender);
  append(header, address_bytes(sender_ip, AF_INET));
  append(header, target);
  append(header, address_bytes(target_ip, AF_INET));
  add(Kind::arp, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::arp_request(net::Mac sender, std::string_view sender_ip,
                                          std::string_view target_ip) {
  return arp(1, sender, sender_ip, {}, target_ip);
}

PacketBuilder& PacketBuilder::arp_reply(net::Mac sender, std::string_view sender_ip, net::Mac target,
                                        std::string_view target_ip) {
  return arp(2, sender, sender_ip, target, target_ip);
}

PacketBuilder& PacketBuilder::ip(std::string_view src, std::string_view dst) {
  return src.find(':') == std::string_view::npos ? ipv4(src, dst) : ipv6(src, dst);
}

PacketBuilder& PacketBuilder::ipv4(std::string_view src, std::string_view dst) {
  Bytes header = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0};
  append(header, address_bytes(src, AF_INET));
  append(header, address_bytes(dst, AF_INET));
  add(Kind::ipv4, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::ipv6(std::string_view src, std::string_view dst) {
  Bytes header = {0x60, 0, 0, 0, 0, 0, 0, 64};
  append(header, address_bytes(src, AF_INET6));
  append(header, address_bytes(dst, AF_INET6));
  add(Kind::ipv6, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::ttl(uint8_t hops) {
  Layer& ip = innermost_ip();
  ip.header[ip.kind == Kind::ipv4 ? 8 : 7] = hops;
  return *this;
}

PacketBuilder& PacketBuilder::ip_id(uint16_t id) {
  put16(innermost_ip().header, 4, id);
  return *this;
}

PacketBuilder& PacketBuilder::dont_fragment() {
  innermost_ip().header[6] |= 0x40;
  return *this;
}

PacketBuilder& PacketBuilder::options(const Bytes& bytes) {
  Layer& ip = innermost_ip();
  append(ip.header, bytes);
  pad_to_multiple(ip.header, 4);
  ip.header[0] = static_cast<uint8_t>(0x40 | ip.header.size() / 4);
  return *this;
}

PacketBuilder& PacketBuilder::fragment(uint16_t offset_bytes, bool more) {
  put16(innermost_ip().header, 6, static_cast<uint16_t>((more ? 0x2000 : 0) | offset_bytes / 8));
  return *this;
}

PacketBuilder& PacketBuilder::extension(uint8_t protocol, const Bytes& body) {
  Bytes header = {0, 0};
  append(header, body);
  pad_to_multiple(header, 8);
  header[1] = static_cast<uint8_t>(header.size() / 8 - 1);
  add(Kind::extension, std::move(header)).protocol = protocol;
  return *this;
}

PacketBuilder& PacketBuilder::fragment6(uint16_t offset_bytes, bool more, uint32_t id) {
  Bytes header = {0, 0};
  append(header, static_cast<uint16_t>((offset_bytes & 0xfff8) | (more ? 1 : 0)), 2);
  append(header, id, 4);
  add(Kind::extension, std::move(header)).protocol = 44;
  return *this;
}

PacketBuilder& PacketBuilder::udp(uint16_t src_port, uint16_t dst_port) {
  Bytes header;
  append(header, src_port, 2);
  append(header, dst_port, 2);
  append(header, 0, 4);
  add(Kind::udp, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::no_checksum() {
  last().no_checksum = true;
  return *this;
}

PacketBuilder& PacketBuilder::tcp(uint16_t src_port, uint16_t dst_port, uint8_t flags, uint32_t seq,
                                  uint32_t ack) {
  Bytes header;
  append(header, src_port, 2);
  append(header, dst_port, 2);
  append(header, seq, 4);
  append(header, ack, 4);
  header.push_back(0x50);
  header.push_back(flags);
  append(header, 64'240, 2);
  append(header, 0, 4);
  add(Kind::tcp, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::window(uint16_t bytes) {
  put16(last().header, 14, bytes);
  return *this;
}

PacketBuilder& PacketBuilder::tcp_options(const Bytes& bytes) {
  Layer& tcp = last();
  append(tcp.header, bytes);
  pad_to_multiple(tcp.header, 4);
  tcp.header[12] = static_cast<uint8_t>(tcp.header.size() / 4 << 4);
  return *this;
}

PacketBuilder& PacketBuilder::icmp(uint8_t type, uint8_t code, uint32_t rest) {
  Bytes header = {type, code, 0, 0};
  append(header, rest, 4);
  add(innermost_ip().kind == Kind::ipv4 ? Kind::icmp4 : Kind::icmp6, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::icmp_echo(uint16_t id, uint16_t seq, bool reply) {
  const bool v4 = innermost_ip().kind == Kind::ipv4;
  const int type = v4 ? (reply ? 0 : 8) : (reply ? 129 : 128);
  return icmp(static_cast<uint8_t>(type), 0, static_cast<uint32_t>(id) << 16 | seq);
}

PacketBuilder& PacketBuilder::icmp_error(uint8_t type, uint8_t code, const Bytes& quoted, uint32_t rest) {
  return icmp(type, code, rest).payload(quoted);
}

PacketBuilder& PacketBuilder::neighbor(uint8_t type, uint32_t flags, std::string_view target, uint8_t option,
                                       net::Mac mac) {
  ttl(255);
  icmp(type, 0, flags);
  append(last().header, address_bytes(target, AF_INET6));
  if (!mac.is_zero()) {
    append(last().header, Bytes{option, 1});
    append(last().header, mac);
  }
  return *this;
}

PacketBuilder& PacketBuilder::nd_solicit(std::string_view target, net::Mac source) {
  return neighbor(135, 0, target, 1, source);
}

PacketBuilder& PacketBuilder::nd_advertise(std::string_view target, net::Mac mac, uint32_t flags) {
  return neighbor(136, flags, target, 2, mac);
}

PacketBuilder& PacketBuilder::traffic_class(uint8_t value) {
  Layer& ip = innermost_ip();
  if (ip.kind == Kind::ipv4) {
    ip.header[1] = value;
  } else {
    ip.header[0] = static_cast<uint8_t>(0x60 | value >> 4);
    ip.header[1] = static_cast<uint8_t>(value << 4 | (ip.header[1] & 0x0f));
  }
  return *this;
}

PacketBuilder& PacketBuilder::flow_label(uint32_t label) {
  Layer& ip = innermost_ip();
  ip.header[1] = static_cast<uint8_t>((ip.header[1] & 0xf0) | (label >> 16 & 0x0f));
  ip.header[2] = static_cast<uint8_t>(label >> 8);
  ip.header[3] = static_cast<uint8_t>(label);
  return *this;
}

PacketBuilder& PacketBuilder::geneve(uint32_t vni, uint16_t protocol, const Bytes& options) {
  Bytes header = {static_cast<uint8_t>(options.size() / 4), 0};
  append(header, protocol, 2);
  append(header, vni, 3);
  header.push_back(0);
  append(header, options);
  add(Kind::vxlan, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::gre(uint16_t protocol, const Gre& fields) {
  const int flags = (fields.checksum ? 0x80 : 0) | (fields.key ? 0x20 : 0) | (fields.sequence ? 0x10 : 0);
  Bytes header = {static_cast<uint8_t>(flags), 0};
  append(header, protocol, 2);
  if (fields.checksum) append(header, 0, 4);
  if (fields.key) append(header, *fields.key, 4);
  if (fields.sequence) append(header, *fields.sequence, 4);
  add(Kind::gre, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::vxlan(uint32_t vni) {
  Bytes header = {0x08, 0, 0, 0};
  append(header, vni, 3);
  header.push_back(0);
  add(Kind::vxlan, std::move(header));
  return *this;
}

PacketBuilder& PacketBuilder::payload(std::string_view text) {
  return payload(Bytes(text.begin(), text.end()));
}

PacketBuilder& PacketBuilder::payload(const Bytes& bytes) {
  add(Kind::payload, bytes);
  return *this;
}

PacketBuilder& PacketBuilder::filler(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + 1);
  return payload(bytes);
}

PacketBuilder& PacketBuilder::length(uint16_t value) {
  last().length = value;
  return *this;
}

PacketBuilder& PacketBuilder::type(uint16_t value) {
  last().type = value;
  return *this;
}

PacketBuilder& PacketBuilder::bad_checksum() {
  last().bad_checksum = true;
  return *this;
}

PacketBuilder& PacketBuilder::byte(size_t offset, uint8_t value) {
  last().header.at(offset) = value;
  return *this;
}

PacketBuilder& PacketBuilder::pad_to(size_t frame_size) {
  frame_size_ = frame_size;
  return *this;
}

/// The number by which the layer before names `layer`: an EtherType, or an IP protocol after IP.
uint16_t PacketBuilder::type_of(const Layer& layer, bool after_ip) {
  switch (layer.kind) {
    case Kind::arp:
      return 0x0806;
    case Kind::ipv4:
      return after_ip ? 4 : 0x0800;
    case Kind::ipv6:
      return after_ip ? 41 : 0x86dd;
    case Kind::extension:
      return layer.protocol;
    case Kind::udp:
      return 17;
    case Kind::tcp:
      return 6;
    case Kind::icmp4:
      return 1;
    case Kind::icmp6:
      return kTransportAfterIpv6;
    case Kind::gre:
      return 47;
    default:
      return after_ip ? 59 : 0;
  }
}

uint16_t PacketBuilder::type_after(size_t index) const {
  const Layer& layer = layers_[index];
  if (layer.type) return *layer.type;
  const bool after_ip = layer.kind == Kind::ipv4 || layer.kind == Kind::ipv6 || layer.kind == Kind::extension;
  if (index + 1 == layers_.size()) return after_ip ? 59 : 0;
  return type_of(layers_[index + 1], after_ip);
}

uint16_t PacketBuilder::transport_checksum(size_t index, const Bytes& bytes) const {
  const Layer& layer = layers_[index];
  Bytes covered;
  if (layer.kind != Kind::icmp4) {
    size_t ip = index;
    while (ip > 0 && layers_[ip].kind != Kind::ipv4 && layers_[ip].kind != Kind::ipv6) --ip;
    const Layer& header = layers_[ip];
    const size_t from = header.kind == Kind::ipv4 ? 12 : 8;
    const size_t size = header.kind == Kind::ipv4 ? 8 : 32;
    covered.assign(header.header.begin() + static_cast<long>(from),
                   header.header.begin() + static_cast<long>(from + size));
    append(covered, bytes.size(), 4);
    append(covered, type_of(layer, true), 4);
  }
  append(covered, bytes);
  return plain_checksum(covered);
}

/// `bytes`: the layer's header and all that it carries. Fills in type, length, then the checksum over them.
void PacketBuilder::finish(size_t index, Bytes& bytes) const {
  const Layer& layer = layers_[index];
  const uint16_t length = layer.length.value_or(
      static_cast<uint16_t>(layer.kind == Kind::ipv6 ? bytes.size() - 40 : bytes.size()));
  const uint16_t spoil = layer.bad_checksum ? 0x5555 : 0;
  const auto checksum = [&](size_t offset) {
    put16(bytes, offset, static_cast<uint16_t>(transport_checksum(index, bytes) ^ spoil));
  };
  switch (layer.kind) {
    case Kind::ether:
      put16(bytes, 12, type_after(index));
      break;
    case Kind::vlan:
      put16(bytes, 2, type_after(index));
      break;
    case Kind::ipv4: {
      put16(bytes, 2, length);
      bytes[9] = static_cast<uint8_t>(type_after(index));
      const size_t header_size = layer.header.size();
      const Bytes header(bytes.begin(), bytes.begin() + static_cast<long>(header_size));
      put16(bytes, 10, static_cast<uint16_t>(plain_checksum(header) ^ spoil));
      break;
    }
    case Kind::ipv6:
      put16(bytes, 4, length);
      bytes[6] = static_cast<uint8_t>(type_after(index));
      break;
    case Kind::extension:
      bytes[0] = static_cast<uint8_t>(type_after(index));
      break;
    case Kind::udp:
      put16(bytes, 4, length);
      if (layer.no_checksum) break;
      checksum(6);
      if (bytes[6] == 0 && bytes[7] == 0) put16(bytes, 6, 0xffff);  // RFC 768: 0 says there is none
      break;
    case Kind::tcp:
      checksum(16);
      break;
    case Kind::icmp4:
    case Kind::icmp6:
      checksum(2);
      break;
    case Kind::gre:
      if ((bytes[0] & 0x80) != 0) put16(bytes, 4, static_cast<uint16_t>(plain_checksum(bytes) ^ spoil));
      break;
    case Kind::arp:
    case Kind::vxlan:
    case Kind::payload:
      break;
  }
}

Bytes PacketBuilder::build() const {
  Bytes bytes;
  for (size_t i = layers_.size(); i-- > 0;) {
    bytes.insert(bytes.begin(), layers_[i].header.begin(), layers_[i].header.end());
    finish(i, bytes);
  }
  if (bytes.size() < frame_size_) bytes.resize(frame_size_);
  return bytes;
}

}  // namespace weir::test
