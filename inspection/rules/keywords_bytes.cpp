// Keywords that compute with the bytes of a buffer: isdataat, byte_*, bsize, absent, base64_decode.
#include <algorithm>

#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

constexpr int64_t kMaxOffset = std::numeric_limits<int32_t>::max();
constexpr unsigned kMaxBinaryBytes = 8, kMaxTextBytes = 23;

tl::unexpected<ParseError> wrong_at(Token at, const OptionText& option, std::string message) {
  return refuse(at.at, option.name.text, std::move(message));
}

// --- isdataat ---

Parsed<void> on_isdataat(RuleContext& context, const OptionText& option, const Keyword&) {
  IsDataAt check;
  Token value = unquote_if_quoted(option.value);
  check.negated = value.text.starts_with('!');
  if (check.negated) value = value.sub(1).trimmed();
  const auto pieces = split(value, ',');
  for (size_t i = 1; i < pieces.size(); ++i) {
    if (pieces[i].text == "relative") {
      check.relative = true;
    } else if (pieces[i].text != "rawbytes") {
      return wrong_at(pieces[i], option, "Only relative and rawbytes may follow the number.");
    }
  }
  auto offset = read_operand(context, option, pieces[0], 0, kMaxOffset);
  if (!offset) return tl::unexpected(offset.error());
  check.offset = *offset;
  check.use = context.use_for(check.relative);
  context.add_looking(option, check);
  return {};
}

// --- what byte_test, byte_jump, byte_extract, byte_math have in common ---

/// Flags of a byte keyword that they share; what is not among them is its own.
struct ByteFlags {
  NumberFormat format;
  bool relative = false, little = false, big = false, string = false, dce = false;
  bool hex = false, dec = false, oct = false;
  uint32_t bitmask = 0;

  /// Takes `word` if it is one of the shared ones.
  bool take(std::string_view word) {
    for (const auto& [name, field] : std::initializer_list<std::pair<std::string_view, bool ByteFlags::*>>{
             {"relative", &ByteFlags::relative},
             {"little", &ByteFlags::little},
             {"big", &ByteFlags::big},
             {"string", &ByteFlags::string},
             {"dce", &ByteFlags::dce},
             {"hex", &ByteFlags::hex},
             {"dec", &ByteFlags::dec},
             {"oct", &ByteFlags::oct}}) {
      if (word == name) return this->*field = true;
    }
    return false;
  }

  /// What is wrong with them together, or an empty sentence; fills `format`.
  std::string settle() {
    using Text = NumberFormat::Text;
    if (little && big) return "little and big contradict each other.";
    const int bases = int{hex} + int{dec} + int{oct};
    if (bases > 1) return "Only one of hex, dec and oct may stand.";
    if (bases == 1 && !string) return "hex, dec and oct need 'string'.";
    if (string && dce) return "dce and string contradict each other.";
    format.endian = little ? Endian::little : Endian::big;
    format.text = !string ? Text::binary : hex ? Text::hexadecimal : oct ? Text::octal : Text::decimal;
    return "";
  }
};

/// "bitmask 0x3ff"; nothing if `word` is something else.
std::optional<Parsed<uint32_t>> take_bitmask(const OptionText& option, Token word) {
  std::string_view rest = word.text;
  if (!rest.starts_with("bitmask")) return std::nullopt;
  rest.remove_prefix(7);
  const auto mask = read_number(trim(rest), std::numeric_limits<uint32_t>::max());
  if (!mask || *mask == 0) return wrong_at(word, option, "The bitmask has to be a number of 32 bits.");
  return static_cast<uint32_t>(*mask);
}

Parsed<Operand> read_byte_count(const RuleContext& context, const OptionText& option, Token text,
                                bool is_text, bool may_be_zero) {
  auto bytes = read_operand(context, option, text, may_be_zero ? 0 : 1, kMaxTextBytes);
  if (!bytes) return bytes;
  if (!is_text && !bytes->is_slot() && bytes->value > int64_t{kMaxBinaryBytes}) {
    return wrong_at(text, option, "A binary number has at most 8 bytes.");
  }
  return bytes;
}

