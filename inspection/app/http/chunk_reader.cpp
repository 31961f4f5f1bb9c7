#include "inspection/app/http/chunk_reader.h"

#include <cstring>

namespace weir::inspection::http {

/// One byte of a size line. Take::data or Take::last when the line is complete.
ChunkReader::Take ChunkReader::size_byte(char c) {
  // Leading zeros may be as many as somebody likes, but not in the line that says whether this is chunked at
  // all.
  if (++line_size_ > kLine && (first_ || part_ == Part::before)) return wrong();
  if (line_size_ > kLine) line_size_ = kLine;
  if (part_ == Part::before) {
    if (is_space(c) || c == '\0') return Take::more;
    if (hex_value(c) < 0) return wrong();
    part_ = Part::digits;
  }
  if (part_ == Part::digits) {
    if (const int digit = hex_value(c); digit >= 0) {
      huge_ |= (left_ >> 60) != 0;
      left_ = left_ * 16 + static_cast<unsigned>(digit);
      return Take::more;
    }
    part_ = Part::after;
    junk_ = 0;
  }
  if (c == '\n') {
    if (huge_) return wrong();
    line_.reset();
    first_ = false;
    line_size_ = 0;
    part_ = Part::data;
    return left_ == 0 ? Take::last : Take::data;
  }
  if (c == ';' && junk_ == 0) {
    extension_ = true;
    junk_ = UINT16_MAX;
  } else if (junk_ != UINT16_MAX && !is_space(c) && ++junk_ > kJunk && first_) {
    return wrong();
  }
  return Take::more;
}

ChunkReader::Take ChunkReader::take(Bytes& bytes) {
  for (;;) {
    if (part_ == Part::data) {
      if (left_ > 0) return bytes.empty() ? Take::more : Take::data;
      part_ = Part::data_end;
    }
    if (bytes.empty()) return Take::more;
    if (part_ == Part::data_end) {
      // Up to the line's end, as libhtp does; the size begins behind it.
      const void* const lf = std::memchr(bytes.data(), '\n', bytes.size());
      bytes = lf == nullptr
                  ? Bytes{}
                  : bytes.subspan(static_cast<size_t>(static_cast<const uint8_t*>(lf) - bytes.data()) + 1);
      if (lf == nullptr) return Take::more;
      part_ = Part::before;
      line_size_ = 0;
      left_ = 0;
      continue;
    }
    const auto c = static_cast<char>(bytes.front());
    if (first_ && !line_.append(bytes.first(1))) return Take::no_memory;
    bytes = bytes.subspan(1);
    const Take take = size_byte(c);
    if (take == Take::more) continue;
    if (take != Take::data) return take;
  }
}

}  // namespace weir::inspection::http
