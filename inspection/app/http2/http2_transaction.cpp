#include "inspection/app/http2/http2_transaction.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "inspection/app/http/buffer_fields.h"
#include "inspection/app/http/multipart.h"
#include "inspection/app/http/text.h"
#include "inspection/app/http/uri.h"
#include "inspection/app/labels/app_label.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using http::append;
using http::as_bytes;
using http::as_text;
using http::BodyReader;
using http::BodyWindow;
using http::whole;

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;
constexpr std::string_view kVersion = "HTTP/2";
constexpr uint64_t kWholeBody = 0;  // no limit but those of decoding, as Suricata has it for HTTP/2

/// The same of HTTP/2, which has fields for what the first line of HTTP/1 says.
std::string_view field_of(BufferId buffer, Direction direction) {
  switch (buffer) {
    case BufferId::http_method:
      return ":method";
    case BufferId::http_uri_raw:
      return ":path";
    case BufferId::http_stat_code:
      return ":status";
    default:
      return http::field_of(buffer, direction);
  }
}

}  // namespace

std::span<const std::string_view> http2_event_names() {
  static constexpr std::string_view kNames[] = {
#define HTTP2_EVENT(id, name) name,
#include "inspection/app/http2/http2_events.def"
#undef HTTP2_EVENT
  };
  return kNames;
}

/// Where decoded bytes of a body go: into its file and the window that is both.
class Http2Transaction::Sink final : public http::BodySink {
 public:
  explicit Sink(FileList& files) : files_(files) {}
  size_t room() const override { return files_.room(); }
  bool append(Bytes bytes) override { return files_.append(bytes); }

 private:
  FileList& files_;
};

Http2Transaction::~Http2Transaction() {
  while (computed_ != nullptr) {
    Computed* const next = computed_->next;
    destroy_in(pool_, computed_);
    computed_ = next;
  }
}

Http2Transaction::Field Http2Transaction::field(Direction direction, size_t index) const {
  const Side& s = side(direction);
  Entry entry;
  std::memcpy(&entry, s.fields.view().data() + index * sizeof entry, sizeof entry);
  const std::string_view text = as_text(s.text.view());
  return {text.substr(entry.at, entry.name_size), text.substr(entry.at + entry.name_size, entry.value_size)};
}

std::string_view Http2Transaction::find(Direction direction, std::string_view name) const {
  for (size_t i = 0; i < field_count(direction); ++i) {
    const Field f = field(direction, i);
    if (http::equals_nocase(f.name, name)) return f.value;
  }
  return {};
}

bool Http2Transaction::add_field(Direction direction, std::string_view name, std::string_view value) {
  Side& s = side(direction);
  if (field_count(direction) >= limits_.fields ||
      s.text.size() + name.size() + value.size() > std::min(limits_.head_bytes, BytePool::kLargest)) {
    raise(Http2Event::too_many_headers);
    return true;
  }
  const Entry entry{static_cast<uint32_t>(s.text.size()), static_cast<uint32_t>(name.size()),
                    static_cast<uint32_t>(value.size())};
  if (!append(s.text, name) || !append(s.text, value) ||
      !s.fields.append({reinterpret_cast<const uint8_t*>(&entry), sizeof entry}))
    return false;
  s.framing.field(name, value, false);
  return true;
}

void Http2Transaction::note_frame(Direction direction, Http2FrameType type) {
  const auto bit = static_cast<uint16_t>(1U << static_cast<unsigned>(type));
  uint16_t& seen = side(direction).frames;
  if ((seen & bit) != 0) return;
  seen |= bit;
  add_number(direction, NumberId::http2_frame_type, static_cast<uint64_t>(type));
}

void Http2Transaction::add_number(Direction direction, NumberId kind, uint64_t value) {
  Side& s = side(direction);
  const Number number{kind, value};
  if (s.numbers.size() >= kNumbers * sizeof number) return;
  // Without memory a rule on it does not match; what is parsed goes on.
  (void)s.numbers.append({reinterpret_cast<const uint8_t*>(&number), sizeof number});
}

void Http2Transaction::end_header(Direction direction) {
  Side& s = side(direction);
  if (s.has_header) return;  // a trailer
  if (direction == kClient && find(kClient, ":status").starts_with('1')) {
    // An interim response: the one that counts follows (RFC 9110 section 15.2).
    s.text.shrink(0);
    s.fields.shrink(0);
    s.framing = {};
    return;
  }
  s.has_header = true;
  advance_to(direction, HttpStep::headers);
  if (direction != kServer) return;
  const std::string_view authority = find(kServer, ":authority"), host = find(kServer, "host");
  if (authority.find('@') != std::string_view::npos) raise(Http2Event::userinfo_in_uri);
  if (authority.data() != nullptr && host.data() != nullptr && authority != host)
    raise(Http2Event::authority_host_mismatch);
}

