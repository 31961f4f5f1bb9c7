// One rule of the Suricata language as the parser understood it: values, nothing compiled, no variable bound.
//
// Builder thread. parse_rules() (language.h) makes them, compile/ reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/rules/header_sets.h"
#include "inspection/rules/option_values.h"

namespace weir::inspection::ast {

enum class Action : uint8_t { alert, drop, reject, reject_dst, reject_both, pass };

/// What the packet has to be for the rule to be looked at.
enum class Layer : uint8_t { any, ip, ipv4, ipv6, tcp, udp, icmp, icmpv4, icmpv6, sctp };
/// `tcp-pkt` looks at packets only, `tcp-stream` at the stream only, `tcp` at both.
enum class TcpPart : uint8_t { both, packets, stream };

struct Protocol {
  std::string name;          // as written: "tcp-pkt", "http"
  Layer layer = Layer::any;  // `any`: an application protocol over whatever carries it
  TcpPart tcp_part = TcpPart::both;
  bool is_app = false;
  AppProtocol app = AppProtocol::unknown;  // only with is_app
  // "flow_start" of `tcp:flow_start`, "client_hello_done"; empty: none. The moment at which it is judged.
  std::string hook;
  bool flow_start = false;  // only the session's first packet of each direction
  Direction hook_direction = Direction::to_server;
  uint8_t hook_step = 0;  // of a transaction's direction; 0: no such hook
};

/// One step of the chain that bytes go through before anything looks into them.
struct Transform {
  enum class Kind : uint8_t {
    dotprefix,  // a dot before it
    to_lowercase,
    to_uppercase,
    to_md5,  // 16, 20, 32 bytes, not text
    to_sha1,
    to_sha256,
    strip_whitespace,     // all of it away
    compress_whitespace,  // runs become one blank
    url_decode,
    header_lowercase,  // names of headers
    strip_pseudo_headers,
    xor_key,       // `argument` is the key's bytes
    pcre_capture,  // `argument` is a pattern: its first group
    from_base64,   // `argument` unused
    domain,        // the registered domain, by the public suffixes
    top_level_domain,
    gunzip,
    zlib_deflate,
  };
  enum class Base64Mode : uint8_t { strict, rfc2045, rfc4648 };
  Kind kind = Kind::dotprefix;
  std::string argument;
  bool caseless = false;                         // of pcre_capture: its flag i
  Base64Mode base64_mode = Base64Mode::rfc4648;  // of from_base64
  uint32_t offset = 0, bytes = 0;                // of from_base64; bytes 0: to the end
  uint64_t max_bytes = 0;                        // of gunzip and zlib_deflate; 0: the default

  friend bool operator==(const Transform&, const Transform&) = default;
};

/// A buffer with its chain of transforms: what has one position while contents are held against it. A buffer
/// of kind `list` that is named twice is two uses: each may match another instance.
struct BufferUse {
  BufferId buffer = BufferId::payload;
  std::optional<Direction> side;  // of rules on both sides of a transaction: which one was asked for
  std::vector<Transform> transforms;
};

/// One option, in the order of the file.
struct Option {
  uint32_t at = 0;  // where its keyword stands in the logical line, in bytes
  OptionValue value;
};

/// Variables of one rule (byte_extract, byte_math).
inline constexpr size_t kMostSlots = 32;

struct Reference {
  std::string type, id;
  std::string prefix = {};  // of reference.config, for its kind; empty: it has none
};

/// The highest generator id; the bit above it tells directions apart where alerts are remembered.
inline constexpr uint32_t kMaxGid = 0x7fff'ffff;

struct Rule {
  Action action = Action::alert;
  Protocol protocol;
  uint32_t source = 0, destination = 0;              // indices into ParsedRuleset::addresses
  uint32_t source_ports = 0, destination_ports = 0;  // indices into ParsedRuleset::ports
  bool both_ways = false;                            // "<>"
  bool both_sides = false;                           // "=>": request and response of one transaction
  /// What the session has to speak, by the header or by the keywords; unknown: does not matter.
  AppProtocol app = AppProtocol::unknown;
  std::vector<BufferUse> uses;     // uses[0] is the payload without transforms, always
  std::vector<std::string> slots;  // the variables of byte_extract and byte_math
  std::vector<Option> options;
  uint32_t gid = 1, sid = 0, rev = 0;
  uint8_t priority = 3;  // 1..255, of its classtype or its own
  std::string message;
  std::string class_name, class_text;  // "trojan-activity", "A Network Trojan was detected"
  std::vector<std::string> metadata;   // "key value" as written between commas
  std::vector<Reference> references;
  bool silent = false;  // a list says so: no alert, its action is taken all the same
  std::string text;     // the logical line, for `explain` and events' rule field
  uint32_t file = 0;    // index into ParsedRuleset::files
  uint32_t line = 0;
  uint32_t column = 1;
};

/// What is wrong with a rule, or why it is not taken. One rule may have several.
struct Issue {
  enum class Kind : uint8_t {
    wrong,        // not the language
    unsupported,  // the language, but this engine does not evaluate it
    skipped,      // `requires` asks for what is not here: no fault of the rule
  };
  Kind kind = Kind::wrong;
  uint32_t file = 0;
  uint32_t line = 0, column = 0;  // from 1; columns in bytes
  uint32_t sid = 0;               // 0: not known
  std::string keyword;
  std::string message;  // a sentence
};

/// All rules of all files, the refused ones left out.
struct ParsedRuleset {
  std::vector<std::string> files;
  SetTable addresses, ports;
  std::vector<Rule> rules;
  std::vector<Issue> issues;
  size_t refused = 0;  // rules with at least one issue of kind wrong or unsupported
  size_t skipped = 0;
  /// By the lists of the profile: rules that stand in comments and were read, that were left out, that act
  /// otherwise than they say, that do not alert.
  size_t enabled = 0, disabled = 0, changed = 0, silenced = 0;
};

}  // namespace weir::inspection::ast
