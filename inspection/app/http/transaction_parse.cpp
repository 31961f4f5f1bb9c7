// What the first lines and fields of an exchange say, and what is odd about them.
#include <algorithm>

#include "inspection/app/http/transaction.h"
#include "inspection/app/http/uri.h"

namespace weir::inspection {

using http::as_bytes;
using http::as_text;
using http::is_space;

namespace {

bool is_http_version(std::string_view text) {
  return text.size() == 8 && http::starts_nocase(text, "http/1.") && http::is_digit(text[7]);
}

}  // namespace

/// METHOD SP target SP protocol, with any white space between (RFC 9112 3; libhtp's generic reading).
void HttpTransaction::parse_request_line() {
  const std::string_view line = side(Direction::to_server).head.first_line();
  auto& parts = side(Direction::to_server).parts;
  const auto set = [&](size_t index, size_t begin, size_t end) {
    parts[index] = {static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin), true};
  };
  const auto skip = [&](size_t at, bool space, HttpEvent event) {
    while (at < line.size() && is_space(line[at]) == space) {
      if (space && line[at] != ' ') raise(event);
      ++at;
    }
    return at;
  };
  has_request_ = true;
  size_t at = skip(0, true, HttpEvent::request_line_leading_whitespace);
  if (at > 0) raise(HttpEvent::request_line_leading_whitespace);
  size_t end = skip(at, false, HttpEvent::method_delim_non_compliant);
  set(0, at, end);
  if (!std::all_of(line.begin() + static_cast<std::ptrdiff_t>(at),
                   line.begin() + static_cast<std::ptrdiff_t>(end), http::is_token)) {
    raise(HttpEvent::request_line_invalid);
  }
  is_head_ = method() == "HEAD";
  is_connect_ = method() == "CONNECT";
  at = skip(end, true, HttpEvent::method_delim_non_compliant);
  if (at == line.size()) {
    raise(HttpEvent::request_line_incomplete);
    old_protocol_ = true;
    return;
  }
  // The target ends at a space; other white space ends it only where no space does.
  end = std::min(line.find(' ', at), line.size());
  if (end == line.size()) {
    const size_t other = skip(at, false, HttpEvent::uri_delim_non_compliant);
    if (other < line.size() && !http::trim(line.substr(other)).empty()) {
      raise(HttpEvent::uri_delim_non_compliant);
      end = other;
    }
  }
  set(1, at, at + http::trim_end(line.substr(at, end - at)).size());
  const std::string_view rest = http::trim(line.substr(end));
  if (rest.empty()) {
    old_protocol_ = true;
    return;
  }
  const auto begin = static_cast<size_t>(rest.data() - line.data());
  set(2, begin, begin + rest.size());
  if (!is_http_version(rest)) raise(HttpEvent::request_line_invalid);
}

/// Protocol, code, message; the message may be missing, the code too.
void HttpTransaction::parse_response_line() {
  const std::string_view line = side(Direction::to_client).head.first_line();
  auto& parts = side(Direction::to_client).parts;
  size_t at = 0;
  const auto skip = [&](bool space) {
    while (at < line.size() && is_space(line[at]) == space) ++at;
  };
  has_response_ = true;
  status_ = 0;
  for (Part& p : parts) p = {};
  const auto take = [&](Part& part, size_t begin, size_t end) {
    part = {static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin), true};
  };
  skip(true);
  size_t begin = at;
  skip(false);
  take(parts[0], begin, at);
  if (!is_http_version(response_protocol())) raise(HttpEvent::response_invalid_protocol);
  skip(true);
  begin = at;
  skip(false);
  if (begin < at) take(parts[1], begin, at);
  const std::string_view code = status_text();
  const bool number =
      !code.empty() && code.size() <= 3 && std::all_of(code.begin(), code.end(), http::is_digit);
  if (number) {
    for (const char c : code) status_ = status_ * 10 + static_cast<unsigned>(c - '0');
  }
  if (!number || code.size() != 3 || status_ < 100) raise(HttpEvent::response_invalid_status);
  skip(true);
  const std::string_view message = http::trim_end(line.substr(at));
  if (!message.empty()) take(parts[2], at, at + message.size());
}

void HttpTransaction::check_request() {
  const http::MessageHead& head = side(Direction::to_server).head;
  check_fields(Direction::to_server);
  const http::Target t = target();
  const std::string_view host = head.find("host");
  if (host.data() == nullptr) {
    if (http::equals_nocase(request_protocol(), "http/1.1")) raise(HttpEvent::missing_host_header);
  } else if (!http::valid_host(http::split_authority(host).host)) {
    raise(HttpEvent::request_header_host_invalid);
  }
  if (!t.authority.empty()) {
    const std::string_view name = http::split_authority(t.authority).host;
    if (!http::valid_host(name)) raise(HttpEvent::request_uri_host_invalid);
    const std::string_view said = http::split_authority(host).host;
    const bool same = said.size() == name.size() &&
                      std::equal(said.begin(), said.end(), name.begin(),
                                 [](char a, char b) { return http::lower(a) == http::lower(b); });
    if (host.data() != nullptr && !same) raise(HttpEvent::host_header_ambiguous);
  }
  const std::string_view authorization = head.find("authorization");
  if (!authorization.empty()) {
    const std::string_view scheme = authorization.substr(0, authorization.find(' '));
    const auto known = {"basic", "digest", "bearer"};
    if (std::none_of(known.begin(), known.end(),
                     [&](const char* name) { return http::equals_nocase(scheme, name); })) {
      raise(HttpEvent::request_auth_unrecognized);
    }
  }
  // Told here, so that it does not hang on somebody asking for the buffer.
  PoolBytes path(pool_);
  bool double_encoded = false;
  if (raw_uri().find("%25") != std::string_view::npos && http::append_path(t.path, path, double_encoded) &&
      double_encoded) {
    raise(HttpEvent::double_encoded_uri);
  }
}

