// The ports of a pool of public addresses: which are taken, by worker.
//
// Ports come in blocks of 64, and the blocks are dealt out to the workers in turn (block_owner()), the same
// for every pool and for the hub's life. So a worker takes ports without asking anybody, and whoever receives
// a packet to a pool address knows from its port whose it is. TCP, UDP and ICMP identifiers are taken
// independently of each other. All memory is allocated by the constructor: 24 KiB an address.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/core/counter.h"
#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"

namespace weir::dataplane {

inline constexpr uint32_t kPortsPerBlock = 64;
inline constexpr uint32_t kPortBlocks = 65'536 / kPortsPerBlock;

/// The worker that gives out `port` (or ICMP identifier) and owns the sessions behind it.
constexpr WorkerIndex block_owner(uint16_t port, uint16_t workers) {
  return static_cast<WorkerIndex>(port / kPortsPerBlock % workers);
}

enum class PortClass : uint8_t { tcp, udp, icmp };
inline constexpr size_t kPortClasses = 3;
/// Nothing for protocols that have neither ports nor identifiers.
std::optional<PortClass> port_class(uint8_t protocol);

class PortPool {
 public:
  struct Range {
    net::IpAddress first, last;
    friend bool operator==(const Range&, const Range&) = default;
  };
  static constexpr uint32_t kMaxAddresses = 4'096;

  // --- control thread ---
  /// Disjoint ranges of one family, at most kMaxAddresses together; ports from `first_port`, at least 1, to
  /// `last_port`.
  PortPool(std::vector<Range> ranges, uint16_t first_port, uint16_t last_port, uint16_t workers);
  /// Sums over workers, at any time: taken now; and since the pool was made: given out, of these with the
  /// port that the host has itself, and asked for in vain.
  struct Use {
    uint64_t taken = 0, given_out = 0, preserved = 0, exhausted = 0;
  };
  Use use() const;
  /// The same of one worker.
  Use use_of(WorkerIndex w) const;
  /// What it could give out at once, of one protocol.
  uint64_t capacity() const { return uint64_t{addresses_} * (last_port_ - first_port_ + 1u); }
  const std::vector<Range>& ranges() const { return ranges_; }
  uint16_t first_port() const { return first_port_; }
  uint16_t last_port() const { return last_port_; }

  // --- any thread ---
  uint32_t addresses() const { return addresses_; }
  net::IpAddress address(uint32_t index) const;
  /// Which of the pool's addresses it is, if any.
  std::optional<uint32_t> index_of(const net::IpAddress& address) const;
  bool has_port(uint16_t port) const { return port >= first_port_ && port <= last_port_; }

  // --- worker `w`, about what is its own ---
  struct Ports {
    uint16_t first = 0, last = 65'535;
    bool has(uint16_t port) const { return first <= port && port <= last; }
    friend bool operator==(const Ports&, const Ports&) = default;
  };
  /// A free port of that address, among `ports`: `wanted` if it is the worker's and free, else any, by chance
  /// from `random`. Nothing: none is left.
  std::optional<uint16_t> take(WorkerIndex w, uint32_t address, PortClass kind, uint16_t wanted,
                               uint32_t random, const Ports& ports);
  std::optional<uint16_t> take(WorkerIndex w, uint32_t address, PortClass kind, uint16_t wanted,
                               uint32_t random) {
    return take(w, address, kind, wanted, random, Ports{});
  }
  /// This very port. False: it is not the worker's, or taken.
  bool take_this(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port);
  /// A port that is not taken is left alone.
  void give_back(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port);
  bool is_taken(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port) const;
  void count_exhausted(WorkerIndex w) { workers_[w].exhausted.add(); }
  void count_given(WorkerIndex w, bool preserved) {
    workers_[w].given_out.add();
    if (preserved) workers_[w].preserved.add();
  }

 private:
  struct alignas(64) PerWorker {
    std::unique_ptr<uint64_t[]> words;  // a bit for each port that is taken, or is none of the pool's
    std::unique_ptr<uint16_t[]> free;   // by address and class
    Counter taken, given_out, preserved, exhausted;
  };
  uint32_t row(uint32_t address, PortClass kind) const {
    return address * static_cast<uint32_t>(kPortClasses) + static_cast<uint32_t>(kind);
  }
  uint64_t& word(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port) const {
    return workers_[w].words[size_t{row(address, kind)} * words_ + port / kPortsPerBlock / count_];
  }

  std::vector<Range> ranges_;
  uint32_t addresses_ = 0;
  uint16_t first_port_, last_port_;
  uint16_t count_;  // of workers
  uint32_t words_;  // of one worker, address and class: one for each of its blocks
  std::unique_ptr<PerWorker[]> workers_;
};

}  // namespace weir::dataplane
