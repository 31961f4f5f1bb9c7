// Which ids are free. An index whose owner is gone stays out until release(), after every worker has purged
// what names it; only then is it given out again, with the next generation. Control thread.
#pragma once

#include <cstdint>
#include <vector>

namespace weir::model {

template <typename Id>
class IdPool {
 public:
  /// `capacity`: of indices.
  explicit IdPool(uint32_t capacity) : capacity_(capacity) {}

  /// The id that take() would give after `n` other calls of it. Only meaningful if `n` < room().
  Id next(uint32_t n) const {
    const auto free = static_cast<uint32_t>(free_.size());
    if (n < free) return following(free_[free - 1 - n]);
    const uint32_t fresh = static_cast<uint32_t>(generations_.size()) + (n - free);
    return Id::make(fresh, 1);
  }
  Id take() {
    const Id id = next(0);
    if (!free_.empty()) {
      free_.pop_back();
    } else {
      generations_.push_back(0);
    }
    generations_[id.index()] = id.generation();
    return id;
  }
  /// Every worker has purged what names `id`.
  void release(Id id) { free_.push_back(id.index()); }

  /// How many ids there are to take now. Those that wait to be released are not among them.
  uint32_t room() const {
    return static_cast<uint32_t>(free_.size()) + capacity_ - static_cast<uint32_t>(generations_.size());
  }

 private:
  Id following(uint32_t index) const {
    const uint32_t generation = generations_[index];
    return Id::make(index, generation == Id::kMaxGeneration ? 1 : generation + 1);
  }

  uint32_t capacity_;
  std::vector<uint32_t> generations_;  // by index, the last one given out
  std::vector<uint32_t> free_;
};

}  // namespace weir::model
