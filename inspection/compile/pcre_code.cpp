#include "inspection/compile/pcre_code.h"

#include <algorithm>
#include <array>

namespace weir::inspection {

namespace {

// Steps at one place that most expressions never need.
constexpr uint32_t kQuickSteps = 32;
// Places that are tried at once while they are quick.
constexpr size_t kPlaces = 32;

// The depth of the machine stack that one match may use; what needs more counts as a limit.
constexpr size_t kJitStackStart = 32 * 1024, kJitStackMax = 512 * 1024;

uint32_t options_of(const ast::Pcre& pcre) {
  uint32_t options = 0;
  if (pcre.caseless) options |= PCRE2_CASELESS;
  if (pcre.multi_line) options |= PCRE2_MULTILINE;
  if (pcre.dot_all) options |= PCRE2_DOTALL;
  if (pcre.extended) options |= PCRE2_EXTENDED;
  if (pcre.anchored) options |= PCRE2_ANCHORED;
  if (pcre.dollar_end_only) options |= PCRE2_DOLLAR_ENDONLY;
  if (pcre.ungreedy) options |= PCRE2_UNGREEDY;
  // `\C` would split characters of UTF-8, which is off: bytes are characters.
  return options | PCRE2_NEVER_UTF | PCRE2_USE_OFFSET_LIMIT;
}

PcreCode::Found only(PcreCode::Outcome outcome) {
  PcreCode::Found found;
  found.outcome = outcome;
  return found;
}

std::string words_of(int code) {
  std::array<PCRE2_UCHAR, 160> text{};
  if (pcre2_get_error_message(code, text.data(), text.size()) < 0) return "error " + std::to_string(code);
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

Result<PcreScratch> PcreScratch::create() {
  PcreScratch scratch;
  // The whole match and its first group; PCRE2 works with fewer pairs than the pattern has groups.
  scratch.data_.reset(pcre2_match_data_create(2, nullptr));
  scratch.context_.reset(pcre2_match_context_create(nullptr));
  scratch.stack_.reset(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr));
  if (!scratch.data_ || !scratch.context_ || !scratch.stack_) {
    return fail(ErrorCode::exhausted, "PCRE2 does not get its memory for matching");
  }
  pcre2_jit_stack_assign(scratch.context_.get(), nullptr, scratch.stack_.get());
  return scratch;
}

Result<PcreCode> PcreCode::compile(const ast::Pcre& pcre) {
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pcre.pattern.data()),
                                         pcre.pattern.size(), options_of(pcre), &error, &place, nullptr);
  if (code == nullptr) {
    return fail(ErrorCode::invalid, "PCRE2 does not take the pattern at its byte " + std::to_string(place) +
                                        ": " + words_of(error));
  }
  PcreCode result;
  result.code_.reset(code, FreePcre{});
  if (const int jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); jit != 0) {
    return fail(ErrorCode::refused, "PCRE2 makes no machine code of the pattern: " + words_of(jit));
  }
  return result;
}

Result<PcreCode> PcreCodes::get(const ast::Pcre& pcre) {
  const uint32_t options = options_of(pcre);
  std::string key(reinterpret_cast<const char*>(&options), sizeof options);
  key += pcre.pattern;
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  auto code = PcreCode::compile(pcre);
  if (code) known_.emplace(std::move(key), *code);
  return code;
}

PcreCode::Found PcreCode::match(std::span<const uint8_t> subject, size_t from, PcreScratch& scratch,
                                const Limits& limits) const {
  Found found = run(subject, from, subject.size(), std::min(kQuickSteps, limits.steps), scratch);
  if (found.outcome == Outcome::limit && limits.steps > kQuickSteps)
    found = by_places(subject, from, scratch, limits);
  found.work +=
      (found.outcome == Outcome::match ? found.end : subject.size()) - std::min(from, subject.size());
  return found;
}

PcreCode::Found PcreCode::by_places(std::span<const uint8_t> subject, size_t from, PcreScratch& scratch,
                                    const Limits& limits) const {
  uint64_t work = 0;
  const auto told = [&](Found found) {
    found.work = work;
    return found;
  };
  uint32_t options = 0;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_ALLOPTIONS, &options);
  const size_t end = (options & PCRE2_ANCHORED) != 0 ? from : subject.size();
  for (size_t place = from; place <= end;) {
    const size_t last = std::min(place + kPlaces - 1, end);
    const Found quick = run(subject, place, last, kQuickSteps, scratch);
    work += last - place + 1;
    if (quick.outcome == Outcome::match || quick.outcome == Outcome::error) return told(quick);
    for (; quick.outcome == Outcome::limit && place <= last; ++place) {
      Found found;
      for (uint32_t steps = kQuickSteps;; steps = std::min(4 * steps, limits.steps)) {
        if (work + steps > limits.work) return told(only(Outcome::limit));
        found = run(subject, place, place, steps, scratch);
        work += found.outcome == Outcome::limit ? steps : 1;
        if (found.outcome != Outcome::limit || steps == limits.steps) break;
      }
      if (found.outcome != Outcome::no_match) return told(found);
    }
    place = last + 1;
  }
  return told(only(Outcome::no_match));
}

PcreCode::Found PcreCode::run(std::span<const uint8_t> subject, size_t from, size_t last, uint32_t steps,
                              PcreScratch& scratch) const {
  static const uint8_t nothing = 0;
  pcre2_set_match_limit(scratch.context_.get(), steps);
  pcre2_set_offset_limit(scratch.context_.get(), last);
  const uint8_t* const bytes = subject.data() == nullptr ? &nothing : subject.data();
  const int code =
      pcre2_match(code_.get(), bytes, subject.size(), from, 0, scratch.data_.get(), scratch.context_.get());
  // 0: there are more groups than the pairs that are asked for.
  if (code >= 0) {
    const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(scratch.data_.get());
    // `\K` inside a look-ahead can put the begin behind the end.
    Found found = only(Outcome::match);
    found.begin = std::min(ends[0], ends[1]);
    found.end = ends[1];
    if (code != 1 && ends[2] != PCRE2_UNSET && ends[2] <= ends[3] && ends[3] <= subject.size()) {
      found.group = subject.subspan(ends[2], ends[3] - ends[2]);
      found.has_group = true;
    }
    return found;
  }
  switch (code) {
    case PCRE2_ERROR_NOMATCH:
      return only(Outcome::no_match);
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_JIT_STACKLIMIT:
      return only(Outcome::limit);
    default:
      return only(Outcome::error);
  }
}

}  // namespace weir::inspection
