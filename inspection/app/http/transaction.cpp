#include "inspection/app/http/transaction.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "inspection/app/http/buffer_fields.h"
#include "inspection/app/http/uri.h"
#include "inspection/app/labels/app_label.h"

namespace weir::inspection {

using http::append;
using http::as_bytes;
using http::as_text;
using http::BodyWindow;
using http::field_of;
using http::MessageHead;
using http::whole;

namespace {

/// The values of all fields named like the one at `index`, the first of them, joined by ", ".
bool append_joined(const MessageHead& head, size_t index, PoolBytes& out) {
  if (!append(out, head.field(index).value)) return false;
  while ((index = head.next_of_name(index)) != 0) {
    if (!append(out, ", ") || !append(out, head.field(index).value)) return false;
  }
  return true;
}

/// "Name: value" of each name, its values joined. What stands so in the head is copied in one piece.
bool append_fields(const MessageHead& head, std::string_view without, PoolBytes& out) {
  const char* run = nullptr;
  size_t run_size = 0;
  const auto end_run = [&] {
    const bool done = run_size == 0 || append(out, {run, run_size});
    run_size = 0;
    return done;
  };
  const size_t left_out = without.empty() ? head.field_count() : head.index_of(without);
  if (!out.reserve(std::min(out.size() + head.raw_fields().size() + 2, BytePool::kLargest))) return false;
  for (size_t i = 0; i < head.field_count(); ++i) {
    if (i == left_out || head.came_before(i)) continue;
    if (head.is_plain(i)) {
      const std::string_view field = head.plain_field(i);
      if (run + run_size != field.data()) {
        if (!end_run()) return false;
        run = field.data();
      }
      run_size += field.size();
      continue;
    }
    if (!end_run() || !append(out, head.field(i).name) || !append(out, ": ") ||
        !append_joined(head, i, out) || !append(out, "\r\n"))
      return false;
  }
  return end_run();
}

/// The names, each once, CRLF around each and two at the end.
bool append_names(const MessageHead& head, PoolBytes& out) {
  constexpr std::string_view kEnd = "\r\n";
  std::array<char, 1'024> line;  // a portion of them
  size_t size = 0;
  const auto put = [&](std::string_view text) {
    if (text.size() > line.size() - size) {
      if (!append(out, {line.data(), size})) return false;
      size = 0;
      if (text.size() > line.size()) return append(out, text);
    }
    std::copy(text.begin(), text.end(), line.data() + size);
    size += text.size();
    return true;
  };
  if (!put(kEnd)) return false;
  for (size_t i = 0; i < head.field_count(); ++i) {
    if (head.came_before(i)) continue;
    if (!put(head.field(i).name) || !put(kEnd)) return false;
  }
  return put(kEnd) && append(out, {line.data(), size});
}

}  // namespace

HttpTransaction::HttpTransaction(BytePool& pool, const HttpLimits& limits) noexcept
    : pool_(pool),
      limits_(limits),
      sides_{Side(pool, Direction::to_server), Side(pool, Direction::to_client)} {}

HttpTransaction::~HttpTransaction() {
  drop_computed();
  destroy_in(pool_, form_);
  for (Side& side : sides_) destroy_in(pool_, side.hash);
}

void HttpTransaction::drop_computed() {
  while (computed_ != nullptr) {
    Computed* const next = computed_->next;
    destroy_in(pool_, computed_);
    computed_ = next;
  }
}

std::string_view HttpTransaction::part(Direction direction, size_t index) const {
  const Part& p = side(direction).parts[index];
  if (!p.there) return {};
  return side(direction).head.first_line().substr(p.at, p.size);
}

http::Target HttpTransaction::target() const { return http::split_target(raw_uri(), is_connect_); }

HttpTransaction::Computed* HttpTransaction::find_computed(BufferId buffer, Direction direction,
                                                          uint32_t instance) {
  Computed* c = computed_;
  while (c != nullptr && !(c->id == buffer && c->direction == direction && c->instance == instance))
    c = c->next;
  return c;
}

/// What `fill` writes, kept. Without memory the buffer is not there; the parser counts that at its next call.
template <typename F>
std::optional<BufferView> HttpTransaction::compute(BufferId buffer, Direction direction, uint32_t instance,
                                                   F&& fill) {
  Computed* c = find_computed(buffer, direction, instance);
  if (c == nullptr) {
    c = make_in<Computed>(pool_, pool_);
    if (c == nullptr) return std::nullopt;
    if (!fill(c->bytes)) {
      destroy_in(pool_, c);
      return std::nullopt;
    }
    c->id = buffer;
    c->direction = direction;
    c->instance = instance;
    c->next = computed_;
    computed_ = c;
  }
  return BufferView{.bytes = c->bytes.view()};
}

std::optional<BufferView> HttpTransaction::from_line(BufferId buffer, Direction direction) {
  const bool to_server = direction == Direction::to_server;
  switch (buffer) {
    case BufferId::http_method:
      return whole(method());
    case BufferId::http_uri_raw:
      return whole(raw_uri());
    case BufferId::http_request_line:
      return has_request_ ? whole(side(Direction::to_server).head.first_line()) : std::nullopt;
    case BufferId::http_response_line:
      return has_response_ ? whole(side(Direction::to_client).head.first_line()) : std::nullopt;
    case BufferId::http_protocol:
      return whole(to_server ? request_protocol() : response_protocol());
    case BufferId::http_stat_code:
      return whole(status_text());
    case BufferId::http_stat_msg:
      return whole(status_message());
    case BufferId::http_uri:
      if (raw_uri().data() == nullptr) return std::nullopt;
      if (is_connect_ || http::is_plain_uri(raw_uri())) return whole(raw_uri());
      return compute(buffer, Direction::to_server, 0, [&](PoolBytes& out) {
        bool double_encoded = false;
        return http::append_uri(target(), out, double_encoded);
      });
    default:
      return std::nullopt;
  }
}

std::optional<BufferView> HttpTransaction::one_field(std::string_view name, BufferId buffer,
                                                     Direction direction) {
  const MessageHead& head = side(direction).head;
  const size_t index = head.index_of(name);
  if (index == head.field_count()) return std::nullopt;
  if (!head.repeated()) {
    const std::string_view value = head.field(index).value;
    return whole(value.data() == nullptr ? std::string_view("") : value);
  }
  return compute(buffer, direction, 0, [&](PoolBytes& out) { return append_joined(head, index, out); });
}

std::optional<BufferView> HttpTransaction::from_fields(BufferId buffer, Direction direction,
                                                       uint32_t instance) {
  const MessageHead& head = side(direction).head;
  if (const std::string_view name = field_of(buffer, direction); !name.empty()) {
    return one_field(name, buffer, direction);
  }
  switch (buffer) {
    case BufferId::http_host: {
      const http::Target t = target();
      const std::string_view host = t.authority.empty() ? head.find("host") : t.authority;
      if (http::is_plain_host(host)) return whole(host);
      return compute(buffer, direction, 0,
                     [&](PoolBytes& out) { return host.data() != nullptr && http::append_host(host, out); });
    }
    case BufferId::http_host_raw: {
      const http::Target t = target();
      if (!t.authority.empty()) return whole(http::split_authority(t.authority).host);
      return one_field("host", buffer, direction);
    }
    case BufferId::http_header: {
      if (head.field_count() == 0) return std::nullopt;
      const std::string_view cookie = direction == Direction::to_server ? "cookie" : "set-cookie";
      if (!head.has(cookie) && head.all_plain())
        return BufferView{.bytes = head.raw_fields().first(head.raw_fields().size() - 2)};
      return compute(buffer, direction, 0, [&](PoolBytes& out) { return append_fields(head, cookie, out); });
    }
    case BufferId::http_header_raw:
      if (head.raw_fields().empty()) return std::nullopt;
      return BufferView{.bytes = head.raw_fields()};
    case BufferId::http_header_names:
      if (head.field_count() == 0) return std::nullopt;
      return compute(buffer, direction, 0, [&](PoolBytes& out) { return append_names(head, out); });
    case BufferId::http_start:
      if (head.all_plain()) return BufferView{.bytes = head.raw()};
      return compute(buffer, direction, 0, [&](PoolBytes& out) {
        return append(out, head.first_line()) && append(out, "\r\n") && append_fields(head, {}, out) &&
               append(out, "\r\n");
      });
    case BufferId::http_request_header:
    case BufferId::http_response_header:
      return nth_field(buffer, direction, instance);
    default:
      return std::nullopt;
  }
}

/// "Name: value" of one field. All are made at once, so that a thousand of them cost no more each than a few.
std::optional<BufferView> HttpTransaction::nth_field(BufferId buffer, Direction direction,
                                                     uint32_t instance) {
  const MessageHead& head = side(direction).head;
  if (instance >= head.field_count()) return std::nullopt;
  constexpr uint32_t kLines = 0, kEnds = 1;
  const auto lines = compute(buffer, direction, kLines, [&](PoolBytes& out) {
    for (size_t i = 0; i < head.field_count(); ++i) {
      const MessageHead::Field f = head.field(i);
      if (!append(out, f.name) || !append(out, ": ") || !append(out, f.value)) return false;
    }
    return true;
  });
  const auto ends = compute(buffer, direction, kEnds, [&](PoolBytes& out) {
    uint32_t end = 0;
    for (size_t i = 0; i < head.field_count(); ++i) {
      const MessageHead::Field f = head.field(i);
      end += static_cast<uint32_t>(f.name.size() + 2 + f.value.size());
      if (!out.append({reinterpret_cast<const uint8_t*>(&end), sizeof end})) return false;
    }
    return true;
  });
  if (!lines || !ends) return std::nullopt;
  const auto end_of = [&](uint32_t i) {
    uint32_t end = 0;
    std::memcpy(&end, ends->bytes.data() + i * sizeof end, sizeof end);
    return end;
  };
  const uint32_t begin = instance == 0 ? 0 : end_of(instance - 1);
  return BufferView{.bytes = lines->bytes.subspan(begin, end_of(instance) - begin)};
}

std::optional<BufferView> HttpTransaction::body_view(BufferId buffer, Direction direction) const {
  const Side& s = side(direction);
  if (buffer == BufferId::file_data && form_ != nullptr && direction == Direction::to_server) {
    if (!form_->has_file) return std::nullopt;
    return form_->window.view(BodyWindow::file);
  }
  if (s.body.total() == 0) return std::nullopt;
  return s.body.view(buffer == BufferId::file_data ? BodyWindow::file : BodyWindow::body);
}

std::optional<BufferView> HttpTransaction::file_name_view(Direction direction, uint32_t instance) const {
  if (instance >= file_count(direction)) return std::nullopt;
  const FileEntry entry = file_entry(direction, instance);
  return whole(as_text(side(direction).names.view()).substr(entry.name_at, entry.name_size));
}

std::optional<BufferView> HttpTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  const BufferInfo& info = info_of(buffer);
  const Side& s = side(direction);
  if (buffer == BufferId::weir_app && instance == 0) {
    const std::string_view label = name_of(label_of(*this, direction));
    return label.empty() ? std::nullopt : whole(label);
  }
  const bool listed = buffer == BufferId::file_name || buffer == BufferId::file_magic;  // by file
  if (info.protocol != AppProtocol::http1 && buffer != BufferId::file_data && !listed) return std::nullopt;
  if (info.direction != BufferDirection::either &&
      (info.direction == BufferDirection::to_server) != (direction == Direction::to_server)) {
    return std::nullopt;
  }
  if (!(direction == Direction::to_server ? has_request_ : has_response_)) {
    // A body may come without a head (HTTP/0.9, a stream picked up in the middle).
    if (info.kind != BufferKind::grows && !listed) return std::nullopt;
  }
  if (s.progress < info.step && !listed) return std::nullopt;
  if (info.kind != BufferKind::list && instance > 0) return std::nullopt;
  if (buffer == BufferId::file_name) return file_name_view(direction, instance);
  if (buffer == BufferId::file_magic) return s.magics.buffer(instance);
  if (info.kind == BufferKind::grows) return body_view(buffer, direction);
  return info.step == HttpStep::line ? from_line(buffer, direction)
                                     : from_fields(buffer, direction, instance);
}

