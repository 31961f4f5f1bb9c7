#include "tests/unit/inspection/engine/quic_traffic.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "inspection/app/quic/quic_keys.h"

namespace weir::inspection::test {

namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const uint8_t* data(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

std::string big(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = size; i-- > 0;) out += static_cast<char>(value >> (8 * i));
  return out;
}

/// In two bytes.
std::string varint(uint64_t value) { return big(value | 0x4000, 2); }

std::string seal(const QuicKeys& keys, uint32_t number, const std::string& header, const std::string& plain) {
  std::array<uint8_t, 12> nonce = keys.iv;
  for (size_t i = 0; i < 4; ++i) nonce[11 - i] ^= static_cast<uint8_t>(number >> (8 * i));
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::string out(plain.size() + 16, '\0');
  auto* const to = reinterpret_cast<uint8_t*>(out.data());
  int size = 0;
  EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data());
  EVP_EncryptUpdate(context.get(), nullptr, &size, data(header), static_cast<int>(header.size()));
  EVP_EncryptUpdate(context.get(), to, &size, data(plain), static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(context.get(), to + size, &size);
  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, to + plain.size());
  return out;
}

std::array<uint8_t, 32> mask_of(const QuicKeys& keys, const std::string& sample) {
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::array<uint8_t, 32> mask{};
  int size = 0;
  EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, keys.header_key.data(), nullptr);
  EVP_EncryptUpdate(context.get(), mask.data(), &size, data(sample), 16);
  return mask;
}

}  // namespace

std::string crypto_frame(const QuicPiece& piece) {
  return "\x06" + varint(piece.offset) + varint(piece.bytes.size()) + piece.bytes;
}

std::string quic_initial(const QuicInitial& initial, const std::string& frames) {
  constexpr size_t kNumber = 4, kTag = 16, kWhole = 1'200;
  const bool second = initial.version == 0x6b3343cf;
  std::string header = second ? "\xd3" : "\xc3";
  header += big(initial.version, 4);
  header += static_cast<char>(initial.destination.size());
  header += initial.destination;
  header += initial.direction == Direction::to_client ? std::string("\x04serv", 5) : std::string(1, '\0');
  header += std::string(1, '\0');  // no token
  std::string plain = frames;
  const size_t around = header.size() + 2 + kNumber + kTag;
  if (initial.direction == Direction::to_server && plain.size() + around < kWhole)
    plain.resize(kWhole - around, '\0');
  header += varint(kNumber + plain.size() + kTag);
  const size_t number_at = header.size();
  header += big(initial.number, kNumber);
  QuicInitialKeys both;
  derive_initial_keys(initial.version, {data(initial.keys_of), initial.keys_of.size()}, both);
  const QuicKeys& keys = initial.direction == Direction::to_server ? both.client : both.server;
  std::string packet = header + seal(keys, initial.number, header, plain);
  const auto mask = mask_of(keys, packet.substr(number_at + 4, 16));
  packet[0] = static_cast<char>(packet[0] ^ (mask[0] & 0x0f));
  for (size_t i = 0; i < kNumber; ++i)
    packet[number_at + i] = static_cast<char>(packet[number_at + i] ^ mask[1 + i]);
  return packet;
}

std::string google_hello(const std::string& name, const std::string& agent) {
  const std::string values[] = {std::string(1'000, '-'), name, "Q046", agent};
  const std::string tags[] = {std::string("PAD\0", 4), std::string("SNI\0", 4), std::string("VER\0", 4),
                              "UAID"};
  const auto little = [](size_t value, size_t size) {
    std::string out;
    for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  };
  std::string hello = "CHLO" + little(std::size(tags), 4), bytes;
  for (size_t i = 0; i < std::size(tags); ++i) {
    bytes += values[i];
    hello += tags[i] + little(bytes.size(), 4);
  }
  hello += bytes;
  return "\xc3Q046\x50" + kQuicId + std::string("\0\0\0\1", 4) + std::string(12, 'h') + "\xa0\x01" +
         big(hello.size(), 2) + hello;
}

}  // namespace weir::inspection::test
