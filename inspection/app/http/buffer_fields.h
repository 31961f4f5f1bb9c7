// What the buffers of HTTP/1 and HTTP/2 have in common: which field of a head each holds the value of.
#pragma once

#include <optional>
#include <string_view>

#include "inspection/app/http/text.h"
#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

/// The field that a buffer holds the value of, in lower case; empty for other buffers.
constexpr std::string_view field_of(BufferId buffer, Direction direction) {
  switch (buffer) {
    case BufferId::http_user_agent:
      return "user-agent";
    case BufferId::http_referer:
      return "referer";
    case BufferId::http_accept:
      return "accept";
    case BufferId::http_accept_lang:
      return "accept-language";
    case BufferId::http_accept_enc:
      return "accept-encoding";
    case BufferId::http_connection:
      return "connection";
    case BufferId::http_content_type:
      return "content-type";
    case BufferId::http_content_len:
      return "content-length";
    case BufferId::http_server:
      return "server";
    case BufferId::http_location:
      return "location";
    case BufferId::http_cookie:
      return direction == Direction::to_server ? "cookie" : "set-cookie";
    default:
      return {};
  }
}

/// All of a text; none of one that is not there (null).
inline std::optional<BufferView> whole(std::string_view text) {
  if (text.data() == nullptr) return std::nullopt;
  return BufferView{.bytes = as_bytes(text)};
}

/// False: the pool is at its ceiling.
inline bool append(PoolBytes& out, std::string_view text) { return out.append(as_bytes(text)); }

}  // namespace weir::inspection::http
