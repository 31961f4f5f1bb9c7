#include "bench/inspection/reference_literals.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "bench/inspection/corpus.h"

namespace weir::bench {

namespace {

struct Content {
  std::string bytes;
  bool negated = false;
  bool nocase = false;
  bool fast = false;
};

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Takes the option before the next ';' that is neither quoted nor escaped.
std::string_view take_option(std::string_view& options) {
  bool quoted = false;
  size_t i = 0;
  for (; i < options.size(); ++i) {
    if (options[i] == '\\') {
      ++i;
    } else if (options[i] == '"') {
      quoted = !quoted;
    } else if (options[i] == ';' && !quoted) {
      break;
    }
  }
  const std::string_view option = options.substr(0, i);
  options.remove_prefix(std::min(i + 1, options.size()));
  return trimmed(option);
}

int digit_of(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const size_t at = kDigits.find(static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

/// What stands between the quotes, |hex| and escapes resolved; empty if that is not possible.
std::string bytes_of(std::string_view quoted) {
  std::string bytes, digits;
  bool hex = false;
  for (size_t i = 0; i < quoted.size(); ++i) {
    char c = quoted[i];
    if (c == '|') {
      if (digits.size() % 2 != 0) return {};
      for (size_t d = 0; d < digits.size(); d += 2) {
        bytes.push_back(static_cast<char>(digit_of(digits[d]) << 4 | digit_of(digits[d + 1])));
      }
      digits.clear();
      hex = !hex;
    } else if (hex) {
      if (c == ' ') continue;
      if (digit_of(c) < 0) return {};
      digits.push_back(c);
    } else {
      if (c == '\\' && ++i == quoted.size()) return {};
      bytes.push_back(quoted[i]);
    }
  }
  return hex ? std::string() : bytes;
}

/// `value`: what follows "content:". Nothing if it is not a text in quotes.
std::optional<Content> content_of(std::string_view value) {
  Content content;
  content.negated = value.starts_with('!');
  if (content.negated) value = trimmed(value.substr(1));
  if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) return std::nullopt;
  content.bytes = bytes_of(value.substr(1, value.size() - 2));
  return content;
}

std::vector<Content> contents_of(std::string_view options) {
  std::vector<Content> contents;
  while (!options.empty()) {
    const std::string_view option = take_option(options);
    const size_t colon = option.find(':');
    const std::string_view keyword = trimmed(option.substr(0, colon));
    if (keyword == "content" && colon != std::string_view::npos) {
      if (auto content = content_of(trimmed(option.substr(colon + 1)))) contents.push_back(*content);
    } else if (!contents.empty()) {
      contents.back().nocase |= keyword == "nocase";
      contents.back().fast |= keyword == "fast_pattern";
    }
  }
  return contents;
}

char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

}  // namespace

std::optional<ReferenceLiteral> reference_literal(std::string_view line) {
  line = trimmed(line);
  const size_t open = line.find('('), close = line.rfind(')');
  const bool rule =
      !line.starts_with('#') && open != std::string_view::npos && close != std::string_view::npos;
  if (!rule || close < open) return std::nullopt;
  const std::vector<Content> contents = contents_of(line.substr(open + 1, close - open - 1));
  const Content* best = nullptr;
  for (const Content& content : contents) {
    if (content.negated || content.bytes.empty()) continue;
    if (content.fast) {
      best = &content;
      break;
    }
    if (best == nullptr || content.bytes.size() > best->bytes.size()) best = &content;
  }
  if (best == nullptr) return std::nullopt;
  ReferenceLiteral literal{best->bytes, best->nocase};
  if (literal.nocase)
    std::transform(literal.bytes.begin(), literal.bytes.end(), literal.bytes.begin(), lower);
  return literal;
}

std::vector<ReferenceLiteral> reference_literals(std::string_view text) {
  std::vector<ReferenceLiteral> literals;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (auto literal = reference_literal(text.substr(0, end))) literals.push_back(std::move(*literal));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  std::sort(literals.begin(), literals.end());
  literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
  return literals;
}

std::string canonical_text(const std::vector<ReferenceLiteral>& literals) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const ReferenceLiteral& literal : literals) {
    for (const char c : literal.bytes) {
      const auto byte = static_cast<uint8_t>(c);
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    text += literal.nocase ? " 1\n" : " 0\n";
  }
  return text;
}

std::string digest_of(const std::vector<ReferenceLiteral>& literals) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::string text = canonical_text(literals);
  std::array<uint8_t, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1) size = 0;
  std::string digest;
  for (unsigned i = 0; i < size; ++i) {
    digest += kDigits[hash[i] >> 4];
    digest += kDigits[hash[i] & 15];
  }
  return digest + ' ' + std::to_string(literals.size());
}

Result<std::vector<ReferenceLiteral>> load_reference_literals() {
  const auto path = find_corpus_rules();
  if (!path) return tl::unexpected(path.error());
  std::ifstream file(*path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<ReferenceLiteral> literals = reference_literals(text);
  const std::string digest = digest_of(literals);
  if (digest != WEIR_REFERENCE_DIGEST) {
    return fail(ErrorCode::refused, "the literals of " + *path +
                                        " are not the frozen ones: their digest is " + digest +
                                        ", bench/reference_literals.digest says " + WEIR_REFERENCE_DIGEST);
  }
  return literals;
}

}  // namespace weir::bench