void HttpTransaction::check_fields(Direction direction) {
  const http::MessageHead& head = side(direction).head;
  const http::Framing& framing = head.framing();
  if (head.missing_colon()) {
    raise(direction, HttpEvent::request_field_missing_colon, HttpEvent::response_field_missing_colon);
  }
  if (head.bad_folding()) {
    raise(direction, HttpEvent::invalid_request_field_folding, HttpEvent::invalid_response_field_folding);
  }
  if (head.invalid_name()) {
    raise(direction, HttpEvent::request_header_invalid, HttpEvent::response_header_invalid);
  }
  if (head.repeated()) {
    // Not every repetition is odd: only those that go on and on.
    size_t again = 0;
    for (size_t i = 0; i < head.field_count(); ++i) again += head.came_before(i) ? 1 : 0;
    if (again > 64) {
      raise(direction, HttpEvent::request_header_repetition, HttpEvent::response_header_repetition);
    }
  }
  if (framing.length_invalid) {
    raise(direction, HttpEvent::invalid_request_content_length, HttpEvent::invalid_response_content_length);
  }
  if (framing.length_repeated) {
    raise(direction, HttpEvent::duplicate_request_content_length,
          HttpEvent::duplicate_response_content_length);
  }
  if (framing.chunked_odd || (framing.chunked && framing.has_length && direction == Direction::to_server)) {
    raise(direction, HttpEvent::invalid_request_transfer_encoding,
          HttpEvent::invalid_response_transfer_encoding);
    if (direction == Direction::to_client && framing.chunked)
      raise(HttpEvent::response_abnormal_transfer_encoding);
  }
  if (framing.encoding_abnormal || framing.coding_refused) raise(HttpEvent::abnormal_content_encoding);
  if (framing.codings > limits_.decode_layers) raise(HttpEvent::too_many_encoding_layers);
  if (direction == Direction::to_client && framing.chunked && response_protocol().size() == 8 &&
      response_protocol()[7] == '0') {
    raise(HttpEvent::response_chunked_old_proto);
  }
}

bool HttpTransaction::add_file(Direction direction, std::string_view name) {
  Side& s = side(direction);
  FileEntry entry;
  entry.name_at = static_cast<uint32_t>(s.names.size());
  entry.name_size = static_cast<uint32_t>(name.size());
  destroy_in(pool_, std::exchange(s.hash, nullptr));
  entry.hashes = limits_.file_hashes;
  if (limits_.file_hashes != 0 && (s.hash = make_in<http::FileHash>(pool_, limits_.file_hashes)) == nullptr)
    return false;
  s.magics.open(file_count(direction), pool_, files_awaited[static_cast<size_t>(direction)], limits_);
  return s.names.append(as_bytes(name)) &&
         s.files.append({reinterpret_cast<const uint8_t*>(&entry), sizeof entry});
}

void HttpTransaction::add_to_file(Direction direction, std::span<const uint8_t> bytes) {
  if (file_count(direction) == 0) return;
  const size_t index = file_count(direction) - 1;
  FileEntry entry = file_entry(direction, index);
  if (entry.state != HttpFile::State::open) return;  // one more than are told apart
  entry.size += bytes.size();
  put_file(direction, index, entry);
  if (side(direction).hash != nullptr && !entry.gaps) side(direction).hash->update(bytes);
  side(direction).magics.add(bytes, limits_);
}

void HttpTransaction::gap_in_file(Direction direction, uint64_t size) {
  if (file_count(direction) == 0) return;
  const size_t index = file_count(direction) - 1;
  FileEntry entry = file_entry(direction, index);
  if (entry.state != HttpFile::State::open) return;
  entry.gaps = true;
  side(direction).magics.end(limits_);
  entry.size += size;
  put_file(direction, index, entry);
}

void HttpTransaction::close_file(Direction direction, bool truncated) {
  if (file_count(direction) == 0) return;
  const size_t index = file_count(direction) - 1;
  FileEntry entry = file_entry(direction, index);
  if (entry.state != HttpFile::State::open) return;
  entry.state = truncated || entry.gaps ? HttpFile::State::truncated : HttpFile::State::closed;
  if (side(direction).hash != nullptr) entry.digests = side(direction).hash->finish();
  destroy_in(pool_, std::exchange(side(direction).hash, nullptr));
  side(direction).magics.end(limits_);
  put_file(direction, index, entry);
}

/// Named after the path, when nobody said a name.
bool HttpTransaction::add_file_of_path(Direction direction) {
  const std::string_view as_sent = target().path;
  if (http::is_plain_uri(as_sent)) return add_file(direction, as_sent);
  PoolBytes path(pool_);
  bool double_encoded = false;
  return http::append_path(as_sent, path, double_encoded) && add_file(direction, as_text(path.view()));
}

bool HttpTransaction::name_response_file() {
  const std::string_view disposition = field(Direction::to_client, "content-disposition");
  const std::string_view name = http::parameter_of(disposition, "filename");
  if (!name.empty()) return add_file(Direction::to_client, name);
  return add_file_of_path(Direction::to_client);
}

}  // namespace weir::inspection
