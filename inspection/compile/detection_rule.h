// A rule in the form in which packets are held against it: header, checks of the packet, and for each buffer
// that it looks into the chain of checks of its bytes.
//
// Made by compile_rule() on the builder's thread, immutable afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "inspection/compile/pcre_code.h"
#include "inspection/compile/value_sets.h"
#include "inspection/detect/alert.h"
#include "inspection/detect/packet_events.h"
#include "inspection/detect/verdict.h"
#include "inspection/rules/option_values.h"
#include "inspection/rules/threshold_config.h"

namespace weir::inspection {

/// The moment at which a rule is judged.
enum class RuleKind : uint8_t {
  ip_only,        // addresses alone: once for each session and direction
  protocol_only,  // app-layer-protocol alone: once for each direction, when the protocol is known
  packet,         // each packet's headers and own bytes
  stream,         // TCP payload put in order; packets only where they are outside the stream
  packet_stream,  // both: positions counted from the begin of a packet are meant as well
  transaction,    // buffers of the application
  event,          // something is wrong with a packet or its stream
};

inline constexpr size_t kMostParts = 31;  // a bit for each is kept while a rule has matched in part
using ast::kMostSlots;

/// A chain of transforms of the ruleset; 0 is none.
using ChainId = uint16_t;

struct ContentCheck {
  ast::Content content;
  std::string folded;  // the bytes in lower case if nocase, else as they are
};

struct PcreCheck {
  ast::Pcre pcre;
  PcreCode code;
  bool looks_ahead = false;  // has assertions about what follows the match
};

struct Base64Check;

/// What looks into the bytes of one buffer, in the order of the file.
using ByteCheck = std::variant<ContentCheck, PcreCheck, ast::IsDataAt, ast::ByteTest, ast::ByteJump,
                               ast::ByteExtract, ast::ByteMath, ast::BufferSize, Base64Check>;

/// Decodes a piece of the buffer and holds `inner` against the outcome. With an empty `inner` the piece only
/// has to decode.
struct Base64Check {
  ast::Base64Decode decode;
  std::vector<ByteCheck> inner;
};

/// A question to a set, or a change of it, about a buffer's whole value (`dataset`, `datarep`).
struct SetCheck {
  ast::SetOperation operation = ast::SetOperation::isset;
  uint16_t name = 0;  // of what rules add
  SharedSet loaded;   // from a file; null: nothing
  bool is_reputation = false;
  ast::Datarep::Op reputation_op = ast::Datarep::Op::equal;
  uint16_t reputation = 0;
  std::string context_key;  // not empty: the alert tells what stands with the value
};

/// One buffer of a rule with all that looks into it.
struct BufferPart {
  BufferId buffer = BufferId::payload;
  ChainId chain = 0;
  Direction side = Direction::to_server;  // whose, of a rule on both sides of a transaction
  bool absent = false;                    // it must not exist
  bool absent_or_else = false;            // it does not exist, or the checks hold
  bool of_payload() const { return buffer == BufferId::payload; }
  bool positive = false;  // something has to be there, not only absent
  bool late = false;      // something must not be there, or the end counts: judged when no more can follow
  bool looks_ahead = false;
  std::vector<ByteCheck> checks;
  std::vector<SetCheck> sets;  // asked once all else of the rule holds, so that nothing is added in vain
};

struct FlowBitCheck {
  bool negated = false;        // isnotset
  std::vector<uint16_t> bits;  // one of them is enough
};
/// A counter of the session, by number of its name.
struct FlowIntCheck {
  ast::FlowInt::Op op = ast::FlowInt::Op::isset;  // one that asks
  uint16_t name = 0;
  uint32_t value = 0;
  int32_t other = -1;  // another counter instead of `value`
};
struct FlowIntEffect {
  ast::FlowInt::Op op = ast::FlowInt::Op::set;  // set, add, subtract
  uint16_t name = 0;
  uint32_t value = 0;
  int32_t other = -1;
};
struct HostBitCheck {
  bool negated = false;
  uint16_t bit = 0;
  ast::HostBits::Track track = ast::HostBits::Track::source;
};
struct HostBitEffect {
  ast::FlowBits::Op op = ast::FlowBits::Op::set;  // set, unset, toggle
  uint16_t bit = 0;
  ast::HostBits::Track track = ast::HostBits::Track::source;
  uint32_t expire_seconds = 300;
};

/// The checksum of a whole file is one of a list.
struct FileHashCheck {
  FileDigest digest = FileDigest::md5;
  bool negated = false;
  SharedSet list;
};

/// What is asked of the packet, the session and the transaction beside bytes; all have to hold.
using PacketCheck =
    std::variant<ast::PayloadSize, ast::HeaderNumber, ast::VlanId, ast::BitFlags, ast::IpOption, ast::SameIp,
                 ast::Checksum, ast::StreamSize, ast::FlowNumber, ast::TransactionNumber, PacketEvent,
                 FlowBitCheck, FlowIntCheck, HostBitCheck, ast::AppLayerProtocol, ast::TlsVersions,
                 ast::TlsCertificateTime, FileHashCheck>;

struct FlowBitEffect {
  enum class Op : uint8_t { set, unset, toggle };
  Op op = Op::set;
  uint16_t bit = 0;
};

/// A suppression of threshold.config, its addresses by index into the ruleset's table.
struct RuleSuppression {
  ast::Suppression::Of of = ast::Suppression::Of::all;
  uint32_t addresses = 0;
};

/// What a rule asks of the packet's ends and the session, before any bytes are looked at. Small, since most
/// rules that are proposed fail here. Sets are named by index into the ruleset's tables.
struct RuleHeader {
  uint32_t source = 0, destination = 0, source_ports = 0, destination_ports = 0;
  RuleKind kind = RuleKind::packet;
  bool both_ways = false;
  bool both_sides = false;  // request and response of one transaction, decided once for both
  bool any_addresses = false, any_ports = false;  // nothing to ask of them, whatever the profile
  ast::Layer layer = ast::Layer::any;
  bool flow_start = false;  // only the session's first packet of each direction
  bool is_app = false;
  AppProtocol app = AppProtocol::unknown;
  bool http1_alone = false;  // with app http1: HTTP/2 is not meant, too
  ast::Flow flow;
  std::array<bool, 2> direction{true, true};  // judged in which direction

