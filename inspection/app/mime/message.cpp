#include "inspection/app/mime/message.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "inspection/app/http/text.h"
#include "inspection/app/mime/fields.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using http::as_text;

// RFC 5322 section 2.1.1 and RFC 2045 section 6.7, without the line's end; the others are Suricata's.
constexpr size_t kLongLine = 998, kLongEncodedLine = 76, kLongFieldName = 75, kLongFieldValue = 2'000;

bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

}  // namespace

MailMessage::MailMessage(BytePool& pool, const MimeSettings& settings, FileList& files) noexcept
    : pool_(pool),
      settings_(settings),
      files_(files),
      urls_(pool, settings),
      field_(pool),
      fields_(pool),
      entries_(pool),
      boundaries_(pool) {}

bool MailMessage::line(Bytes content, Bytes end, bool begins) {
  line_size_ = (begins ? 0 : line_size_) + content.size();
  if (line_size_ > kLongLine) oddities_ |= kMailLongLine;
  if (md5_ != nullptr) {
    md5_->update(content);
    md5_->update(end);
  }
  if (state_ == State::done) return true;
  return state_ == State::header ? header_line(content, begins) : body_line(content, end, begins);
}

void MailMessage::stuffed_dot() {
  static constexpr uint8_t kDot = '.';
  if (md5_ != nullptr) md5_->update({&kDot, 1});
}

bool MailMessage::header_line(Bytes content, bool begins) {
  const auto go_on = [&](Bytes more) {
    return field_.append(more.first(std::min(more.size(), kField - std::min(kField, field_.size()))));
  };
  if (!begins) return field_.empty() || go_on(content);
  if (content.empty()) return end_field() && end_header();
  // Folded: the line's end goes and so does the blank that marks it (as Suricata has it).
  if (is_blank(content[0])) return field_.empty() || go_on(content.subspan(1));
  if (!end_field()) return false;
  return std::find(content.begin(), content.end(), ':') == content.end() || go_on(content);
}

bool MailMessage::end_field() {
  if (field_.empty()) return true;
  const std::string_view text = as_text(field_.view());
  const size_t colon = text.find(':');
  const std::string_view name = http::trim_end(text.substr(0, colon));
  std::string_view value = text.substr(colon + 1);
  while (!value.empty() && http::is_space(value.front())) value.remove_prefix(1);
  if (name.size() > kLongFieldName) oddities_ |= kMailLongFieldName;
  if (value.size() > kLongFieldValue) oddities_ |= kMailLongFieldValue;
  if (!has_header_ && entries_.size() / sizeof(FieldEntry) < kFieldCount &&
      fields_.size() + name.size() + value.size() <= kFields) {
    const FieldEntry entry{static_cast<uint32_t>(fields_.size()), static_cast<uint16_t>(name.size()),
                           static_cast<uint16_t>(value.size())};
    if (!fields_.append(http::as_bytes(name)) || !fields_.append(http::as_bytes(value)) ||
        !entries_.append({reinterpret_cast<const uint8_t*>(&entry), sizeof entry}))
      return false;
  }
  if (http::equals_nocase(name, "content-type")) {
    read_type(value);
  } else if (http::equals_nocase(name, "content-disposition")) {
    read_disposition(value);
  } else if (http::equals_nocase(name, "content-transfer-encoding")) {
    const std::string_view encoding = http::trim(value);
    part_.encoding = http::equals_nocase(encoding, "base64") ? MimeDecoder::Encoding::base64
                     : http::equals_nocase(encoding, "quoted-printable")
                         ? MimeDecoder::Encoding::quoted_printable
                         : MimeDecoder::Encoding::plain;
  }
  field_.shrink(0);
  return true;
}

void MailMessage::take_name(std::string_view value, std::string_view parameter) {
  bool cut = false;
  const std::string_view name = mime_parameter(value, parameter, part_.name, cut);
  part_.name_size = static_cast<uint16_t>(name.size());
  if (cut) oddities_ |= kMailLongFileName;
}

void MailMessage::read_type(std::string_view value) {
  const std::string_view type = mime_value(value);
  part_.text = http::equals_nocase(type, "text/plain") || http::equals_nocase(type, "text/html");
  part_.message = http::equals_nocase(type, "message/rfc822");
  if (part_.name_size == 0) {
    take_name(value, "name");
    part_.typed_name = part_.name_size > 0;
  }
  Boundary boundary;
  std::array<char, kBoundary> room;
  bool cut = false;
  const std::string_view text = mime_parameter(value, "boundary", room, cut);
  if (cut) oddities_ |= kMailLongBoundary;
  if (text.empty() || cut) return;
  if (boundaries_.size() / sizeof(Boundary) >= kDepth) {
    oddities_ |= kMailTooDeep;
    return;
  }
  std::copy(text.begin(), text.end(), boundary.bytes.begin());
  boundary.size = static_cast<uint8_t>(text.size());
  // Without memory the parts are read as text of the part around them.
  if (!boundaries_.append({reinterpret_cast<const uint8_t*>(&boundary), sizeof boundary}))
    oddities_ |= kMailTooDeep;
}

