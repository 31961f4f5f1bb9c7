// What protects a QUIC Initial: keys that everybody on the way can make of the client's first connection id
// (RFC 9001 section 5, RFC 9369 section 3.3), so that it hides nothing.
//
// A QuicDecryptor belongs to one worker and is made at the start: after that nothing is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

struct evp_cipher_ctx_st;  // OpenSSL's EVP_CIPHER_CTX

namespace weir::inspection {

struct QuicKeys {
  std::array<uint8_t, 16> key{}, header_key{};
  std::array<uint8_t, 12> iv{};
};
/// Of both ends.
struct QuicInitialKeys {
  QuicKeys client, server;
};

/// `id`: the destination of the client's first Initial. False: nobody knows how that version makes its keys.
bool derive_initial_keys(uint32_t version, std::span<const uint8_t> id, QuicInitialKeys& out);

class QuicDecryptor {
 public:
  /// Throws std::bad_alloc (start only).
  QuicDecryptor();
  QuicDecryptor(const QuicDecryptor&) = delete;
  QuicDecryptor& operator=(const QuicDecryptor&) = delete;

  /// The payload of `packet`, which has its packet number at `number_at` and ends where its length says;
  /// valid until the next call. nullopt: it is not protected by these keys.
  std::optional<std::span<const uint8_t>> decrypt(const QuicKeys& keys, std::span<const uint8_t> packet,
                                                  size_t number_at);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;
  static constexpr size_t kMaxPacket = 65'535;

  Context block_, packet_;  // AES-128: of the header's mask, and GCM
  std::unique_ptr<uint8_t[]> plain_;
};

}  // namespace weir::inspection
