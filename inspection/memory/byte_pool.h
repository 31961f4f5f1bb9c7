// Memory for what sessions grow while they are inspected: parser state, carry-over, headers, bodies, match
// state.
//
// One pool for each worker, of fixed size, taken at the start and not touched before it is used. Blocks are
// powers of two from 64 bytes to 64 KiB; neighbours that are free join again (a buddy system, Knuth, TAOCP
// 1, 2.5), so that what one kind of session gave back serves another. allocate() takes a bounded number of
// steps, makes no system call, and returns null at the ceiling: whoever asks decides what gives way.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "inspection/event_count.h"

namespace weir::inspection {

class BytePool {
 public:
  static constexpr size_t kSmallest = 64;
  static constexpr size_t kLargest = 64 * 1024;

  /// `bytes` are rounded down to whole largest blocks; at least one. Throws std::bad_alloc (start only).
  explicit BytePool(size_t bytes);
  BytePool(const BytePool&) = delete;
  BytePool& operator=(const BytePool&) = delete;

  /// At least `size` bytes, aligned to 64; null if there are none or `size` is 0 or above kLargest. Worker.
  void* allocate(size_t size);
  /// Gives back what allocate(size) returned, with the same size or one of the same block. Worker.
  void release(void* block, size_t size);

  /// Until lift_quota(): no more than so many bytes in all are given out. Worker.
  void set_quota(uint64_t used) {
    quota_ = used;
    quota_met_ = false;
  }
  void lift_quota() { quota_ = UINT64_MAX; }
  /// The quota refused something since it was set.
  bool quota_met() const { return quota_met_; }

  /// What a request of `size` bytes really takes; 0 if it can never be served.
  static size_t block_size(size_t size);

  size_t capacity() const { return chunks_ * kLargest; }
  /// Any thread may read these two.
  uint64_t used() const { return used_; }
  uint64_t refused() const { return refused_; }

 private:
  static constexpr size_t kOrders = 11;  // 64 bytes to 64 KiB
  static constexpr uint8_t kNotFree = 0xff;
  struct FreeBlock {
    FreeBlock* next;
    FreeBlock* previous;
  };
  static size_t order_of(size_t size);
  size_t unit_of(const void* block) const {
    return static_cast<size_t>(static_cast<const std::byte*>(block) - memory_.get()) / kSmallest;
  }
  void push(void* block, size_t order);
  void unlink(FreeBlock* block, size_t order);
  std::byte* take(size_t order);
  void give_back(std::byte* block, size_t order);
  void give_back_kept();

  struct Unmap {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{kLargest}); }
  };
  size_t chunks_;
  size_t fresh_ = 0;  // chunks never handed out so far
  std::unique_ptr<std::byte[], Unmap> memory_;
  std::unique_ptr<uint8_t[]> free_order_;  // by unit: the order of the free block that begins there
  std::array<FreeBlock*, kOrders> free_{};
  // Blocks of each order that came back last. They do not join with their neighbours before memory is short:
  // what is made and given up with each packet would only be taken apart again.
  static constexpr size_t kKept = 16;
  struct Kept {
    std::array<std::byte*, kKept> blocks;
    size_t count = 0;
  };
  std::array<Kept, kOrders> kept_{};
  uint64_t quota_ = UINT64_MAX;
  bool quota_met_ = false;
  EventCount used_;
  EventCount refused_;
};

/// Bytes of a pool that grow. Whoever owns it gives them back by its end. Not copied.
class PoolBytes {
 public:
  explicit PoolBytes(BytePool& pool) : pool_(&pool) {}
  PoolBytes(PoolBytes&& other) noexcept
      : pool_(other.pool_),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  PoolBytes& operator=(PoolBytes&& other) noexcept {
    if (this == &other) return *this;
    reset();
    pool_ = other.pool_;
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }
  PoolBytes(const PoolBytes&) = delete;
  PoolBytes& operator=(const PoolBytes&) = delete;
  ~PoolBytes() { reset(); }

  std::span<const uint8_t> view() const { return {data_, size_}; }
  std::span<uint8_t> bytes() { return {data_, size_}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// False: the pool is at its ceiling, or it would become longer than BytePool::kLargest; nothing has
  /// changed then.
  [[nodiscard]] bool append(std::span<const uint8_t> more);
  /// Takes room for `size` bytes in all, so that they are appended without moving. The same errors.
  [[nodiscard]] bool reserve(size_t size);
  /// The last bytes go, memory stays.
  void shrink(size_t size) { size_ = size < size_ ? static_cast<uint32_t>(size) : size_; }
  /// The first `count` bytes go; what is left moves to the front.
  void drop_front(size_t count);
  /// Gives the memory back.
  void reset();

 private:
  /// Moves to a block for `size` bytes, with `more` behind what there is.
  bool grow(size_t size, std::span<const uint8_t> more);

  BytePool* pool_;
  uint8_t* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

/// Makes an object in a pool; null at its ceiling. Give it back with destroy_in(), as the type that it was
/// made.
template <typename T, typename... Args>
T* make_in(BytePool& pool, Args&&... args) {
  static_assert(sizeof(T) <= BytePool::kLargest);
  static_assert(alignof(T) <= BytePool::kSmallest);
  static_assert(std::is_nothrow_constructible_v<T, Args...>);
  void* const memory = pool.allocate(sizeof(T));
  return memory == nullptr ? nullptr : new (memory) T(std::forward<Args>(args)...);
}
template <typename T>
void destroy_in(BytePool& pool, T* object) {
  static_assert(!std::is_polymorphic_v<T> || std::is_final_v<T>, "the size of what was made has to be known");
  if (object == nullptr) return;
  object->~T();
  pool.release(object, sizeof(T));
}

}  // namespace weir::inspection
