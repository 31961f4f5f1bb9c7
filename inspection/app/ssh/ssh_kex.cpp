#include "inspection/app/ssh/ssh_kex.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "inspection/app/byte_cursor.h"

namespace weir::inspection {

using Bytes = std::span<const uint8_t>;

std::optional<SshBanner> read_ssh_banner(Bytes line) {
  constexpr std::string_view kBegin = "SSH-";
  if (line.size() < kBegin.size() || !std::equal(kBegin.begin(), kBegin.end(), line.begin()))
    return std::nullopt;
  const Bytes rest = line.subspan(kBegin.size());
  const auto dash = std::find(rest.begin(), rest.end(), '-');
  if (dash == rest.end() || dash == rest.begin()) return std::nullopt;
  SshBanner banner;
  banner.protocol = rest.first(static_cast<size_t>(dash - rest.begin()));
  banner.software = rest.subspan(banner.protocol.size() + 1);
  const auto end = std::find_if(banner.software.begin(), banner.software.end(),
                                [](uint8_t c) { return c == ' ' || c == '\r' || c == '\n'; });
  banner.software = banner.software.first(static_cast<size_t>(end - banner.software.begin()));
  return banner;
}

SshHassh make_hassh(Bytes message, Direction of, PoolBytes& out) {
  constexpr size_t kCookie = 16, kLists = 8;
  // Key exchange; host keys; then encryption, authentication and compression, each of the client first.
  const size_t own = of == Direction::to_server ? 0 : 1;
  const std::array<size_t, 4> wanted = {0, 2 + own, 4 + own, 6 + own};
  std::array<Bytes, kLists> lists;
  ByteCursor cursor(message);
  Bytes cookie;
  if (!cursor.take(kCookie, cookie)) return SshHassh::wrong;
  for (Bytes& list : lists) {
    uint32_t size = 0;
    if (!cursor.u32(size) || !cursor.take(size, list)) return SshHassh::wrong;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    static constexpr std::array<uint8_t, 1> kBetween = {';'};
    const Bytes list = lists[wanted[i]];
    if ((i > 0 && !out.append(kBetween)) || (!list.empty() && !out.append(list))) return SshHassh::no_memory;
  }
  return SshHassh::made;
}

}  // namespace weir::inspection
