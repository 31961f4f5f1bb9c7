// What changes about an attachment while its packets flow, by slot: what control tells the workers (is it
// usable, which probe answer is awaited), and what each worker tells control (what passed, was it answered).
//
// Beside the attachment itself, which is immutable once published: none of this moves a version or a table.
// One word at a time, each with one writer. Memory is allocated once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/core/counter.h"
#include "dataplane/core/ids.h"
#include "dataplane/core/time.h"
#include "dataplane/net/address.h"

namespace weir::dataplane {

/// What an echo reply has to carry in its first eight bytes, or whose ARP or ND answer is awaited. 0:
/// nothing. Echo tokens are secret and differ from probe to probe, so that nobody answers what he was not
/// asked. The top bit tells the two kinds apart.
class ProbeToken {
 public:
  uint64_t value = 0;

  static constexpr ProbeToken echo(uint64_t secret) { return {secret | kEcho}; }
  /// `nonce` makes it differ from the one before.
  static constexpr ProbeToken neighbor(const net::IpAddress& address, uint32_t nonce) {
    return {static_cast<uint64_t>(nonce & 0x7fff'ffff) << 32 | digest(address)};
  }
  constexpr bool is_echo() const { return (value & kEcho) != 0; }
  constexpr bool awaits(const net::IpAddress& address) const {
    return value != 0 && !is_echo() && static_cast<uint32_t>(value) == digest(address);
  }
  friend constexpr bool operator==(const ProbeToken&, const ProbeToken&) = default;

  // NOLINTNEXTLINE(google-explicit-constructor): an aggregate in all but name
  constexpr ProbeToken(uint64_t bits = 0) : value(bits) {}

 private:
  static constexpr uint64_t kEcho = 1ULL << 63;
  static constexpr uint32_t digest(const net::IpAddress& address) {
    const uint64_t mixed =
        (address.bits.hi * 0x9e37'79b9'7f4a'7c15ULL ^ address.bits.lo) * 0xbf58'476d'1ce4'e5b9ULL;
    return static_cast<uint32_t>(mixed >> 32 ^ mixed) + static_cast<uint32_t>(address.family);
  }
};

/// Control writes, workers read.
class AttachmentBoard {
 public:
  /// For the attachments with an index below `capacity`; those beyond are always usable and never probed.
  explicit AttachmentBoard(uint32_t capacity) : entries_(new Entry[capacity]), capacity_(capacity) {}
  uint32_t capacity() const { return capacity_; }

  // --- control thread ---
  /// A new attachment is usable.
  void set_usable(AttachmentId id, bool usable) {
    if (id.index() < capacity_) {
      entries_[id.index()].down.store(usable ? 0 : id.value, std::memory_order_release);
    }
  }
  void expect(AttachmentId id, ProbeToken token) {
    if (id.index() < capacity_) entries_[id.index()].token.store(token.value, std::memory_order_release);
  }

  // --- any thread ---
  /// False: it is down, and no next hop of it is to be chosen.
  bool usable(AttachmentId id) const {
    return id.index() >= capacity_ || entries_[id.index()].down.load(std::memory_order_acquire) != id.value;
  }
  ProbeToken expected(AttachmentId id) const {
    return id.index() < capacity_ ? entries_[id.index()].token.load(std::memory_order_acquire) : 0;
  }

 private:
  struct Entry {
    std::atomic<uint64_t> token{0};
    std::atomic<uint32_t> down{0};  // the id that is down; 0: none, and an older id does not count
  };
  std::unique_ptr<Entry[]> entries_;
  uint32_t capacity_;
};

/// What one worker has seen of one attachment; that worker is the one writer. Bytes count inner packets, with
/// their Ethernet header where the tunnel carries one.
struct alignas(64) AttachmentTally {
  Counter rx_packets, rx_bytes;
  Counter tx_packets, tx_bytes;
  /// The token of the last probe that was answered, and when. The time is stored first.
  std::atomic<uint64_t> answered{0};
  std::atomic<NanoTime> answered_at{0};

  [[gnu::always_inline]] void received(uint64_t bytes) {
    rx_packets.add();
    rx_bytes.add(bytes);
  }
  [[gnu::always_inline]] void sent(uint64_t bytes) {
    tx_packets.add();
    tx_bytes.add(bytes);
  }
  void answer(ProbeToken token, NanoTime now) {
    answered_at.store(now, std::memory_order_relaxed);
    answered.store(token.value, std::memory_order_release);
  }
};
static_assert(sizeof(AttachmentTally) == 64, "one line per packet and direction");

/// One worker's tallies by slot.
class AttachmentTallies {
 public:
  /// Room for `capacity`, rounded up to a power of two. Attachments beyond share the entries of others.
  explicit AttachmentTallies(uint32_t capacity);
  AttachmentTally& operator[](AttachmentId id) { return entries_[id.value & mask_]; }
  const AttachmentTally& operator[](AttachmentId id) const { return entries_[id.value & mask_]; }

 private:
  std::unique_ptr<AttachmentTally[]> entries_;
  uint32_t mask_;  // of an id's index at most
};

}  // namespace weir::dataplane
