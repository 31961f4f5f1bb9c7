// The keywords of the language: one table with each one's name, parser and support. docs/rules.md is made of
// it.
//
// A keyword is `yes` only if detection evaluates it and a test shows that it matters to the outcome.
// `refused` ones are parsed where that is easy, so that mistakes in them are told as such; the rule is
// refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/rules/class_table.h"
#include "inspection/rules/parse_support.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection::ast {

enum class Support : uint8_t { yes, partly, refused };
/// What a keyword is about: a chapter of docs/rules.md.
enum class KeywordGroup : uint8_t {
  about,
  payload,
  transform,
  packet,
  flow,
  effect,
  http,
  file,
  dns,
  tls,
  ssh,
  quic,
  mail,
  ftp,
  app,
  other_protocols,
};

/// One option as written: `name` or `name:value`, blanks around both removed.
struct OptionText {
  Token name;
  Token value;
  bool has_value = false;
};

class RuleContext;
struct Keyword;
using KeywordParser = Parsed<void> (*)(RuleContext&, const OptionText&, const Keyword&);

/// Must a keyword have a value?
enum class Value : uint8_t { none, optional, required };

struct Keyword {
  std::string_view name;  // lower case, as keywords are written
  KeywordGroup group = KeywordGroup::about;
  Value value = Value::none;
  KeywordParser parse = nullptr;  // null: refused without a look at its value
  Support support = Support::yes;
  std::string_view note;   // partly: what is missing; refused: why. A sentence
  std::string_view means;  // for the docs; a half sentence
  int number = 0;          // for parsers that serve several keywords: which one
};

/// All keywords, ordered by name. Built once; any thread.
std::span<const Keyword> keywords();
/// The keyword of that name, or null.
const Keyword* find_keyword(std::string_view name);

// The parts of the table, each in the file that has the parsers.
std::span<const Keyword> about_keywords();
std::span<const Keyword> content_keywords();
std::span<const Keyword> byte_keywords();
std::span<const Keyword> buffer_keywords();
std::span<const Keyword> transform_keywords();
std::span<const Keyword> packet_keywords();
std::span<const Keyword> flow_keywords();
std::span<const Keyword> effect_keywords();
std::span<const Keyword> app_keywords();
std::span<const Keyword> refused_keywords();

/// What the parsers of keywords share while one rule is read.
class RuleContext {
 public:
  RuleContext(Rule& rule_, const ClassTable& classes_) : rule(rule_), classes(&classes_) {}

  Rule& rule;
  const ClassTable* classes;
  std::vector<ParseError> unsupported;  // of one rule all are told, not the first one alone
  std::string skip_reason;              // `requires`: not empty if the rule is to be left out

  // --- which buffer ---
  bool sticky = false;               // a sticky buffer is set; else the payload, and modifiers choose
  uint16_t use = 0;                  // the use that contents look into now
  Token sticky_token;                // the keyword that set it
  bool use_is_empty = false;         // nothing has looked into it yet
  bool transforms_are_open = false;  // its chain may still grow

  // --- what may stand once ---
  bool has_message = false, has_sid = false, has_rev = false, has_priority = false, has_flow = false;
  bool has_threshold = false, has_detection_filter = false, has_dsize = false, has_urilen = false;
  bool has_fast_pattern = false, has_class = false, has_file_size = false;
  uint8_t class_priority = 0;  // of the class taken so far

  void add(const OptionText& option, OptionValue value) {
    rule.options.push_back({static_cast<uint32_t>(option.name.at), std::move(value)});
  }
  /// As add(), of what looks into a buffer.
  void add_looking(const OptionText& option, OptionValue value) {
    use_is_empty = false;
    transforms_are_open = false;
    add(option, std::move(value));
  }
  /// The rule is good but not for this engine.
  void refuse_support(const OptionText& option, std::string reason) {
    unsupported.push_back({option.name.at, std::string(option.name.text), std::move(reason)});
  }
  /// The content that a modifier changes, or null.
  Content* last_content();
  /// The index of that use, made if there is none.
  uint16_t use_of(BufferId buffer, std::optional<Direction> side = std::nullopt);
  /// A slot's number by name, or -1.
  int16_t slot(std::string_view name) const;
  /// The same; a new one if there is none.
  int16_t make_slot(std::string_view name);
  /// Where something looks that may be relative to what stands before it: outside of sticky buffers a
  /// relative one looks where its predecessor did.
  uint16_t use_for(bool relative) const;
  /// The protocol that a keyword belongs to; an error if the rule is already of another one.
  Parsed<void> need_protocol(const OptionText& option, AppProtocol protocol);
};

/// "to_server" and "to_client", also without the underscore.
std::optional<Direction> read_direction(std::string_view text);

/// An error at the keyword.
inline tl::unexpected<ParseError> wrong(const OptionText& option, std::string message) {
  return refuse(option.name.at, option.name.text, std::move(message));
}

/// The value without its quotation marks, which must be there.
Parsed<Token> unquote(const OptionText& option, Token value);
/// The value without its quotation marks if it has any.
Token unquote_if_quoted(Token value);

/// A number, or a variable that an earlier byte_extract or byte_math has made.
Parsed<Operand> read_operand(const RuleContext& context, const OptionText& option, Token text, int64_t min,
                             int64_t max);

}  // namespace weir::inspection::ast
