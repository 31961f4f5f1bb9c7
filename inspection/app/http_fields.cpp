// Views of a request's parts as rules see them.
#include <algorithm>
#include <cstring>

#include "inspection/app/http_request.h"
#include "inspection/app/http_text.h"

namespace weir::inspection {

namespace {

size_t put(std::span<uint8_t> out, size_t at, std::string_view text) {
  const size_t size = std::min(text.size(), out.size() - at);
  if (size > 0) std::memcpy(out.data() + at, text.data(), size);
  return at + size;
}

/// Takes the first line, its CRLF included.
std::string_view take_line(std::string_view& lines) {
  const size_t end = std::min(lines.find('\n'), lines.size() - 1) + 1;
  const std::string_view line = lines.substr(0, end);
  lines.remove_prefix(end);
  return line;
}

std::string_view name_of(std::string_view line) { return trim(line.substr(0, line.find(':'))); }

std::string_view strip_origin(std::string_view uri) {
  const size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos || uri.find_first_of("/?#") != scheme + 1) return uri;
  const size_t path = uri.find_first_of("/?#", scheme + 3);
  return path == std::string_view::npos ? std::string_view("/") : uri.substr(path);
}

}  // namespace

size_t normalise_uri(std::string_view raw, std::span<uint8_t> out) {
  const std::string_view uri = strip_origin(raw);
  size_t size = 0;
  for (size_t i = 0; i < uri.size() && size < out.size(); ++i) {
    const int high = uri[i] == '%' && i + 2 < uri.size() ? hex_value(uri[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(uri[i + 2]) : -1;
    if (low < 0) {
      out[size++] = static_cast<uint8_t>(uri[i]);
    } else {
      out[size++] = static_cast<uint8_t>(high << 4 | low);
      i += 2;
    }
  }
  return size;
}

size_t header_values(std::string_view header_lines, std::string_view name, std::span<uint8_t> out) {
  size_t size = 0;
  while (!header_lines.empty()) {
    const std::string_view line = take_line(header_lines);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equals_nocase(name_of(line), name)) continue;
    if (size > 0) size = put(out, size, ", ");
    size = put(out, size, trim(line.substr(colon + 1, line.size() - colon - 3)));
  }
  return size;
}

size_t headers_without_cookies(std::string_view header_lines, std::span<uint8_t> out) {
  size_t size = 0;
  while (!header_lines.empty()) {
    const std::string_view line = take_line(header_lines);
    if (!equals_nocase(name_of(line), "cookie")) size = put(out, size, line);
  }
  return size;
}

size_t normalise_host(std::span<uint8_t> host) {
  size_t size = host.size();
  // "name:port" or "[v6]:port"; a bare v6 address has more than one colon and keeps them.
  const auto colon = std::find(host.rbegin(), host.rend(), ':');
  if (colon != host.rend()) {
    const auto at = static_cast<size_t>(host.rend() - colon) - 1;
    const bool bracketed = at > 0 && host[at - 1] == ']';
    const bool single = std::find(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(at), ':') ==
                        host.begin() + static_cast<std::ptrdiff_t>(at);
    if (bracketed || single) size = at;
  }
  for (size_t i = 0; i < size; ++i) host[i] = static_cast<uint8_t>(lower(static_cast<char>(host[i])));
  return size;
}

}  // namespace weir::inspection