/// The body is the file; its name is what the response says, or the path.
bool Http2Transaction::begin_body(Direction direction) {
  Side& s = side(direction);
  s.has_body = true;
  s.body.emplace(pool_);
  if (!s.body->begin(BodyReader::Kind::until_close, 0,
                     std::min<size_t>(s.framing.codings, limits_.decode_layers)))
    return false;
  std::string_view name = http::parameter_of(find(direction, "content-disposition"), "filename");
  if (!name.empty()) return s.files.open(name);
  PoolBytes path(pool_);
  bool double_encoded = false;
  return http::append_path(http::split_target(find(kServer, ":path"), false).path, path, double_encoded) &&
         s.files.open(as_text(path.view()));
}

bool Http2Transaction::take_data(Direction direction, Bytes& bytes, uint64_t allowance, uint64_t& work) {
  Side& s = side(direction);
  if (s.progress == HttpStep::complete) {
    bytes = {};
    return true;
  }
  if (!s.has_body && !begin_body(direction)) return false;
  advance_to(direction, HttpStep::body);
  Sink sink(s.files);
  const size_t before = bytes.size();
  const BodyReader::Take take =
      s.body->take(bytes, sink, limits_, kWholeBody, std::max<uint64_t>(allowance, 1));
  s.raw_bytes += before - bytes.size();
  work += s.body->work();
  if (s.body->decode_failed()) raise(Http2Event::failed_decompression);
  return take != BodyReader::Take::no_memory;
}

bool Http2Transaction::end(Direction direction, bool truncated) {
  Side& s = side(direction);
  if (s.progress == HttpStep::complete) return true;
  if (s.body) {
    Sink sink(s.files);
    if (!truncated &&
        s.body->finish(sink, limits_, kWholeBody, limits_.work_per_call) == BodyReader::Take::full)
      return false;
    if (s.body->decode_failed()) raise(Http2Event::failed_decompression);
    s.files.close(truncated || s.body->beyond_limit());
    s.body.reset();
  }
  s.progress = HttpStep::complete;
  return true;
}

void Http2Transaction::gap(Direction direction, uint64_t size) { side(direction).files.gap(size); }

void Http2Transaction::judged(BufferId buffer, Direction direction) {
  const bool body =
      buffer == (direction == kServer ? BufferId::http_request_body : BufferId::http_response_body);
  if (body) side(direction).files.judged(BodyWindow::body);
  if (buffer == BufferId::file_data) side(direction).files.judged(BodyWindow::file);
}

bool Http2Transaction::worth_telling() const {
  for (const Direction direction : {kServer, kClient}) {
    if (field_count(direction) > 0) return true;
    for (const NumberId kind :
         {NumberId::http2_setting, NumberId::http2_error_code, NumberId::http2_priority}) {
      if (number(kind, direction, 0)) return true;
    }
  }
  return false;
}

std::optional<uint64_t> Http2Transaction::number(NumberId kind, Direction direction,
                                                 uint32_t instance) const {
  const Side& s = side(direction);
  if (kind == NumberId::file_size)
    return instance < s.files.count() ? std::optional(s.files.file(instance).size) : std::nullopt;
  if (kind == NumberId::http_content_length) {
    const bool there = instance == 0 && s.has_header && s.framing.has_length;
    return there ? std::optional(s.framing.length) : std::nullopt;
  }
  const Bytes all = s.numbers.view();
  for (size_t at = 0; at < all.size(); at += sizeof(Number)) {
    Number number;
    std::memcpy(&number, all.data() + at, sizeof number);
    if (number.kind == kind && instance-- == 0) return number.value;
  }
  return std::nullopt;
}

// --- buffers ---

std::string_view Http2Transaction::authority() const {
  const std::string_view authority = find(kServer, ":authority");
  return authority.data() != nullptr ? authority : find(kServer, "host");
}

/// What `fill` writes, kept as long as no field is added. Without memory the buffer is not there.
template <typename F>
std::optional<BufferView> Http2Transaction::compute(BufferId buffer, Direction direction, uint32_t instance,
                                                    F&& fill) {
  Computed* c = computed_;
  while (c != nullptr && !(c->id == buffer && c->direction == direction && c->instance == instance))
    c = c->next;
  const size_t fields = field_count(direction);
  if (c != nullptr && c->fields == fields) return BufferView{.bytes = c->bytes.view()};
  if (c == nullptr) {
    c = make_in<Computed>(pool_, pool_);
    if (c == nullptr) return std::nullopt;
    c->id = buffer;
    c->direction = direction;
    c->instance = instance;
    c->next = computed_;
    computed_ = c;
  }
  c->bytes.reset();
  c->fields = fields;
  if (!fill(c->bytes)) {
    c->bytes.reset();
    return std::nullopt;
  }
  return BufferView{.bytes = c->bytes.view()};
}

