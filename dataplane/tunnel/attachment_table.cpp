#include "dataplane/tunnel/attachment_table.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

uint32_t slots_for(const std::vector<Attachment>& attachments) {
  uint32_t slots = 0;
  for (const Attachment& a : attachments) {
    if (a.id.valid()) slots = std::max(slots, a.id.index() + 1);
  }
  return slots;
}

}  // namespace

AttachmentTable::AttachmentTable(std::vector<Attachment> attachments)
    : AttachmentTable(slots_for(attachments)) {
  for (Attachment& a : attachments) {
    if (a.id.valid()) set(std::make_unique<const Attachment>(std::move(a)));
  }
}

AttachmentTable::~AttachmentTable() {
  for (uint32_t i = 0; i < capacity_; ++i) exchange(i, nullptr);
}

AttachmentTable::Retired AttachmentTable::set(std::unique_ptr<const Attachment> attachment) {
  const uint32_t index = attachment->id.index();
  return exchange(index, attachment.release());
}

AttachmentTable::Retired AttachmentTable::remove(AttachmentId id) {
  return find(id) == nullptr ? nullptr : exchange(id.index(), nullptr);
}

void AttachmentTable::for_each(const std::function<void(const Attachment&)>& visit) const {
  for (uint32_t i = 0; i < capacity_; ++i) {
    if (const Attachment* a = slots_[i].load(std::memory_order_acquire)) visit(*a);
  }
}

}  // namespace weir::dataplane
