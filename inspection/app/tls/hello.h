// ClientHello and ServerHello (RFC 8446 section 4.1, and the older ones), and the fingerprints made of them.
// Pure; fuzzed.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

struct TlsHello {
  explicit TlsHello(BytePool& pool)
      : ticket(pool), names(pool), fingerprint(pool), alpns(pool), ja4(pool), extensions(pool) {}
  bool seen = false;
  bool has_name = false;
  bool from_sslv2 = false;
  bool over_quic = false;          // set before it is read
  uint16_t version = 0;            // of the hello
  uint16_t supported_version = 0;  // of the server: the one chosen; of the client: the highest offered
  uint16_t cipher = 0;             // of the server
  std::array<uint8_t, 32> random{};
  bool has_random = false;
  std::array<uint8_t, 32> session_id{};
  uint8_t session_id_size = 0;
  PoolBytes ticket;       // of the client: the one it wants to go on with (RFC 5077), or nothing
  PoolBytes names;        // of the client: the server's name as it stands there, whatever it is
  PoolBytes fingerprint;  // JA3 of the client, JA3S of the server
  std::array<uint8_t, 32> fingerprint_hash{};  // MD5 as text
  bool has_hash = false;
  PoolBytes alpns;       // each behind its length
  PoolBytes ja4;         // of the client
  PoolBytes extensions;  // over_quic: the types, 16 bits each, in their order
  uint16_t effective_version() const { return supported_version != 0 ? supported_version : version; }
};

/// `body` is the handshake message behind its header. False: it contradicts itself, or the pool is at its
/// ceiling; what was read until then stands.
bool read_client_hello(std::span<const uint8_t> body, TlsHello& out);
bool read_server_hello(std::span<const uint8_t> body, TlsHello& out);
/// SSL 2.0's ClientHello, behind its length.
bool read_sslv2_hello(std::span<const uint8_t> body, TlsHello& out);

}  // namespace weir::inspection
