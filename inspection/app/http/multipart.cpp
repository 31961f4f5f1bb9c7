#include "inspection/app/http/multipart.h"

#include <algorithm>

namespace weir::inspection::http {
namespace {

constexpr size_t kMaxBoundary = 256;  // RFC 2046 5.1.1 says 70

}  // namespace

std::string_view parameter_of(std::string_view value, std::string_view name) {
  size_t at = value.find(';');
  while (at != std::string_view::npos) {
    value.remove_prefix(at + 1);
    const size_t equals = value.find_first_of("=;");
    if (equals == std::string_view::npos) return {};
    if (value[equals] == ';') {
      at = equals;
      continue;
    }
    const std::string_view key = trim(value.substr(0, equals));
    value.remove_prefix(equals + 1);
    while (!value.empty() && is_space(value.front())) value.remove_prefix(1);
    std::string_view word;
    if (!value.empty() && value.front() == '"') {
      size_t close = 1;
      while (close < value.size() && value[close] != '"') close += value[close] == '\\' ? 2 : 1;
      close = std::min(close, value.size());
      word = value.substr(1, close - 1);
      at = value.find(';', close);
    } else {
      at = value.find(';');
      word = trim(value.substr(0, at));
    }
    if (equals_nocase(key, name)) return word.data() == nullptr ? std::string_view("") : word;
  }
  return {};
}

bool MultipartReader::begin(std::string_view content_type) {
  const std::string_view boundary = parameter_of(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) return true;
  return delimiter_.append(as_bytes("\r\n--")) && delimiter_.append(as_bytes(boundary));
}

MultipartReader::Take MultipartReader::give(Bytes data) {
  data_ = data;
  return is_file_ && !data.empty() ? Take::data : Take::more;
}

/// Up to the delimiter. Take::more: look at part_ and at what is left of `bytes`.
MultipartReader::Take MultipartReader::take_data(Bytes& bytes) {
  const uint8_t c = bytes.front();
  switch (held_) {
    case Held::none: {
      const auto end =
          std::find_if(bytes.begin(), bytes.end(), [](uint8_t b) { return b == '\r' || b == '\n'; });
      const Bytes data(bytes.begin(), end);
      bytes = bytes.subspan(data.size());
      if (!bytes.empty()) {
        held_ = bytes.front() == '\r' ? Held::cr : Held::lf;
        bytes = bytes.subspan(1);
      }
      return give(data);
    }
    case Held::cr:
      if (c == '\n') {
        held_ = Held::cr_lf;
        bytes = bytes.subspan(1);
        return Take::more;
      }
      held_ = Held::none;
      return give(delimiter_.view().first(1));
    case Held::begin:
    case Held::lf:
    case Held::cr_lf:
      break;
  }
  if (c == delimiter_.view()[kLineEnd + matched_]) {
    bytes = bytes.subspan(1);
    if (++matched_ + kLineEnd < delimiter_.size()) return Take::more;
    part_ = Part::delimiter_rest;
    matched_ = 0;
    dashes_ = 0;
    rest_begins_ = true;
    const bool was_file = is_file_;
    is_file_ = false;
    return was_file ? Take::file_end : Take::more;
  }
  const size_t line_end = held_ == Held::cr_lf ? 2 : held_ == Held::lf ? 1 : 0;
  const Bytes held = delimiter_.view().subspan(kLineEnd - line_end, line_end + matched_);
  held_ = Held::none;
  matched_ = 0;
  return give(held);
}

void MultipartReader::take_delimiter_rest(Bytes& bytes) {
  const auto c = static_cast<char>(bytes.front());
  bytes = bytes.subspan(1);
  if (rest_begins_ && c == '-' && ++dashes_ == kDashes) {
    part_ = Part::over;
    return;
  }
  rest_begins_ = rest_begins_ && c == '-';
  if (c != '\n') return;
  part_ = Part::header;
  has_disposition_ = false;
  name_.shrink(0);
  line_.shrink(0);
}

/// A complete line of a part's header lies in line_. False: no memory.
bool MultipartReader::on_header_line() {
  const std::string_view line = trim_end(as_text(line_.view()));
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    bad_header_ = true;
    return true;
  }
  if (!equals_nocase(trim(line.substr(0, colon)), "content-disposition")) return true;
  has_disposition_ = true;
  const std::string_view name = parameter_of(line.substr(colon + 1), "filename");
  if (name.data() == nullptr) return true;
  is_file_ = true;
  name_.shrink(0);
  return name_.append(as_bytes(name));
}

MultipartReader::Take MultipartReader::take_header(Bytes& bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), '\n');
  const Bytes part(bytes.begin(), end);
  const size_t keep = std::min(part.size(), kMaxHeader - line_.size());
  if (!line_.append(part.first(keep))) return Take::no_memory;
  bad_header_ |= keep < part.size();
  bytes = bytes.subspan(part.size());
  if (bytes.empty()) return Take::more;
  bytes = bytes.subspan(1);
  const bool blank = trim_end(as_text(line_.view())).empty();
  if (!blank) {
    const bool ok = on_header_line();
    line_.shrink(0);
    return ok ? Take::more : Take::no_memory;
  }
  line_.shrink(0);
  bad_header_ |= !has_disposition_;
  part_ = Part::data;
  held_ = Held::begin;
  return is_file_ ? Take::file_begin : Take::more;
}

MultipartReader::Take MultipartReader::take(Bytes& bytes) {
  while (!bytes.empty()) {
    Take take = Take::more;
    switch (part_) {
      case Part::data:
        take = take_data(bytes);
        break;
      case Part::delimiter_rest:
        take_delimiter_rest(bytes);
        break;
      case Part::header:
        take = take_header(bytes);
        break;
      case Part::over:
        bytes = {};
        break;
    }
    if (take != Take::more) return take;
  }
  return Take::more;
}

MultipartReader::Take MultipartReader::finish() {
  const bool was_file = is_file_ && part_ == Part::data;
  is_file_ = false;
  return was_file ? Take::file_end : Take::more;
}

}  // namespace weir::inspection::http
