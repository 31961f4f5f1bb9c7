// What a policy rule asks of a session's names, and how what is known answers it.
//
// A question has patterns for some kinds of names: of each kind that it has any of, one has to fit. Values;
// control makes them, workers read them. Pure; knows nothing of protocols.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/names/name_answer.h"

namespace weir::inspection {

enum class NameKind : uint8_t {
  sni,           // of a TLS or QUIC client's hello
  http_host,     // of the first request
  app,           // a protocol, or what weir.app says of the client's first message
  kuma_service,  // weir.kuma.service, and so on
  kuma_mesh,
  kuma_zone,
  kuma_namespace,
  spiffe,         // of the client's certificate
  spiffe_server,  // of the server's
  count_
};
inline constexpr size_t kNameKinds = static_cast<size_t>(NameKind::count_);

/// "sni": what the configuration calls it.
std::string_view name_of(NameKind kind);

struct NamePattern {
  enum class Form : uint8_t {
    exact,   // the whole name
    below,   // "*.example.org": with something before it; `text` is ".example.org"
    begins,  // "spiffe://demo/*": `text` is what stands before the star
    any      // "*": whatever it is
  };
  Form form = Form::exact;
  std::string text;
  friend bool operator==(const NamePattern&, const NamePattern&) = default;
};

struct PatternRead {
  std::optional<NamePattern> pattern;
  std::string wrong;  // a sentence, if there is none
};
/// A star stands at the begin, before a dot, or at the end, or alone. Names of servers are read without case
/// and without a dot at their end.
PatternRead read_name_pattern(NameKind kind, std::string_view text);

/// `name` as it came over the wire.
bool fits(NameKind kind, const NamePattern& pattern, std::string_view name);

struct NameQuestion {
  std::array<std::vector<NamePattern>, kNameKinds> patterns;

  const std::vector<NamePattern>& of(NameKind kind) const { return patterns[static_cast<size_t>(kind)]; }
  std::vector<NamePattern>& of(NameKind kind) { return patterns[static_cast<size_t>(kind)]; }
  /// It asks for nothing.
  bool empty() const {
    for (const auto& some : patterns) {
      if (!some.empty()) return false;
    }
    return true;
  }
  friend bool operator==(const NameQuestion&, const NameQuestion&) = default;
};

/// What is known of one kind of a session's names.
enum class NameState : uint8_t { not_yet, known, unknown };

class KnownNames {
 public:
  virtual ~KnownNames() = default;
  virtual NameState state(NameKind kind) const = 0;
  /// Where that is known: does one of them fit?
  virtual bool has(NameKind kind, const NamePattern& pattern) const = 0;
};

/// no, if a kind that is known does not fit; else not_yet or given_up, if one is not known.
NameAnswer answer(const NameQuestion& question, const KnownNames& known);

}  // namespace weir::inspection
