#include "inspection/memory/byte_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace weir::inspection {

BytePool::BytePool(size_t bytes)
    : chunks_(std::max<size_t>(bytes / kLargest, 1)),
      memory_(new (std::align_val_t{kLargest}) std::byte[chunks_ * kLargest]),
      free_order_(std::make_unique_for_overwrite<uint8_t[]>(chunks_ * kLargest / kSmallest)) {}

size_t BytePool::order_of(size_t size) {
  const size_t block = std::bit_ceil(std::max(size, kSmallest));
  return static_cast<size_t>(std::countr_zero(block) - std::countr_zero(kSmallest));
}

size_t BytePool::block_size(size_t size) {
  return size == 0 || size > kLargest ? 0 : kSmallest << order_of(size);
}

void BytePool::push(void* block, size_t order) {
  auto* const entry = new (block) FreeBlock{free_[order], nullptr};
  if (entry->next != nullptr) entry->next->previous = entry;
  free_[order] = entry;
  free_order_[unit_of(block)] = static_cast<uint8_t>(order);
}

void BytePool::unlink(FreeBlock* block, size_t order) {
  (block->previous != nullptr ? block->previous->next : free_[order]) = block->next;
  if (block->next != nullptr) block->next->previous = block->previous;
  free_order_[unit_of(block)] = kNotFree;
}

void* BytePool::allocate(size_t size) {
  if (size == 0 || size > kLargest) {
    ++refused_;
    return nullptr;
  }
  const size_t order = order_of(size);
  if (used_ + (kSmallest << order) > quota_) [[unlikely]] {
    quota_met_ = true;
    ++refused_;
    return nullptr;
  }
  std::byte* block = nullptr;
  if (Kept& kept = kept_[order]; kept.count > 0) {
    block = kept.blocks[--kept.count];
  } else if ((block = take(order)) == nullptr) {
    give_back_kept();
    block = take(order);
  }
  if (block == nullptr) {
    ++refused_;
    return nullptr;
  }
  used_ += kSmallest << order;
  return block;
}

/// A block of that order, of the free ones or of a larger one.
std::byte* BytePool::take(size_t wanted) {
  size_t order = wanted;
  while (order < kOrders && free_[order] == nullptr) ++order;
  std::byte* block = nullptr;
  if (order < kOrders) {
    block = reinterpret_cast<std::byte*>(free_[order]);
    unlink(free_[order], order);
  } else if (fresh_ < chunks_) {
    // Only now are the chunk's pages and its part of free_order_ touched.
    block = memory_.get() + fresh_++ * kLargest;
    std::memset(&free_order_[unit_of(block)], kNotFree, kLargest / kSmallest);
    order = kOrders - 1;
  } else {
    return nullptr;
  }
  while (order > wanted) {
    --order;
    push(block + (kSmallest << order), order);
  }
  return block;
}

void BytePool::release(void* released, size_t size) {
  if (released == nullptr) return;
  const size_t order = order_of(size);
  used_ -= kSmallest << order;
  auto* const block = static_cast<std::byte*>(released);
  if (Kept& kept = kept_[order]; kept.count < kKept) {
    kept.blocks[kept.count++] = block;
  } else {
    give_back(block, order);
  }
}

/// Makes the block free and joins it with its neighbours.
void BytePool::give_back(std::byte* block, size_t order) {
  for (; order + 1 < kOrders; ++order) {
    const size_t offset = static_cast<size_t>(block - memory_.get());
    std::byte* const buddy = memory_.get() + (offset ^ (kSmallest << order));
    if (free_order_[unit_of(buddy)] != order) break;
    unlink(reinterpret_cast<FreeBlock*>(buddy), order);
    block = std::min(block, buddy);
  }
  push(block, order);
}

void BytePool::give_back_kept() {
  for (size_t order = 0; order < kOrders; ++order) {
    Kept& kept = kept_[order];
    while (kept.count > 0) give_back(kept.blocks[--kept.count], order);
  }
}

bool PoolBytes::grow(size_t size, std::span<const uint8_t> more) {
  const size_t room = BytePool::block_size(size);
  auto* const data = room == 0 ? nullptr : static_cast<uint8_t*>(pool_->allocate(room));
  if (data == nullptr) return false;
  if (size_ > 0) std::memcpy(data, data_, size_);
  // Before the old block goes, in which it may lie.
  if (!more.empty()) std::memcpy(data + size_, more.data(), more.size());
  if (data_ != nullptr) pool_->release(data_, capacity_);
  data_ = data;
  capacity_ = static_cast<uint32_t>(room);
  return true;
}

bool PoolBytes::append(std::span<const uint8_t> more) {
  if (more.empty()) return true;
  const size_t wanted = size_ + more.size();
  if (wanted > capacity_) {
    if (!grow(wanted, more)) return false;
  } else {
    std::memcpy(data_ + size_, more.data(), more.size());
  }
  size_ = static_cast<uint32_t>(wanted);
  return true;
}

bool PoolBytes::reserve(size_t size) { return size <= capacity_ || grow(size, {}); }

void PoolBytes::drop_front(size_t count) {
  if (count == 0) return;
  if (count >= size_) {
    size_ = 0;
    return;
  }
  size_ -= static_cast<uint32_t>(count);
  std::memmove(data_, data_ + count, size_);
}

void PoolBytes::reset() {
  if (data_ != nullptr) pool_->release(data_, capacity_);
  data_ = nullptr;
  size_ = capacity_ = 0;
}

}  // namespace weir::inspection