void MailMessage::read_disposition(std::string_view value) {
  // What it says stands before a name in Content-Type.
  if (part_.name_size > 0 && !part_.typed_name) return;
  const Part before = part_;
  take_name(value, "filename");
  if (part_.name_size == 0) {
    part_.name = before.name;
    part_.name_size = before.name_size;
  } else {
    part_.typed_name = false;
  }
}

bool MailMessage::end_header() {
  if (!has_header_ && settings_.body_md5) {
    md5_ = make_in<http::FileHash>(pool_, uint8_t{http::kHashMd5});
    if (md5_ == nullptr) return false;
  }
  has_header_ = true;
  state_ = State::body;
  preamble_ = false;
  decoder_.begin(part_.encoding);
  file_ = part_.name_size > 0;
  if (file_) return files_.open({part_.name.data(), part_.name_size});
  if (part_.message && part_.encoding == MimeDecoder::Encoding::plain) {
    if (depth_ >= kDepth) {
      oddities_ |= kMailTooDeep;
      return true;
    }
    ++depth_;
    part_ = Part{};
    state_ = State::header;
  }
  return true;
}

/// A line "--boundary" or "--boundary--", with blanks behind it, of this multipart or of one around it
/// (RFC 2046 section 5.1.1).
bool MailMessage::boundary_line(Bytes content, bool& is_boundary) {
  is_boundary = false;
  if (content.size() < 3 || content[0] != '-' || content[1] != '-') return true;
  const Bytes rest = content.subspan(2);
  for (size_t i = boundaries_.size() / sizeof(Boundary); i-- > 0;) {
    Boundary boundary;
    std::memcpy(&boundary, boundaries_.view().data() + i * sizeof boundary, sizeof boundary);
    if (rest.size() < boundary.size ||
        !std::equal(rest.begin(), rest.begin() + boundary.size, boundary.bytes.begin()))
      continue;
    Bytes behind = rest.subspan(boundary.size);
    const bool last = behind.size() >= 2 && behind[0] == '-' && behind[1] == '-';
    if (last) behind = behind.subspan(2);
    if (!std::all_of(behind.begin(), behind.end(), is_blank)) continue;
    is_boundary = true;
    if (!end_part(false)) return false;
    // Multiparts inside of it are over, and so is it itself with its last one.
    boundaries_.shrink((last ? i : i + 1) * sizeof(Boundary));
    part_ = Part{};
    preamble_ = last;
    state_ = last ? State::body : State::header;
    return true;
  }
  return true;
}

bool MailMessage::body_line(Bytes content, Bytes end, bool begins) {
  if (begins) {
    bool is_boundary = false;
    if (!boundary_line(content, is_boundary)) return false;
    if (is_boundary) return true;
  }
  if (decoder_.encoding() != MimeDecoder::Encoding::plain && line_size_ > kLongEncodedLine)
    oddities_ |= kMailLongEncodedLine;
  if (preamble_ || (!file_ && !part_.text)) return true;
  std::array<uint8_t, kPiece + 2 + MimeDecoder::kSlack> room;
  const size_t size = decoder_.decode(content, end, room);
  note_decoder();
  const Bytes decoded(room.data(), size);
  if (file_ && !files_.append(decoded)) return false;
  return urls_.take(decoded);
}

void MailMessage::note_decoder() {
  if (!decoder_.invalid()) return;
  oddities_ |= decoder_.encoding() == MimeDecoder::Encoding::base64 ? kMailInvalidBase64 : kMailInvalidQuoted;
}

bool MailMessage::end_part(bool truncated) {
  std::array<uint8_t, MimeDecoder::kSlack> room;
  const Bytes rest(room.data(), decoder_.finish(room));
  if (file_) {
    if (!files_.append(rest)) return false;
    files_.close(truncated);
    file_ = false;
  } else if (part_.text && !preamble_ && !urls_.take(rest)) {
    return false;
  }
  return urls_.finish();
}

void MailMessage::gap(uint64_t size) {
  if (state_ == State::header) {
    field_.shrink(0);
    return;
  }
  decoder_.gap();
  files_.gap(size);
}

bool MailMessage::finish(bool truncated) {
  if (state_ == State::done) return true;
  const bool in_header = state_ == State::header;
  state_ = State::done;
  if (md5_ != nullptr) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const uint8_t byte : md5_->finish().md5) {
      digest_[digest_size_++] = kHex[byte >> 4];
      digest_[digest_size_++] = kHex[byte & 15];
    }
    destroy_in(pool_, std::exchange(md5_, nullptr));
  }
  if (in_header) {
    const bool ok = end_field();
    has_header_ = true;
    return ok;
  }
  return end_part(truncated);
}

std::optional<std::string_view> MailMessage::field(std::string_view name, size_t index) const {
  const Bytes entries = entries_.view();
  for (size_t at = 0; at < entries.size(); at += sizeof(FieldEntry)) {
    FieldEntry entry;
    std::memcpy(&entry, entries.data() + at, sizeof entry);
    const std::string_view text = as_text(fields_.view());
    if (!http::equals_nocase(text.substr(entry.at, entry.name_size), name) || index-- > 0) continue;
    return text.substr(entry.at + entry.name_size, entry.value_size);
  }
  return std::nullopt;
}

}  // namespace weir::inspection
