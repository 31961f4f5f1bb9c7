// Literals in one Hyperscan database (block mode): find which of many occur in a block.
//
// Built by the builder thread, read by any number of workers, each with a scratch of its own.
#pragma once

#include <hs/hs.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/result.h"

namespace weir::inspection {

struct Literal {
  std::string bytes;  // not empty
  bool nocase = false;
};

struct FreeDatabase {
  void operator()(hs_database_t* db) const { hs_free_database(db); }
};
struct FreeScratch {
  void operator()(hs_scratch_t* scratch) const { hs_free_scratch(scratch); }
};
using DatabasePtr = std::unique_ptr<hs_database_t, FreeDatabase>;
using ScratchPtr = std::unique_ptr<hs_scratch_t, FreeScratch>;

/// A literal's id is its index. Literals are at least one.
Result<DatabasePtr> compile_database(std::span<const Literal> literals);

class DatabaseCache;

class LiteralDatabase {
 public:
  /// Compiles, or takes it out of `cache`, unless null. No literals make a database in which nothing is ever
  /// found.
  static Result<LiteralDatabase> compile(const std::vector<Literal>& literals,
                                         DatabaseCache* cache = nullptr);

  /// Makes `scratch` large enough for this database too; it may hold null.
  Status grow(ScratchPtr& scratch) const;

  bool empty() const { return !db_; }
  /// Memory that the compiled database takes.
  size_t bytes() const;

  /// Calls `found(context, id)` for literals in `block`, each at least once, for most just once. Worker
  /// thread; `scratch` may be used by one scan at a time. False if Hyperscan returned an error: then what was
  /// found is not to be relied on.
  [[nodiscard]] bool scan(std::span<const uint8_t> block, hs_scratch_t* scratch,
                          void (*found)(void* context, uint32_t id), void* context) const;

 private:
  DatabasePtr db_;
};

}  // namespace weir::inspection
