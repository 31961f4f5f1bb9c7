#include "inspection/app/labels/proxy_header.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace weir::inspection {

namespace {

using Answer = ProxyHeader::Answer;
using Bytes = std::span<const uint8_t>;

/// "PROXY TCP4 192.0.2.1 192.0.2.2 1024 443\r\n" (section 2.1).
ProxyHeader read_v1(Bytes bytes) {
  constexpr std::string_view kBegin = "PROXY ";
  constexpr size_t kLongest = 107;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kLongest));
  const size_t known = std::min(text.size(), kBegin.size());
  if (text.substr(0, known) != kBegin.substr(0, known)) return {};
  const size_t end = text.find("\r\n");
  if (end == text.npos) return {bytes.size() < kLongest ? Answer::more : Answer::no, 0};
  const std::string_view family = text.substr(0, end).substr(std::min(end, kBegin.size()));
  const bool known_family =
      family.starts_with("TCP4 ") || family.starts_with("TCP6 ") || family.starts_with("UNKNOWN");
  return known_family ? ProxyHeader{Answer::yes, end + 2} : ProxyHeader{};
}

/// Twelve bytes of signature, version and command, family, length (section 2.2).
ProxyHeader read_v2(Bytes bytes) {
  constexpr std::array<uint8_t, 12> kSignature = {'\r', '\n', '\r', '\n', 0,   '\r',
                                                  '\n', 'Q',  'U',  'I',  'T', '\n'};
  constexpr size_t kFixed = 16;
  const size_t known = std::min(bytes.size(), kSignature.size());
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(known), kSignature.begin()))
    return {};
  if (bytes.size() > 12 && (bytes[12] >> 4) != 2) return {};
  if (bytes.size() < kFixed) return {Answer::more, 0};
  const size_t size = kFixed + (static_cast<size_t>(bytes[14]) << 8 | bytes[15]);
  if (size > kMostOfV2) return {};
  return {bytes.size() < size ? Answer::more : Answer::yes, bytes.size() < size ? 0 : size};
}

}  // namespace

ProxyHeader read_proxy_header(Bytes bytes) {
  if (bytes.empty()) return {Answer::more, 0};
  return bytes[0] == 'P' ? read_v1(bytes) : bytes[0] == '\r' ? read_v2(bytes) : ProxyHeader{};
}

}  // namespace weir::inspection
