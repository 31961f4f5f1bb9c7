#include "inspection/detect/header_checks.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

#include <algorithm>
#include <array>

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kSctp = 132;

uint64_t be(Bytes bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + i];
  return value;
}

std::optional<uint64_t> read(Bytes bytes, size_t at, size_t size) {
  if (bytes.size() < at + size) return std::nullopt;
  return be(bytes, at, size);
}

/// The header itself says which it is: a rebuilt or translated packet's addresses need not.
bool has_v4(const PacketView& packet) {
  return packet.ip_header.size() >= 20 && packet.ip_header[0] >> 4 == 4;
}
bool has_v6(const PacketView& packet) {
  return packet.ip_header.size() >= 40 && packet.ip_header[0] >> 4 == 6;
}

/// The body of the TCP option of that kind, without kind and length.
std::optional<Bytes> tcp_option(const PacketView& packet, uint8_t kind) {
  if (packet.protocol != net::kProtoTcp || packet.l4_header.size() < 20) return std::nullopt;
  Bytes options = packet.l4_header.subspan(20);
  while (!options.empty() && options[0] != 0) {
    if (options[0] == 1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return std::nullopt;
    if (options[0] == kind) return options.subspan(2, options[1] - 2U);
    options = options.subspan(options[1]);
  }
  return std::nullopt;
}

std::optional<uint64_t> tcp_option_number(const PacketView& packet, uint8_t kind, size_t size) {
  const auto body = tcp_option(packet, kind);
  return body && body->size() == size ? std::optional(be(*body, 0, size)) : std::nullopt;
}

/// Identifier and sequence exist in echo, and in the timestamp, information and mask messages of ICMPv4.
bool has_icmp_id(const PacketView& packet) {
  if (packet.l4_header.empty()) return false;
  const uint8_t type = packet.l4_header[0];
  if (packet.protocol == net::kProtoIcmpv6) return type == 128 || type == 129;
  return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

bool is_icmp(const PacketView& packet) {
  return packet.protocol == net::kProtoIcmp || packet.protocol == net::kProtoIcmpv6;
}

std::optional<uint64_t> icmp_number(const PacketView& packet, size_t at, size_t size, bool of_echo) {
  if (!is_icmp(packet) || (of_echo && !has_icmp_id(packet))) return std::nullopt;
  // A field may lie in what the caller calls payload.
  if (packet.l4_header.size() >= at + size) return be(packet.l4_header, at, size);
  if (packet.l4_header.size() == 4 && packet.payload.size() >= at + size - 4) {
    return be(packet.payload, at - 4, size);
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> header_number(ast::HeaderNumber::Field field, const PacketView& packet) {
  using Field = ast::HeaderNumber::Field;
  const Bytes ip = packet.ip_header;
  switch (field) {
    case Field::ttl:
      return has_v4(packet) ? read(ip, 8, 1) : has_v6(packet) ? read(ip, 7, 1) : std::nullopt;
    case Field::tos:
      if (has_v4(packet)) return read(ip, 1, 1);
      return has_v6(packet) ? std::optional(be(ip, 0, 4) >> 20 & 0xff) : std::nullopt;
    case Field::ip_id:
      return has_v4(packet) ? read(ip, 4, 2) : std::nullopt;
    case Field::ip_protocol:
      return packet.protocol;
    case Field::fragment_offset:
      return has_v4(packet) ? std::optional(be(ip, 6, 2) & 0x1fff) : std::nullopt;
    case Field::tcp_seq:
      return packet.protocol == net::kProtoTcp ? read(packet.l4_header, 4, 4) : std::nullopt;
    case Field::tcp_ack:
      return packet.protocol == net::kProtoTcp ? read(packet.l4_header, 8, 4) : std::nullopt;
    case Field::tcp_window:
      return packet.protocol == net::kProtoTcp ? read(packet.l4_header, 14, 2) : std::nullopt;
    case Field::tcp_mss:
      return tcp_option_number(packet, 2, 2);
    case Field::tcp_wscale:
      return tcp_option_number(packet, 3, 1);
    case Field::icmp_type:
      return icmp_number(packet, 0, 1, false);
    case Field::icmp_code:
      return icmp_number(packet, 1, 1, false);
    case Field::icmp_id:
      return icmp_number(packet, 4, 2, true);
    case Field::icmp_seq:
      return icmp_number(packet, 6, 2, true);
    case Field::icmpv6_mtu:
      if (packet.protocol != net::kProtoIcmpv6 || packet.l4_header.empty() || packet.l4_header[0] != 2)
        return std::nullopt;
      return icmp_number(packet, 4, 4, false);
    case Field::vlan_layers:
      return packet.vlan_count;
  }
  return std::nullopt;
}

bool layer_matches(ast::Layer layer, const PacketView& packet) {
  using Layer = ast::Layer;
  switch (layer) {
    case Layer::any:
    case Layer::ip:
      return true;
    case Layer::ipv4:
      return packet.src.is_v4();
    case Layer::ipv6:
      return !packet.src.is_v4();
    case Layer::tcp:
      return packet.protocol == net::kProtoTcp;
    case Layer::udp:
      return packet.protocol == net::kProtoUdp;
    case Layer::icmp:
      return is_icmp(packet);
    case Layer::icmpv4:
      return packet.protocol == net::kProtoIcmp;
    case Layer::icmpv6:
      return packet.protocol == net::kProtoIcmpv6;
    case Layer::sctp:
      return packet.protocol == kSctp;
  }
  return false;
}

bool packet_matches(const ast::PayloadSize& check, const PacketView& packet) {
  return check.size.matches(packet.payload.size());
}

bool packet_matches(const ast::HeaderNumber& check, const PacketView& packet) {
  const auto value = header_number(check.field, packet);
  return value && check.compare.matches(*value);
}

bool packet_matches(const ast::VlanId& check, const PacketView& packet) {
  const size_t count = std::min<size_t>(packet.vlan_count, std::size(packet.vlans));
  if (count == 0) return false;
  const auto holds = [&](size_t layer) { return check.compare.matches(packet.vlans[layer] & 0xfffU); };
  if (check.all || check.any) {
    size_t matching = 0;
    for (size_t i = 0; i < count; ++i) matching += holds(i) ? 1 : 0;
    return check.all ? matching == count : matching > 0;
  }
  // Below zero it counts from the innermost.
  const int layer = check.layer >= 0 ? check.layer : static_cast<int>(count) + check.layer;
  return layer >= 0 && static_cast<size_t>(layer) < count && holds(static_cast<size_t>(layer));
}

bool packet_matches(const ast::BitFlags& check, const PacketView& packet) {
  uint8_t bits = 0;
  if (check.field == ast::BitFlags::Field::tcp_flags) {
    if (packet.protocol != net::kProtoTcp) return false;
    bits = packet.tcp_flags;
  } else {
    if (!has_v4(packet)) return false;
    bits = packet.ip_header[6] >> 5;
  }
  const auto seen = static_cast<uint8_t>(bits & ~check.ignored);
  const auto asked = static_cast<uint8_t>(check.bits & ~check.ignored);
  switch (check.mode) {
    case ast::BitFlags::Mode::exact:
      return seen == asked;
    case ast::BitFlags::Mode::all_of:
      return (seen & asked) == asked;
    case ast::BitFlags::Mode::any_of:
      return (seen & asked) != 0;
    case ast::BitFlags::Mode::not_all_of:
      return (seen & asked) != asked;
  }
  return false;
}

bool packet_matches(const ast::IpOption& check, const PacketView& packet) {
  if (!has_v4(packet)) return false;
  Bytes options = packet.ip_header.subspan(20);
  bool any = false;
  while (!options.empty()) {
    if (options[0] == check.type && !check.any) return true;
    if (options[0] == 0) break;
    any = true;
    if (options[0] == 1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) break;
    options = options.subspan(options[1]);
  }
  return check.any && any;
}

bool packet_matches(const ast::SameIp&, const PacketView& packet) { return packet.src == packet.dst; }

bool packet_matches(const ast::Checksum& check, const PacketView& packet) {
  using Of = ast::Checksum::Of;
  const bool v4 = has_v4(packet), v6 = has_v6(packet);
  if (!v4 && !v6) return false;
  if (check.of == Of::ipv4) return v4 && (net::checksum(packet.ip_header) == 0) == check.valid;
  const bool of_v4 = check.of == Of::tcpv4 || check.of == Of::udpv4 || check.of == Of::icmpv4;
  const uint8_t protocol = check.of == Of::tcpv4 || check.of == Of::tcpv6   ? net::kProtoTcp
                           : check.of == Of::udpv4 || check.of == Of::udpv6 ? net::kProtoUdp
                           : check.of == Of::icmpv4                         ? net::kProtoIcmp
                                                                            : net::kProtoIcmpv6;
  if (of_v4 != v4 || packet.protocol != protocol || packet.l4_header.empty()) return false;
  // An empty field of UDP over IPv4 says that there is none (RFC 768).
  if (check.of == Of::udpv4 && be(packet.l4_header, 6, 2) == 0) return check.valid;
  Bytes message = packet.ip.subspan(std::min(packet.ip_header.size(), packet.ip.size()));
  // What lies behind a datagram of UDP is not of it.
  if (protocol == net::kProtoUdp)
    message = message.first(std::min(message.size(), packet.l4_header.size() + packet.payload.size()));
  return (net::transport_checksum(packet.ip_header, protocol, message) == 0) == check.valid;
}

bool session_matches(const ast::StreamSize& check, const SessionFacts& facts) {
  const bool server = check.size.matches(facts.stream_bytes[0]);
  const bool client = check.size.matches(facts.stream_bytes[1]);
  switch (check.side) {
    case ast::Side::to_server:
      return server;
    case ast::Side::to_client:
      return client;
    case ast::Side::either:
      return server || client;
    case ast::Side::both:
      return server && client;
  }
  return false;
}

bool session_matches(const ast::FlowNumber& check, const PacketView& packet, const SessionFacts& facts) {
  using Field = ast::FlowNumber::Field;
  if (check.field == Field::age_seconds) {
    const uint64_t age = packet.time_ns > facts.start_ns ? packet.time_ns - facts.start_ns : 0;
    return check.compare.matches(age / 1'000'000'000);
  }
  if (check.field == Field::elephant) return false;  // no session is told to be one
  const std::array<uint64_t, 2>& numbers = check.field == Field::bytes ? facts.bytes : facts.packets;
  switch (check.side) {
    case ast::Side::to_server:
      return check.compare.matches(numbers[0]);
    case ast::Side::to_client:
      return check.compare.matches(numbers[1]);
    case ast::Side::either:
      return check.compare.matches(numbers[0] + numbers[1]);
    case ast::Side::both:
      return check.compare.matches(numbers[0]) && check.compare.matches(numbers[1]);
  }
  return false;
}

bool session_matches(const ast::AppLayerProtocol& check, const SessionFacts& facts, Direction direction) {
  using Mode = ast::AppLayerProtocol::Mode;
  const auto one = [&](Direction d) { return facts.app[static_cast<size_t>(d)]; };
  const auto decided = [&](Direction d) { return facts.app_decided[static_cast<size_t>(d)]; };
  // A protocol that has no name here is never the session's: `!mqtt` holds once something is known.
  const auto is = [&](AppProtocol protocol) {
    if (check.name == "http") return is_of(check.protocol, protocol);
    return check.protocol != AppProtocol::unknown && protocol == check.protocol;
  };
  const bool unknown_asked = check.name == "unknown";
  const auto asks = [&](AppProtocol protocol, bool final) {
    if (unknown_asked) return final && (protocol == AppProtocol::unknown || protocol == AppProtocol::failed);
    if (!final && protocol == AppProtocol::unknown) return false;  // too early, for `!` as well
    return is(protocol) != check.negated;
  };
  switch (check.mode) {
    case Mode::final:
    case Mode::original:
      return asks(facts.protocol, decided(Direction::to_server) || decided(Direction::to_client));
    case Mode::direction:
      return asks(one(direction), decided(direction));
    case Mode::to_server:
      return asks(one(Direction::to_server), decided(Direction::to_server));
    case Mode::to_client:
      return asks(one(Direction::to_client), decided(Direction::to_client));
    case Mode::either:
      return asks(one(Direction::to_server), decided(Direction::to_server)) ||
             asks(one(Direction::to_client), decided(Direction::to_client));
  }
  return false;
}

bool transaction_matches(const ast::TransactionNumber& check, const Transaction& transaction,
                         Direction judged) {
  const Direction direction = check.side.value_or(judged);
  // Lists are as long as a message can hold; the bound is a guard against a parser that never ends.
  constexpr uint32_t kMost = 1'024;
  if (check.index >= 0) {
    const auto value = transaction.number(check.number, direction, static_cast<uint32_t>(check.index));
    return value && check.compare.matches(*value);
  }
  uint32_t count = 0, matching = 0;
  for (; count < kMost; ++count) {
    const auto value = transaction.number(check.number, direction, count);
    if (!value) break;
    if (!check.compare.matches(*value)) continue;
    ++matching;
    if (check.index == ast::TransactionNumber::kAny) return true;
  }
  return check.index == ast::TransactionNumber::kAll && count > 0 && matching == count;
}

bool transaction_matches(const ast::TlsVersions& check, const Transaction& transaction, Direction direction) {
  const auto version = transaction.number(NumberId::tls_version, direction, 0);
  if (!version) return false;
  // One of them has to hold, a negated one too.
  return std::any_of(check.versions.begin(), check.versions.end(), [&](const ast::TlsVersion& asked) {
    return (asked.version == *version) != asked.negated;
  });
}

bool transaction_matches(const ast::TlsCertificateTime& check, const Transaction& transaction,
                         Direction direction, uint64_t now_seconds) {
  const auto after = transaction.number(NumberId::tls_cert_not_after, direction, 0);
  const auto before = transaction.number(NumberId::tls_cert_not_before, direction, 0);
  if (!after || !before) return false;
  const bool expired = *after < now_seconds;
  if (check.kind == ast::TlsCertificateTime::Kind::expired) return expired;
  return !expired && *before <= now_seconds;
}

bool file_matches(const FileHashCheck& check, Transaction& transaction, Direction direction, uint32_t file) {
  const auto digest = transaction.file_digest(check.digest, direction, file);
  if (!digest) return false;
  const std::string_view text(reinterpret_cast<const char*>(digest->data()), digest->size());
  return (check.list->find(text) != nullptr) != check.negated;
}

bool transaction_matches(const FileHashCheck& check, Transaction& transaction, Direction direction) {
  for (uint32_t i = 0; i < transaction.file_count(direction); ++i) {
    if (file_matches(check, transaction, direction, i)) return true;
  }
  return false;
}

std::optional<Bytes> packet_buffer(BufferId buffer, const PacketView& packet, std::span<uint8_t, 16> room) {
  const auto address = [&](const net::IpAddress& a) -> Bytes {
    if (a.is_v4()) {
      const uint32_t value = a.v4().value;
      for (size_t i = 0; i < 4; ++i) room[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
      return room.first<4>();
    }
    a.v6().store(room.data());
    return room;
  };
  const auto l4 = [&](bool is) -> std::optional<Bytes> {
    return is && !packet.l4_header.empty() ? std::optional(packet.l4_header) : std::nullopt;
  };
  switch (buffer) {
    case BufferId::ip_src:
      return address(packet.src);
    case BufferId::ip_dst:
      return address(packet.dst);
    case BufferId::ipv4_hdr:
      return has_v4(packet) ? std::optional(packet.ip_header) : std::nullopt;
    case BufferId::ipv6_hdr:
      return has_v6(packet) ? std::optional(packet.ip_header) : std::nullopt;
    case BufferId::tcp_hdr:
      return l4(packet.protocol == net::kProtoTcp);
    case BufferId::udp_hdr:
      return l4(packet.protocol == net::kProtoUdp);
    case BufferId::icmpv4_hdr:
      return l4(packet.protocol == net::kProtoIcmp);
    case BufferId::icmpv6_hdr:
      return l4(packet.protocol == net::kProtoIcmpv6);
    default:
      return std::nullopt;
  }
}

}  // namespace weir::inspection
