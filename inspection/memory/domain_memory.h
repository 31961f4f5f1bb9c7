// What the sessions of each domain have of a worker's memory, so that one cannot take it from all others.
//
// A table of fixed size by the domain's id. One worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "inspection/memory/domain_share.h"

namespace weir::inspection {

class DomainMemory {
 public:
  /// Of one domain.
  struct Account {
    uint32_t domain = 0;
    uint32_t sessions = 0;  // under inspection
    int64_t bytes = 0;      // of the pool
  };

  /// The account of a domain. It stays where it is while its sessions or bytes are not 0; one that is empty
  /// may be another's with the next call. Domains for which there is no place share one.
  Account& of(uint32_t domain);

 private:
  static constexpr size_t kProbes = 32;

  std::array<Account, kDomainPlaces> accounts_{};
  Account others_;
};

}  // namespace weir::inspection