/// A field that comes several times is one value with commas, a cookie's crumbs with semicolons (section
/// 8.2.3).
std::optional<BufferView> Http2Transaction::one_field(BufferId buffer, Direction direction,
                                                      std::string_view name) {
  size_t count = 0;
  std::string_view first;
  for (size_t i = 0; i < field_count(direction); ++i) {
    const Field f = field(direction, i);
    if (!http::equals_nocase(f.name, name)) continue;
    if (count++ == 0) first = f.value;
  }
  if (count == 0) return std::nullopt;
  if (count == 1) return BufferView{.bytes = as_bytes(first)};
  return compute(buffer, direction, 0, [&](PoolBytes& out) {
    for (size_t i = 0; i < field_count(direction); ++i) {
      const Field f = field(direction, i);
      if (!http::equals_nocase(f.name, name)) continue;
      if (!out.empty() && !append(out, name == "cookie" ? "; " : ", ")) return false;
      if (!append(out, f.value)) return false;
    }
    return true;
  });
}

std::optional<BufferView> Http2Transaction::from_fields(BufferId buffer, Direction direction,
                                                        uint32_t instance) {
  const auto lines = [&](PoolBytes& out) {
    for (size_t i = 0; i < field_count(direction); ++i) {
      const Field f = field(direction, i);
      if (!append(out, f.name) || !append(out, ": ") || !append(out, f.value) || !append(out, "\r\n"))
        return false;
    }
    return true;
  };
  const auto first_line = [&](PoolBytes& out) {
    const std::string_view one = direction == kServer ? find(kServer, ":method") : kVersion;
    const std::string_view two = direction == kServer ? find(kServer, ":path") : find(kClient, ":status");
    return append(out, one) && append(out, " ") && append(out, two) &&
           (direction == kClient || (append(out, " ") && append(out, kVersion))) && append(out, "\r\n");
  };
  switch (buffer) {
    case BufferId::http_uri: {
      const std::string_view path = find(kServer, ":path");
      if (path.data() == nullptr) return std::nullopt;
      return compute(buffer, direction, 0, [&](PoolBytes& out) {
        bool double_encoded = false;
        return http::append_uri(http::split_target(path, false), out, double_encoded);
      });
    }
    case BufferId::http_host:
      if (authority().data() == nullptr) return std::nullopt;
      return compute(buffer, direction, 0, [&](PoolBytes& out) {
        return http::append_host(http::split_authority(authority()).host, out);
      });
    case BufferId::http_host_raw:
      return whole(authority());
    case BufferId::http_header:
    case BufferId::http_header_raw:
      return compute(BufferId::http_header, direction, 0, lines);
    case BufferId::http_header_names:
      return compute(buffer, direction, 0, [&](PoolBytes& out) {
        for (size_t i = 0; i < field_count(direction); ++i) {
          if (!append(out, "\r\n") || !append(out, field(direction, i).name)) return false;
        }
        return append(out, "\r\n\r\n");
      });
    case BufferId::http_request_line:
    case BufferId::http_response_line:
      return compute(buffer, direction, 0, first_line);
    case BufferId::http_start:
      return compute(buffer, direction, 0,
                     [&](PoolBytes& out) { return first_line(out) && lines(out) && append(out, "\r\n"); });
    case BufferId::http_request_header:
    case BufferId::http_response_header:
    case BufferId::http2_header:
      if (instance >= field_count(direction)) return std::nullopt;
      return compute(BufferId::http2_header, direction, instance, [&](PoolBytes& out) {
        const Field f = field(direction, instance);
        return append(out, f.name) && append(out, ": ") && append(out, f.value);
      });
    case BufferId::http2_header_name:
      if (instance >= field_count(direction)) return std::nullopt;
      return BufferView{.bytes = as_bytes(field(direction, instance).name)};
    default:
      return std::nullopt;
  }
}

std::optional<BufferView> Http2Transaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  const BufferInfo& info = info_of(buffer);
  const Side& s = side(direction);
  if (buffer == BufferId::weir_app && instance == 0) {
    const std::string_view label = name_of(label_of(*this, direction));
    return label.empty() ? std::nullopt : whole(label);
  }
  const bool file =
      buffer == BufferId::file_data || buffer == BufferId::file_name || buffer == BufferId::file_magic;
  if (!file && info.protocol != AppProtocol::http1 && info.protocol != AppProtocol::http2)
    return std::nullopt;
  if (info.direction != BufferDirection::either &&
      (info.direction == BufferDirection::to_server) != (direction == kServer))
    return std::nullopt;
  if (info.kind != BufferKind::list && instance > 0) return std::nullopt;
  if (buffer == BufferId::file_name) return s.files.name(instance);
  if (buffer == BufferId::file_magic) return s.files.magic(instance);
  if (s.progress < info.step) return std::nullopt;
  // What every stream has, whether or not fields came.
  if (buffer == BufferId::http_protocol) return whole(kVersion);
  if (buffer == BufferId::http_stat_msg) return BufferView{};
  if (info.kind == BufferKind::grows) return s.files.data(file ? BodyWindow::file : BodyWindow::body);
  if (!s.has_header) return std::nullopt;
  if (const std::string_view name = field_of(buffer, direction); !name.empty())
    return one_field(buffer, direction, name);
  return from_fields(buffer, direction, instance);
}

}  // namespace weir::inspection
