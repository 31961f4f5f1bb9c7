#include "inspection/app/ssh/ssh_transaction.h"

namespace weir::inspection {

std::span<const std::string_view> ssh_event_names() {
  static constexpr std::string_view kNames[] = {
#define SSH_EVENT(id, name) name,
#include "inspection/app/ssh/ssh_events.def"
#undef SSH_EVENT
  };
  return kNames;
}

bool SshTransaction::says_all() const {
  const uint8_t wanted = fingerprints_ ? SshStep::keys : SshStep::banner;
  return sides_[0].progress >= wanted && sides_[1].progress >= wanted;
}

std::optional<BufferView> SshTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  if (instance != 0) return std::nullopt;
  const Side& of = side(direction);
  const auto unless_empty = [](std::span<const uint8_t> bytes) -> std::optional<BufferView> {
    if (bytes.empty()) return std::nullopt;
    return BufferView{bytes};
  };
  const bool client = direction == Direction::to_server;
  switch (buffer) {
    case BufferId::ssh_proto:
      return unless_empty(of.protocol.view());
    case BufferId::ssh_software:
      return unless_empty(of.software.view());
    case BufferId::ssh_hassh:
    case BufferId::ssh_hassh_server:
      if (client != (buffer == BufferId::ssh_hassh) || of.hassh.empty()) return std::nullopt;
      return BufferView{of.hassh_hash};
    case BufferId::ssh_hassh_string:
    case BufferId::ssh_hassh_server_string:
      if (client != (buffer == BufferId::ssh_hassh_string)) return std::nullopt;
      return unless_empty(of.hassh.view());
    default:
      return std::nullopt;
  }
}

}  // namespace weir::inspection
