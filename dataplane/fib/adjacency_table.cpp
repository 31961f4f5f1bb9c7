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

/// All that a worker reads of one next hop. `id` is zero while the entry is not valid. The writer clears it
/// before it changes anything else but the MAC and sets it last, each with a release store; a reader loads it
/// first and again at the end, and all loads acquire. So what lies between two equal, non-zero loads belongs
/// to that id.
struct alignas(64) Entry {
  std::atomic<uint32_t> id{0};
  std::atomic<uint32_t> attachment{0};
  std::atomic<uint64_t> mac{0};
  std::atomic<uint64_t> hi{0};
  std::atomic<uint64_t> lo{0};
  std::atomic<uint32_t> family{0};
  /// Next entry of the hash chain. A removed entry keeps it until its index is released, so that a reader
  /// that stands on it finds the rest of the chain.
  std::atomic<uint32_t> next{kEnd};
};
static_assert(sizeof(Entry) == 64);

struct Key {
  uint32_t attachment;
  uint32_t family;
  net::Ipv6 bits;
};

Key key_of(AttachmentId attachment, const net::IpAddress& address) {
  return {attachment.value, static_cast<uint32_t>(address.family), address.bits};
}

bool holds(const Entry& entry, const Key& key) {
  return entry.lo.load(std::memory_order_acquire) == key.bits.lo &&
         entry.hi.load(std::memory_order_acquire) == key.bits.hi &&
         entry.attachment.load(std::memory_order_acquire) == key.attachment &&
         entry.family.load(std::memory_order_acquire) == key.family;
}

net::IpAddress address_of(const Entry& entry) {
  net::IpAddress address;
  address.family = static_cast<net::Family>(entry.family.load(std::memory_order_relaxed));
  address.bits = {entry.hi.load(std::memory_order_relaxed), entry.lo.load(std::memory_order_relaxed)};
  return address;
}

}  // namespace

struct AdjacencyTable::Impl {
  enum class Use : uint8_t { free, live, removed };

  explicit Impl(uint32_t size)
      : entries(size), heads(std::bit_ceil(size)), generation(size, 0), use(size, Use::free) {
    std::random_device random;
    for (uint64_t& s : secret) s = static_cast<uint64_t>(random()) << 32 | random();
    for (std::atomic<uint32_t>& head : heads) head.store(kEnd, std::memory_order_relaxed);
    for (uint32_t i = 0; i < size; ++i) free.push_back(i);
  }

  std::vector<Entry> entries;
  std::vector<std::atomic<uint32_t>> heads;
  /// Hosts of a spoke choose their addresses, and a fixed hash would let them choose one chain for all.
  uint64_t secret[3];
  // control only
  std::vector<uint16_t> generation;
  std::vector<Use> use;
  std::deque<uint32_t> free;  // first in, first out: an index rests as long as possible
  uint32_t live = 0;

  std::atomic<uint32_t>& head_of(const Key& key) {
    const uint64_t h = fold(key.bits.lo ^ secret[0], key.bits.hi ^ secret[1]);
    const uint64_t tail = static_cast<uint64_t>(key.family) << 32 | key.attachment;
    return heads[fold(h ^ tail, secret[2] | 1) & (heads.size() - 1)];
  }

  AdjacencyId find(const Key& key) {
    for (uint32_t i = head_of(key).load(std::memory_order_acquire); i != kEnd;) {
      const Entry& entry = entries[i];
      const uint32_t id = entry.id.load(std::memory_order_acquire);
      if (id != 0 && holds(entry, key) && entry.id.load(std::memory_order_acquire) == id) return {id};
      i = entry.next.load(std::memory_order_acquire);
    }
    return {};
  }

  /// The live entry that `id` names, or null.
  Entry* live_entry(AdjacencyId id) {
    if (!id.valid() || id.index() >= entries.size()) return nullptr;
    Entry& entry = entries[id.index()];
    return entry.id.load(std::memory_order_relaxed) == id.value ? &entry : nullptr;
  }

  AdjacencyId add(const Key& key, net::Mac mac) {
    const uint32_t index = free.front();
    free.pop_front();
    use[index] = Use::live;
    ++live;
    uint16_t& g = generation[index];
    g = g == AdjacencyId::kMaxGeneration ? 1 : static_cast<uint16_t>(g + 1);
    const AdjacencyId id = AdjacencyId::make(index, g);

    Entry& entry = entries[index];
    std::atomic<uint32_t>& head = head_of(key);
    entry.attachment.store(key.attachment, std::memory_order_release);
    entry.family.store(key.family, std::memory_order_release);
    entry.hi.store(key.bits.hi, std::memory_order_release);
    entry.lo.store(key.bits.lo, std::memory_order_release);
    entry.mac.store(mac.to_u64(), std::memory_order_release);
    entry.next.store(head.load(std::memory_order_relaxed), std::memory_order_release);
    entry.id.store(id.value, std::memory_order_release);
    head.store(index, std::memory_order_release);
    return id;
  }

