// The content transfer encodings of MIME (RFC 2045 section 6), line by line. Pure: no memory of its own but
// what a line can leave over.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace weir::inspection {

class MimeDecoder {
 public:
  enum class Encoding : uint8_t { plain, base64, quoted_printable };
  /// What decode() may write beyond the bytes that it is given.
  static constexpr size_t kSlack = 8;

  void begin(Encoding encoding) {
    *this = MimeDecoder{};
    encoding_ = encoding;
  }
  Encoding encoding() const { return encoding_; }

  /// Decodes a line, or a piece of one: `content`, then `end`, its line end, which is empty if the line goes
  /// on. `out` has room for both and kSlack. Says how many bytes it wrote. The end of a line is
  /// held back, but in base64, until the next one, since the last one before a boundary belongs to the
  /// boundary.
  size_t decode(std::span<const uint8_t> content, std::span<const uint8_t> end, std::span<uint8_t> out);
  /// No line follows: what is left over, at most kSlack bytes.
  size_t finish(std::span<uint8_t> out);
  /// Something is missing here.
  void gap() { begin(encoding_); }

  /// So far there was a byte that the encoding does not have.
  bool invalid() const { return invalid_; }

 private:
  size_t plain(std::span<const uint8_t> content, std::span<const uint8_t> end, std::span<uint8_t> out);
  size_t base64(std::span<const uint8_t> content, std::span<uint8_t> out);
  size_t quoted_printable(std::span<const uint8_t> content, std::span<const uint8_t> end,
                          std::span<uint8_t> out);

  Encoding encoding_ = Encoding::plain;
  bool invalid_ = false;
  uint8_t end_size_ = 0;
  std::array<uint8_t, 2> end_{};  // the line end that is held back
  uint8_t held_ = 0;
  std::array<uint8_t, 2> hold_{};     // quoted-printable: '=' and a digit
  uint8_t digits_ = 0, padding_ = 0;  // base64: of the group under way
  uint32_t group_ = 0;
};

}  // namespace weir::inspection