std::optional<uint64_t> HttpTransaction::number(NumberId number, Direction direction,
                                                uint32_t instance) const {
  const Side& s = side(direction);
  if (number == NumberId::http_content_length && instance == 0) {
    const http::Framing& framing = s.head.framing();
    if (s.progress >= HttpStep::headers && framing.has_length) return framing.length;
  } else if (number == NumberId::file_size && instance < file_count(direction)) {
    return file(direction, instance).size;
  }
  return std::nullopt;
}

std::optional<std::span<const uint8_t>> HttpTransaction::file_digest(FileDigest kind, Direction direction,
                                                                     uint32_t instance) {
  if (instance >= file_count(direction)) return std::nullopt;
  const FileEntry entry = file_entry(direction, instance);
  if (entry.state != HttpFile::State::closed || (entry.hashes & 1U << static_cast<unsigned>(kind)) == 0)
    return std::nullopt;
  const size_t at = instance * sizeof(FileEntry) + offsetof(FileEntry, digests);
  const std::span<const uint8_t> digests = side(direction).files.view().subspan(at);
  switch (kind) {
    case FileDigest::md5:
      return digests.subspan(offsetof(http::FileDigests, md5), entry.digests.md5.size());
    case FileDigest::sha1:
      return digests.subspan(offsetof(http::FileDigests, sha1), entry.digests.sha1.size());
    case FileDigest::sha256:
      return digests.subspan(offsetof(http::FileDigests, sha256), entry.digests.sha256.size());
  }
  return std::nullopt;
}

