#define PCRE2_CODE_UNIT_WIDTH 8
#include "inspection/rules/rule_lists.h"

#include <fnmatch.h>
#include <pcre2.h>

#include <filesystem>

#include "inspection/rules/parse_support.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

constexpr uint32_t kPcreMatchLimit = 100'000;  // steps; a rule that takes more is not met

std::optional<Action> action_of(RuleChange change) {
  switch (change) {
    case RuleChange::to_alert:
      return Action::alert;
    case RuleChange::to_drop:
      return Action::drop;
    case RuleChange::to_reject:
      return Action::reject;
    case RuleChange::to_pass:
      return Action::pass;
    default:
      return std::nullopt;
  }
}

bool glob(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

/// "a-b" or "a".
bool read_range(std::string_view text, uint32_t& first, uint32_t& last) {
  const size_t dash = text.find('-');
  const auto low = parse_number<uint32_t>(trim(text.substr(0, dash)));
  const auto high =
      dash == std::string_view::npos ? low : parse_number<uint32_t>(trim(text.substr(dash + 1)));
  if (!low || !high || *low == 0 || *low > *high) return false;
  first = *low;
  last = *high;
  return true;
}

/// Whether one of the rule's `metadata` has `entry`, a key and its value; upper and lower case are equal.
bool has_metadata(std::string_view rule, std::string_view entry) {
  constexpr std::string_view kKeyword = "metadata:";
  const auto parts = [](std::string_view item) {
    const size_t gap = item.find_first_of(" \t");
    return std::pair(item.substr(0, gap), gap == std::string_view::npos ? "" : trim(item.substr(gap)));
  };
  const auto [key, value] = parts(entry);
  for (size_t begin = rule.find(kKeyword); begin != std::string_view::npos;
       begin = rule.find(kKeyword, begin)) {
    begin += kKeyword.size();
    for (const Token& item : split(Token{rule.substr(begin, rule.find(';', begin) - begin), 0}, ',')) {
      const auto [name, word] = parts(item.text);
      if (equal_nocase(name, key) && equal_nocase(word, value)) return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string> RulePattern::read_numbers(std::string_view text) {
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view item = trim(text.substr(0, comma));
    const size_t colon = item.find(':');
    Numbers numbers;
    numbers.text = std::string(item);
    const auto gid = colon == std::string_view::npos ? std::optional<uint32_t>(1)
                                                     : parse_number<uint32_t>(trim(item.substr(0, colon)));
    if (!gid || !read_range(colon == std::string_view::npos ? item : item.substr(colon + 1), numbers.first,
                            numbers.last)) {
      return "a rule is named by its sid, gid:sid, a range of sids (5-9, the smaller first), *, NAME.rules, "
             "group:, filename:, re: or metadata:";
    }
    numbers.gid = *gid;
    numbers_.push_back(std::move(numbers));
    if (comma == std::string_view::npos) return std::nullopt;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::string> RulePattern::read_expression(std::string_view text) {
  int code = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* const compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                             PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr);
  if (compiled == nullptr) {
    std::array<PCRE2_UCHAR, 160> words{};
    pcre2_get_error_message(code, words.data(), words.size());
    return "the regular expression is wrong at its byte " + std::to_string(at + 1) + ": " +
           reinterpret_cast<const char*>(words.data());
  }
  code_ = std::shared_ptr<void>(compiled, [](void* p) { pcre2_code_free(static_cast<pcre2_code*>(p)); });
  return std::nullopt;
}

tl::expected<RulePattern, std::string> RulePattern::parse(std::string_view text) {
  RulePattern pattern;
  std::string_view rest = trim(text);
  const auto begins = [&](std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest = trim(rest.substr(word.size()));
    return true;
  };
  if (rest == "*") {
    pattern.by_ = By::all;
  } else if (begins("group:")) {
    pattern.by_ = By::group;
  } else if (begins("filename:")) {
    pattern.by_ = By::filename;
  } else if (begins("re:")) {
    pattern.by_ = By::expression;
  } else if (begins("metadata:")) {
    pattern.by_ = By::metadata;
  } else if (rest.ends_with(".rules")) {
    pattern.by_ = By::group;
  }
  if (rest.empty()) return tl::unexpected(std::string("nothing is named"));
  pattern.text_ = std::string(rest);
  std::optional<std::string> error;
  if (pattern.by_ == By::numbers) error = pattern.read_numbers(rest);
  if (pattern.by_ == By::expression) error = pattern.read_expression(rest);
  if (pattern.by_ == By::metadata && rest.find_first_of(" \t") == std::string_view::npos)
    error = "metadata: takes a key and its value, with a blank between them";
  if (error) return tl::unexpected(std::move(*error));
  return pattern;
}

bool RulePattern::holds(const RuleIdentity& rule) const {
  switch (by_) {
    case By::numbers:
      return false;
    case By::all:
      return true;
    case By::group: {
      const std::filesystem::path path(rule.file);
      return glob(text_, path.filename()) || glob(text_, path.stem());
    }
    case By::filename:
      return glob(text_, std::string(rule.file));
    case By::expression: {
      const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
          pcre2_match_context_create(nullptr), &pcre2_match_context_free);
      const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
          pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
      if (context == nullptr || data == nullptr) return false;
      pcre2_set_match_limit(context.get(), kPcreMatchLimit);
      // 0: it matches, and has more groups than there is room for.
      return pcre2_match(static_cast<const pcre2_code*>(code_.get()),
                         reinterpret_cast<PCRE2_SPTR>(rule.text.data()), rule.text.size(), 0, 0, data.get(),
                         context.get()) >= 0;
    }
    case By::metadata:
      return has_metadata(rule.text, text_);
  }
  return false;
}

bool RulePattern::meets(const RuleIdentity& rule) {
  if (by_ != By::numbers) {
    const bool met = holds(rule);
    met_ |= met;
    return met;
  }
  bool any = false;
  for (Numbers& numbers : numbers_) {
    if (numbers.gid != rule.gid || rule.sid < numbers.first || rule.sid > numbers.last) continue;
    numbers.met = any = true;
  }
  return any;
}

std::vector<std::string> RulePattern::unmet() const {
  static constexpr std::string_view kWords[] = {"", "", "group:", "filename:", "re:", "metadata:"};
  std::vector<std::string> list;
  if (by_ != By::numbers) {
    if (!met_) list.push_back(std::string(kWords[static_cast<size_t>(by_)]) + text_);
    return list;
  }
  for (const Numbers& numbers : numbers_) {
    if (!numbers.met) list.push_back(numbers.text);
  }
  return list;
}

tl::expected<RuleLists, std::string> RuleLists::make(const std::vector<RuleListEntry>& entries) {
  RuleLists lists;
  for (const RuleListEntry& entry : entries) {
    auto pattern = RulePattern::parse(entry.pattern);
    if (!pattern) {
      return tl::unexpected("the list `" + std::string(name_of(entry.change)) + "` has \"" + entry.pattern +
                            "\": " + pattern.error());
    }
    lists.entries_.push_back({entry.change, std::move(*pattern)});
    lists.enables_ |= entry.change == RuleChange::enable;
  }
  return lists;
}

RuleLists::Effect RuleLists::of(const RuleIdentity& rule) {
  Effect effect;
  std::optional<RuleChange> last;
  for (Entry& entry : entries_) {
    if (!entry.pattern.meets(rule)) continue;
    effect.on |= entry.change == RuleChange::enable;
    effect.off |= entry.change == RuleChange::disable;
    effect.silent |= entry.change == RuleChange::suppress;
    if (const auto action = action_of(entry.change); action && (!last || *last <= entry.change)) {
      effect.action = action;
      last = entry.change;
    }
  }
  return effect;
}

std::vector<RuleLists::Unmet> RuleLists::unmet() const {
  std::vector<Unmet> list;
  for (size_t i = 0; i < entries_.size(); ++i) {
    for (std::string& what : entries_[i].pattern.unmet()) list.push_back({i, std::move(what)});
  }
  return list;
}

}  // namespace weir::inspection::ast
