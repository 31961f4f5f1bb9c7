#include "tests/model/packet.h"

#include <algorithm>
#include <cstdio>

#include "tests/model/bytes.h"

namespace weir::model {

namespace {

/// Where the checksum is; nothing: the protocol has none that the hub keeps.
std::optional<size_t> sum_offset(uint8_t protocol) {
  switch (protocol) {
    case kTcp:
      return 16;
    case kUdp:
      return 6;
    case kIcmp:
    case kIcmpv6:
      return 2;
    default:
      return {};
  }
}

std::string hex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

Address v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return {false, 0, a << 24 | b << 16 | c << 8 | d};
}
Address v6(uint64_t hi, uint64_t lo) { return {true, hi, lo}; }

std::string to_string(const Address& a) {
  std::string out;
  if (a.v6) {
    for (int shift = 48; shift >= 0; shift -= 16) out += hex(a.hi >> shift & 0xffff) + ":";
    for (int shift = 48; shift >= 0; shift -= 16)
      out += hex(a.lo >> shift & 0xffff) + (shift == 0 ? "" : ":");
    return out;
  }
  for (int shift = 24; shift >= 0; shift -= 8)
    out += std::to_string(a.lo >> shift & 0xff) + (shift == 0 ? "" : ".");
  return out;
}

std::string to_string(const Prefix& p) { return to_string(p.address) + "/" + std::to_string(p.length); }

bool Prefix::contains(const Address& a) const {
  if (a.v6 != address.v6) return false;
  const unsigned width = a.v6 ? 128 : 32;
  for (unsigned bit = 0; bit < length; ++bit) {
    const unsigned from_right = width - 1 - bit;
    const auto at = [&](const Address& x) {
      return (from_right >= 64 ? x.hi >> (from_right - 64) : x.lo >> from_right) & 1;
    };
    if (at(a) != at(address)) return false;
  }
  return true;
}

Address moved(const Address& a, const Prefix& from, const Prefix& to) {
  return {a.v6, a.hi - from.address.hi + to.address.hi, a.lo - from.address.lo + to.address.lo};
}

std::optional<Address> moved_neutrally(const Address& a, const Prefix& from, const Prefix& to) {
  // Sums modulo 0xffff, where 0 and 0xffff are the same: a number is written as 0 to 0xfffe.
  constexpr unsigned kModulus = 0xffff;
  const auto words_of = [](const Address& x) {
    std::vector<unsigned> words;
    for (const uint64_t half : {x.hi, x.lo})
      for (int shift = 48; shift >= 0; shift -= 16) words.push_back(half >> shift & 0xffff);
    return words;
  };
  const auto sum_of = [&](const Address& x) {
    unsigned sum = 0;
    for (const unsigned word : words_of(x)) sum = (sum + word) % kModulus;
    return sum;
  };
  const Address there = moved(a, from, to);
  const bool by_subnet = from.length <= 48;
  if (!by_subnet && a.lo == 0) return {};
  std::vector<unsigned> words = words_of(there);
  size_t at = by_subnet ? 3 : 4;
  while (words[at] == 0xffff && !by_subnet && at < 7) ++at;
  if (words[at] == 0xffff) return {};
  words[at] = (words[at] + sum_of(from.address) + kModulus - sum_of(to.address)) % kModulus;
  Address out = there;
  out.hi = out.lo = 0;
  for (size_t i = 0; i < 8; ++i) {
    uint64_t& half = i < 4 ? out.hi : out.lo;
    half = half << 16 | words[i];
  }
  if (!by_subnet && out.lo == 0) return {};
  return out;
}

namespace {
/// Octets of an IPv6 address in which the IPv4 address lies: behind the prefix, but never the ninth.
std::vector<unsigned> octets_inside(unsigned length) {
  std::vector<unsigned> out;
  for (unsigned at = length / 8; out.size() < 4; ++at)
    if (at != 8 || length == 96) out.push_back(at);
  return out;
}
}  // namespace

Address embedded(const Prefix& prefix, const Address& inside) {
  Address out = prefix.address;
  unsigned shift = 32;
  for (const unsigned at : octets_inside(prefix.length)) {
    shift -= 8;
    const uint64_t octet = inside.lo >> shift & 0xff;
    (at < 8 ? out.hi : out.lo) |= octet << (7 - at % 8) * 8;
  }
  return out;
}

std::optional<Address> extracted(const Prefix& prefix, const Address& a) {
  if (prefix.length != 96 && a.lo >> 56 != 0) return {};
  Address out;
  for (const unsigned at : octets_inside(prefix.length))
    out.lo = out.lo << 8 | ((at < 8 ? a.hi : a.lo) >> (7 - at % 8) * 8 & 0xff);
  return out;
}

std::optional<uint8_t> echo_of_other_family(uint8_t type, bool six) {
  if (six && (type == 128 || type == 129)) return type == 128 ? 8 : 0;
  if (!six && (type == 8 || type == 0)) return type == 8 ? 128 : 129;
  return {};
}

namespace {
bool is_query_type(uint8_t type, bool six) {
  return six ? type == 128 || type == 139 : type == 8 || type == 13 || type == 15 || type == 17;
}
}  // namespace

std::optional<uint32_t> mark_at(uint32_t number) {
  const uint32_t block = number / 64, at = number % 64;
  if (block % 61 != 7 || at >= kMark.size()) return {};
  return number - at;
}

uint8_t stream_byte(uint32_t number) {
  if (const auto mark = mark_at(number)) return static_cast<uint8_t>(kMark[number - *mark]);
  return static_cast<uint8_t>(number * 0x9e37'79b1u >> 24);
}

uint8_t reply_to(uint8_t query, bool six) { return !six && query == 8 ? 0 : static_cast<uint8_t>(query + 1); }

bool Packet::is_query() const { return is_icmp() && is_query_type(type, src.v6); }
bool Packet::is_reply() const {
  for (unsigned query = 0; query < 256 && is_icmp(); ++query) {
    const auto q = static_cast<uint8_t>(query);
    if (is_query_type(q, src.v6) && reply_to(q, src.v6) == type) return true;
  }
  return false;
}

std::string to_string(const Packet& p) {
  std::string out = to_string(p.src) + " > " + to_string(p.dst);
  switch (p.protocol) {
    case kTcp:
      out += " tcp " + std::to_string(p.src_port) + ">" + std::to_string(p.dst_port) + " ";
      for (const auto& [flag, name] :
           {std::pair{kSyn, "S"}, {kFin, "F"}, {kRst, "R"}, {kPsh, "P"}, {kAck, "A"}})
        if ((p.flags & flag) != 0) out += name;
      out += " seq " + std::to_string(p.seq) + " ack " + std::to_string(p.ack) + " win " +
             std::to_string(p.window);
      if (p.scale) out += " scale " + std::to_string(*p.scale);
      break;
    case kUdp:
      out += " udp " + std::to_string(p.src_port) + ">" + std::to_string(p.dst_port);
      break;
    case kIcmp:
    case kIcmpv6:
      out += " icmp " + std::to_string(p.type) + "/" + std::to_string(p.code) + " id " + std::to_string(p.id);
      break;
    default:
      out += " protocol " + std::to_string(p.protocol);
  }
  if (p.tos != 0) out += " tos " + std::to_string(p.tos);
  out += " ttl " + std::to_string(p.ttl) + " tag " + std::to_string(p.tag) + " +" +
         std::to_string(p.payload.size());
  if (p.is_icmp_error())
    out += " about {" + to_string(p.quoted[0]) + "}[" + std::to_string(p.quote_size) + "]";
  return out;
}

std::string to_string(const Fragment& f) {
  return to_string(f.src) + " > " + to_string(f.dst) + " protocol " + std::to_string(f.protocol) +
         " fragment " + std::to_string(f.id) + " at " + std::to_string(f.offset) + "+" +
         std::to_string(f.data.size()) + (f.more ? " more" : " last") + " ttl " + std::to_string(f.ttl);
}

Bytes write_transport(const Packet& p) {
  Bytes out;
  switch (p.protocol) {
    case kTcp: {
      const size_t options = p.scale ? 4 : 0;
      put(out, p.src_port, 2);
      put(out, p.dst_port, 2);
      put(out, p.seq, 4);
      put(out, p.ack, 4);
      out.push_back(static_cast<uint8_t>((20 + options) / 4 << 4));
      out.push_back(p.flags);
      put(out, p.window, 2);
      put(out, 0, 4);
      if (p.scale) put(out, 0x01030300u | *p.scale, 4);
      break;
    }
    case kUdp:
      put(out, p.src_port, 2);
      put(out, p.dst_port, 2);
      put(out, 8 + p.payload.size(), 2);
      put(out, 0, 2);
      break;
    case kIcmp:
    case kIcmpv6:
      out.push_back(p.type);
      out.push_back(p.code);
      put(out, 0, 2);
      put(out, p.id, 2);
      put(out, p.sequence, 2);
      break;
    default:
      break;
  }
  if (p.is_icmp_error()) {
    const Bytes whole = write(p.quoted[0]);
    append(out, slice(whole, 0, std::min(p.quote_size, whole.size())));
  }
  append(out, p.payload);
  if (const auto at = sum_offset(p.protocol)) {
    const uint16_t sum = transport_sum(p.src, p.dst, p.protocol, out);
    set16(out, *at, sum == 0 && p.protocol == kUdp ? 0xffff : sum);
  }
  return out;
}

namespace {
Bytes with_tos(Bytes ip, uint8_t tos) {
  if (ip[0] >> 4 == 6) {
    ip[0] = static_cast<uint8_t>(0x60 | tos >> 4);
    ip[1] = static_cast<uint8_t>((tos & 15) << 4 | (ip[1] & 15));
    return ip;
  }
  ip[1] = tos;
  set16(ip, 10, 0);
  set16(ip, 10, internet_sum(slice(ip, 0, 20)));
  return ip;
}
}  // namespace

Bytes write(const Packet& p) {
  return with_tos(write_ip(p.src, p.dst, p.protocol, p.ttl, p.tag, 0, write_transport(p)), p.tos);
}

Bytes write(const Fragment& f) {
  if (!f.src.v6)
    return with_tos(write_ip(f.src, f.dst, f.protocol, f.ttl, f.tag,
                             static_cast<uint16_t>(f.offset / 8 | (f.more ? 0x2000 : 0)), f.data),
                    f.tos);
  Bytes inside;
  put(inside, f.protocol, 1);
  put(inside, 0, 1);
  put(inside, f.offset | (f.more ? 1 : 0), 2);
  put(inside, f.id, 4);
  append(inside, f.data);
  return with_tos(write_ip(f.src, f.dst, 44, f.ttl, f.tag, 0, inside), f.tos);
}

Fragment piece_of(const Packet& p, uint32_t id, size_t offset, size_t size) {
  const Bytes whole = write_transport(p);
  const size_t end = std::min(whole.size(), offset + size);
  Fragment f{p.src,
             p.dst,
             p.protocol,
             p.ttl,
             p.tos,
             p.tag,
             id,
             offset,
             end < whole.size(),
             slice(whole, offset, end - offset)};
  if (!p.src.v6) f.tag = static_cast<uint16_t>(id);
  return f;
}

Read read(const Bytes& ip) {
  Read out;
  const auto fail = [&](const char* why) {
    out.wrong = why;
    return out;
  };
  if (ip.size() < 20) return fail("shorter than an IP header");
  const bool six = ip[0] >> 4 == 6;
  if (!six && ip[0] != 0x45) return fail("not IPv4 without options, nor IPv6");
  size_t at = six ? 40 : 20;
  if (ip.size() < at) return fail("shorter than its IP header");
  Fragment f;
  uint16_t word = 0;
  bool fragment = false;
  if (six) {
    f.src = {true, get(ip, 8, 8), get(ip, 16, 8)};
    f.dst = {true, get(ip, 24, 8), get(ip, 32, 8)};
    f.protocol = ip[6];
    f.ttl = ip[7];
    f.tos = static_cast<uint8_t>(get(ip, 0, 2) >> 4 & 0xff);
    f.tag = static_cast<uint16_t>(get(ip, 2, 2));
    if (get(ip, 4, 2) + 40 != ip.size()) return fail("the IPv6 payload length is not the packet's");
    if (f.protocol == 44) {
      if (ip.size() < 48) return fail("shorter than its fragment header");
      fragment = true;
      f.protocol = ip[40];
      word = static_cast<uint16_t>(get(ip, 42, 2));
      f.offset = word & 0xfff8;
      f.more = (word & 1) != 0;
      f.id = static_cast<uint32_t>(get(ip, 44, 4));
      at = 48;
    }
  } else {
    f.src = {false, 0, get(ip, 12, 4)};
    f.dst = {false, 0, get(ip, 16, 4)};
    f.protocol = ip[9];
    f.ttl = ip[8];
    f.tos = ip[1];
    f.tag = static_cast<uint16_t>(get(ip, 4, 2));
    word = static_cast<uint16_t>(get(ip, 6, 2));
    f.offset = (word & 0x1fffu) * 8;
    f.more = (word & 0x2000) != 0;
    f.id = f.tag;
    fragment = (word & 0x3fff) != 0;
    if (get(ip, 2, 2) != ip.size()) return fail("the IPv4 total length is not the packet's");
    if (internet_sum(slice(ip, 0, 20)) != 0) return fail("the IPv4 header checksum is wrong");
  }
  f.data = slice(ip, at, ip.size() - at);
  if (fragment) {
    out.fragment = f;
    return out;
  }
  Packet p;
  p.src = f.src;
  p.dst = f.dst;
  p.protocol = f.protocol;
  p.ttl = f.ttl;
  p.tos = f.tos;
  p.tag = f.tag;
  const Bytes& l4 = f.data;
  size_t header = 0;
  if (const auto sum = sum_offset(p.protocol)) {
    if (l4.size() < (p.protocol == kTcp ? 20u : 8u)) return fail("shorter than its transport header");
    if (transport_sum(p.src, p.dst, p.protocol, l4) != 0 && !(p.protocol == kUdp && get(l4, *sum, 2) == 0))
      return fail("the transport checksum is wrong");
  }
  switch (p.protocol) {
    case kTcp:
      p.src_port = static_cast<uint16_t>(get(l4, 0, 2));
      p.dst_port = static_cast<uint16_t>(get(l4, 2, 2));
      p.seq = static_cast<uint32_t>(get(l4, 4, 4));
      p.ack = static_cast<uint32_t>(get(l4, 8, 4));
      p.flags = l4[13];
      p.window = static_cast<uint16_t>(get(l4, 14, 2));
      header = static_cast<size_t>(l4[12] >> 4) * 4;
      if (header < 20 || header > l4.size()) return fail("the TCP header length is wrong");
      if (header == 24 && get(l4, 20, 3) == 0x010303) p.scale = l4[23];
      break;
    case kUdp:
      p.src_port = static_cast<uint16_t>(get(l4, 0, 2));
      p.dst_port = static_cast<uint16_t>(get(l4, 2, 2));
      if (get(l4, 4, 2) != l4.size()) return fail("the UDP length is not the packet's");
      header = 8;
      break;
    case kIcmp:
    case kIcmpv6:
      p.type = l4[0];
      p.code = l4[1];
      p.id = static_cast<uint16_t>(get(l4, 4, 2));
      p.sequence = static_cast<uint16_t>(get(l4, 6, 2));
      header = 8;
      break;
    default:
      break;
  }
  p.payload = slice(l4, header, l4.size() - header);
  out.packet = p;
  return out;
}

}  // namespace weir::model