void refuse_dce(RuleContext& context, const OptionText& option, const ByteFlags& flags) {
  if (flags.dce)
    context.refuse_support(option, "The order of bytes of DCE/RPC is not known: it is not parsed.");
}

// --- byte_test ---

std::optional<ByteTest::Op> test_operator(std::string_view text) {
  using Op = ByteTest::Op;
  static constexpr std::pair<std::string_view, Op> kOps[] = {
      {"<", Op::less},        {">", Op::greater},        {"=", Op::equal},   {"==", Op::equal},
      {"<=", Op::less_equal}, {">=", Op::greater_equal}, {"&", Op::bit_and}, {"^", Op::bit_or}};
  for (const auto& [sign, op] : kOps) {
    if (text == sign) return op;
  }
  return std::nullopt;
}

Parsed<void> on_byte_test(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  if (pieces.size() < 4) return wrong(option, "The value begins with 'bytes, operator, value, offset'.");
  ByteTest test;
  ByteFlags flags;
  for (size_t i = 4; i < pieces.size(); ++i) {
    if (auto mask = take_bitmask(option, pieces[i])) {
      if (!*mask) return tl::unexpected(mask->error());
      test.bitmask = **mask;
    } else if (!flags.take(pieces[i].text)) {
      return wrong_at(pieces[i], option, "'" + std::string(pieces[i].text) + "' is unknown here.");
    }
  }
  if (const std::string sentence = flags.settle(); !sentence.empty()) return wrong(option, sentence);
  Token sign = pieces[1];
  test.negated = sign.text.starts_with('!');
  if (test.negated) sign = sign.sub(1).trimmed();
  const auto op = sign.text.empty() ? std::optional(ByteTest::Op::equal) : test_operator(sign.text);
  if (!op) return wrong_at(sign, option, "The operator is one of < > = <= >= & ^, perhaps with '!'.");
  test.op = *op;
  // Text of length 0 reaches as far as there are digits.
  auto bytes = read_byte_count(context, option, pieces[0], flags.string, flags.string);
  if (!bytes) return tl::unexpected(bytes.error());
  auto value = read_operand(context, option, pieces[2], 0, std::numeric_limits<int64_t>::max());
  if (!value) return tl::unexpected(value.error());
  auto offset = read_operand(context, option, pieces[3], -kMaxOffset, kMaxOffset);
  if (!offset) return tl::unexpected(offset.error());
  test.bytes = *bytes, test.value = *value, test.offset = *offset;
  test.relative = flags.relative;
  test.format = flags.format;
  test.use = context.use_for(test.relative);
  refuse_dce(context, option, flags);
  context.add_looking(option, test);
  return {};
}

// --- byte_jump ---

/// "multiplier 4": the number behind the word, or nothing if `text` does not begin with the word.
std::optional<Token> behind_word(Token text, std::string_view word) {
  if (!text.text.starts_with(word) || text.text.size() == word.size() || !is_blank(text.text[word.size()])) {
    return std::nullopt;
  }
  return text.sub(word.size()).trimmed();
}

