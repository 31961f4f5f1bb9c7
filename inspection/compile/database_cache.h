// Compiled databases on disk, so that a ruleset that was compiled before is ready as soon as it is read, and
// of one that has changed only those databases are compiled anew whose literals did.
//
// One file for each database, in a folder of its own. A file's name is a digest of everything that its
// content hangs on: the literals, Hyperscan's version, the instructions that it compiles for. A file has to
// be ours alone (0600) and to have the digest that it begins with; what does not is compiled again, and said.
// Digests guard against accidents: whoever may write as the hub's user may do worse.
//
// Builder's threads, several at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/compile/literal_database.h"

namespace weir::inspection {

class DatabaseCache {
 public:
  static constexpr uint64_t kUsualBytes = uint64_t{256} << 20;

  /// What came of it.
  struct Outcome {
    size_t loaded = 0, compiled = 0;
    std::vector<std::string> notes;  // sentences: files that were not usable, or could not be written
  };

  /// Makes the folder (0700) unless it is there. An error: it cannot be made, or others may write to it.
  static Result<std::unique_ptr<DatabaseCache>> open(const std::filesystem::path& folder,
                                                     uint64_t most_bytes = kUsualBytes);

  /// The database of these literals, out of a file or compiled and then kept. The error is of compiling.
  Result<DatabasePtr> get(std::span<const Literal> literals);

  /// Once all were asked for: files that nobody asked for go, those first that were used longest ago, until
  /// what is left takes no more than `most_bytes`.
  void prune();
  Outcome outcome() const;

 private:
  DatabaseCache(std::filesystem::path folder, uint64_t most_bytes, std::string platform)
      : folder_(std::move(folder)), most_bytes_(most_bytes), platform_(std::move(platform)) {}
  std::optional<std::string> name_of(std::span<const Literal> literals) const;
  DatabasePtr load(const std::string& name);
  void store(const std::string& name, const hs_database_t& database);
  void note(std::string sentence);

  const std::filesystem::path folder_;
  const uint64_t most_bytes_;
  const std::string platform_;  // what databases hang on beside their literals
  std::atomic<size_t> loaded_{0}, compiled_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> notes_;
  std::set<std::string> asked_;  // names of files
};

}  // namespace weir::inspection
