#include "inspection/app/quic/quic_keys.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; SHA256_* do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using Digest = std::array<uint8_t, SHA256_DIGEST_LENGTH>;

/// How a version makes its keys.
struct Recipe {
  std::array<uint8_t, 20> salt;
  std::string_view label;  // of key, iv and hp
};

constexpr std::string_view kLabel1 = "quic", kLabel2 = "quicv2";
constexpr Recipe kDraft22 = {{0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
                              0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a},
                             kLabel1};
constexpr Recipe kDraft23 = {{0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                              0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02},
                             kLabel1};
constexpr Recipe kDraft29 = {{0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                              0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99},
                             kLabel1};
constexpr Recipe kVersion1 = {{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                               0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
                              kLabel1};
constexpr Recipe kVersion2 = {{0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                               0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
                              kLabel2};
// Google's Q050, T050 and T051.
constexpr Recipe kQ050 = {{0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94,
                           0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45},
                          kLabel1};
constexpr Recipe kT050 = {{0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
                           0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10},
                          kLabel1};
constexpr Recipe kT051 = {{0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
                           0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d},
                          kLabel1};

const Recipe* recipe_of(uint32_t version) {
  const uint32_t draft = version >> 8 == 0xff0000 ? version & 0xff : 0;
  if (version == 1 || draft == 33 || draft == 34) return &kVersion1;
  if (draft >= 29) return draft <= 32 ? &kDraft29 : nullptr;
  if (draft >= 23) return &kDraft23;
  if (draft == 22) return &kDraft22;
  switch (version) {
    case 0x6b3343cf:
      return &kVersion2;
    case 0x51303530:
      return &kQ050;
    case 0x54303530:
      return &kT050;
    case 0x54303531:
      return &kT051;
    case 0xfaceb001:  // Facebook's, after draft 22
      return &kDraft22;
    case 0xfaceb002:  // after draft 27
    case 0xfaceb00e:
    case 0x50435130:  // picoquic's
      return &kDraft23;
    default:
      return nullptr;
  }
}

/// HMAC-SHA256 (RFC 2104); keys are no longer than a block.
Digest hmac(Bytes key, Bytes message) {
  std::array<uint8_t, SHA256_CBLOCK> inner{}, outer{};
  std::copy(key.begin(), key.end(), inner.begin());
  outer = inner;
  for (uint8_t& byte : inner) byte ^= 0x36;
  for (uint8_t& byte : outer) byte ^= 0x5c;
  Digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, inner.data(), inner.size());
  SHA256_Update(&context, message.data(), message.size());
  SHA256_Final(digest.data(), &context);
  SHA256_Init(&context);
  SHA256_Update(&context, outer.data(), outer.size());
  SHA256_Update(&context, digest.data(), digest.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

/// HKDF-Expand-Label (RFC 8446 section 7.1) of at most one digest, without a context.
void expand(const Digest& secret, std::string_view first, std::string_view second, std::span<uint8_t> out) {
  constexpr std::string_view kPrefix = "tls13 ";
  std::array<uint8_t, 64> info{};
  size_t size = 0;
  const auto put = [&](std::string_view text) {
    size = static_cast<size_t>(std::copy(text.begin(), text.end(), info.begin() + size) - info.begin());
  };
  info[size++] = 0;
  info[size++] = static_cast<uint8_t>(out.size());
  info[size++] = static_cast<uint8_t>(kPrefix.size() + first.size() + second.size());
  put(kPrefix);
  put(first);
  put(second);
  info[size++] = 0;  // the context
  info[size++] = 1;  // the first block of HKDF
  const Digest digest = hmac(secret, {info.data(), size});
  std::copy_n(digest.begin(), out.size(), out.begin());
}

QuicKeys keys_of(const Digest& initial, std::string_view end, std::string_view label) {
  Digest secret;
  QuicKeys keys;
  expand(initial, end, {}, secret);
  expand(secret, label, " key", keys.key);
  expand(secret, label, " iv", keys.iv);
  expand(secret, label, " hp", keys.header_key);
  return keys;
}

}  // namespace

bool derive_initial_keys(uint32_t version, Bytes id, QuicInitialKeys& out) {
  const Recipe* const recipe = recipe_of(version);
  if (recipe == nullptr) return false;
  const Digest initial = hmac(recipe->salt, id);
  out.client = keys_of(initial, "client in", recipe->label);
  out.server = keys_of(initial, "server in", recipe->label);
  return true;
}

void QuicDecryptor::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

QuicDecryptor::QuicDecryptor()
    : block_(EVP_CIPHER_CTX_new()),
      packet_(EVP_CIPHER_CTX_new()),
      plain_(std::make_unique<uint8_t[]>(kMaxPacket)) {
  // A key now, so that a later one only replaces it.
  const QuicKeys none;
  if (block_ == nullptr || packet_ == nullptr ||
      EVP_EncryptInit_ex(block_.get(), EVP_aes_128_ecb(), nullptr, none.header_key.data(), nullptr) != 1 ||
      EVP_DecryptInit_ex(packet_.get(), EVP_aes_128_gcm(), nullptr, none.key.data(), none.iv.data()) != 1) {
    throw std::bad_alloc();
  }
}

std::optional<Bytes> QuicDecryptor::decrypt(const QuicKeys& keys, Bytes packet, size_t number_at) {
  constexpr size_t kMaxNumber = 4, kSample = 16, kTag = 16;
  if (packet.size() > kMaxPacket || number_at > packet.size() ||
      packet.size() - number_at < kMaxNumber + kSample) {
    return std::nullopt;
  }
  // Section 5.4: a sample of what is encrypted masks the first byte and the packet number.
  std::array<uint8_t, kSample> mask{};
  int size = 0;
  if (EVP_EncryptInit_ex(block_.get(), nullptr, nullptr, keys.header_key.data(), nullptr) != 1 ||
      EVP_EncryptUpdate(block_.get(), mask.data(), &size, packet.data() + number_at + kMaxNumber,
                        static_cast<int>(kSample)) != 1) {
    return std::nullopt;
  }
  const auto first = static_cast<uint8_t>(packet[0] ^ (mask[0] & 0x0f));
  const size_t number_size = (first & 3u) + 1u, header_size = number_at + number_size;
  // Section 5.3: the nonce is the IV with the packet number; of an Initial the truncated one is the whole
  // one.
  std::array<uint8_t, 12> nonce = keys.iv;
  std::array<uint8_t, kMaxNumber> number{};
  for (size_t i = 0; i < number_size; ++i) {
    number[i] = static_cast<uint8_t>(packet[number_at + i] ^ mask[1 + i]);
    nonce[nonce.size() - number_size + i] ^= number[i];
  }
  const Bytes sealed = packet.subspan(header_size);
  if (sealed.size() < kTag) return std::nullopt;
  const Bytes body = sealed.first(sealed.size() - kTag), tag = sealed.last(kTag);
  std::array<uint8_t, kTag> tag_copy{};
  std::copy(tag.begin(), tag.end(), tag_copy.begin());
  EVP_CIPHER_CTX* const gcm = packet_.get();
  // The associated data is the header without its mask.
  const Bytes middle = packet.subspan(1, number_at - 1);
  const bool done =
      EVP_DecryptInit_ex(gcm, nullptr, nullptr, keys.key.data(), nonce.data()) == 1 &&
      EVP_DecryptUpdate(gcm, nullptr, &size, &first, 1) == 1 &&
      (middle.empty() ||
       EVP_DecryptUpdate(gcm, nullptr, &size, middle.data(), static_cast<int>(middle.size())) == 1) &&
      EVP_DecryptUpdate(gcm, nullptr, &size, number.data(), static_cast<int>(number_size)) == 1 &&
      EVP_DecryptUpdate(gcm, plain_.get(), &size, body.data(), static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTag), tag_copy.data()) == 1 &&
      EVP_DecryptFinal_ex(gcm, plain_.get() + size, &size) == 1;
  if (!done) return std::nullopt;
  return Bytes(plain_.get(), body.size());
}

}  // namespace weir::inspection
