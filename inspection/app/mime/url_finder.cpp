#include "inspection/app/mime/url_finder.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

struct Scheme {
  std::string_view name;
  UrlScheme bit;
};
constexpr Scheme kSchemes[] = {
    {"https", kUrlHttps}, {"http", kUrlHttp}, {"ftp", kUrlFtp}, {"mailto", kUrlMailto}};
constexpr std::string_view kBehind = "://";

bool ends_url(uint8_t c) {
  return c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == ']' || c == 0x7f;
}

bool ends_nocase(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && http::equals_nocase(text.substr(text.size() - word.size()), word);
}

}  // namespace

bool UrlFinder::take(Bytes text) {
  while (!text.empty()) {
    const void* const at = std::memchr(text.data(), '\n', text.size());
    const size_t size =
        at == nullptr ? text.size() : static_cast<size_t>(static_cast<const uint8_t*>(at) - text.data()) + 1;
    const bool ends = at != nullptr;
    if (line_.empty() && (ends || size >= kLine)) {
      if (!search(text.first(size))) return false;
    } else {
      if (!line_.append(text.first(std::min(size, kLine)))) return false;
      if (ends || line_.size() >= kLine) {
        if (!search(line_.view())) return false;
        line_.shrink(0);
      }
    }
    text = text.subspan(size);
  }
  return true;
}

bool UrlFinder::finish() {
  const bool ok = search(line_.view());
  line_.reset();
  return ok;
}

bool UrlFinder::search(Bytes line) {
  const std::string_view text = http::as_text(line);
  size_t from = 0;
  for (size_t at = text.find(kBehind); at != std::string_view::npos; at = text.find(kBehind, from)) {
    const std::string_view before = text.substr(from, at - from);
    const size_t behind = at + kBehind.size();
    size_t end = behind;
    while (end < line.size() && !ends_url(line[end])) ++end;
    const auto scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                     [&](const Scheme& s) { return ends_nocase(before, s.name); });
    if (scheme == std::end(kSchemes) || (settings_.url_schemes & scheme->bit) == 0) {
      from = behind;  // another may stand inside of it
      continue;
    }
    const size_t begin = settings_.url_with_scheme ? at - scheme->name.size() : behind;
    if (!keep(line.subspan(begin, end - begin))) return false;
    from = end;
  }
  return true;
}

bool UrlFinder::keep(Bytes url) {
  if (count() >= kMost || text_.size() + url.size() > BytePool::kLargest) return true;
  if (!text_.append(url)) return false;
  const auto end = static_cast<uint32_t>(text_.size());
  return ends_.append({reinterpret_cast<const uint8_t*>(&end), sizeof end});
}

uint32_t UrlFinder::end_of(size_t index) const {
  uint32_t end = 0;
  std::memcpy(&end, ends_.view().data() + index * sizeof end, sizeof end);
  return end;
}

Bytes UrlFinder::url(size_t index) const {
  const uint32_t begin = index == 0 ? 0 : end_of(index - 1);
  return text_.view().subspan(begin, end_of(index) - begin);
}

}  // namespace weir::inspection