/// `number` is what stands behind the word in `piece`.
Parsed<uint16_t> read_multiplier(const OptionText& option, Token piece, Token number) {
  const auto factor = read_number(number.text, 65'535);
  if (!factor || *factor == 0) return wrong_at(piece, option, "The multiplier is a number from 1 to 65535.");
  return static_cast<uint16_t>(*factor);
}

Parsed<void> on_byte_jump(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  if (pieces.size() < 2) return wrong(option, "The value begins with 'bytes, offset'.");
  ByteJump jump;
  ByteFlags flags;
  for (size_t i = 2; i < pieces.size(); ++i) {
    const Token& piece = pieces[i];
    if (flags.take(piece.text)) continue;
    if (piece.text == "align") {
      jump.align = true;
    } else if (piece.text == "from_beginning") {
      jump.from_beginning = true;
    } else if (piece.text == "from_end") {
      jump.from_end = true;
    } else if (const auto number = behind_word(piece, "multiplier")) {
      auto factor = read_multiplier(option, piece, *number);
      if (!factor) return tl::unexpected(factor.error());
      jump.multiplier = *factor;
    } else if (const auto behind = behind_word(piece, "post_offset")) {
      auto operand = read_operand(context, option, *behind, -kMaxOffset, kMaxOffset);
      if (!operand) return tl::unexpected(operand.error());
      jump.post_offset = *operand;
    } else if (auto mask = take_bitmask(option, piece)) {
      if (!*mask) return tl::unexpected(mask->error());
      jump.bitmask = **mask;
    } else {
      return wrong_at(piece, option, "'" + std::string(piece.text) + "' is unknown here.");
    }
  }
  if (const std::string sentence = flags.settle(); !sentence.empty()) return wrong(option, sentence);
  if (jump.from_beginning && jump.from_end) {
    return wrong(option, "from_beginning and from_end contradict each other.");
  }
  auto bytes = read_byte_count(context, option, pieces[0], flags.string, true);
  if (!bytes) return tl::unexpected(bytes.error());
  auto offset = read_operand(context, option, pieces[1], -kMaxOffset, kMaxOffset);
  if (!offset) return tl::unexpected(offset.error());
  jump.bytes = *bytes, jump.offset = *offset;
  jump.relative = flags.relative;
  jump.format = flags.format;
  jump.use = context.use_for(jump.relative);
  refuse_dce(context, option, flags);
  context.add_looking(option, jump);
  return {};
}

// --- byte_extract, byte_math ---

/// A variable's name: begins with a letter, so that no number is one.
bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !name.empty() && letter(name.front()) && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
         });
}

Parsed<int16_t> make_variable(RuleContext& context, const OptionText& option, Token name) {
  if (!is_variable_name(name.text))
    return wrong_at(name, option, "The variable's name has to begin with a letter.");
  if (context.rule.slots.size() >= kMostSlots) return wrong(option, "The rule has more than 32 variables.");
  return context.make_slot(name.text);
}

Parsed<void> on_byte_extract(RuleContext& context, const OptionText& option, const Keyword&) {
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  if (pieces.size() < 3) return wrong(option, "The value begins with 'bytes, offset, name'.");
  ByteExtract extract;
  ByteFlags flags;
  for (size_t i = 3; i < pieces.size(); ++i) {
    const Token& piece = pieces[i];
    if (flags.take(piece.text)) continue;
    if (const auto number = behind_word(piece, "multiplier")) {
      auto factor = read_multiplier(option, piece, *number);
      if (!factor) return tl::unexpected(factor.error());
      extract.multiplier = *factor;
    } else if (const auto to = behind_word(piece, "align")) {
      if (to->text != "2" && to->text != "4") return wrong_at(piece, option, "align is 2 or 4.");
      extract.align = to->text == "2" ? 2 : 4;
    } else {
      return wrong_at(piece, option, "'" + std::string(piece.text) + "' is unknown here.");
    }
  }
  if (const std::string sentence = flags.settle(); !sentence.empty()) return wrong(option, sentence);
  const auto bytes = read_number(pieces[0].text, flags.string ? kMaxTextBytes : kMaxBinaryBytes);
  if (!bytes || *bytes == 0) {
    return wrong_at(pieces[0], option, "The number of bytes is 1 to 8, of text 1 to 23.");
  }
  auto offset = read_operand(context, option, pieces[1], -kMaxOffset, kMaxOffset);
  if (!offset) return tl::unexpected(offset.error());
  auto slot = make_variable(context, option, pieces[2]);
  if (!slot) return tl::unexpected(slot.error());
  extract.bytes = static_cast<uint8_t>(*bytes);
  extract.offset = *offset;
  extract.relative = flags.relative;
  extract.format = flags.format;
  extract.slot = *slot;
  extract.use = context.use_for(extract.relative);
  refuse_dce(context, option, flags);
  context.add_looking(option, extract);
  return {};
}

