#include "inspection/detect/transforms.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "inspection/detect/base64.h"
#include "inspection/detect/public_suffix.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + 32) : c; }
uint8_t upper(uint8_t c) { return c >= 'a' && c <= 'z' ? static_cast<uint8_t>(c - 32) : c; }

int hex_value(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t strip_whitespace(Bytes in, std::span<uint8_t> out) {
  size_t n = 0;
  for (const uint8_t c : in) {
    if (!is_space(c)) out[n++] = c;
  }
  return n;
}

size_t compress_whitespace(Bytes in, std::span<uint8_t> out) {
  size_t n = 0;
  bool in_space = false;
  for (const uint8_t c : in) {
    const bool space = is_space(c);
    if (!space || !in_space) out[n++] = c;
    in_space = space;
  }
  return n;
}

size_t url_decode(Bytes in, std::span<uint8_t> out) {
  size_t n = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '%' && i + 2 < in.size() && hex_value(in[i + 1]) >= 0 && hex_value(in[i + 2]) >= 0) {
      out[n++] = static_cast<uint8_t>(hex_value(in[i + 1]) * 16 + hex_value(in[i + 2]));
      i += 2;
    } else {
      out[n++] = in[i] == '+' ? uint8_t{' '} : in[i];
    }
  }
  return n;
}

size_t header_lowercase(Bytes in, std::span<uint8_t> out) {
  bool in_name = true;
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] == ':') in_name = false;
    if (in[i] == '\n') in_name = true;
    out[i] = in_name ? lower(in[i]) : in[i];
  }
  return in.size();
}

/// Lines that begin with a colon are HTTP/2's.
size_t strip_pseudo_headers(Bytes in, std::span<uint8_t> out) {
  size_t n = 0;
  for (size_t i = 0; i < in.size();) {
    size_t end = i;
    while (end < in.size() && in[end] != '\n') ++end;
    if (end < in.size()) ++end;
    if (in[i] != ':') {
      std::memcpy(out.data() + n, in.data() + i, end - i);
      n += end - i;
    }
    i = end;
  }
  return n;
}

size_t xor_with(Bytes in, std::span<uint8_t> out, const std::string& key) {
  for (size_t i = 0; i < in.size(); ++i) {
    out[i] = key.empty() ? in[i] : static_cast<uint8_t>(in[i] ^ static_cast<uint8_t>(key[i % key.size()]));
  }
  return in.size();
}

size_t digest(ast::Transform::Kind kind, Bytes in, std::span<uint8_t> out) {
  if (kind == ast::Transform::Kind::to_md5) {
    MD5_CTX context;
    MD5_Init(&context);
    MD5_Update(&context, in.data(), in.size());
    MD5_Final(out.data(), &context);
    return MD5_DIGEST_LENGTH;
  }
  if (kind == ast::Transform::Kind::to_sha1) {
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, in.data(), in.size());
    SHA1_Final(out.data(), &context);
    return SHA_DIGEST_LENGTH;
  }
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, in.data(), in.size());
  SHA256_Final(out.data(), &context);
  return SHA256_DIGEST_LENGTH;
}

Base64Rule rule_of(ast::Transform::Base64Mode mode) {
  switch (mode) {
    case ast::Transform::Base64Mode::strict:
      return Base64Rule::strict;
    case ast::Transform::Base64Mode::rfc2045:
      return Base64Rule::skip_blanks;
    case ast::Transform::Base64Mode::rfc4648:
      return Base64Rule::stop;
  }
  return Base64Rule::stop;
}

/// 0: nothing decoded, the bytes stay.
size_t from_base64(Bytes in, std::span<uint8_t> out, const ast::Transform& transform) {
  if (transform.offset >= in.size()) return 0;
  Bytes piece = in.subspan(transform.offset);
  if (transform.bytes > 0) piece = piece.first(std::min<size_t>(piece.size(), transform.bytes));
  return decode_base64(piece, out, rule_of(transform.base64_mode));
}

// What inflate() takes: its state and a window of 32 KiB.
constexpr size_t kInflateMemory = 64 * 1024;
constexpr uint64_t kInflated = 64 * 1024;       // what is made unless the rule says how much
constexpr uint64_t kMostInflated = 128 * 1024;  // and at most

bool inflates(const ast::Transform& transform) {
  return transform.kind == ast::Transform::Kind::gunzip ||
         transform.kind == ast::Transform::Kind::zlib_deflate;
}