void HttpTransaction::judged(BufferId buffer, Direction direction) {
  if (buffer == BufferId::file_data && form_ != nullptr && direction == Direction::to_server) {
    form_->window.judged(BodyWindow::file);
  } else if (buffer == BufferId::file_data) {
    side(direction).body.judged(BodyWindow::file);
  } else if (buffer == BufferId::http_request_body || buffer == BufferId::http_response_body) {
    side(direction).body.judged(BodyWindow::body);
  }
}

std::string_view HttpTransaction::hostname() {
  const std::optional<BufferView> host =
      has_request_ ? from_fields(BufferId::http_host, Direction::to_server, 0) : std::nullopt;
  return host ? as_text(host->bytes) : std::string_view();
}

uint16_t HttpTransaction::host_port() const {
  const http::Target t = target();
  const std::string_view host = t.authority.empty() ? field(Direction::to_server, "host") : t.authority;
  if (http::is_plain_host(host)) return 0;
  const std::string_view port = http::split_authority(host).port;
  unsigned value = 0;
  for (const char c : port) {
    if (!http::is_digit(c) || (value = value * 10 + static_cast<unsigned>(c - '0')) > UINT16_MAX) return 0;
  }
  return static_cast<uint16_t>(value);
}

std::string_view HttpTransaction::uri() {
  const std::optional<BufferView> view = from_line(BufferId::http_uri, Direction::to_server);
  return view ? as_text(view->bytes) : std::string_view();
}

size_t HttpTransaction::file_count(Direction direction) const {
  return side(direction).files.size() / sizeof(FileEntry);
}

HttpTransaction::FileEntry HttpTransaction::file_entry(Direction direction, size_t index) const {
  FileEntry entry;
  std::memcpy(&entry, side(direction).files.view().data() + index * sizeof entry, sizeof entry);
  return entry;
}

void HttpTransaction::put_file(Direction direction, size_t index, const FileEntry& entry) {
  std::memcpy(side(direction).files.bytes().data() + index * sizeof entry, &entry, sizeof entry);
}

HttpFile HttpTransaction::file(Direction direction, size_t index) const {
  const FileEntry entry = file_entry(direction, index);
  return {.name = as_text(side(direction).names.view()).substr(entry.name_at, entry.name_size),
          .size = entry.size,
          .state = entry.state,
          .gaps = entry.gaps,
          .hashes = entry.hashes,
          .digests = entry.digests,
          .magic = side(direction).magics.text(index),
          .awaits_magic = side(direction).magics.waits(index)};
}

}  // namespace weir::inspection
