// The header that a proxy puts before what it forwards, to tell whom it forwards for: PROXY protocol,
// versions 1 and 2 (HAProxy, doc/proxy-protocol.txt). What follows it begins like any session. Pure; fuzzed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::inspection {

struct ProxyHeader {
  enum class Answer : uint8_t { no, more, yes };
  Answer answer = Answer::no;
  size_t size = 0;  // yes: bytes of the header
};

/// The beginning of what the client sends. A version 1 header is at most 107 bytes long; of version 2 more
/// than `kMostOfV2` is none that Weir reads.
inline constexpr size_t kMostOfV2 = 2'048;
ProxyHeader read_proxy_header(std::span<const uint8_t> bytes);

}  // namespace weir::inspection
