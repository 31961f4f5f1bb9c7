#include "inspection/compile/literal_database.h"

#include <limits>
#include <utility>

#include "inspection/compile/database_cache.h"

namespace weir::inspection {

namespace {

struct FreeCompileError {
  void operator()(hs_compile_error_t* error) const { hs_free_compile_error(error); }
};

struct ScanContext {
  void (*found)(void*, uint32_t);
  void* context;
};

int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
  const auto* scan = static_cast<const ScanContext*>(context);
  scan->found(scan->context, id);
  return 0;
}

}  // namespace

Result<DatabasePtr> compile_database(std::span<const Literal> literals) {
  std::vector<const char*> expressions;
  std::vector<unsigned> flags, ids;
  std::vector<size_t> lengths;
  for (const Literal& literal : literals) {
    ids.push_back(static_cast<unsigned>(expressions.size()));
    expressions.push_back(literal.bytes.data());
    lengths.push_back(literal.bytes.size());
    flags.push_back(HS_FLAG_SINGLEMATCH | (literal.nocase ? HS_FLAG_CASELESS : 0U));
  }
  hs_database_t* raw = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t code =
      hs_compile_lit_multi(expressions.data(), flags.data(), ids.data(), lengths.data(),
                           static_cast<unsigned>(expressions.size()), HS_MODE_BLOCK, nullptr, &raw, &error);
  DatabasePtr database(raw);
  const std::unique_ptr<hs_compile_error_t, FreeCompileError> owned_error(error);
  if (code != HS_SUCCESS) {
    return fail(ErrorCode::refused, "Hyperscan does not compile the literals: " +
                                        std::string(error != nullptr ? error->message : "no reason given"));
  }
  return database;
}

Result<LiteralDatabase> LiteralDatabase::compile(const std::vector<Literal>& literals, DatabaseCache* cache) {
  LiteralDatabase result;
  if (literals.empty()) return result;
  auto database = cache != nullptr ? cache->get(literals) : compile_database(literals);
  if (!database) return tl::unexpected(std::move(database).error());
  result.db_ = std::move(*database);
  return result;
}

Status LiteralDatabase::grow(ScratchPtr& scratch) const {
  if (!db_) return {};
  hs_scratch_t* raw = scratch.release();
  const hs_error_t code = hs_alloc_scratch(db_.get(), &raw);
  scratch.reset(raw);
  if (code != HS_SUCCESS) {
    return fail(ErrorCode::exhausted,
                "Hyperscan does not get its scratch memory (code " + std::to_string(code) + ")");
  }
  return {};
}

size_t LiteralDatabase::bytes() const {
  size_t size = 0;
  return db_ && hs_database_size(db_.get(), &size) == HS_SUCCESS ? size : 0;
}

bool LiteralDatabase::scan(std::span<const uint8_t> block, hs_scratch_t* scratch,
                           void (*found)(void* context, uint32_t id), void* context) const {
  if (!db_ || block.empty()) return true;
  if (block.size() > std::numeric_limits<unsigned>::max()) return false;
  ScanContext scan{found, context};
  return hs_scan(db_.get(), reinterpret_cast<const char*>(block.data()), static_cast<unsigned>(block.size()),
                 0, scratch, on_match, &scan) == HS_SUCCESS;
}

}  // namespace weir::inspection