std::optional<ByteMath::Op> math_operator(std::string_view text) {
  using Op = ByteMath::Op;
  static constexpr std::pair<std::string_view, Op> kOps[] = {{"+", Op::add},         {"-", Op::subtract},
                                                             {"*", Op::multiply},    {"/", Op::divide},
                                                             {"<<", Op::shift_left}, {">>", Op::shift_right}};
  for (const auto& [sign, op] : kOps) {
    if (text == sign) return op;
  }
  return std::nullopt;
}

/// The values of byte_math, each a word and what is behind it.
struct MathText {
  Token bytes, offset, op, rvalue, result, endian, string;
};

Parsed<void> read_math_text(const OptionText& option, MathText& text, ByteFlags& flags, ByteMath& math) {
  static constexpr std::pair<std::string_view, Token MathText::*> kWords[] = {
      {"bytes", &MathText::bytes},   {"offset", &MathText::offset}, {"oper", &MathText::op},
      {"rvalue", &MathText::rvalue}, {"result", &MathText::result}, {"endian", &MathText::endian},
      {"string", &MathText::string}};
  for (const Token& piece : split(unquote_if_quoted(option.value), ',')) {
    if (piece.text == "relative" || piece.text == "dce") {
      (piece.text == "dce" ? flags.dce : flags.relative) = true;
      continue;
    }
    if (auto mask = take_bitmask(option, piece)) {
      if (!*mask) return tl::unexpected(mask->error());
      math.bitmask = **mask;
      continue;
    }
    bool known = false;
    for (const auto& [word, field] : kWords) {
      const auto behind = behind_word(piece, word);
      if (!behind) continue;
      if (!(text.*field).text.empty())
        return wrong_at(piece, option, "'" + std::string(word) + "' stands twice.");
      text.*field = *behind;
      known = true;
    }
    if (!known) return wrong_at(piece, option, "'" + std::string(piece.text) + "' is unknown here.");
  }
  for (const Token* needed : {&text.bytes, &text.offset, &text.op, &text.rvalue, &text.result}) {
    if (needed->text.empty()) return wrong(option, "bytes, offset, oper, rvalue and result are required.");
  }
  if (!text.endian.text.empty() && !flags.take(text.endian.text)) {
    return wrong_at(text.endian, option, "endian is big, little or dce.");
  }
  if (!text.string.text.empty()) {
    flags.string = true;
    if (!flags.take(text.string.text)) return wrong_at(text.string, option, "string is hex, dec or oct.");
  }
  return {};
}

Parsed<void> on_byte_math(RuleContext& context, const OptionText& option, const Keyword&) {
  ByteMath math;
  MathText text;
  ByteFlags flags;
  if (auto ok = read_math_text(option, text, flags, math); !ok) return ok;
  if (const std::string sentence = flags.settle(); !sentence.empty()) return wrong(option, sentence);
  const auto op = math_operator(text.op.text);
  if (!op) return wrong_at(text.op, option, "The operator is one of + - * / << >>.");
  auto bytes = read_byte_count(context, option, text.bytes, flags.string, false);
  if (!bytes) return tl::unexpected(bytes.error());
  auto offset = read_operand(context, option, text.offset, -kMaxOffset, kMaxOffset);
  if (!offset) return tl::unexpected(offset.error());
  auto rvalue = read_operand(context, option, text.rvalue, 0, std::numeric_limits<uint32_t>::max());
  if (!rvalue) return tl::unexpected(rvalue.error());
  if (*op == ByteMath::Op::divide && !rvalue->is_slot() && rvalue->value == 0) {
    return wrong_at(text.rvalue, option, "It divides by zero.");
  }
  auto slot = make_variable(context, option, text.result);
  if (!slot) return tl::unexpected(slot.error());
  math.bytes = *bytes, math.offset = *offset, math.rvalue = *rvalue, math.op = *op, math.slot = *slot;
  math.relative = flags.relative;
  math.format = flags.format;
  math.use = context.use_for(math.relative);
  refuse_dce(context, option, flags);
  context.add_looking(option, math);
  return {};
}

// --- whole buffers ---

