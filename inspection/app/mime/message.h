// One message of mail (RFC 5322, MIME of RFC 2045 and 2046), line by line: its header fields, and the files
// that its parts bring, decoded, into the transaction's FileList.
//
// Reads multiparts in each other and messages in messages, to a depth of kDepth; what lies deeper is text of
// the part around it. Never throws, never reads twice; all memory from the worker's pool, bounded by the
// constants here. Worker thread.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "inspection/app/file_list.h"
#include "inspection/app/mime/decoder.h"
#include "inspection/app/mime/settings.h"
#include "inspection/app/mime/url_finder.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// What is odd about a message: bits of MailMessage::oddities(). By Suricata's limits.
enum MailOddity : uint16_t {
  kMailInvalidBase64 = 1,
  kMailInvalidQuoted = 2,
  kMailLongLine = 4,
  kMailLongEncodedLine = 8,
  kMailLongFieldName = 16,
  kMailLongFieldValue = 32,
  kMailLongBoundary = 64,
  kMailLongFileName = 128,
  kMailTooDeep = 256,
};

class MailMessage {
 public:
  /// A longer line comes in pieces of at most kPiece bytes.
  static constexpr size_t kPiece = 8'192;
  static constexpr size_t kDepth = 8;
  // Of one message: bytes of a field, of the fields that are kept, how many are.
  static constexpr size_t kField = 8'192, kFields = 48 * 1024, kFieldCount = 256;
  static constexpr size_t kFileName = 255, kBoundary = 254;

  /// Where the message goes on.
  enum class State : uint8_t { header, body, done };

  MailMessage(BytePool& pool, const MimeSettings& settings, FileList& files) noexcept;
  ~MailMessage() { destroy_in(pool_, md5_); }
  MailMessage(const MailMessage&) = delete;
  MailMessage& operator=(const MailMessage&) = delete;

  /// A line, or a piece of one: `content` without the line's end, and `end`, which is empty if the line goes
  /// on. `begins`: the line's first piece. False: the pool is at its ceiling.
  [[nodiscard]] bool line(std::span<const uint8_t> content, std::span<const uint8_t> end, bool begins);
  /// A dot stands before the next line that only SMTP has put there: it counts for body_md5() alone, as in
  /// Suricata.
  void stuffed_dot();
  /// `size` bytes are missing.
  void gap(uint64_t size);
  /// The message is over; `truncated`: before its end.
  [[nodiscard]] bool finish(bool truncated);

  /// The next line may open a file: what waits in the FileList has to be judged before.
  bool may_open_file() const { return state_ == State::header; }
  State state() const { return state_; }
  /// The header of the message itself is complete.
  bool has_header() const { return has_header_; }
  uint16_t oddities() const { return oddities_; }

  /// The `index`-th field of that name (lower case) in the message's own header; nullopt beyond the last.
  std::optional<std::string_view> field(std::string_view name, size_t index = 0) const;
  const UrlFinder& urls() const { return urls_; }
  /// MD5 of all lines behind the header in hexadecimal, once it is done; empty if it was not asked for.
  std::string_view body_md5() const { return {digest_.data(), digest_size_}; }

 private:
  struct Boundary {
    std::array<uint8_t, kBoundary> bytes;
    uint8_t size = 0;
  };
  struct FieldEntry {
    uint32_t at = 0;
    uint16_t name_size = 0, value_size = 0;
  };
  /// What the header of the part under way says.
  struct Part {
    std::array<char, kFileName> name;
    uint16_t name_size = 0;
    MimeDecoder::Encoding encoding = MimeDecoder::Encoding::plain;
    bool text = true;      // no Content-Type is plain text
    bool message = false;  // message/rfc822
    bool typed_name = false;
  };

  bool header_line(std::span<const uint8_t> content, bool begins);
  bool end_field();
  void read_type(std::string_view value);
  void read_disposition(std::string_view value);
  void take_name(std::string_view value, std::string_view parameter);
  bool end_header();
  bool body_line(std::span<const uint8_t> content, std::span<const uint8_t> end, bool begins);
  bool boundary_line(std::span<const uint8_t> content, bool& is_boundary);
  bool end_part(bool truncated);
  void note_decoder();

  BytePool& pool_;
  const MimeSettings& settings_;
  FileList& files_;
  UrlFinder urls_;
  PoolBytes field_;       // the header field under way, unfolded
  PoolBytes fields_;      // name and value of those that are kept, one behind the other
  PoolBytes entries_;     // FieldEntry
  PoolBytes boundaries_;  // Boundary, outermost first
  MimeDecoder decoder_;
  Part part_;
  State state_ = State::header;
  bool has_header_ = false;
  bool preamble_ = false;  // between parts, or behind the last one
  bool file_ = false;      // the part is a file
  uint16_t oddities_ = 0;
  uint64_t line_size_ = 0;
  uint8_t depth_ = 0;  // of messages in messages
  http::FileHash* md5_ = nullptr;
  std::array<char, 32> digest_{};
  uint8_t digest_size_ = 0;
};

}  // namespace weir::inspection
