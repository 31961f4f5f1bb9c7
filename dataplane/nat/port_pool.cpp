#include "dataplane/nat/port_pool.h"

#include <bit>

#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

/// How many addresses lie between two of one family, at most `most`.
uint32_t distance(const net::IpAddress& from, const net::IpAddress& to, uint32_t most) {
  const uint64_t low = to.bits.lo - from.bits.lo;
  const uint64_t high = to.bits.hi - from.bits.hi - (to.bits.lo < from.bits.lo);
  return high != 0 || low > most ? most : static_cast<uint32_t>(low);
}

constexpr uint64_t bit(uint16_t port) { return uint64_t{1} << port % kPortsPerBlock; }

}  // namespace

std::optional<PortClass> port_class(uint8_t protocol) {
  switch (protocol) {
    case net::kProtoTcp:
      return PortClass::tcp;
    case net::kProtoUdp:
      return PortClass::udp;
    case net::kProtoIcmp:
    case net::kProtoIcmpv6:
      return PortClass::icmp;
    default:
      return {};
  }
}

PortPool::PortPool(std::vector<Range> ranges, uint16_t first_port, uint16_t last_port, uint16_t workers)
    : ranges_(std::move(ranges)),
      first_port_(first_port),
      last_port_(last_port),
      count_(workers),
      words_((kPortBlocks + workers - 1) / workers),
      workers_(std::make_unique<PerWorker[]>(workers)) {
  for (const Range& range : ranges_) {
    addresses_ += distance(range.first, range.last, kMaxAddresses - 1) + 1;
  }
  const size_t rows = size_t{addresses_} * kPortClasses;
  for (uint16_t w = 0; w < count_; ++w) {
    PerWorker& own = workers_[w];
    own.words = std::make_unique<uint64_t[]>(rows * words_);
    own.free = std::make_unique<uint16_t[]>(rows);
    // One row, then all like it.
    uint16_t free = 0;
    for (uint32_t k = 0; k < words_; ++k) {
      uint64_t none = ~uint64_t{0};
      const uint32_t block = k * count_ + w;
      for (uint32_t i = 0; i < kPortsPerBlock && block < kPortBlocks; ++i) {
        const auto port = static_cast<uint16_t>(block * kPortsPerBlock + i);
        if (!has_port(port)) continue;
        none &= ~bit(port);
        ++free;
      }
      for (size_t r = 0; r < rows; ++r) own.words[r * words_ + k] = none;
    }
    for (size_t r = 0; r < rows; ++r) own.free[r] = free;
  }
}

PortPool::Use PortPool::use_of(WorkerIndex w) const {
  const PerWorker& worker = workers_[w];
  return {worker.taken.get(), worker.given_out.get(), worker.preserved.get(), worker.exhausted.get()};
}

PortPool::Use PortPool::use() const {
  Use sum;
  for (WorkerIndex w = 0; w < count_; ++w) {
    const Use one = use_of(w);
    sum.taken += one.taken;
    sum.given_out += one.given_out;
    sum.preserved += one.preserved;
    sum.exhausted += one.exhausted;
  }
  return sum;
}

net::IpAddress PortPool::address(uint32_t index) const {
  for (const Range& range : ranges_) {
    const uint32_t last = distance(range.first, range.last, kMaxAddresses - 1);
    if (index > last) {
      index -= last + 1;
      continue;
    }
    net::IpAddress address = range.first;
    address.bits.lo += index;
    if (address.bits.lo < index) ++address.bits.hi;
    return address;
  }
  return ranges_.front().first;
}

std::optional<uint32_t> PortPool::index_of(const net::IpAddress& address) const {
  uint32_t before = 0;
  for (const Range& range : ranges_) {
    if (range.first <= address && address <= range.last)
      return before + distance(range.first, address, kMaxAddresses - 1);
    before += distance(range.first, range.last, kMaxAddresses - 1) + 1;
  }
  return {};
}

std::optional<uint16_t> PortPool::take(WorkerIndex w, uint32_t address, PortClass kind, uint16_t wanted,
                                       uint32_t random, const Ports& ports) {
  PerWorker& own = workers_[w];
  if (own.free[row(address, kind)] == 0) return {};
  if (ports.has(wanted) && take_this(w, address, kind, wanted)) return wanted;
  uint64_t* const words = &own.words[size_t{row(address, kind)} * words_];
  // The worker's first block that is not below `ports`, and how many are not above.
  const uint32_t first_block = ports.first / kPortsPerBlock, last_block = ports.last / kPortsPerBlock;
  const uint32_t first = (first_block + count_ - 1 - w) / count_;
  const uint32_t end = last_block < w ? 0 : (last_block - w) / count_ + 1;
  if (first >= end) return {};
  const uint32_t size = end - first;
  const uint32_t start = static_cast<uint32_t>(uint64_t{random} * size >> 32);
  const int turn = static_cast<int>(random % kPortsPerBlock);
  for (uint32_t i = 0; i < size; ++i) {
    const uint32_t k = first + (start + i < size ? start + i : start + i - size);
    const uint32_t block = k * count_ + w;
    uint64_t free = ~words[k];
    if (block == first_block) free &= ~uint64_t{0} << ports.first % kPortsPerBlock;
    if (block == last_block) free &= ~uint64_t{0} >> (kPortsPerBlock - 1 - ports.last % kPortsPerBlock);
    if (free == 0) continue;
    const auto at = static_cast<uint32_t>(std::countr_zero(std::rotr(free, turn)) + turn) % kPortsPerBlock;
    const auto port = static_cast<uint16_t>(block * kPortsPerBlock + at);
    words[k] |= bit(port);
    --own.free[row(address, kind)];
    own.taken.add();
    return port;
  }
  return {};
}

bool PortPool::take_this(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port) {
  if (block_owner(port, count_) != w) return false;
  uint64_t& at = word(w, address, kind, port);
  if ((at & bit(port)) != 0) return false;
  at |= bit(port);
  --workers_[w].free[row(address, kind)];
  workers_[w].taken.add();
  return true;
}

void PortPool::give_back(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port) {
  if (!has_port(port) || !is_taken(w, address, kind, port)) return;
  word(w, address, kind, port) &= ~bit(port);
  ++workers_[w].free[row(address, kind)];
  workers_[w].taken.set(workers_[w].taken.get() - 1);
}

bool PortPool::is_taken(WorkerIndex w, uint32_t address, PortClass kind, uint16_t port) const {
  return block_owner(port, count_) == w && (word(w, address, kind, port) & bit(port)) != 0;
}

}  // namespace weir::dataplane