  /// Sessions of that protocol are meant.
  bool is_about(AppProtocol protocol) const {
    return !is_app || (http1_alone ? protocol == app : is_of(app, protocol));
  }
};

struct DetectionRule : RuleHeader {
  RuleInfo info;
  ActionScope scope = ActionScope::packet;
  bool noalert = false;
  bool alert_too = false;         // of a pass rule
  bool disables_logging = false;  // of the transaction that it matches in
  bool bypass = false;            // nothing later of the session is inspected
  bool of_one_file = false;  // names, sizes or checksums that it asks for are those of one and the same file
  bool addresses_alone = false;  // it asks for addresses and ports, and for nothing else
  // Of a transaction: not judged before its direction has come there: a hook's step, or the end of the files
  // whose sizes or checksums are asked for.
  uint8_t hook_step = 0;

  std::vector<PacketCheck> packet_checks;  // those of flow bits last
  uint64_t app_events = 0;                 // bits that the transaction has to have raised
  std::vector<BufferPart> parts;
  uint16_t slots = 0;      // of byte_extract and byte_math
  bool asks_sets = false;  // one of its parts has sets

  std::vector<FlowBitEffect> flowbits;
  std::vector<FlowIntEffect> flowints;
  std::vector<HostBitEffect> hostbits;
  std::vector<ast::Threshold> thresholds;
  std::vector<ast::RateFilter> rate_filters;
  std::vector<RuleSuppression> suppressions;

  // Which part, and which of its checks, proposes the rule; -1: none does.
  struct FastPattern {
    int16_t part = -1;
    std::string bytes;
    bool nocase = false;
    bool exact = false;  // all of a content of the rule, not a part of it nor a literal out of a pcre
    // Where it stands, in bytes from the begin of what is looked through: not before `from`, and it ends at
    // `reach` at most; a reach of 0: anywhere.
    uint32_t from = 0, reach = 0;
  } fast;
};

/// The protocol of the transactions whose buffers a rule looks into; unknown: of none, or of several.
AppProtocol protocol_of(const DetectionRule& rule);

}  // namespace weir::inspection
