// The transactions of a session, as a parser holds them: many, or the one that there is.
//
// In the pool of a worker; that worker's alone.
#pragma once

#include <span>
#include <utility>

#include "inspection/app/app_parser.h"
#include "inspection/memory/byte_pool.h"
#include "inspection/memory/pool_list.h"

namespace weir::inspection {

/// Oldest first.
template <typename T>
class TransactionList {
 public:
  explicit TransactionList(BytePool& pool) noexcept : pool_(pool), list_(pool) {}
  ~TransactionList() {
    for (size_t i = 0; i < size(); ++i) destroy_in(pool_, &(*this)[i]);
  }
  TransactionList(const TransactionList&) = delete;
  TransactionList& operator=(const TransactionList&) = delete;

  /// Makes another one; null: the pool is at its ceiling.
  template <typename... Args>
  T* make(Args&&... args) {
    T* const made = make_in<T>(pool_, std::forward<Args>(args)...);
    if (made == nullptr || list_.push_back(made)) return made;
    destroy_in(pool_, made);
    return nullptr;
  }
  size_t size() const { return list_.size(); }
  T& operator[](size_t index) const { return static_cast<T&>(*view()[index]); }
  /// Valid until the next make() or drop_over().
  std::span<Transaction* const> view() const { return list_.items(); }
  /// Gives back those that are over (is_over()).
  void drop_over() {
    list_.remove_if([&](Transaction* tx) {
      const bool over = is_over(*tx);
      if (over) destroy_in(pool_, static_cast<T*>(tx));
      return over;
    });
    if (list_.empty()) list_.reset();  // a session at rest takes nothing
  }

 private:
  BytePool& pool_;
  PoolList<Transaction*> list_;
};

/// Of a session that has no more than one. As a pointer that owns.
template <typename T>
class SoleTransaction {
 public:
  explicit SoleTransaction(BytePool& pool) noexcept : pool_(pool) {}
  ~SoleTransaction() { destroy_in(pool_, get()); }
  SoleTransaction(const SoleTransaction&) = delete;
  SoleTransaction& operator=(const SoleTransaction&) = delete;

  /// Once. Without memory it stays null.
  template <typename... Args>
  void make(uint64_t id, Args&&... args) {
    open_ = make_in<T>(pool_, std::forward<Args>(args)...);
    if (open_ != nullptr) open_->id = id;
  }
  T* get() const { return static_cast<T*>(open_); }
  T* operator->() const { return get(); }
  bool operator==(std::nullptr_t) const { return open_ == nullptr; }
  std::span<Transaction* const> view() const { return {&open_, open_ != nullptr ? size_t{1} : size_t{0}}; }
  /// Gives it back if it is over (is_over()).
  void drop_over() {
    if (open_ == nullptr || !is_over(*open_)) return;
    destroy_in(pool_, get());
    open_ = nullptr;
  }

 private:
  BytePool& pool_;
  Transaction* open_ = nullptr;
};

}  // namespace weir::inspection
