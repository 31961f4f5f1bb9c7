#include "inspection/app/http2/hpack.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

namespace {

// The pool wants the size back that it was asked for: it stands before what nghttp2 gets.
constexpr size_t kHead = 16;
static_assert(sizeof(size_t) <= kHead);

void* allocate(size_t size, void* pool) {
  if (size > BytePool::kLargest - kHead) return nullptr;
  auto* const block = static_cast<std::byte*>(static_cast<BytePool*>(pool)->allocate(size + kHead));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &size, sizeof size);
  return block + kHead;
}

size_t size_of(const void* memory) {
  size_t size = 0;
  std::memcpy(&size, static_cast<const std::byte*>(memory) - kHead, sizeof size);
  return size;
}

void give_back(void* memory, void* pool) {
  if (memory == nullptr) return;
  static_cast<BytePool*>(pool)->release(static_cast<std::byte*>(memory) - kHead, size_of(memory) + kHead);
}

void* allocate_zeroed(size_t count, size_t size, void* pool) {
  if (size != 0 && count > BytePool::kLargest / size) return nullptr;
  void* const memory = allocate(count * size, pool);
  if (memory != nullptr) std::memset(memory, 0, count * size);
  return memory;
}

void* reallocate(void* memory, size_t size, void* pool) {
  if (memory == nullptr) return allocate(size, pool);
  void* const made = allocate(size, pool);
  if (made == nullptr) return nullptr;
  std::memcpy(made, memory, std::min(size, size_of(memory)));
  give_back(memory, pool);
  return made;
}

}  // namespace

Hpack::Hpack(BytePool& pool) noexcept : memory_{&pool, allocate, give_back, allocate_zeroed, reallocate} {}

Hpack::~Hpack() {
  if (inflater_ != nullptr) nghttp2_hd_inflate_del(inflater_);
}

/// With the first block: many sessions never have one in that direction.
bool Hpack::begin() {
  if (inflater_ == nullptr && nghttp2_hd_inflate_new2(&inflater_, &memory_) != 0) return false;
  // In the midst of a block it is refused, and asked for again with the next one.
  if (limit_ > applied_ && nghttp2_hd_inflate_change_table_size(inflater_, limit_) == 0) applied_ = limit_;
  return true;
}

/// Only ever more: a peer that has less in use says so in its blocks, and when it learns of a setting is not
/// known here.
void Hpack::limit_table(uint32_t size) { limit_ = std::max(limit_, std::min<size_t>(size, kMostTable)); }

std::optional<uint64_t> Hpack::size_update(std::span<const uint8_t> block) {
  if (block.empty() || (block[0] & 0xe0) != 0x20) return std::nullopt;
  uint64_t value = block[0] & 0x1f;
  if (value < 0x1f) return value;
  for (size_t i = 1; i < block.size() && i <= 5; ++i) {
    value += static_cast<uint64_t>(block[i] & 0x7f) << 7 * (i - 1);
    if ((block[i] & 0x80) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace weir::inspection
