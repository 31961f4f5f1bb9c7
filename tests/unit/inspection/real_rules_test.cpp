// Real rules: all that the parser takes compile, in bounded time and memory.
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "detection_support.h"

namespace weir::inspection::test {
namespace {

size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) / 1e6;
}

TEST(RealRules, CompileInBoundedTimeAndMemory) {
  const char* const corpus = std::getenv("WEIR_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "WEIR_CORPUS is not set";
  std::ifstream file(std::string(corpus) + "/et-open/et-open.rules", std::ios::binary);
  ASSERT_TRUE(file);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t before = resident_bytes();
  double t = cpu_seconds();
  ast::ParsedRuleset parsed;
  ast::RuleReader().read("et-open.rules", text, parsed);
  const double parsing = cpu_seconds() - t;
  t = cpu_seconds();
  auto ruleset = DetectionRuleset::compile(parsed, {});
  ASSERT_TRUE(ruleset) << ruleset.error().message;
  const double compiling = cpu_seconds() - t;
  const DetectionRuleset::Sizes sizes = (*ruleset)->sizes();
  std::map<std::string, size_t> reasons;
  for (const ast::Issue& issue : (*ruleset)->issues()) ++reasons[issue.message];
  for (const auto& [reason, count] : reasons) std::printf("  %5zu %s\n", count, reason.c_str());
  std::printf(
      "  %zu rules, %zu compiled, %zu slow; parsing %.1f s, compiling %.1f s of one core;\n"
      "  %zu databases of %zu literals, %.1f MiB, scratch %.1f KiB; resident +%.0f MiB with the parsed "
      "rules\n",
      parsed.rules.size(), (*ruleset)->rules().size(), (*ruleset)->slow().size(), parsing, compiling,
      sizes.databases, sizes.literals, static_cast<double>(sizes.database_bytes) / (1 << 20),
      static_cast<double>(sizes.scratch_bytes) / 1024,
      static_cast<double>(resident_bytes() - before) / (1 << 20));
  EXPECT_GE((*ruleset)->rules().size(), parsed.rules.size() * 95 / 100);
  EXPECT_LT(compiling, 60);
  EXPECT_LT(sizes.database_bytes, size_t{256} << 20);
}

}  // namespace
}  // namespace weir::inspection::test
