#include "inspection/app/http/uri.h"

#include <algorithm>
#include <array>
#include <bit>

#include "inspection/app/http/blocks.h"
#include "inspection/app/http/text.h"

namespace weir::inspection::http {
namespace {

/// Characters to a pool in small portions.
class Writer {
 public:
  explicit Writer(PoolBytes& out) : out_(out) {}
  void put(uint8_t byte) {
    if (size_ == buffer_.size()) flush();
    buffer_[size_++] = byte;
  }
  bool flush() {
    ok_ = ok_ && out_.append(std::span(buffer_).first(size_));
    size_ = 0;
    return ok_;
  }

 private:
  PoolBytes& out_;
  std::array<uint8_t, 256> buffer_;
  size_t size_ = 0;
  bool ok_ = true;
};

/// The ASCII that a code point stands for to servers that map Unicode to their code page; '?' if none.
uint8_t best_fit(unsigned code) {
  if (code < 0x100) return static_cast<uint8_t>(code);
  if (code >= 0xff01 && code <= 0xff5e) return static_cast<uint8_t>(code - 0xff01 + '!');
  return '?';
}

/// The character at the front, decoded; `text` moves on.
uint8_t take_decoded(std::string_view& text) {
  const auto hex = [&](size_t at, size_t digits, unsigned& value) {
    if (text.size() < at + digits) return false;
    value = 0;
    for (size_t i = at; i < at + digits; ++i) {
      const int digit = hex_value(text[i]);
      if (digit < 0) return false;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    return true;
  };
  unsigned value = static_cast<uint8_t>(text.front());
  size_t size = 1;
  if (text.front() == '%' && text.size() >= 3) {
    if (hex(1, 2, value)) {
      size = 3;
    } else if (lower(text[1]) == 'u' && hex(2, 4, value)) {
      size = 6;
    } else {
      value = '%';
    }
  }
  text.remove_prefix(size);
  return size == 6 ? best_fit(value) : static_cast<uint8_t>(value);
}

/// Length and code point of the UTF-8 at the front; 0: none.
size_t utf8_at(Bytes bytes, unsigned& code) {
  const uint8_t first = bytes.front();
  const size_t size = (first & 0xe0) == 0xc0   ? 2
                      : (first & 0xf0) == 0xe0 ? 3
                      : (first & 0xf8) == 0xf0 ? 4
                                               : 0;
  if (size == 0 || bytes.size() < size) return 0;
  code = first & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (bytes[i] & 0x3f);
  }
  return size;
}

/// In place: UTF-8 that hides ASCII, backslashes, slashes in a row. Returns the new size.
size_t plain_path(std::span<uint8_t> path) {
  size_t size = 0;
  for (size_t i = 0; i < path.size();) {
    unsigned code = path[i];
    size_t length = 1;
    if (code >= 0x80) {
      unsigned wide = 0;
      const size_t taken = utf8_at(path.subspan(i), wide);
      if (taken > 0 && (wide < 0x80 || (wide >= 0xff01 && wide <= 0xff5e))) {
        code = best_fit(wide);
        length = taken;
      }
    }
    i += length;
    if (code == '\\') code = '/';
    if (code == '/' && size > 0 && path[size - 1] == '/') continue;
    path[size++] = static_cast<uint8_t>(code);
  }
  return size;
}

/// RFC 3986 5.2.4, in place. Returns the new size.
size_t without_dots(std::span<uint8_t> path) {
  size_t size = 0;
  const auto begins = [&](size_t at, std::string_view word) {
    return as_text(path).substr(at).substr(0, word.size()) == word;
  };
  const auto drop_segment = [&] {
    while (size > 0 && path[--size] != '/') {
    }
  };
  for (size_t i = 0; i < path.size();) {
    const size_t left = path.size() - i;
    if (i == 0 && begins(i, "../")) {
      i += 3;
    } else if (i == 0 && begins(i, "./")) {
      i += 2;
    } else if (begins(i, "/./")) {
      i += 2;
    } else if (left == 2 && begins(i, "/.")) {
      path[++i] = '/';
    } else if (begins(i, "/../")) {
      i += 3;
      drop_segment();
    } else if (left == 3 && begins(i, "/..")) {
      i += 2;
      path[i] = '/';
      drop_segment();
    } else {
      do {
        path[size++] = path[i++];
      } while (i < path.size() && path[i] != '/');
    }
  }
  return size;
}

}  // namespace

Target split_target(std::string_view target, bool method_is_connect) {
  Target parts;
  if (method_is_connect && !target.starts_with('/')) {
    parts.authority = target;
    return parts;
  }
  if (target.empty()) return parts;
  if (target.front() != '/') {
    const size_t colon = target.find(':');
    const std::string_view before = target.substr(0, colon);
    if (colon != std::string_view::npos && colon > 0 && target.substr(colon).starts_with("://") &&
        std::all_of(before.begin(), before.end(),
                    [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; })) {
      parts.scheme = before;
      target.remove_prefix(colon + 3);
      const size_t end = target.find_first_of("/?#\\");
      parts.authority = target.substr(0, end);
      target = end == std::string_view::npos ? std::string_view() : target.substr(end);
    }
  }
  if (const size_t hash = target.find('#'); hash != std::string_view::npos) {
    parts.fragment = target.substr(hash + 1);
    target = target.substr(0, hash);
  }
  if (const size_t mark = target.find('?'); mark != std::string_view::npos) {
    parts.query = target.substr(mark + 1);
    target = target.substr(0, mark);
  }
  if (!target.empty()) parts.path = target;
  return parts;
}

HostPort split_authority(std::string_view authority) {
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  HostPort result;
  size_t colon = authority.find(':');
  if (!authority.empty() && authority.front() == '[') {
    const size_t close = authority.find(']');
    colon = close == std::string_view::npos ? close : authority.find(':', close);
  }
  result.host = trim(authority.substr(0, colon));
  if (colon != std::string_view::npos) result.port = trim(authority.substr(colon + 1));
  return result;
}

bool valid_host(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  if (host.front() == '[') return host.back() == ']' && host.size() > 3;
  while (!host.empty() && host.back() == '.') host.remove_suffix(1);
  while (!host.empty()) {
    const std::string_view label = host.substr(0, host.find('.'));
    if (label.empty() || label.size() > 63) return false;
    for (const char c : label) {
      if (static_cast<uint8_t>(c) <= ' ' || c == 0x7f || c == ',' || c == '/' || c == '\\' || c == '?')
        return false;
    }
    if (label.size() == host.size()) return true;
    host.remove_prefix(label.size() + 1);
  }
  return false;
}

bool append_decoded(std::string_view text, PoolBytes& out) {
  if (text.find('%') == std::string_view::npos) return out.append(as_bytes(text));
  Writer writer(out);
  while (!text.empty()) writer.put(take_decoded(text));
  return writer.flush();
}

bool append_path(std::string_view path, PoolBytes& out, bool& double_encoded) {
  const size_t begin = out.size();
  if (!append_decoded(path, out)) return false;
  std::span<uint8_t> made = out.bytes().subspan(begin);
  made = made.first(plain_path(made));
  made = made.first(without_dots(made));
  out.shrink(begin + made.size());
  for (size_t i = 0; i + 2 < made.size(); ++i) {
    if (made[i] == '%' && hex_value(static_cast<char>(made[i + 1])) >= 0 &&
        hex_value(static_cast<char>(made[i + 2])) >= 0) {
      double_encoded = true;
    }
  }
  return true;
}

bool append_uri(const Target& target, PoolBytes& out, bool& double_encoded) {
  if (!append_path(target.path, out, double_encoded)) return false;
  if (target.query.data() != nullptr && (!out.append(as_bytes("?")) || !append_decoded(target.query, out)))
    return false;
  return target.fragment.data() == nullptr ||
         (out.append(as_bytes("#")) && out.append(as_bytes(target.fragment)));
}

bool is_plain_uri(std::string_view text) {
  if (!text.starts_with('/')) return false;
  const Bytes bytes = as_bytes(text);
  uint32_t odd = 0;
  for (size_t at = 0; at < bytes.size(); at += sizeof(__m256i)) {
    const __m256i block = block_at(bytes, at), next = block_at(bytes, at + 1);
    odd |= static_cast<uint32_t>(_mm256_movemask_epi8(block));  // above ASCII
    odd |= equal_bits(block, '%') | equal_bits(block, '\\');
    odd |= equal_bits(block, '/') & (equal_bits(next, '/') | equal_bits(next, '.'));
  }
  return odd == 0;
}

bool append_host(std::string_view host, PoolBytes& out) {
  const size_t begin = out.size();
  std::string_view name = split_authority(host).host;
  while (!name.empty() && name.back() == '.') name.remove_suffix(1);
  if (!out.append(as_bytes(name))) return false;
  for (uint8_t& byte : out.bytes().subspan(begin))
    byte = static_cast<uint8_t>(lower(static_cast<char>(byte)));
  return true;
}

bool is_plain_host(std::string_view text) {
  if (text.empty() || text.back() == '.') return false;
  const auto between = [](__m256i block, char first, char last) {
    const __m256i from_first = _mm256_sub_epi8(block, _mm256_set1_epi8(first));
    const __m256i most = _mm256_set1_epi8(static_cast<char>(last - first));
    return equal_bits(_mm256_subs_epu8(from_first, most), 0);
  };
  const Bytes bytes = as_bytes(text);
  for (size_t at = 0; at < bytes.size(); at += sizeof(__m256i)) {
    const __m256i block = block_at(bytes, at);
    const uint32_t fine = between(block, 'a', 'z') | between(block, '0', '9') | between(block, '-', '.');
    if (static_cast<size_t>(std::countr_one(fine)) < std::min(bytes.size() - at, sizeof block)) return false;
  }
  return true;
}

}  // namespace weir::inspection::http
