#include "inspection/app/tls/hello.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "inspection/app/byte_cursor.h"
#include "inspection/app/md5_text.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint16_t kServerName = 0, kGroups = 10, kPointFormats = 11, kSignatures = 13, kAlpn = 16,
                   kTicket = 35, kSupportedVersions = 43;
constexpr size_t kMaxListed = 256;  // ciphers and extensions that fingerprints are made of

/// RFC 8701.
bool is_grease(uint16_t value) { return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff); }

using Cursor = ByteCursor;

/// Numbers of one list, without what is only there to be ignored.
struct Numbers {
  std::array<uint16_t, kMaxListed> values{};
  size_t count = 0;
  void add(uint16_t value) {
    if (count < values.size()) values[count++] = value;
  }
  void read16(Bytes bytes) {
    Cursor cursor(bytes);
    for (uint16_t value = 0; cursor.u16(value);) {
      if (!is_grease(value)) add(value);
    }
  }
};

struct Extensions {
  Numbers types, groups, formats, signatures;
  bool has_name = false;
};

bool put(PoolBytes& to, std::string_view text) {
  return text.empty() || to.append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

bool put_numbers(PoolBytes& to, const Numbers& numbers) {
  for (size_t i = 0; i < numbers.count; ++i) {
    char text[8];
    std::snprintf(text, sizeof text, i == 0 ? "%u" : "-%u", numbers.values[i]);
    if (!put(to, text)) return false;
  }
  return true;
}

void hash_fingerprint(TlsHello& hello) {
  md5_text(hello.fingerprint.view(), hello.fingerprint_hash);
  hello.has_hash = true;
}

bool read_name(Bytes data, TlsHello& out) {
  Bytes list, name;
  uint8_t type = 0;
  Cursor cursor(data);
  if (!cursor.vector16(list)) return true;  // the server's answer is empty
  Cursor entries(list);
  if (!entries.u8(type) || type != 0 || !entries.vector16(name) || out.has_name) return true;
  out.has_name = true;
  return name.empty() || out.names.append(name);
}

bool read_alpns(Bytes data, TlsHello& out) {
  Bytes list;
  if (!Cursor(data).vector16(list)) return true;
  Cursor cursor(list);
  for (Bytes name; cursor.vector8(name);) {
    const auto size = static_cast<uint8_t>(name.size());
    if (!out.alpns.append({&size, 1}) || (size > 0 && !out.alpns.append(name))) return false;
  }
  return true;
}

void read_versions(Bytes data, bool client, TlsHello& out) {
  if (!client) {
    Cursor(data).u16(out.supported_version);
    return;
  }
  Bytes list;
  if (!Cursor(data).vector8(list)) return;
  Numbers versions;
  versions.read16(list);
  for (size_t i = 0; i < versions.count; ++i)
    out.supported_version = std::max(out.supported_version, versions.values[i]);
}

bool read_extension(uint16_t type, Bytes data, bool client, TlsHello& out, Extensions& extensions) {
  Bytes list;
  switch (type) {
    case kServerName:
      extensions.has_name = true;
      return !client || read_name(data, out);
    case kAlpn:
      return read_alpns(data, out);
    case kSupportedVersions:
      read_versions(data, client, out);
      return true;
    case kGroups:
      if (Cursor(data).vector16(list)) extensions.groups.read16(list);
      return true;
    case kPointFormats:
      if (Cursor(data).vector8(list)) {
        for (const uint8_t format : list) extensions.formats.add(format);
      }
      return true;
    case kSignatures:
      if (Cursor(data).vector16(list)) extensions.signatures.read16(list);
      return true;
    case kTicket:
      return !client || data.empty() || !out.ticket.empty() || out.ticket.append(data);
    default:
      return true;
  }
}

bool read_extensions(Cursor& cursor, bool client, TlsHello& out, Extensions& extensions) {
  Bytes list;
  if (cursor.empty()) return true;
  if (!cursor.vector16(list)) return false;
  Cursor entries(list);
  while (!entries.empty()) {
    uint16_t type = 0;
    Bytes data;
    if (!entries.u16(type) || !entries.vector16(data)) return false;
    if (out.over_quic) {
      const std::array<uint8_t, 2> wire = {static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type)};
      if (!out.extensions.append(wire)) return false;
    }
    // JA3S keeps them all.
    if (!client || !is_grease(type)) extensions.types.add(type);
    if (!read_extension(type, data, client, out, extensions)) return false;
  }
  return true;
}

