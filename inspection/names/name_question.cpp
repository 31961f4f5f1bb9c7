#include "inspection/names/name_question.h"

#include <algorithm>

#include "dataplane/net/headers.h"
#include "inspection/app/labels/label_names.h"
#include "inspection/names/told_name.h"

namespace weir::inspection {

namespace {

constexpr size_t kLongest = 1'024;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_host(NameKind kind) { return kind == NameKind::sni || kind == NameKind::http_host; }

/// Equal as names of that kind are: `text` is in lower case where case does not count.
bool equal(NameKind kind, std::string_view name, std::string_view text) {
  if (!is_host(kind)) return name == text;
  return name.size() == text.size() &&
         std::equal(name.begin(), name.end(), text.begin(), [](char a, char b) { return lower(a) == b; });
}

std::string_view without_dot(NameKind kind, std::string_view name) {
  if (is_host(kind) && name.ends_with('.')) name.remove_suffix(1);
  return name;
}

}  // namespace

std::string_view name_of(NameKind kind) {
  static constexpr std::string_view kNames[] = {
      "sni",       "http_host",      "app",    "kuma_service", "kuma_mesh",
      "kuma_zone", "kuma_namespace", "spiffe", "spiffe_server"};
  static_assert(std::size(kNames) == kNameKinds);
  return kNames[static_cast<size_t>(kind)];
}

namespace {

/// What neither a pattern nor a name may be.
std::string misfit_of_text(NameKind kind, std::string_view text) {
  if (text.empty()) return "the name is empty";
  if (text.size() > kLongest) return "a name has at most 1024 bytes";
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; }))
    return "a name has no blanks and no control characters";
  if (kind != NameKind::app) return "";
  const auto names = policy_app_names();
  if (std::find(names.begin(), names.end(), text) != names.end()) return "";
  std::string wrong = "expected one of ";
  for (const std::string_view name : names) wrong += (name == names.front() ? "" : ", ") + std::string(name);
  return wrong;
}

bool is_spiffe(NameKind kind) { return kind == NameKind::spiffe || kind == NameKind::spiffe_server; }

std::string misfit_of_scheme(NameKind kind, std::string_view text) {
  if (!is_spiffe(kind) || text.starts_with("spiffe://")) return "";
  return "a SPIFFE ID begins with spiffe://, as in \"spiffe://demo/backend\" or \"spiffe://demo/*\"";
}

}  // namespace

PatternRead read_name_pattern(NameKind kind, std::string_view text) {
  if (std::string wrong = misfit_of_text(kind, text); !wrong.empty()) return {{}, wrong};
  if (kind == NameKind::app) return {NamePattern{NamePattern::Form::exact, std::string(text)}, {}};
  NamePattern pattern;
  if (text == "*") return {NamePattern{NamePattern::Form::any, {}}, {}};
  if (std::string wrong = misfit_of_scheme(kind, text); !wrong.empty()) return {{}, wrong};
  if (!is_spiffe(kind) && text.starts_with("*.")) {
    pattern.form = NamePattern::Form::below;
    text.remove_prefix(1);
  } else if (!is_host(kind) && text.ends_with('*')) {
    pattern.form = NamePattern::Form::begins;
    text.remove_suffix(1);
  }
  if (text.find('*') != text.npos) {
    if (is_host(kind))
      return {{}, "a star stands for what is before a dot, at the begin, as in \"*.example.org\""};
    return {{}, "a star stands at the end, as in \"" + std::string(text.substr(0, text.find('*'))) + "*\""};
  }
  text = without_dot(kind, text);
  if (text.empty() || text == ".") return {{}, "nothing stands beside the star"};
  pattern.text = text;
  if (is_host(kind)) std::transform(pattern.text.begin(), pattern.text.end(), pattern.text.begin(), lower);
  return {std::move(pattern), {}};
}

bool occurs_over(NameKind kind, uint8_t protocol) {
  if (protocol == net::kProtoTcp) return true;
  // QUIC's hello is read as far as the name; certificates and requests behind it are enciphered.
  return protocol == net::kProtoUdp && (kind == NameKind::sni || kind == NameKind::app);
}

std::string misfit_of_told_name(NameKind kind, std::string_view name) {
  if (name.find('*') != name.npos) return "a session has a name, not a pattern; leave the star out";
  if (std::string wrong = misfit_of_text(kind, name); !wrong.empty()) return wrong;
  if (without_dot(kind, name).empty()) return "the name is empty";
  return misfit_of_scheme(kind, name);
}

bool fits(NameKind kind, const NamePattern& pattern, std::string_view name) {
  name = without_dot(kind, name);
  const std::string_view text = pattern.text;
  switch (pattern.form) {
    case NamePattern::Form::any:
      return !name.empty();
    case NamePattern::Form::exact:
      return equal(kind, name, text);
    case NamePattern::Form::below:
      return name.size() > text.size() && equal(kind, name.substr(name.size() - text.size()), text);
    case NamePattern::Form::begins:
      return name.size() >= text.size() && equal(kind, name.substr(0, text.size()), text);
  }
  return false;
}

NameAnswer answer(const NameQuestion& question, const KnownNames& known) {
  bool waits = false, lacks = false;
  for (size_t k = 0; k < kNameKinds; ++k) {
    const auto kind = static_cast<NameKind>(k);
    const std::vector<NamePattern>& patterns = question.of(kind);
    if (patterns.empty()) continue;
    switch (known.state(kind)) {
      case NameState::not_yet:
        waits = true;
        break;
      case NameState::unknown:
        lacks = true;
        break;
      case NameState::known:
        if (std::none_of(patterns.begin(), patterns.end(),
                         [&](const NamePattern& pattern) { return known.has(kind, pattern); }))
          return NameAnswer::no;
    }
  }
  return lacks ? NameAnswer::given_up : waits ? NameAnswer::not_yet : NameAnswer::yes;
}

}  // namespace weir::inspection
