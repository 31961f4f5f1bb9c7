// A regular expression compiled by PCRE2, with its just-in-time code.
//
// Builder thread makes it; any number of workers match with it at once, each with a PcreScratch of its own.
#pragma once

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/rules/option_values.h"

namespace weir::inspection {

struct FreePcre {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

/// A worker's memory for matching. One match at a time.
class PcreScratch {
 public:
  static Result<PcreScratch> create();

 private:
  friend class PcreCode;
  std::unique_ptr<pcre2_match_data, FreePcre> data_;
  std::unique_ptr<pcre2_match_context, FreePcre> context_;
  std::unique_ptr<pcre2_jit_stack, FreePcre> stack_;
};

class PcreCode {
 public:
  enum class Outcome : uint8_t { match, no_match, limit, error };
  struct Found {
    Outcome outcome = Outcome::no_match;
    size_t begin = 0, end = 0;       // of the whole match, in the subject
    std::span<const uint8_t> group;  // the first one
    bool has_group = false;
    uint64_t work = 0;  // about one for each byte looked at, and each step
  };
  /// What a match may take; beyond, its outcome is `limit`.
  struct Limits {
    uint32_t steps = 3'500;     // at one place of the subject: PCRE2's own unit, about one for each step back
    uint64_t work = 64 * 1024;  // in all, not counting one look at each byte
  };

  /// The error is a sentence with the place in the pattern. A pattern that the just-in-time compiler does not
  /// take is an error too: matching it would take memory from the heap.
  static Result<PcreCode> compile(const ast::Pcre& pcre);

  /// Looks for it in `subject` from `from` on, which may be its end. What lies before `from` is seen by
  /// look-behinds.
  ///
  /// PCRE2 counts steps for each place where a match may begin, and does not tell them. So all places are
  /// tried at once with few steps each, and only if these do not do, by themselves, so that their sum is
  /// known and bounded.
  Found match(std::span<const uint8_t> subject, size_t from, PcreScratch& scratch,
              const Limits& limits) const;

 private:
  /// Begins at `from` or behind, at `last` at the latest, with so many steps at each place.
  Found run(std::span<const uint8_t> subject, size_t from, size_t last, uint32_t steps,
            PcreScratch& scratch) const;
  Found by_places(std::span<const uint8_t> subject, size_t from, PcreScratch& scratch,
                  const Limits& limits) const;
  std::shared_ptr<const pcre2_code> code_;
};

/// Expressions that were compiled, so that rules with the same one share it. Builder thread.
class PcreCodes {
 public:
  /// As PcreCode::compile().
  Result<PcreCode> get(const ast::Pcre& pcre);

 private:
  std::unordered_map<std::string, PcreCode> known_;
};

/// A literal that every match of `pcre` contains, the best that a simple reading finds; empty if none. With
/// `nocase` set it stands in any case.
struct PcreLiteral {
  std::string bytes;
  bool nocase = false;
};
std::vector<PcreLiteral> required_literals(const ast::Pcre& pcre);

}  // namespace weir::inspection
