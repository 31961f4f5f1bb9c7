// Literals that every match of a regular expression contains. A reading of the top level of the pattern only:
// where it does not understand, it finds less, never something wrong.
#include <cctype>

#include "inspection/compile/pcre_code.h"

namespace weir::inspection {

namespace {

class LiteralReader {
 public:
  explicit LiteralReader(const ast::Pcre& pcre) : text_(pcre.pattern), nocase_(pcre.caseless) {}

  std::vector<PcreLiteral> read() {
    while (at_ < text_.size()) {
      if (!element()) return {};
    }
    cut();
    return std::move(found_);
  }

 private:
  enum class Repeat : uint8_t { once, at_least_once, perhaps_never };

  /// One element with its quantifier. False: there is no telling (alternation, something unknown).
  bool element() {
    const char c = text_[at_];
    switch (c) {
      case '|':
        return false;
      case '^':
      case '$':
        ++at_;
        return true;
      case '.':
        ++at_;
        return other();
      case '[':
        return skip_class() && other();
      case '(':
        return skip_group() && other();
      case '\\':
        return escape();
      default:
        ++at_;
        literal(c);
        return true;
    }
  }

  /// What stands here is no literal byte: the run ends.
  bool other() {
    cut();
    quantifier();
    return true;
  }

  void literal(char c) {
    const Repeat repeat = quantifier();
    if (repeat == Repeat::perhaps_never) return cut();
    run_ += c;
    if (repeat == Repeat::at_least_once) cut();
  }

  void cut() {
    if (!run_.empty()) found_.push_back({run_, nocase_});
    run_.clear();
  }

  Repeat quantifier() {
    if (at_ >= text_.size()) return Repeat::once;
    Repeat repeat = Repeat::once;
    if (text_[at_] == '*' || text_[at_] == '?') {
      repeat = Repeat::perhaps_never;
      ++at_;
    } else if (text_[at_] == '+') {
      repeat = Repeat::at_least_once;
      ++at_;
    } else if (text_[at_] == '{') {
      const size_t close = text_.find('}', at_);
      const bool counts =
          close != std::string_view::npos && close > at_ + 1 &&
          text_.substr(at_ + 1, close - at_ - 1).find_first_not_of("0123456789,") == std::string_view::npos;
      if (!counts) return Repeat::once;  // a brace that stands for itself
      const char first = text_[at_ + 1];
      bool positive = false;
      for (size_t i = at_ + 1; i < close && text_[i] != ','; ++i) positive |= text_[i] >= '1';
      repeat = positive && first != ',' ? Repeat::at_least_once : Repeat::perhaps_never;
      at_ = close + 1;
    } else {
      return Repeat::once;
    }
    if (at_ < text_.size() && (text_[at_] == '?' || text_[at_] == '+')) ++at_;  // lazy, possessive
    return repeat;
  }

  bool escape() {
    if (at_ + 1 >= text_.size()) return false;
    const char c = text_[at_ + 1];
    if (c == 'x') return hex();
    at_ += 2;
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      literal(c);
      return true;
    }
    switch (c) {
      case 'n':
        literal('\n');
        return true;
      case 'r':
        literal('\r');
        return true;
      case 't':
        literal('\t');
        return true;
      case 'd':
      case 'D':
      case 's':
      case 'S':
      case 'w':
      case 'W':
      case 'h':
      case 'H':
      case 'v':
      case 'V':
      case 'R':
      case 'N':
        return other();
      case 'b':
      case 'B':
      case 'A':
      case 'z':
      case 'Z':
      case 'G':
        return true;  // places, not bytes
      default:
        return std::isdigit(static_cast<unsigned char>(c)) && c != '0' && !digit_follows() ? other() : false;
    }
  }

  bool digit_follows() const {
    return at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]));
  }

  bool hex() {
    if (at_ + 3 >= text_.size()) return false;
    const char high = text_[at_ + 2], low = text_[at_ + 3];
    if (!std::isxdigit(static_cast<unsigned char>(high)) || !std::isxdigit(static_cast<unsigned char>(low))) {
      return false;
    }
    const std::string digits{high, low};
    at_ += 4;
    literal(static_cast<char>(std::stoul(digits, nullptr, 16)));
    return true;
  }

  bool skip_class() {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '^') ++at_;
    if (at_ < text_.size() && text_[at_] == ']') ++at_;  // the first one stands for itself
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '[' && at_ + 1 < text_.size() && text_[at_ + 1] == ':') {
        const size_t close = text_.find(":]", at_ + 2);
        if (close != std::string_view::npos) at_ = close + 1;
      } else if (text_[at_] == ']') {
        ++at_;
        return true;
      }
    }
    return false;
  }

  /// False for settings (which may change how the rest is read), verbs, comments, conditions.
  bool plain_group() const {
    if (at_ + 1 >= text_.size()) return false;
    if (text_[at_ + 1] == '*') return false;
    return text_[at_ + 1] != '?' || (at_ + 2 < text_.size() && std::string_view(":=!<P>|").find(
                                                                   text_[at_ + 2]) != std::string_view::npos);
  }

  bool skip_group() {
    size_t depth = 0;
    while (at_ < text_.size()) {
      switch (text_[at_]) {
        case '\\':
          if (at_ + 1 < text_.size() && text_[at_ + 1] == 'Q') return false;
          at_ += 2;
          break;
        case '[':
          if (!skip_class()) return false;
          break;
        case '(':
          if (!plain_group()) return false;
          ++depth;
          ++at_;
          break;
        case ')':
          ++at_;
          if (--depth == 0) return true;
          break;
        default:
          ++at_;
      }
    }
    return false;
  }

  std::string_view text_;
  bool nocase_;
  size_t at_ = 0;
  std::string run_;
  std::vector<PcreLiteral> found_;
};

}  // namespace

std::vector<PcreLiteral> required_literals(const ast::Pcre& pcre) {
  if (pcre.negated || pcre.extended) return {};
  return LiteralReader(pcre).read();
}

}  // namespace weir::inspection
