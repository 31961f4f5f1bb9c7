// A compiled rule in words: how it is looked for, and what it asks for in which order. For `weir rules
// explain`.
//
// Any thread; allocates.
#pragma once

#include <string>

#include "inspection/compile/detection_rule.h"
#include "inspection/detect/alert.h"

namespace weir::inspection {

/// How the rule is found among the others.
struct RuleSummary {
  std::string name;        // "1:2019401 rev 3"
  std::string message;     // msg
  std::string place;       // "emerging.rules:12"
  std::string action;      // "alert", "drop", ...
  std::string moment;      // what it is judged by: "packet", "stream", "transaction", ...
  std::string buffer;      // in which its literal is looked for; empty: nothing proposes it
  std::string literal;     // as a content is written
  bool nocase = false;     // of it
  std::string conditions;  // in their order, parted by "; "
};

RuleSummary summary_of(const DetectionRule& rule);

/// Where the rule ended, as a sentence without its full stop. A step of another version of the rule is told
/// with less, never wrongly placed.
std::string words_of(const DetectionRule& rule, const RuleStep& step);

/// What it is judged by: "packet", "stream", "transaction", ...
std::string_view moment_of(const DetectionRule& rule);
/// "payload", "http.uri", "http.uri (transformed)".
std::string buffer_name(const BufferPart& part);
/// As a content is written: what does not print, between bars.
std::string as_content(std::string_view bytes);
/// "content \"abc\"", "pcre", "byte_test": one condition on bytes.
std::string name_of(const ByteCheck& check);
/// "flowbits", "dsize": one condition on the packet, the session or the transaction.
std::string name_of(const PacketCheck& check);

}  // namespace weir::inspection
