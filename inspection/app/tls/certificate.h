// X.509 certificates (RFC 5280) as rules and events ask for them: names, serial number, times, alternative
// names. Our own reader of DER (X.690), bounded, on hostile bytes; it verifies nothing. Pure; fuzzed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// One element of DER: tag and contents. Definite lengths only, tags of one byte.
struct DerElement {
  uint8_t tag = 0;
  std::span<const uint8_t> contents;
  std::span<const uint8_t> rest;  // what follows it
};
/// nullopt: no whole element stands there.
std::optional<DerElement> read_der(std::span<const uint8_t> bytes);

/// Texts lie one after the other in `text`; each is named by its place.
struct Certificate {
  static constexpr size_t kMaxName = 2'048;  // bytes of a distinguished name as text; what is longer is cut
  static constexpr size_t kMaxNames = 64;    // alternative names that are kept
  struct Piece {
    uint32_t at = 0;
    uint32_t size = 0;
  };
  explicit Certificate(BytePool& pool) : text(pool) {}
  PoolBytes text;
  Piece subject, issuer;  // "C=US, O=Example, CN=example.org", in the order of the certificate
  Piece serial;           // "01:AB"
  Piece fingerprint;      // SHA-1 of the whole, "ab:cd"
  std::array<Piece, kMaxNames> alternative{};
  size_t alternative_count = 0;
  int64_t not_before = 0, not_after = 0;  // seconds since 1970
  bool has_times = false;

  std::span<const uint8_t> view(Piece piece) const { return text.view().subspan(piece.at, piece.size); }
};

/// Reads the fields of a certificate. False: it is none, or the pool is at its ceiling; what was read until
/// then stands.
bool read_certificate(std::span<const uint8_t> der, Certificate& out);

}  // namespace weir::inspection
