// Checksums of a file while it passes, as events and file lists want them.
//
// The plain functions of libcrypto: their state lies here, where EVP would call malloc for it. Worker thread.
#pragma once

#include <openssl/md5.h>
#include <openssl/sha.h>

#include <cstdint>
#include <span>

#include "inspection/app/file.h"

namespace weir::inspection::http {

enum FileHashKind : uint8_t { kHashMd5 = 1, kHashSha1 = 2, kHashSha256 = 4 };

using FileDigests = inspection::FileDigests;

class FileHash final {
 public:
  /// `kinds`: FileHashKind, any of them.
  explicit FileHash(uint8_t kinds) noexcept;
  void update(std::span<const uint8_t> bytes);
  FileDigests finish();

 private:
  uint8_t kinds_;
  MD5_CTX md5_;
  SHA_CTX sha1_;
  SHA256_CTX sha256_;
};

}  // namespace weir::inspection::http
