// The beginning of an SSH session as rules and events ask for it, up to where it is encrypted. One for each
// session. Worker thread; what it grows lies in the worker's pool.
#pragma once

#include <array>

#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class SshEvent : uint8_t {
#define SSH_EVENT(id, name) id,
#include "inspection/app/ssh/ssh_events.def"
#undef SSH_EVENT
};
std::span<const std::string_view> ssh_event_names();

class SshTransaction final : public Transaction {
 public:
  struct Side {
    explicit Side(BytePool& pool) noexcept : protocol(pool), software(pool), hassh(pool) {}
    uint8_t progress = SshStep::none;
    PoolBytes protocol, software;
    PoolBytes hassh;  // the lists of algorithms
    std::array<uint8_t, 32> hassh_hash{};
  };

  /// `fingerprints`: its event waits for them.
  SshTransaction(BytePool& pool, bool fingerprints) noexcept
      : fingerprints_(fingerprints), sides_{Side(pool), Side(pool)} {}

  AppProtocol protocol() const override { return AppProtocol::ssh; }
  uint8_t progress(Direction direction) const override { return side(direction).progress; }
  uint8_t last_step(Direction) const override { return SshStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId, Direction, uint32_t) const override { return std::nullopt; }
  void judged(BufferId, Direction) override {}
  bool says_all() const override;

  const Side& side(Direction direction) const { return sides_[static_cast<size_t>(direction)]; }

  // The parser's side.
  Side& side(Direction direction) { return sides_[static_cast<size_t>(direction)]; }
  void raise(SshEvent event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }
  void advance_to(Direction direction, uint8_t step) {
    if (side(direction).progress < step) side(direction).progress = step;
  }

 private:
  bool fingerprints_;
  Side sides_[2];
};

}  // namespace weir::inspection