  void unlink(uint32_t index) {
    const Entry& entry = entries[index];
    std::atomic<uint32_t>* link =
        &head_of({entry.attachment.load(std::memory_order_relaxed),
                  entry.family.load(std::memory_order_relaxed), address_of(entry).bits});
    while (link->load(std::memory_order_relaxed) != index) {
      link = &entries[link->load(std::memory_order_relaxed)].next;
    }
    link->store(entry.next.load(std::memory_order_relaxed), std::memory_order_release);
  }
};

AdjacencyTable::~AdjacencyTable() = default;

Result<std::unique_ptr<AdjacencyTable>> AdjacencyTable::create(uint32_t capacity) {
  if (capacity == 0 || capacity > AdjacencyId::kMaxIndex + 1) {
    return fail(ErrorCode::invalid, "the number of next hops must be between 1 and " +
                                        std::to_string(AdjacencyId::kMaxIndex + 1) + ", not " +
                                        std::to_string(capacity));
  }
  std::unique_ptr<AdjacencyTable> table(new AdjacencyTable);
  table->impl_ = std::make_unique<Impl>(capacity);
  return table;
}

Result<AdjacencyId> AdjacencyTable::set(AttachmentId attachment, const net::IpAddress& address,
                                        net::Mac mac) {
  const Key key = key_of(attachment, address);
  if (const AdjacencyId id = impl_->find(key); id.valid()) {
    impl_->entries[id.index()].mac.store(mac.to_u64(), std::memory_order_release);
    return id;
  }
  if (impl_->free.empty()) {
    return fail(ErrorCode::exhausted, "no room for next hop " + net::to_string(address) + ": all " +
                                          std::to_string(capacity()) + " are taken");
  }
  return impl_->add(key, mac);
}

void AdjacencyTable::remove(AdjacencyId id) {
  Entry* entry = impl_->live_entry(id);
  if (entry == nullptr) return;
  impl_->unlink(id.index());
  entry->id.store(0, std::memory_order_release);
  impl_->use[id.index()] = Impl::Use::removed;
  --impl_->live;
}

void AdjacencyTable::release(AdjacencyId id) {
  const uint32_t index = id.index();
  if (index >= impl_->entries.size() || impl_->use[index] != Impl::Use::removed ||
      impl_->generation[index] != id.generation()) {
    return;
  }
  impl_->use[index] = Impl::Use::free;
  impl_->free.push_back(index);
}

void AdjacencyTable::for_each(
    const std::function<void(AdjacencyId, AttachmentId, const net::IpAddress&, net::Mac)>& visit) const {
  for (uint32_t i = 0; i < impl_->entries.size(); ++i) {
    if (impl_->use[i] != Impl::Use::live) continue;
    const Entry& entry = impl_->entries[i];
    visit({entry.id.load(std::memory_order_relaxed)}, {entry.attachment.load(std::memory_order_relaxed)},
          address_of(entry), net::Mac::from_u64(entry.mac.load(std::memory_order_relaxed)));
  }
}

uint32_t AdjacencyTable::size() const { return impl_->live; }
uint32_t AdjacencyTable::capacity() const { return static_cast<uint32_t>(impl_->entries.size()); }

AdjacencyId AdjacencyTable::find(AttachmentId attachment, const net::IpAddress& address) const {
  return impl_->find(key_of(attachment, address));
}

std::optional<AdjacencyTable::View> AdjacencyTable::get(AdjacencyId id) const {
  if (!id.valid() || id.index() >= impl_->entries.size()) return std::nullopt;
  const Entry& entry = impl_->entries[id.index()];
  if (entry.id.load(std::memory_order_acquire) != id.value) return std::nullopt;
  const View view{{entry.attachment.load(std::memory_order_acquire)},
                  net::Mac::from_u64(entry.mac.load(std::memory_order_acquire))};
  if (entry.id.load(std::memory_order_acquire) != id.value) return std::nullopt;
  return view;
}

void AdjacencyTable::prefetch(AdjacencyId id) const {
  if (id.index() < impl_->entries.size()) __builtin_prefetch(&impl_->entries[id.index()]);
}

}  // namespace weir::dataplane
