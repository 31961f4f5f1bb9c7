// Header blocks of HTTP/2, decompressed (HPACK, RFC 7541) by nghttp2's inflater, whose memory comes from the
// worker's pool. One for each direction of a session. Worker thread.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class Hpack {
 public:
  /// What a peer may make us keep of its header fields, whatever its SETTINGS ask for; RFC 7541's measure.
  static constexpr size_t kMostTable = 64 * 1024;
  enum class Take : uint8_t { ok, malformed, no_memory };

  explicit Hpack(BytePool& pool) noexcept;
  ~Hpack();
  Hpack(const Hpack&) = delete;
  Hpack& operator=(const Hpack&) = delete;

  /// The next bytes of a block; `last`: it ends with them. Calls `field(name, value)` for each field, which
  /// says whether it had memory for it. After malformed nothing of this direction can be read any more.
  template <typename Field>
  Take take(std::span<const uint8_t> bytes, bool last, Field&& field) {
    if (!begin()) return Take::no_memory;
    for (;;) {
      nghttp2_nv pair{};
      int flags = 0;
      const ssize_t used =
          nghttp2_hd_inflate_hd2(inflater_, &pair, &flags, bytes.data(), bytes.size(), last ? 1 : 0);
      if (used < 0) return used == NGHTTP2_ERR_NOMEM ? Take::no_memory : Take::malformed;
      bytes = bytes.subspan(static_cast<size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 &&
          !field(std::string_view(reinterpret_cast<const char*>(pair.name), pair.namelen),
                 std::string_view(reinterpret_cast<const char*>(pair.value), pair.valuelen))) {
        return Take::no_memory;
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
        nghttp2_hd_inflate_end_headers(inflater_);
        return Take::ok;
      }
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && bytes.empty()) return last ? Take::malformed : Take::ok;
    }
  }
  /// SETTINGS_HEADER_TABLE_SIZE, as who receives this direction's blocks has said it.
  void limit_table(uint32_t size);

  /// The size that a block sets the table to with its first bytes (RFC 7541 section 6.3).
  static std::optional<uint64_t> size_update(std::span<const uint8_t> block);

 private:
  bool begin();

  nghttp2_mem memory_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  size_t limit_ = 4'096, applied_ = 4'096;
};

}  // namespace weir::inspection
