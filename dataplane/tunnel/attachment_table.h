// All attachments by id, changed in place.
//
// One for the hub's life. Control alone changes it; any worker reads at any time and sees an attachment as it
// was before or after a change, never half of it: an Attachment is immutable, what changes is the pointer to
// it. Memory is set aside once, for the capacity.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/tunnel/attachment.h"

namespace weir::dataplane {

class AttachmentTable {
 public:
  /// What a change took out. Workers may still read it: keep it until they have passed a quiescent state.
  using Retired = std::unique_ptr<const Attachment>;

  /// `capacity` is below AttachmentId::kMaxIndex.
  explicit AttachmentTable(uint32_t capacity);
  /// Just these, each where its id says; those without one are left out.
  explicit AttachmentTable(std::vector<Attachment> attachments);
  ~AttachmentTable();
  AttachmentTable(AttachmentTable&& other) noexcept
      : capacity_(std::exchange(other.capacity_, 0)), mask_(other.mask_), slots_(std::move(other.slots_)) {}
  AttachmentTable& operator=(AttachmentTable&&) = delete;

  // --- control thread ---
  /// Takes the place of whatever has the same index, which has to be below capacity().
  Retired set(std::unique_ptr<const Attachment> attachment);
  /// A stale id: does nothing.
  Retired remove(AttachmentId id);
  /// In the order of their indices.
  void for_each(const std::function<void(const Attachment&)>& visit) const;
  uint32_t capacity() const { return capacity_; }

  // --- any thread ---
  /// What a look-up reads, for code that makes many of them: it stays in registers, which the table's own
  /// members do not. Good for the table's life.
  class Reader;
  Reader reader() const;
  /// Null if the id's generation is not the slot's: the attachment that it named is gone. May be kept until
  /// the thread's next quiescent state.
  const Attachment* find(AttachmentId id) const;

 private:
  Retired exchange(uint32_t index, const Attachment* next);

  uint32_t capacity_;
  uint32_t mask_;  // of slots, a power of two of them: an index of any id, under it, is one
  std::unique_ptr<std::atomic<const Attachment*>[]>
      slots_;  // owned; in a free one a stand-in that nobody names
};

class AttachmentTable::Reader {
 public:
  [[gnu::always_inline]] const Attachment* find(AttachmentId id) const {
    const Attachment* a = slots_[id.value & mask_].load(std::memory_order_acquire);
    return a->id == id ? a : nullptr;
  }

 private:
  friend class AttachmentTable;
  Reader(const std::atomic<const Attachment*>* slots, uint32_t mask) : slots_(slots), mask_(mask) {}
  const std::atomic<const Attachment*>* slots_;
  uint32_t mask_;
};

inline AttachmentTable::Reader AttachmentTable::reader() const { return {slots_.get(), mask_}; }
inline const Attachment* AttachmentTable::find(AttachmentId id) const { return reader().find(id); }

}  // namespace weir::dataplane
