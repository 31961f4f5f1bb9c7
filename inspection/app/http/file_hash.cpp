// The plain functions are deprecated in favour of EVP, whose contexts come from malloc.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "inspection/app/http/file_hash.h"

namespace weir::inspection::http {

FileHash::FileHash(uint8_t kinds) noexcept : kinds_(kinds) {
  MD5_Init(&md5_);
  SHA1_Init(&sha1_);
  SHA256_Init(&sha256_);
}

void FileHash::update(std::span<const uint8_t> bytes) {
  if ((kinds_ & kHashMd5) != 0) MD5_Update(&md5_, bytes.data(), bytes.size());
  if ((kinds_ & kHashSha1) != 0) SHA1_Update(&sha1_, bytes.data(), bytes.size());
  if ((kinds_ & kHashSha256) != 0) SHA256_Update(&sha256_, bytes.data(), bytes.size());
}

FileDigests FileHash::finish() {
  FileDigests digests;
  if ((kinds_ & kHashMd5) != 0) MD5_Final(digests.md5.data(), &md5_);
  if ((kinds_ & kHashSha1) != 0) SHA1_Final(digests.sha1.data(), &sha1_);
  if ((kinds_ & kHashSha256) != 0) SHA256_Final(digests.sha256.data(), &sha256_);
  return digests;
}

}  // namespace weir::inspection::http
