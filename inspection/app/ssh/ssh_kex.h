// SSH's banner and its list of algorithms (RFC 4253 sections 4.2 and 7.1), and the fingerprint made of the
// latter (https://github.com/salesforce/hassh). Pure; fuzzed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "inspection/direction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

struct SshBanner {
  std::span<const uint8_t> protocol;  // "2.0"
  std::span<const uint8_t> software;  // "OpenSSH_9.2p1", without the comment behind it
};
/// `line` without its end. nullopt: it is none.
std::optional<SshBanner> read_ssh_banner(std::span<const uint8_t> line);

enum class SshHassh : uint8_t { made, wrong, no_memory };
/// Appends to `out` the lists of key exchange, encryption, authentication and compression of that direction,
/// joined by semicolons. `message`: SSH_MSG_KEXINIT behind its number. wrong: a list is not there or not all
/// of it.
SshHassh make_hassh(std::span<const uint8_t> message, Direction of, PoolBytes& out);

}  // namespace weir::inspection
