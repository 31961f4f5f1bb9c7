// The files in a form that a client sends (multipart/form-data, RFC 7578), out of the request's body.
//
// Reads bytes in any portions. Parts with a file name are files; others are fields of the form and looked
// over. Worker thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "inspection/app/http/text.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

/// A parameter of a field ("filename" of Content-Disposition): unquoted, RFC 5987 values as they came.
/// nullptr text: it is not there.
std::string_view parameter_of(std::string_view value, std::string_view name);

class MultipartReader {
 public:
  enum class Take : uint8_t {
    more,        // all bytes are taken
    file_begin,  // file_name() is known; its data follow
    data,        // data(): bytes of the file under way; valid until the next call
    file_end,
    no_memory,
  };

  explicit MultipartReader(BytePool& pool) : delimiter_(pool), line_(pool), name_(pool) {}

  /// `content_type` is the field's value. False: no memory. usable() says whether it has a boundary.
  [[nodiscard]] bool begin(std::string_view content_type);
  bool usable() const { return delimiter_.size() > kLineEnd + kDashes; }

  /// Takes from the front of `bytes`. Call again until `more`.
  Take take(Bytes& bytes);
  /// The body is over. file_end if a file was under way.
  Take finish();

  Bytes data() const { return data_; }
  std::string_view file_name() const { return as_text(name_.view()); }
  /// A part had no Content-Disposition, or a line that is no field.
  bool bad_header() const { return bad_header_; }
  /// The form did not end as it should.
  bool incomplete() const { return part_ != Part::over; }

 private:
  enum class Part : uint8_t { data, delimiter_rest, header, over };
  /// A line end that may belong to the delimiter behind it.
  enum class Held : uint8_t { none, begin, cr, lf, cr_lf };
  static constexpr size_t kMaxHeader = 4096;
  static constexpr size_t kLineEnd = 2, kDashes = 2;

  Take take_data(Bytes& bytes);
  Take give(Bytes data);
  void take_delimiter_rest(Bytes& bytes);
  Take take_header(Bytes& bytes);
  bool on_header_line();

  PoolBytes delimiter_;  // CR LF "--boundary"
  PoolBytes line_;       // a header line under way
  PoolBytes name_;
  Bytes data_;
  Part part_ = Part::data;
  Held held_ = Held::begin;
  uint16_t matched_ = 0;  // of the delimiter behind its line end
  uint8_t dashes_ = 0;    // behind the delimiter
  bool rest_begins_ = false;
  bool is_file_ = false, has_disposition_ = false, bad_header_ = false;
};

}  // namespace weir::inspection::http
