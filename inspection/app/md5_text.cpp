#include "inspection/app/md5_text.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

namespace weir::inspection {

void md5_text(std::span<const uint8_t> bytes, std::array<uint8_t, 32>& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<uint8_t, MD5_DIGEST_LENGTH> digest{};
  MD5_CTX context;
  MD5_Init(&context);
  MD5_Update(&context, bytes.data(), bytes.size());
  MD5_Final(digest.data(), &context);
  for (size_t i = 0; i < digest.size(); ++i) {
    out[2 * i] = static_cast<uint8_t>(kDigits[digest[i] >> 4]);
    out[2 * i + 1] = static_cast<uint8_t>(kDigits[digest[i] & 15]);
  }
}

}  // namespace weir::inspection
