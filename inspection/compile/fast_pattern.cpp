#include "inspection/compile/fast_pattern.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <unordered_map>

#include "inspection/compile/compile_rule.h"
#include "inspection/compile/literal_strength.h"
#include "inspection/compile/prefilter_group.h"

namespace weir::inspection {

namespace {

// What occurs everywhere selects nothing.
constexpr size_t kShortest = 2;
// The author's choice is good advice, but was made for another matcher.
constexpr double kAuthorsWord = 3;
// Two or three bytes that may stand anywhere in a long text: Hyperscan has to look at every place of it for
// them, and finds them by chance.
constexpr double kWeightOfShort = 0.25;

struct Candidate {
  int16_t part = -1;
  Stretch stretch;
  bool nocase = false;
  bool exact = true;             // all of a content
  bool chosen = false;           // by the author
  uint32_t from = 0, reach = 0;  // as in FastPattern
  uint64_t key = 0;              // the same for what is the same to a matcher
  bool at_front() const { return reach != 0 && reach <= PrefilterGroup::kFront; }
};

/// Buffers that have the same few values everywhere, and those that are all of a head, which has its parts as
/// buffers of their own: to look through it once more is dear.
double weight_of(BufferId buffer) {
  switch (buffer) {
    case BufferId::http_method:
    case BufferId::http_protocol:
    case BufferId::http_stat_code:
    case BufferId::http_stat_msg:
    case BufferId::http_connection:
    case BufferId::http_content_len:
    case BufferId::http_accept_enc:
      return 0.1;
    case BufferId::http_header_raw:
    case BufferId::http_start:
      return 0.3;
    case BufferId::http_header_names:
    case BufferId::http_request_line:
    case BufferId::http_response_line:
    case BufferId::http_content_type:
    case BufferId::http_accept:
    case BufferId::http_accept_lang:
      return 0.5;
    default:
      return 1.0;
  }
}

/// What is looked for of a content: of what its author chose the stretch that says most.
Stretch looked_for(const ast::Content& content) {
  std::string_view bytes = content.bytes;
  if (content.fast_length > 0 && content.fast_offset < bytes.size()) {
    bytes = bytes.substr(content.fast_offset, content.fast_length);
  }
  return strongest_stretch(bytes);
}

/// FastPattern::reach, if it hangs on nothing but the rule's text.
uint32_t reach_of(const BufferPart& part, const ast::Content& content) {
  if (part.chain != 0 || content.is_relative()) return 0;
  if (content.starts_with) return static_cast<uint32_t>(content.bytes.size());
  if (!content.depth || content.depth->is_slot() || (content.offset && content.offset->is_slot())) return 0;
  const int64_t end = (content.offset ? content.offset->value : 0) + content.depth->value;
  return end > 0 && end <= UINT16_MAX ? static_cast<uint32_t>(end) : 0;
}

uint32_t from_of(const ast::Content& content) {
  const bool said = content.offset && !content.offset->is_slot() && !content.is_relative();
  return said ? static_cast<uint32_t>(std::clamp<int64_t>(content.offset->value, 0, UINT16_MAX)) : 0;
}

bool is_long(BufferId buffer) {
  return buffer == BufferId::payload || info_of(buffer).kind == BufferKind::grows;
}

void add_contents(const BufferPart& part, int16_t index, std::vector<Candidate>& literals) {
  for (const ByteCheck& check : part.checks) {
    const auto* const content = std::get_if<ContentCheck>(&check);
    if (content == nullptr || content->content.negated) continue;
    const ast::Content& c = content->content;
    const Stretch stretch = looked_for(c);
    if (stretch.bytes.size() >= kShortest)
      literals.push_back({index, stretch, c.nocase, stretch.bytes.size() == c.bytes.size(), c.fast_pattern,
                          from_of(c), reach_of(part, c)});
  }
}

/// `texts` keeps what the literals refer to.
void add_of_pcre(const BufferPart& part, int16_t index, std::vector<Candidate>& literals,
                 std::deque<std::string>& texts) {
  for (const ByteCheck& check : part.checks) {
    const auto* const pcre = std::get_if<PcreCheck>(&check);
    if (pcre == nullptr) continue;
    for (PcreLiteral& literal : required_literals(pcre->pcre)) {
      const Stretch stretch = strongest_stretch(texts.emplace_back(std::move(literal.bytes)));
      if (stretch.bytes.size() >= kShortest)
        literals.push_back({index, stretch, literal.nocase, false, false});
    }
  }
}

/// Parts that can propose the rule. A transaction's rule is proposed by its own buffers, in the direction in
/// which it is judged.
bool proposes(const DetectionRule& rule, const BufferPart& part) {
  // A rule on both sides looks at each as it comes: what one side has shown is gone when the other matches.
  if (rule.both_sides || part.absent || part.absent_or_else || is_packet_buffer(part.buffer)) return false;
  if (rule.kind != RuleKind::transaction) return part.of_payload();
  if (part.of_payload()) return false;
  const BufferDirection d = info_of(part.buffer).direction;
  if (d == BufferDirection::to_server) return rule.direction[0];
  if (d == BufferDirection::to_client) return rule.direction[1];
  return true;
}

/// Names of files, and what they are, come while their bytes do, or later, so that bytes which a rule asks
/// for may be gone when a name proposes it. Names stay: if such a rule has a literal in bytes, that one
/// proposes it.
void leave_names_to_bytes(const DetectionRule& rule, std::vector<Candidate>& literals) {
  const auto buffer_of = [&](const Candidate& l) { return rule.parts[static_cast<size_t>(l.part)].buffer; };
  const bool in_bytes = std::ranges::any_of(
      literals, [&](const Candidate& l) { return info_of(buffer_of(l)).kind == BufferKind::grows; });
  if (!in_bytes) return;
  std::erase_if(literals, [&](const Candidate& l) {
    return buffer_of(l) == BufferId::file_name || buffer_of(l) == BufferId::file_magic;
  });
}

/// Candidate::key. Two literals that share one by chance are taken for more
/// common than they are, no more.
uint64_t key_of(const DetectionRule& rule, const Candidate& literal) {
  const BufferPart& part = rule.parts[static_cast<size_t>(literal.part)];
  uint64_t key = uint64_t{0xcbf2'9ce4'8422'2325} ^ static_cast<uint64_t>(part.buffer) ^
                 static_cast<uint64_t>(part.chain) << 8;
  for (char c : literal.stretch.bytes) {
    if (literal.nocase && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    key = (key ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;  // FNV-1a
  }
  return key;
}

/// All that could propose the rule.
std::vector<Candidate> literals_of(const DetectionRule& rule, std::deque<std::string>& texts) {
  std::vector<Candidate> literals;
  for (size_t p = 0; p < rule.parts.size(); ++p) {
    if (proposes(rule, rule.parts[p])) add_contents(rule.parts[p], static_cast<int16_t>(p), literals);
  }
  for (size_t p = 0, contents = literals.size(); contents == 0 && p < rule.parts.size(); ++p) {
    if (proposes(rule, rule.parts[p])) add_of_pcre(rule.parts[p], static_cast<int16_t>(p), literals, texts);
  }
  leave_names_to_bytes(rule, literals);
  for (Candidate& literal : literals) literal.key = key_of(rule, literal);
  return literals;
}

}  // namespace

void choose_fast_patterns(std::vector<DetectionRule>& rules) {
  std::deque<std::string> texts;
  std::vector<std::vector<Candidate>> all;
  all.reserve(rules.size());
  std::unordered_map<uint64_t, uint32_t> uses;
  uses.reserve(2 * rules.size());
  for (const DetectionRule& rule : rules) {
    all.push_back(literals_of(rule, texts));
    for (const Candidate& literal : all.back()) ++uses[literal.key];
  }
  for (size_t r = 0; r < rules.size(); ++r) {
    const Candidate* best = nullptr;
    double best_score = -1;
    for (const Candidate& literal : all[r]) {
      const BufferPart& part = rules[r].parts[static_cast<size_t>(literal.part)];
      double score = literal.stretch.strength * weight_of(part.buffer) /
                     (1.0 + std::log2(static_cast<double>(uses[literal.key])));
      if (literal.chosen) score *= kAuthorsWord;
      if (literal.stretch.bytes.size() <= PrefilterGroup::kShort && !literal.at_front() &&
          is_long(part.buffer))
        score *= kWeightOfShort;
      if (score > best_score) {
        best_score = score;
        best = &literal;
      }
    }
    if (best != nullptr)
      rules[r].fast = {best->part, std::string(best->stretch.bytes), best->nocase, best->exact, best->from,
                       best->reach};
  }
}

}  // namespace weir::inspection
