#include "dataplane/tunnel/attachment_table.h"

#include <algorithm>
#include <bit>

namespace weir::dataplane {

namespace {

uint32_t slots_for(const std::vector<Attachment>& attachments) {
  uint32_t slots = 0;
  for (const Attachment& a : attachments) {
    if (a.id.valid()) slots = std::max(slots, a.id.index() + 1);
  }
  return slots;
}

/// What free slots lead to, so that readers need not ask: its id is nobody's, an invalid one's neither.
const Attachment* stand_in() {
  static const Attachment nobody = [] {
    Attachment a;
    a.id.value = ~0u;
    return a;
  }();
  return &nobody;
}

}  // namespace

AttachmentTable::AttachmentTable(uint32_t capacity)
    : capacity_(capacity),
      mask_(std::bit_ceil(std::max(capacity, 1u)) - 1),
      slots_(std::make_unique<std::atomic<const Attachment*>[]>(size_t{mask_} + 1)) {
  for (uint32_t i = 0; i <= mask_; ++i) slots_[i].store(stand_in(), std::memory_order_relaxed);
}

AttachmentTable::AttachmentTable(std::vector<Attachment> attachments)
    : AttachmentTable(slots_for(attachments)) {
  for (Attachment& a : attachments) {
    if (a.id.valid()) set(std::make_unique<const Attachment>(std::move(a)));
  }
}

AttachmentTable::~AttachmentTable() {
  for (uint32_t i = 0; i < capacity_; ++i) exchange(i, stand_in());
}

AttachmentTable::Retired AttachmentTable::exchange(uint32_t index, const Attachment* next) {
  const Attachment* old = slots_[index].exchange(next, std::memory_order_acq_rel);
  return Retired(old == stand_in() ? nullptr : old);
}

AttachmentTable::Retired AttachmentTable::set(std::unique_ptr<const Attachment> attachment) {
  const uint32_t index = attachment->id.index();
  return exchange(index, attachment.release());
}

AttachmentTable::Retired AttachmentTable::remove(AttachmentId id) {
  return find(id) == nullptr ? nullptr : exchange(id.index(), stand_in());
}

void AttachmentTable::for_each(const std::function<void(const Attachment&)>& visit) const {
  for (uint32_t i = 0; i < capacity_; ++i) {
    if (const Attachment* a = slots_[i].load(std::memory_order_acquire); a != stand_in()) visit(*a);
  }
}

}  // namespace weir::dataplane
