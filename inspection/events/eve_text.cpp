#include "inspection/events/eve_text.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <vector>

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

/// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates.
bool is_utf8(Bytes bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const uint8_t lead = bytes[at];
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const size_t more = lead >= 0xc2 && lead <= 0xdf   ? 1
                        : (lead & 0xf0) == 0xe0        ? 2
                        : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                       : 0;
    if (more == 0 || bytes.size() - at <= more) return false;
    for (size_t i = 1; i <= more; ++i) {
      if ((bytes[at + i] & 0xc0) != 0x80) return false;
    }
    const uint8_t second = bytes[at + 1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    at += more + 1;
  }
  return true;
}

}  // namespace

std::string eve_text(Bytes bytes) {
  if (is_utf8(bytes)) return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  std::string text;
  for (const uint8_t byte : bytes) {
    if (byte >= 0x20 && byte < 0x7f) {
      text += static_cast<char>(byte);
    } else {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      text += hex;
    }
  }
  return text;
}

std::string eve_text(std::string_view bytes) {
  return eve_text(Bytes{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::string eve_printable(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const uint8_t byte : bytes) {
    const bool plain = (byte >= 0x20 && byte < 0x7f) || byte == '\r' || byte == '\n';
    text += plain ? static_cast<char>(byte) : '.';
  }
  return text;
}

std::string to_base64(Bytes bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t left = bytes.size() - at;
    const uint32_t word = static_cast<uint32_t>(bytes[at]) << 16 | (left > 1 ? bytes[at + 1] << 8 : 0) |
                          (left > 2 ? bytes[at + 2] : 0);
    text += kAlphabet[word >> 18 & 63];
    text += kAlphabet[word >> 12 & 63];
    text += left > 1 ? kAlphabet[word >> 6 & 63] : '=';
    text += left > 2 ? kAlphabet[word & 63] : '=';
  }
  return text;
}

std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string hex_with_colons(Bytes bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    if (!text.empty()) text += ':';
    text += to_hex({&byte, 1});
  }
  return text;
}

std::string eve_address(const net::IpAddress& address) {
  if (address.is_v4()) return net::to_string(address);
  std::array<uint8_t, 16> raw{};
  address.bits.store(raw.data());
  std::string text;
  for (size_t i = 0; i < raw.size(); i += 2) {
    if (i > 0) text += ':';
    text += to_hex(Bytes(raw).subspan(i, 2));
  }
  return text;
}

std::string eve_time(uint64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[96];
  const int size = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06u+0000",
                                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                                 utc.tm_sec, static_cast<unsigned>(ns % 1'000'000'000 / 1000));
  return {text, static_cast<size_t>(size)};
}

std::string eve_protocol(uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "ICMP";
    case 2:
      return "IGMP";
    case 4:
      return "IP-in-IP";
    case 6:
      return "TCP";
    case 17:
      return "UDP";
    case 41:
      return "IPv6";
    case 47:
      return "GRE";
    case 50:
      return "ESP";
    case 51:
      return "AH";
    case 58:
      return "IPv6-ICMP";
    case 89:
      return "OSPF";
    case 132:
      return "SCTP";
    default: {
      char text[8];
      std::snprintf(text, sizeof text, "%03u", protocol);
      return text;
    }
  }
}

std::string community_id(const net::IpAddress& src, const net::IpAddress& dst, uint16_t src_port,
                         uint16_t dst_port, uint8_t protocol, uint16_t seed) {
  net::IpAddress a = src, b = dst;
  uint16_t a_port = src_port, b_port = dst_port;
  if (b < a || (a == b && b_port < a_port)) {
    std::swap(a, b);
    std::swap(a_port, b_port);
  }
  std::vector<uint8_t> bytes;
  const auto put16 = [&](uint16_t value) {
    bytes.push_back(static_cast<uint8_t>(value >> 8));
    bytes.push_back(static_cast<uint8_t>(value));
  };
  const auto put_address = [&](const net::IpAddress& address) {
    std::array<uint8_t, 16> raw{};
    address.bits.store(raw.data());
    bytes.insert(bytes.end(), raw.begin() + (address.is_v4() ? 12 : 0), raw.end());
  };
  put16(seed);
  put_address(a);
  put_address(b);
  bytes.push_back(protocol);
  bytes.push_back(0);
  const bool ports = protocol == 1 || protocol == 6 || protocol == 17 || protocol == 58 || protocol == 132;
  if (ports) {
    put16(a_port);
    put16(b_port);
  }
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest{};
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, bytes.data(), bytes.size());
  SHA1_Final(digest.data(), &context);
  return "1:" + to_base64(digest);
}

}  // namespace weir::inspection
