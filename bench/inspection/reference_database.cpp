#include "bench/inspection/reference_database.h"

#include <string>

namespace weir::bench {

namespace {

int count_match(unsigned, unsigned long long, unsigned long long, unsigned, void* matches) {
  ++*static_cast<uint64_t*>(matches);
  return 0;
}

struct Sought {
  unsigned literal;
  bool found = false;
};

int look_for(unsigned literal, unsigned long long, unsigned long long, unsigned, void* context) {
  auto* sought = static_cast<Sought*>(context);
  sought->found |= literal == sought->literal;
  return 0;
}

}  // namespace

Result<ReferenceDatabase> ReferenceDatabase::compile(const std::vector<ReferenceLiteral>& literals) {
  std::vector<const char*> expressions;
  std::vector<unsigned> flags, ids;
  std::vector<size_t> lengths;
  for (const ReferenceLiteral& literal : literals) {
    ids.push_back(static_cast<unsigned>(ids.size()));
    expressions.push_back(literal.bytes.data());
    lengths.push_back(literal.bytes.size());
    flags.push_back(literal.nocase ? HS_FLAG_CASELESS : 0U);
  }
  ReferenceDatabase result;
  hs_database_t* db = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(expressions.data(), flags.data(), ids.data(), lengths.data(),
                           static_cast<unsigned>(ids.size()), HS_MODE_BLOCK, nullptr, &db,
                           &error) != HS_SUCCESS) {
    const std::string reason = error != nullptr ? error->message : "no reason given";
    hs_free_compile_error(error);
    return fail(ErrorCode::refused, "Hyperscan does not compile the reference: " + reason);
  }
  result.db_.reset(db);
  hs_scratch_t* scratch = nullptr;
  if (hs_alloc_scratch(db, &scratch) != HS_SUCCESS) {
    return fail(ErrorCode::exhausted, "Hyperscan gets no scratch memory for the reference");
  }
  result.scratch_.reset(scratch);
  return result;
}

bool ReferenceDatabase::scan(std::span<const uint8_t> block, uint64_t& matches) const {
  return hs_scan(db_.get(), reinterpret_cast<const char*>(block.data()), static_cast<unsigned>(block.size()),
                 0, scratch_.get(), count_match, &matches) == HS_SUCCESS;
}

bool ReferenceDatabase::finds(std::span<const uint8_t> block, unsigned literal) const {
  Sought sought{literal};
  const hs_error_t code = hs_scan(db_.get(), reinterpret_cast<const char*>(block.data()),
                                  static_cast<unsigned>(block.size()), 0, scratch_.get(), look_for, &sought);
  return code == HS_SUCCESS && sought.found;
}

}  // namespace weir::bench
