#include "bench/inspection/corpus.h"

#include <cstdlib>
#include <filesystem>

namespace weir::bench {

namespace {

namespace fs = std::filesystem;

/// The root above this program, known by its presets; empty if there is none.
fs::path repository() {
  std::error_code error;
  fs::path at = fs::read_symlink("/proc/self/exe", error).parent_path();
  while (at.has_relative_path() && !fs::exists(at / "CMakePresets.json", error)) at = at.parent_path();
  return at.has_relative_path() ? at : fs::path();
}

}  // namespace

Result<std::string> find_corpus_rules() {
  std::error_code error;
  fs::path corpus;
  if (const char* named = std::getenv("WEIR_CORPUS"); named != nullptr && *named != '\0') {
    corpus = named;
  } else if (const fs::path root = repository(); !root.empty()) {
    corpus = root.parent_path() / "shared" / "corpus";
  }
  const fs::path rules = corpus / "et-open" / "et-open.rules";
  if (corpus.empty() || !fs::is_regular_file(rules, error)) {
    return fail(ErrorCode::not_found, "no corpus: set WEIR_CORPUS");
  }
  return rules.string();
}

Result<std::string> find_in_repository(const std::string& path) {
  std::error_code error;
  const fs::path root = repository();
  if (root.empty() || !fs::is_regular_file(root / path, error)) {
    return fail(ErrorCode::not_found, path + " is not there: this program does not lie in its repository");
  }
  return (root / path).string();
}

}  // namespace weir::bench
