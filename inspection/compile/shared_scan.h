// One scan for two groups of rules: those on the stream of an answer, and those on the body that most of it
// is.
//
// A scan of as many literals together costs next to nothing more than one of either half, and it spares a
// second look at the same bytes (docs/performance.md). Only for sessions of the web, where a stream may have
// such a body.
//
// Built by the builder thread, read by any number of workers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "inspection/compile/literal_table.h"
#include "inspection/compile/prefilter_group.h"

namespace weir::inspection {

class SharedScan {
 public:
  /// Builder: takes what the groups look for; they are not compiled yet.
  void join(const PrefilterGroup& stream, const PrefilterGroup& body);
  /// Builder. `cache` may be null.
  Status compile(TraitsNeeded needed, DatabaseCache* cache);
  Status grow(ScratchPtr& scratch) const;

  /// Whether there is something to find for both in such sessions.
  bool serves(SessionTraits traits) const { return by_traits_[traits] != nullptr; }
  /// Of the longest literal.
  size_t longest() const { return longest_; }
  /// Adds the rules of either group whose literals stand in `bytes`; those without a literal are not among
  /// them. False: Hyperscan returned an error, and rules may be missing. Worker; serves(traits).
  [[nodiscard]] bool propose(SessionTraits traits, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& of_stream, ProposedRules& of_body) const;

  size_t databases() const { return tables_.size(); }
  size_t database_bytes() const;

 private:
  struct Both {
    LiteralTable table;
    size_t of_stream = 0;  // the first literals; the others are the body's
  };
  std::vector<WantedLiteral> stream_, body_;
  std::vector<std::unique_ptr<Both>> tables_;  // those that differ
  std::array<const Both*, kAllTraits + 1> by_traits_{};
  size_t longest_ = 0;
};

}  // namespace weir::inspection