Parsed<void> on_bsize(RuleContext& context, const OptionText& option, const Keyword&) {
  if (!context.sticky) return wrong(option, "It needs a sticky buffer before it.");
  const auto size = read_compare(unquote_if_quoted(option.value).text, std::numeric_limits<uint32_t>::max());
  if (!size) return wrong(option, "The value is a comparison: 5, !5, <5, >5, 5<>9.");
  context.add_looking(option, BufferSize{*size, context.use});
  return {};
}

Parsed<void> on_urilen(RuleContext& context, const OptionText& option, const Keyword&) {
  if (context.has_urilen) return wrong(option, "It stands twice.");
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  const bool raw = pieces.size() == 2 && pieces[1].text == "raw";
  if (pieces.size() > 2 || (pieces.size() == 2 && !raw && pieces[1].text != "norm")) {
    return wrong(option, "Only 'norm' or 'raw' may follow the comparison.");
  }
  const auto size = read_compare(pieces[0].text, 65'535);
  if (!size) return wrong(option, "The value is a comparison: 5, !5, <5, >5, 5<>9.");
  if (auto ok = context.need_protocol(option, AppProtocol::http1); !ok) return ok;
  context.has_urilen = true;
  context.add(option, BufferSize{*size, context.use_of(raw ? BufferId::http_uri_raw : BufferId::http_uri)});
  return {};
}

Parsed<void> on_absent(RuleContext& context, const OptionText& option, const Keyword&) {
  if (!context.sticky) return wrong(option, "It needs a sticky buffer before it.");
  const bool or_else = option.has_value && option.value.text == "or_else";
  if (option.has_value && !or_else) return wrong(option, "The value is 'or_else' or none.");
  context.add_looking(option, Absent{context.use, or_else});
  return {};
}

Parsed<void> on_base64_decode(RuleContext& context, const OptionText& option, const Keyword&) {
  Base64Decode decode;
  if (option.has_value) {
    for (const Token& piece : split(option.value, ',')) {
      const auto bytes = behind_word(piece, "bytes"), offset = behind_word(piece, "offset");
      const auto number = bytes    ? read_number(bytes->text, 65'535)
                          : offset ? read_number(offset->text, 65'535)
                                   : std::nullopt;
      if (piece.text == "relative") {
        decode.relative = true;
      } else if (!number || (bytes && *number == 0)) {
        return wrong_at(piece, option, "The value is of 'bytes N', 'offset N' and 'relative'.");
      } else {
        (bytes ? decode.bytes : decode.offset) = static_cast<uint32_t>(*number);
      }
    }
  }
  decode.use = context.use_for(decode.relative);
  context.add_looking(option, decode);
  return {};
}

constexpr KeywordGroup kGroup = KeywordGroup::payload;
constexpr Keyword kKeywords[] = {
    {"isdataat", kGroup, Value::required, on_isdataat, Support::yes, "",
     "bytes are there, or with ! are not"},
    {"byte_test", kGroup, Value::required, on_byte_test, Support::partly,
     "The order of bytes 'dce' is refused.", "a number among the bytes compares so"},
    {"byte_jump", kGroup, Value::required, on_byte_jump, Support::partly,
     "The order of bytes 'dce' is refused.",
     "goes on as many bytes further as a number among the bytes says"},
    {"byte_extract", kGroup, Value::required, on_byte_extract, Support::partly,
     "The order of bytes 'dce' is refused.", "keeps a number for the keywords that follow"},
    {"byte_math", kGroup, Value::required, on_byte_math, Support::partly,
     "The order of bytes 'dce' is refused.", "keeps a number that was computed with"},
    {"bsize", kGroup, Value::required, on_bsize, Support::yes, "", "the length of the buffer"},
    {"urilen", KeywordGroup::http, Value::required, on_urilen, Support::yes, "",
     "the length of http.uri, or with raw of http.uri.raw"},
    {"absent", kGroup, Value::optional, on_absent, Support::yes, "", "the buffer is not there"},
    {"base64_decode", kGroup, Value::optional, on_base64_decode, Support::yes, "", "decodes for base64_data"},
};

}  // namespace

std::span<const Keyword> byte_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