/// The first 12 digits of the SHA-256 of a list in hex, sorted or not, perhaps of two lists.
void ja4_part(const Numbers& sorted, const Numbers* behind, char out[13]) {
  SHA256_CTX context;
  SHA256_Init(&context);
  const auto add = [&](const Numbers& numbers, bool order) {
    Numbers copy = numbers;
    if (order) std::sort(copy.values.begin(), copy.values.begin() + static_cast<std::ptrdiff_t>(copy.count));
    for (size_t i = 0; i < copy.count; ++i) {
      char text[8];
      const int size = std::snprintf(text, sizeof text, i == 0 ? "%04x" : ",%04x", copy.values[i]);
      SHA256_Update(&context, text, static_cast<size_t>(size));
    }
  };
  if (sorted.count == 0 && (behind == nullptr || behind->count == 0)) {
    std::memcpy(out, "000000000000", 13);
    return;
  }
  add(sorted, true);
  if (behind != nullptr && behind->count > 0) {
    SHA256_Update(&context, "_", 1);
    add(*behind, false);
  }
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256_Final(digest.data(), &context);
  for (size_t i = 0; i < 6; ++i) std::snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

const char* ja4_version(uint16_t version) {
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

void ja4_alpn(const TlsHello& hello, char out[3]) {
  std::memcpy(out, "00", 3);
  const Bytes list = hello.alpns.view();
  if (list.empty() || list[0] == 0 || list.size() < 1u + list[0]) return;
  const uint8_t first = list[1], last = list[list[0]];
  const auto plain = [](uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (plain(first) && plain(last)) {
    out[0] = static_cast<char>(first);
    out[1] = static_cast<char>(last);
  } else {
    static constexpr char kDigits[] = "0123456789abcdef";
    out[0] = kDigits[first >> 4];
    out[1] = kDigits[last & 15];
  }
}

/// https://github.com/FoxIO-LLC/ja4, technical details of JA4.
bool make_ja4(TlsHello& hello, const Numbers& ciphers, const Extensions& extensions) {
  char alpn[3], cipher_hash[13], extension_hash[13], text[64];
  ja4_alpn(hello, alpn);
  ja4_part(ciphers, nullptr, cipher_hash);
  Numbers rest;
  for (size_t i = 0; i < extensions.types.count; ++i) {
    const uint16_t type = extensions.types.values[i];
    if (type != kServerName && type != kAlpn) rest.add(type);
  }
  ja4_part(rest, &extensions.signatures, extension_hash);
  std::snprintf(text, sizeof text, "%c%s%c%02zu%02zu%s_%s_%s", hello.over_quic ? 'q' : 't',
                ja4_version(hello.effective_version()), extensions.has_name ? 'd' : 'i',
                std::min<size_t>(ciphers.count, 99), std::min<size_t>(extensions.types.count, 99), alpn,
                cipher_hash, extension_hash);
  return put(hello.ja4, text);
}

bool finish_client(TlsHello& hello, const Numbers& ciphers, const Extensions& extensions) {
  char version[8];
  std::snprintf(version, sizeof version, "%u,", hello.version);
  const bool done = put(hello.fingerprint, version) && put_numbers(hello.fingerprint, ciphers) &&
                    put(hello.fingerprint, ",") && put_numbers(hello.fingerprint, extensions.types) &&
                    put(hello.fingerprint, ",") && put_numbers(hello.fingerprint, extensions.groups) &&
                    put(hello.fingerprint, ",") && put_numbers(hello.fingerprint, extensions.formats);
  if (!done) return false;
  hash_fingerprint(hello);
  return make_ja4(hello, ciphers, extensions);
}

bool read_begin(Cursor& cursor, TlsHello& out) {
  Bytes random, session;
  if (!cursor.u16(out.version) || !cursor.take(32, random) || !cursor.vector8(session)) return false;
  std::copy(random.begin(), random.end(), out.random.begin());
  out.has_random = true;
  if (session.size() > out.session_id.size()) return false;
  std::copy(session.begin(), session.end(), out.session_id.begin());
  out.session_id_size = static_cast<uint8_t>(session.size());
  return true;
}

}  // namespace

bool read_client_hello(Bytes body, TlsHello& out) {
  Cursor cursor(body);
  out.seen = true;
  Bytes suites, compression;
  if (!read_begin(cursor, out) || !cursor.vector16(suites) || !cursor.vector8(compression)) return false;
  Numbers ciphers;
  ciphers.read16(suites);
  Extensions extensions;
  const bool whole = read_extensions(cursor, true, out, extensions);
  return finish_client(out, ciphers, extensions) && whole;
}

bool read_server_hello(Bytes body, TlsHello& out) {
  Cursor cursor(body);
  out.seen = true;
  uint8_t compression = 0;
  if (!read_begin(cursor, out) || !cursor.u16(out.cipher) || !cursor.u8(compression)) return false;
  Extensions extensions;
  const bool whole = read_extensions(cursor, false, out, extensions);
  char begin[16];
  std::snprintf(begin, sizeof begin, "%u,%u,", out.version, out.cipher);
  if (!put(out.fingerprint, begin) || !put_numbers(out.fingerprint, extensions.types)) return false;
  hash_fingerprint(out);
  return whole;
}

bool read_sslv2_hello(Bytes body, TlsHello& out) {
  Cursor cursor(body);
  uint8_t type = 0;
  uint16_t suites_size = 0, session_size = 0, challenge_size = 0;
  Bytes suites;
  if (!cursor.u8(type) || type != 1 || !cursor.u16(out.version) || !cursor.u16(suites_size) ||
      !cursor.u16(session_size) || !cursor.u16(challenge_size) || !cursor.take(suites_size, suites)) {
    return false;
  }
  out.seen = out.from_sslv2 = true;
  return true;
}

}  // namespace weir::inspection
