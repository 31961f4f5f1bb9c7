#include "inspection/memory/domain_memory.h"

#include <bit>

namespace weir::inspection {

DomainMemory::Account& DomainMemory::of(uint32_t domain) {
  // Ids are given out by the hub, so spread is enough (Knuth, TAOCP 3, 6.4).
  static_assert(std::has_single_bit(kDomainPlaces));
  const size_t home = (domain * uint32_t{2'654'435'769}) >> (32 - std::countr_zero(kDomainPlaces));
  Account* empty = nullptr;
  for (size_t i = 0; i < kProbes; ++i) {
    Account& account = accounts_[(home + i) % kDomainPlaces];
    const bool used = account.sessions != 0 || account.bytes != 0;
    if (used && account.domain == domain) return account;
    if (!used && empty == nullptr) empty = &account;
  }
  if (empty == nullptr) return others_;
  empty->domain = domain;
  return *empty;
}

}  // namespace weir::inspection
