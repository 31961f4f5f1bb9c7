// Whose certificates a TLS session was begun with, for those that go on with it later: up to TLS 1.2 a
// resumed session shows none (RFC 5246 section 7.3, RFC 5077).
//
// One table for all workers, since the resumed connection may be another worker's. Fixed size, nothing is
// allocated after the start and nobody waits: an entry belongs to whoever has changed its state by
// compare-and-swap; one that is in other hands at that moment is not found. Where its bucket is full the
// entry that ends first gives way. Who can see a ticket can send it, so what is found is as little proved as
// a certificate that nobody has verified. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/net/address.h"
#include "inspection/event_count.h"

namespace weir::inspection {

/// URIs of both ends' certificates, each behind a byte for its side (Direction) and two for its length.
struct TlsIdentity {
  static constexpr size_t kMost = 1'024;
  uint16_t size = 0;
  std::array<uint8_t, kMost> uris{};

  /// False: there is no room.
  bool add(uint8_t side, std::span<const uint8_t> uri);
  /// Calls take(side, uri) for each.
  template <typename Take>
  void for_each(Take&& take) const {
    for (size_t at = 0; at + 3 <= size;) {
      const size_t length = static_cast<size_t>(uris[at + 1]) << 8 | uris[at + 2];
      if (length > size - at - 3) return;
      take(uris[at], std::span<const uint8_t>(uris).subspan(at + 3, length));
      at += 3 + length;
    }
  }
};

/// What a client names an earlier session by.
enum class TlsTokenKind : uint8_t { session_id, ticket };

/// Names one session at one server: a digest.
using TlsToken = std::array<uint64_t, 4>;

class TlsIdentities {
 public:
  /// RFC 5246 appendix F.1.4: sessions should not live longer.
  static constexpr uint64_t kLifetimeNs = uint64_t{24} * 3'600 * 1'000'000'000;
  static constexpr uint32_t kWays = 8;
  static constexpr uint32_t kMost = 1U << 20;  // entries

  /// Room for `entries`, rounded up to buckets of kWays, a power of two of them. Start only. `secret`: places
  /// are made with it, so that nobody outside can aim at one bucket.
  TlsIdentities(uint32_t entries, uint64_t secret);

  /// Addresses of domains overlap, so the server's domain belongs to it.
  TlsToken token(TlsTokenKind kind, std::span<const uint8_t> bytes, const net::IpAddress& server,
                 uint32_t domain) const;
  /// False: all entries of its bucket are in other hands.
  bool remember(const TlsToken& token, const TlsIdentity& identity, uint64_t now_ns);
  /// False: it is not known.
  bool find(const TlsToken& token, uint64_t now_ns, TlsIdentity& out);
  /// While nothing was ever remembered, nobody needs to ask.
  bool empty() const { return last_until_ns_.load(std::memory_order_relaxed) == 0; }

 private:
  enum State : uint32_t { kFree, kHeld, kReady };
  struct Entry {
    std::atomic<uint32_t> state{kFree};
    std::atomic<uint32_t> tag{0};  // of the token; may be that of the entry before
    std::atomic<uint64_t> until_ns{0};
    TlsToken token{};  // of whoever holds the entry
    TlsIdentity identity;
  };

 public:
  /// Memory that it takes.
  static uint64_t bytes_for(uint32_t entries) {
    return uint64_t{buckets_for(entries)} * kWays * sizeof(Entry);
  }

 private:
  static uint32_t buckets_for(uint32_t entries) { return std::bit_ceil(std::max(entries / kWays, 1U)); }
  Entry* bucket_of(const TlsToken& token) const { return &entries_[(token[0] & (buckets_ - 1)) * kWays]; }

  std::unique_ptr<Entry[]> entries_;
  uint32_t buckets_;
  uint64_t secret_;
  std::atomic<uint64_t> last_until_ns_{0};
};

/// Where one session's parser remembers and finds: at its server.
struct TlsMemory {
  TlsIdentities* identities = nullptr;  // null: nothing is remembered
  EventCount* lost = nullptr;           // of the worker: what there was no room for
  net::IpAddress server;
  uint32_t domain = 0;
};

}  // namespace weir::inspection
