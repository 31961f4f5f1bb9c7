// The frozen reference: all literals in one Hyperscan database, block mode, and a bare scan.
//
// Without HS_FLAG_SINGLEMATCH, as that is the faster way here (by about an eighth, with 7 times the matches).
#pragma once

#include <hs/hs.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/inspection/reference_literals.h"
#include "dataplane/net/result.h"

namespace weir::bench {

class ReferenceDatabase {
 public:
  static Result<ReferenceDatabase> compile(const std::vector<ReferenceLiteral>& literals);

  /// Adds what is found in `block` to `matches`, each place of each literal. False: Hyperscan returned an
  /// error.
  [[nodiscard]] bool scan(std::span<const uint8_t> block, uint64_t& matches) const;
  /// Whether the literal with this index is found in `block`.
  bool finds(std::span<const uint8_t> block, unsigned literal) const;

 private:
  struct FreeDatabase {
    void operator()(hs_database_t* db) const { hs_free_database(db); }
  };
  struct FreeScratch {
    void operator()(hs_scratch_t* scratch) const { hs_free_scratch(scratch); }
  };
  std::unique_ptr<hs_database_t, FreeDatabase> db_;
  std::unique_ptr<hs_scratch_t, FreeScratch> scratch_;
};

}  // namespace weir::bench
