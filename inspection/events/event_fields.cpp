#include "inspection/events/event_fields.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

namespace {

// A field's head: id, whether it was cut, length.
constexpr unsigned kIdShift = 24;
constexpr uint32_t kCut = 1U << 23;
constexpr uint32_t kLength = kCut - 1;
constexpr size_t kHead = sizeof(uint32_t);

}  // namespace

const FieldInfo& info_of(Field field) {
  static constexpr FieldInfo kInfos[] = {
#define FIELD(id, object, key, kind, limit) {EveObject::object, key, FieldKind::kind, limit},
#include "inspection/events/event_fields.def"
#undef FIELD
  };
  static_assert(std::size(kInfos) == static_cast<size_t>(Field::count_));
  return kInfos[static_cast<size_t>(field)];
}

void FieldWriter::bytes(Field field, std::span<const uint8_t> value) {
  const size_t left = room_.size() - size_;
  if (left < kHead) {
    cut_ = true;
    return;
  }
  const size_t limit = limits_ == Limits::none ? kLength : info_of(field).limit;
  const size_t size = std::min({value.size(), limit, left - kHead});
  const bool cut = size < value.size();
  cut_ = cut_ || cut;
  const uint32_t head =
      static_cast<uint32_t>(field) << kIdShift | (cut ? kCut : 0) | static_cast<uint32_t>(size);
  std::memcpy(&room_[size_], &head, kHead);
  if (size > 0) std::memcpy(&room_[size_ + kHead], value.data(), size);
  size_ += kHead + size;
}

void FieldWriter::number(Field field, uint64_t value) {
  if (room_.size() - size_ < kHead + sizeof value) {
    cut_ = true;  // half a number is none
    return;
  }
  bytes(field, {reinterpret_cast<const uint8_t*>(&value), sizeof value});
}

uint64_t FieldValue::number() const {
  uint64_t value = 0;
  if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::optional<FieldValue> FieldReader::next() {
  if (rest_.size() < kHead) return std::nullopt;
  uint32_t head = 0;
  std::memcpy(&head, rest_.data(), kHead);
  const uint32_t id = head >> kIdShift, size = head & kLength;
  if (id >= static_cast<uint32_t>(Field::count_) || size > rest_.size() - kHead) return std::nullopt;
  const FieldValue value{static_cast<Field>(id), (head & kCut) != 0, rest_.subspan(kHead, size)};
  rest_ = rest_.subspan(kHead + size);
  return value;
}

}  // namespace weir::inspection
