// How long real rules take until they are ready, beside what cannot be done without.
//
//   ready/hs_compile  the literals of all the real rules by one hs_compile_lit_multi
//   ready/parse       the text read and parsed
//   ready/cold        from the files to a ruleset bound to a profile, with nothing on disk
//   ready/warm        the same with what it left there (counter `compiled`: databases made nevertheless)
//
// On one thread, so that figures can be compared; in the hub the builder has all cores but the workers'.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "bench/inspection/corpus.h"
#include "bench/inspection/reference_database.h"
#include "bench/measure.h"
#include "inspection/engine/ruleset_builder.h"

namespace weir::bench {
namespace {

namespace fs = std::filesystem;
using inspection::DatabaseCache;

/// A folder that is gone with it.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "weir-ready-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void hs_compile(benchmark::State& state) {
  const auto literals = load_reference_literals();
  if (!literals) return state.SkipWithError(literals.error().message.c_str());
  for (auto _ : state) {
    const auto database = ReferenceDatabase::compile(*literals);
    if (!database) state.SkipWithError(database.error().message.c_str());
  }
  state.counters["literals"] = static_cast<double>(literals->size());
}

void parse(benchmark::State& state) {
  const auto path = find_corpus_rules();
  if (!path) return state.SkipWithError(path.error().message.c_str());
  for (auto _ : state) {
    const auto rules = inspection::read_rule_files({*path}, inspection::ast::RuleReader());
    if (!rules) return state.SkipWithError(rules.error().message.c_str());
    state.counters["rules"] = static_cast<double>(rules->rules.size());
  }
}

/// Seconds count from the files on; a cache that is opened is a part of it.
void ready(benchmark::State& state, bool warm) {
  const auto path = find_corpus_rules();
  if (!path) return state.SkipWithError(path.error().message.c_str());
  Folder folder;
  const auto build = [&](const fs::path& databases) {
    auto cache = DatabaseCache::open(databases);
    if (!cache) return state.SkipWithError(cache.error().message.c_str());
    inspection::ProfileSpec spec;
    spec.source.files = {*path};
    const auto built = inspection::RulesetBuilder(1, nullptr, cache->get()).build(spec);
    if (!built) return state.SkipWithError(built.error().message.c_str());
    (*cache)->prune();
    const auto outcome = (*cache)->outcome();
    state.counters["rules"] = static_cast<double>(built->loaded);
    state.counters["compiled"] = static_cast<double>(outcome.compiled);
    state.counters["loaded"] = static_cast<double>(outcome.loaded);
    state.counters["bytes"] = static_cast<double>(built->bytes);
  };
  size_t number = 0;
  if (warm) build(folder.path() / "warm");
  for (auto _ : state) build(folder.path() / (warm ? "warm" : std::to_string(number++)));
}

BENCHMARK(hs_compile)->Name("ready/hs_compile")->Unit(benchmark::kMillisecond)->Apply(common);
BENCHMARK(parse)->Name("ready/parse")->Unit(benchmark::kMillisecond)->Apply(common);
BENCHMARK_CAPTURE(ready, cold, false)->Name("ready/cold")->Unit(benchmark::kMillisecond)->Apply(common);
BENCHMARK_CAPTURE(ready, warm, true)->Name("ready/warm")->Unit(benchmark::kMillisecond)->Apply(common);

}  // namespace
}  // namespace weir::bench
