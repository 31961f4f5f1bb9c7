// Connections that a session has announced: FTP's data connections (RFC 959), which carry no sign of what
// they are.
//
// One table for all workers, since the announced connection may be another worker's. Fixed size; an entry
// lives for kLifetimeNs and is taken by the first connection that fits it. Nobody waits and nothing is
// allocated: an entry belongs to whoever has changed its state by compare-and-swap. Where its bucket is full
// the entry that ends first gives way. While nothing is expected, asking costs one load. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "dataplane/net/address.h"

namespace weir::inspection {

/// What FTP transfers over a connection of its own.
enum class FtpTransferKind : uint8_t { none, retrieve, store, list };

/// Between whom it comes: as the announcing session has its ends, that is before source and after destination
/// translation of the initiator's packets. Addresses of domains overlap, so they are named, too.
struct ExpectedEnds {
  net::IpAddress from, to;
  uint32_t from_domain = 0, to_domain = 0;
  uint16_t to_port = 0;
  bool operator==(const ExpectedEnds&) const = default;
};

struct Expectation {
  static constexpr size_t kName = 255;
  FtpTransferKind kind = FtpTransferKind::none;
  bool to_server = false;         // the file goes from who opens the connection to who is connected to
  std::array<char, 8> command{};  // "RETR", zeros behind it
  uint16_t name_size = 0;
  std::array<char, kName> name{};
  std::string_view file() const { return {name.data(), name_size}; }
};

class Expectations {
 public:
  static constexpr uint64_t kLifetimeNs = 30'000'000'000;
  static constexpr uint32_t kWays = 8;

  /// Room for `entries`, rounded up to buckets of kWays, a power of two of them. Start only. `secret`: places
  /// are made with it, so that nobody outside can aim at one bucket.
  Expectations(uint32_t entries, uint64_t secret);

  /// From now on a connection between `ends` is expected. False: all entries of its bucket are in other
  /// hands at this moment; it is not expected then.
  bool expect(const ExpectedEnds& ends, const Expectation& what, uint64_t now_ns);
  /// What was expected between `ends`, once.
  std::optional<Expectation> take(const ExpectedEnds& ends, uint64_t now_ns);

 private:
  enum State : uint32_t { kFree, kHeld, kReady };
  struct Entry {
    std::atomic<uint32_t> state{kFree};
    std::atomic<uint32_t> tag{0};  // of the ends; may be that of the entry before
    std::atomic<uint64_t> until_ns{0};
    ExpectedEnds ends;  // of whoever holds the entry
    Expectation what;
  };
  uint64_t hash_of(const ExpectedEnds& ends) const;

  std::unique_ptr<Entry[]> entries_;
  uint32_t buckets_;
  uint64_t secret_;
  std::atomic<uint64_t> last_until_ns_{0};  // of all; once it is over nothing is expected
};

}  // namespace weir::inspection