/// zlib's memory, out of the end of what the packet's scratch gave.
struct InflateMemory {
  std::span<uint8_t> left;
  static void* take(void* self, unsigned items, unsigned size) {
    auto& memory = *static_cast<InflateMemory*>(self);
    const size_t bytes = (size_t{items} * size + 15) / 16 * 16;
    if (bytes > memory.left.size()) return nullptr;
    void* const block = memory.left.data();
    memory.left = memory.left.subspan(bytes);
    return block;
  }
  static void give_back(void*, void*) {}
};

/// As much as could be decompressed and has room; 0: nothing. `out` has kInflateMemory behind the room.
size_t inflate_into(Bytes in, std::span<uint8_t> out, bool gzip) {
  const std::span<uint8_t> room = out.first(out.size() - kInflateMemory);
  const size_t skew = -reinterpret_cast<uintptr_t>(room.data() + room.size()) % 16;
  InflateMemory memory{out.subspan(room.size() + skew)};
  z_stream stream{};
  stream.zalloc = InflateMemory::take;
  stream.zfree = InflateMemory::give_back;
  stream.opaque = &memory;
  if (inflateInit2(&stream, gzip ? MAX_WBITS + 16 : MAX_WBITS) != Z_OK) return 0;
  stream.next_in = const_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(std::min<size_t>(in.size(), UINT32_MAX));
  stream.next_out = room.data();
  stream.avail_out = static_cast<uInt>(room.size());
  // Data that breaks off or goes wrong has given what came before.
  (void)inflate(&stream, Z_FINISH);
  const auto made = static_cast<size_t>(stream.next_out - room.data());
  inflateEnd(&stream);
  return made;
}

/// Room for any outcome of one step.
size_t room_for(const ast::Transform& transform, size_t size) {
  if (inflates(transform)) {
    const uint64_t most = transform.max_bytes != 0 ? transform.max_bytes : kInflated;
    return static_cast<size_t>(std::min(most, kMostInflated)) + kInflateMemory;
  }
  return std::max<size_t>(base64_room(size), size + 1) + SHA256_DIGEST_LENGTH;
}

Bytes apply(const TransformStep& step, Bytes in, std::span<uint8_t> out, PcreScratch& pcre) {
  using Kind = ast::Transform::Kind;
  const ast::Transform& transform = step.transform;
  switch (transform.kind) {
    case Kind::dotprefix:
      out[0] = '.';
      if (!in.empty()) std::memcpy(out.data() + 1, in.data(), in.size());
      return out.first(in.size() + 1);
    case Kind::to_lowercase:
      std::transform(in.begin(), in.end(), out.begin(), lower);
      return out.first(in.size());
    case Kind::to_uppercase:
      std::transform(in.begin(), in.end(), out.begin(), upper);
      return out.first(in.size());
    case Kind::to_md5:
    case Kind::to_sha1:
    case Kind::to_sha256:
      return out.first(digest(transform.kind, in, out));
    case Kind::strip_whitespace:
      return out.first(strip_whitespace(in, out));
    case Kind::compress_whitespace:
      return out.first(compress_whitespace(in, out));
    case Kind::url_decode:
      return out.first(url_decode(in, out));
    case Kind::header_lowercase:
      return out.first(header_lowercase(in, out));
    case Kind::strip_pseudo_headers:
      return out.first(strip_pseudo_headers(in, out));
    case Kind::xor_key:
      return out.first(xor_with(in, out, transform.argument));
    case Kind::pcre_capture: {
      const PcreCode::Found found = step.code->match(in, 0, pcre, {});
      return found.outcome == PcreCode::Outcome::match && found.has_group ? found.group : in;
    }
    case Kind::from_base64: {
      const size_t size = from_base64(in, out, transform);
      return size > 0 ? Bytes(out.first(size)) : in;
    }
    case Kind::gunzip:
    case Kind::zlib_deflate: {
      const size_t size = inflate_into(in, out, transform.kind == Kind::gunzip);
      return size > 0 ? Bytes(out.first(size)) : in;
    }
    case Kind::domain:
      return registered_domain(in).value_or(in);
    case Kind::top_level_domain:
      return public_suffix(in).value_or(in);
  }
  return in;
}

}  // namespace

std::optional<Bytes> apply_transforms(const std::vector<TransformStep>& steps, Bytes bytes,
                                      ScratchBytes& scratch, PcreScratch& pcre) {
  for (const TransformStep& step : steps) {
    const std::span<uint8_t> room = scratch.take(room_for(step.transform, bytes.size()));
    if (room.empty()) return std::nullopt;
    const Bytes made = apply(step, bytes, room, pcre);
    scratch.keep(room, made.data() == room.data() ? made.size() : 0);
    bytes = made;
  }
  return bytes;
}

}  // namespace weir::inspection
