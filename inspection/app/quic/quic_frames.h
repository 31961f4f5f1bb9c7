// The frames of Initial packets (RFC 9000 section 19), and the hello of Google's QUIC before it had TLS.
// Pure; fuzzed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "inspection/app/quic/quic_header.h"

namespace weir::inspection {

struct QuicCryptoFrame {
  uint64_t offset = 0;
  std::span<const uint8_t> data;
};

/// Goes over the frames of a decrypted Initial, or of a packet of Google's that is not encrypted.
class QuicFrames {
 public:
  QuicFrames(QuicFamily family, std::span<const uint8_t> payload) : family_(family), rest_(payload) {}

  /// The next frame with bytes of the handshake; nullopt: there is none, or what follows cannot be read.
  std::optional<QuicCryptoFrame> next();
  /// It ended at what is no frame of an Initial.
  bool malformed() const { return malformed_; }

 private:
  std::optional<QuicCryptoFrame> google_stream(uint8_t type);
  bool skip_ack(bool counts);

  QuicFamily family_;
  std::span<const uint8_t> rest_;
  bool malformed_ = false;
};

/// One tag of a hello: "SNI\0" and its value.
struct QuicTag {
  std::span<const uint8_t> name;  // without the zeros behind it
  std::span<const uint8_t> value;
};

/// It begins as a hello of Google's does.
bool is_google_hello(std::span<const uint8_t> message);

/// Goes over the tags of a hello (CHLO) in their order; of what is none there are none.
class QuicTags {
 public:
  explicit QuicTags(std::span<const uint8_t> message);
  /// All tags and their values are there.
  bool whole() const;
  std::optional<QuicTag> next();

 private:
  static constexpr size_t kEntry = 8;
  std::span<const uint8_t> entries_, values_;
  uint32_t at_ = 0;  // in values_
};

}  // namespace weir::inspection
