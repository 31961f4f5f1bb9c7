#include "dataplane/fib/adjacency_table.h"

#include <bit>
#include <deque>
#include <random>
#include <vector>

namespace weir::dataplane {

namespace {

constexpr uint32_t kEnd = ~0u;

__extension__ using Wide = unsigned __int128;

uint64_t fold(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

struct AdjacencyTable::Key {
  AttachmentId attachment;
  net::IpAddress address;

  bool is_in(const Line& line) const {
    return line.lo.load(std::memory_order_acquire) == address.bits.lo &&
           line.hi.load(std::memory_order_acquire) == address.bits.hi &&
           line.attachment.load(std::memory_order_acquire) == attachment.value &&
           line.family.load(std::memory_order_acquire) == static_cast<uint32_t>(address.family);
  }
  /// Control thread, of a line that is live.
  static Key of(const Line& line) {
    Key key;
    key.attachment.value = line.attachment.load(std::memory_order_relaxed);
    key.address.family = static_cast<net::Family>(line.family.load(std::memory_order_relaxed));
    key.address.bits = {line.hi.load(std::memory_order_relaxed), line.lo.load(std::memory_order_relaxed)};
    return key;
  }
};

/// Chain heads, which workers read, and what only control touches.
struct AdjacencyTable::Impl {
  enum class Use : uint8_t { free, live, removed };

  explicit Impl(uint32_t capacity)
      : heads(std::bit_ceil(capacity)), generation(capacity, 0), use(capacity, Use::free) {
    std::random_device random;
    for (uint64_t& s : secret) s = static_cast<uint64_t>(random()) << 32 | random();
    for (std::atomic<uint32_t>& head : heads) head.store(kEnd, std::memory_order_relaxed);
    for (uint32_t i = 0; i < capacity; ++i) free.push_back(i);
  }

  std::vector<std::atomic<uint32_t>> heads;
  /// Hosts of a spoke choose their addresses, and a fixed hash would let them choose one chain for all.
  uint64_t secret[3];
  std::vector<uint16_t> generation;
  std::vector<Use> use;
  std::deque<uint32_t> free;  // first in, first out: an index rests as long as possible
  uint32_t live = 0;

  std::atomic<uint32_t>& head_of(const Key& key) {
    const uint64_t h = fold(key.address.bits.lo ^ secret[0], key.address.bits.hi ^ secret[1]);
    const uint64_t tail = static_cast<uint64_t>(key.address.family) << 32 | key.attachment.value;
    return heads[fold(h ^ tail, secret[2] | 1) & (heads.size() - 1)];
  }

  /// Takes a free index into use, with its next generation.
  AdjacencyId take_id() {
    const uint32_t index = free.front();
    free.pop_front();
    use[index] = Use::live;
    ++live;
    uint16_t& g = generation[index];
    g = g == AdjacencyId::kMaxGeneration ? 1 : static_cast<uint16_t>(g + 1);
    return AdjacencyId::make(index, g);
  }
};

AdjacencyTable::AdjacencyTable(uint32_t capacity)
    : lines_(new Line[capacity]),
      owners_(new std::atomic<uint64_t>[capacity]()),
      capacity_(capacity),
      impl_(std::make_unique<Impl>(capacity)) {}

AdjacencyTable::~AdjacencyTable() = default;

Result<std::unique_ptr<AdjacencyTable>> AdjacencyTable::create(uint32_t capacity) {
  if (capacity == 0 || capacity > AdjacencyId::kMaxIndex + 1) {
    return fail(ErrorCode::invalid, "the number of next hops must be between 1 and " +
                                        std::to_string(AdjacencyId::kMaxIndex + 1) + ", not " +
                                        std::to_string(capacity));
  }
  return std::unique_ptr<AdjacencyTable>(new AdjacencyTable(capacity));
}

Result<AdjacencyId> AdjacencyTable::set(AttachmentId attachment, const net::IpAddress& address,
                                        net::Mac mac) {
  const Key key{attachment, address};
  if (const AdjacencyId known = find(key); known.valid()) {
    lines_[known.index()].mac.store(mac.word(), std::memory_order_release);
    return known;
  }
  if (impl_->free.empty()) {
    return fail(ErrorCode::exhausted, "no room for next hop " + net::to_string(address) + ": all " +
                                          std::to_string(capacity_) + " are taken");
  }
  const AdjacencyId id = impl_->take_id();
  Line& line = lines_[id.index()];
  std::atomic<uint32_t>& head = impl_->head_of(key);
  line.attachment.store(attachment.value, std::memory_order_release);
  line.family.store(static_cast<uint32_t>(address.family), std::memory_order_release);
  line.hi.store(address.bits.hi, std::memory_order_release);
  line.lo.store(address.bits.lo, std::memory_order_release);
  line.mac.store(mac.word(), std::memory_order_release);
  line.next.store(head.load(std::memory_order_relaxed), std::memory_order_release);
  line.id.store(id.value, std::memory_order_release);
  owners_[id.index()].store(owner_word(id, attachment), std::memory_order_release);
  head.store(id.index(), std::memory_order_release);
  return id;
}

void AdjacencyTable::remove(AdjacencyId id) {
  if (!get(id)) return;
  Line& line = lines_[id.index()];
  std::atomic<uint32_t>* link = &impl_->head_of(Key::of(line));
  while (link->load(std::memory_order_relaxed) != id.index()) {
    link = &lines_[link->load(std::memory_order_relaxed)].next;
  }
  link->store(line.next.load(std::memory_order_relaxed), std::memory_order_release);
  owners_[id.index()].store(0, std::memory_order_release);
  line.id.store(kDead, std::memory_order_release);
  impl_->use[id.index()] = Impl::Use::removed;
  --impl_->live;
}

void AdjacencyTable::release(AdjacencyId id) {
  const uint32_t index = id.index();
  if (index >= capacity_ || impl_->use[index] != Impl::Use::removed ||
      impl_->generation[index] != id.generation()) {
    return;
  }
  impl_->use[index] = Impl::Use::free;
  impl_->free.push_back(index);
}

void AdjacencyTable::for_each(
    const std::function<void(AdjacencyId, AttachmentId, const net::IpAddress&, net::Mac)>& visit) const {
  for (uint32_t i = 0; i < capacity_; ++i) {
    if (impl_->use[i] != Impl::Use::live) continue;
    const Line& line = lines_[i];
    const Key key = Key::of(line);
    visit({line.id.load(std::memory_order_relaxed)}, key.attachment, key.address,
          net::Mac::from_word(line.mac.load(std::memory_order_relaxed)));
  }
}

uint32_t AdjacencyTable::size() const { return impl_->live; }
uint32_t AdjacencyTable::capacity() const { return capacity_; }

AdjacencyId AdjacencyTable::find(const Key& key) const {
  for (uint32_t i = impl_->head_of(key).load(std::memory_order_acquire); i != kEnd;) {
    const Line& line = lines_[i];
    const uint32_t id = line.id.load(std::memory_order_acquire);
    if (id != kDead && key.is_in(line) && line.id.load(std::memory_order_acquire) == id) return {id};
    i = line.next.load(std::memory_order_acquire);
  }
  return {};
}

AdjacencyId AdjacencyTable::find(AttachmentId attachment, const net::IpAddress& address) const {
  return find(Key{attachment, address});
}

}  // namespace weir::dataplane
