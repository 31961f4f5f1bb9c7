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
  /// `match_limit` bounds the work of one match (PCRE2's own unit, about one for each step back).
  static Result<PcreScratch> create(uint32_t match_limit);

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
  };

  /// The error is a sentence with the place in the pattern. A pattern that the just-in-time compiler does not
  /// take is an error too: matching it would take memory from the heap.
  static Result<PcreCode> compile(const ast::Pcre& pcre);

  /// Looks for it in `subject` from `from` on, which may be its end. What lies before `from` is seen by
  /// look-behinds.
  Found match(std::span<const uint8_t> subject, size_t from, PcreScratch& scratch) const;

 private:
  std::shared_ptr<const pcre2_code> code_;
};

/// A literal that every match of `pcre` contains, the best that a simple reading finds; empty if none. With
/// `nocase` set it stands in any case.
struct PcreLiteral {
  std::string bytes;
  bool nocase = false;
};
std::vector<PcreLiteral> required_literals(const ast::Pcre& pcre);

}  // namespace weir::inspection
