// What the options of a rule are once they are parsed: one struct for each kind, joined by OptionValue.
//
// Values only: no text is left to parse, names of keywords are gone where two keywords mean the same
// (`http_uri` and `http.uri`, `uricontent` and a content in http.uri, `fileext` and a content at the end of
// file.name). Numbers are in the units of the language. Everything that looks into bytes names its buffer by
// `use`, an index into Rule::uses.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "inspection/app/transaction.h"

namespace weir::inspection::ast {

/// A number that is written, or the value of a slot (a variable of byte_extract or byte_math) when the rule
/// is evaluated.
struct Operand {
  int64_t value = 0;
  int16_t slot = -1;  // index into Rule::slots, or -1: `value` counts

  bool is_slot() const { return slot >= 0; }
};

/// How a number is judged.
struct Compare {
  enum class Op : uint8_t {
    inside,        // min <= x <= max
    outside,       // not inside
    mask_equal,    // (x & min) == max
    mask_differs,  // (x & min) != max
  };
  Op op = Op::inside;
  uint64_t min = 0;
  uint64_t max = std::numeric_limits<uint64_t>::max();

  bool matches(uint64_t x) const {
    switch (op) {
      case Op::inside:
        return min <= x && x <= max;
      case Op::outside:
        return x < min || max < x;
      case Op::mask_equal:
        return (x & min) == max;
      case Op::mask_differs:
        return (x & min) != max;
    }
    return false;
  }
};

// --- what looks into a buffer, in order, with one position ---

/// `content`, `uricontent`, `filename`, `fileext`.
struct Content {
  std::string bytes;  // escapes and |hex| resolved; never empty
  uint16_t use = 0;
  bool negated = false;
  bool nocase = false;
  bool starts_with = false;  // at the buffer's begin; offset and depth are not set besides
  bool ends_with = false;
  bool fast_pattern = false;       // the author's choice for the matcher
  bool fast_pattern_only = false;  // the matcher's hit is enough; where it lies does not count
  uint16_t fast_offset = 0;        // the part of `bytes` for the matcher
  uint16_t fast_length = 0;        // 0: all of it
  std::optional<Operand> offset, depth, distance, within;

  bool is_relative() const { return distance.has_value() || within.has_value(); }
};

/// One captured group of a pcre, by its place in the pattern: `(?P<flow_name>...)`, or `flow:name` behind its
/// flags. `alert` ones are told in the alert's event.
struct PcreCapture {
  enum class Store : uint8_t { flow, packet, alert };
  uint16_t group = 1;
  Store store = Store::flow;
  std::string name;
};

struct Pcre {
  std::string pattern;  // between the slashes, as PCRE2 takes it
  uint16_t use = 0;
  bool negated = false;
  bool caseless = false, multi_line = false, dot_all = false, extended = false;  // i m s x
  bool anchored = false, dollar_end_only = false, ungreedy = false;              // A E G
  bool relative = false;                                                         // R
  std::vector<PcreCapture> captures;
};

struct IsDataAt {
  Operand offset;
  uint16_t use = 0;
  bool negated = false;
  bool relative = false;
};

enum class Endian : uint8_t { big, little };
/// How bytes stand for a number.
struct NumberFormat {
  enum class Text : uint8_t { binary, decimal, hexadecimal, octal };
  Text text = Text::binary;
  Endian endian = Endian::big;  // of binary
};

struct ByteTest {
  enum class Op : uint8_t { less, greater, equal, less_equal, greater_equal, bit_and, bit_or };
  Operand bytes;  // how many, 1..8 binary, ..23 as text; 0 of text: as far as there are digits
  Op op = Op::equal;
  bool negated = false;
  Operand value;
  Operand offset;
  bool relative = false;
  NumberFormat format;
  uint32_t bitmask = 0;  // 0: none; the result is shifted right by its trailing zeros
  uint16_t use = 0;
};

struct ByteJump {
  Operand bytes;  // 0: jumps by post_offset alone
  Operand offset;
  bool relative = false;
  NumberFormat format;
  uint16_t multiplier = 1;
  bool align = false;  // up to a multiple of 4
  bool from_beginning = false, from_end = false;
  Operand post_offset;
  uint32_t bitmask = 0;
  uint16_t use = 0;
};

struct ByteExtract {
  uint8_t bytes = 0;
  Operand offset;
  bool relative = false;
  NumberFormat format;
  uint16_t multiplier = 1;
  uint8_t align = 0;  // 0, 2 or 4
  int16_t slot = 0;   // where the value goes
  uint16_t use = 0;
};

struct ByteMath {
  enum class Op : uint8_t { add, subtract, multiply, divide, shift_left, shift_right };
  Operand bytes;
  Operand offset;
  bool relative = false;
  Op op = Op::add;
  Operand rvalue;
  NumberFormat format;
  uint32_t bitmask = 0;
  int16_t slot = 0;
  uint16_t use = 0;
};

/// `bsize` and `urilen`: how long the whole buffer is.
struct BufferSize {
  Compare size;
  uint16_t use = 0;
};

/// `absent`: the buffer does not exist, or with `or_else` what looks into it may match as well.
struct Absent {
  uint16_t use = 0;
  bool or_else = false;
};

/// `base64_decode`: decodes a piece of the buffer; what follows `base64_data` looks into the outcome.
struct Base64Decode {
  uint32_t bytes = 0;  // 0: to the end
  uint32_t offset = 0;
  bool relative = false;
  uint16_t use = 0;
};

enum class SetOperation : uint8_t { set, unset, isset, isnotset };
enum class DatasetType : uint8_t { string, md5, sha256, ip, ipv4 };

struct Dataset {
  enum class Format : uint8_t { lines, json, json_lines };
  SetOperation operation = SetOperation::isset;
  std::string name;
  DatasetType type = DatasetType::string;
  std::string load;            // a file's name as written; empty: none
  std::string save;            // the file that its values are written to; empty: they are not
  bool load_may_miss = false;  // `state`: the file is there from the second run on
  Format format = Format::lines;
  std::string context_key;           // what events call the object that the value stands in
  std::string value_key, array_key;  // of the JSON: the value in an object, the list of objects
  bool remove_key = false;           // the object is told without the value
  uint16_t use = 0;
};

struct Datarep {
  enum class Op : uint8_t { less, greater, equal };
  std::string name;
  Op op = Op::equal;
  uint16_t value = 0;
  DatasetType type = DatasetType::string;
  std::string load;
  uint16_t use = 0;
};

// --- numbers of a packet, a flow, a transaction ---

struct PayloadSize {  // dsize
  Compare size;
};

/// A field of a packet's headers. A packet without that field does not match.
struct HeaderNumber {
  enum class Field : uint8_t {
    ttl,
    tos,
    ip_id,
    ip_protocol,
    fragment_offset,
    tcp_seq,
    tcp_ack,
    tcp_window,
    tcp_mss,
    tcp_wscale,
    icmp_type,
    icmp_code,
    icmp_id,
    icmp_seq,
    icmpv6_mtu,
    vlan_layers,
  };
  Field field = Field::ttl;
  Compare compare;
};

struct VlanId {
  Compare compare;
  bool any = true;   // one of the layers; else `layer`
  bool all = false;  // every layer has to match
  int8_t layer = 0;  // 0 is the outermost, -1 the innermost
};

/// `flags` and `fragbits`: bits that are looked at and how.
struct BitFlags {
  enum class Field : uint8_t { tcp_flags, fragment_bits };
  enum class Mode : uint8_t { exact, all_of, any_of, not_all_of };  // none, '+', '*', '!'
  Field field = Field::tcp_flags;
  Mode mode = Mode::exact;
  uint8_t bits = 0;     // tcp: as in the header (FIN 1 ... CWR 128); fragment_bits: reserved 4, DF 2, MF 1
  uint8_t ignored = 0;  // not looked at
};

struct IpOption {
  uint8_t type = 0;  // the option's byte
  bool any = false;  // any option at all
};

struct SameIp {};

/// `tcpv4-csum` and its like: whether the packet's checksum is right.
struct Checksum {
  enum class Of : uint8_t { ipv4, tcpv4, tcpv6, udpv4, udpv6, icmpv4, icmpv6 };
  Of of = Of::ipv4;
  bool valid = true;
};

enum class Side : uint8_t { to_server, to_client, either, both };

struct StreamSize {
  Side side = Side::to_server;
  Compare size;
};

struct FlowNumber {
  enum class Field : uint8_t { age_seconds, bytes, packets, elephant };
  Field field = Field::bytes;
  Side side = Side::either;  // either: the sum of both
  Compare compare;
};

/// A number of the transaction; of a list `index` picks: any, all, or the n-th (from 0).
struct TransactionNumber {
  static constexpr int32_t kAny = -1, kAll = -2;
  NumberId number = NumberId::dns_opcode;
  Compare compare;
  int32_t index = kAny;
  std::optional<Direction> side;  // of rules on both sides of a transaction
};

// --- the state of a flow, a host, the stream ---

struct Flow {
  bool established = false, not_established = false, stateless = false;
  bool to_server = false, to_client = false;
  bool only_stream = false, no_stream = false;  // only rebuilt stream data; only packets
  bool only_frag = false, no_frag = false;      // rebuilt datagrams only; none of them
};

struct FlowBits {
  enum class Op : uint8_t { set, unset, toggle, isset, isnotset };
  Op op = Op::isset;
  std::vector<std::string> names;  // of isset and isnotset several: one of them is enough
};

struct FlowInt {
  enum class Op : uint8_t {
    set,
    add,
    subtract,
    less,
    less_equal,
    equal,
    not_equal,
    greater_equal,
    greater,
    isset,
    isnotset,
  };
  std::string name;
  Op op = Op::isset;
  uint32_t value = 0;
  std::string other;  // another variable instead of `value`; empty: none
};

/// Bits of hosts (`hostbits`, `xbits` with src or dst), pairs of hosts, transactions.
struct HostBits {
  enum class Track : uint8_t { source, destination, both, pair, transaction };
  FlowBits::Op op = FlowBits::Op::isset;
  std::string name;
  Track track = Track::source;
  uint32_t expire_seconds = 300;
};

struct Threshold {
  enum class Type : uint8_t { limit, threshold, both, backoff, detection_filter };
  enum class Track : uint8_t { by_source, by_destination, by_both, by_rule, by_flow };
  Type type = Type::limit;
  Track track = Track::by_source;
  uint32_t count = 1;
  uint32_t seconds = 0;
  uint32_t multiplier = 10;                                          // of backoff
  bool unique_source_port = false, unique_destination_port = false;  // detection_filter's unique_on
};

struct Tag {
  enum class Scope : uint8_t { session, host };
  enum class Metric : uint8_t { packets, bytes, seconds };
  Scope scope = Scope::session;
  Metric metric = Metric::packets;
  uint32_t count = 0;
  Side side = Side::either;  // of host: source = to_server
};

struct AppLayerProtocol {
  enum class Mode : uint8_t { direction, final, either, to_server, to_client, original };
  std::string name;                             // as written: "http", "failed", ...
  AppProtocol protocol = AppProtocol::unknown;  // unknown: one that the engine does not tell apart
  bool negated = false;
  Mode mode = Mode::direction;
};

/// `app-layer-event:http.invalid_...`, `decode-event`, `stream-event`, `engine-event`.
struct EngineEvent {
  enum class Source : uint8_t { app_layer, decode, stream };
  Source source = Source::app_layer;
  std::string protocol;  // of app_layer
  std::string name;
};

struct FileHash {
  enum class Kind : uint8_t { md5, sha1, sha256 };
  Kind kind = Kind::md5;
  bool negated = false;
  std::string list;  // the file that holds the hashes
};

struct TlsVersion {
  bool negated = false;
  uint16_t version = 0;  // 0x0301 ...; 0: none that has a name
};

/// `tls.version` and `ssl_version`: one of several.
struct TlsVersions {
  std::vector<TlsVersion> versions;  // negated: it may not be this one
};

/// `ssl_state`: how far the handshake is, one of several.
struct TlsStates {
  enum class State : uint8_t { client_hello, server_hello, client_keyx, server_keyx, unknown };
  std::vector<State> states;
  bool negated = false;
};

struct TlsCertificateTime {
  enum class Kind : uint8_t { expired, valid };
  Kind kind = Kind::expired;
};

// --- what becomes of a match ---

struct Bypass {};
struct NoAlert {};
/// `alert`: an alert also of a rule whose action makes none (pass).
struct AlertToo {};
/// `config:logging disable, type tx, scope tx`: no event is written of the transaction that it matched in.
struct DisableLogging {};
/// `prefilter`: the keyword before it selects the rule's packets (a hint for speed).
struct Prefilter {};
struct Target {
  enum class Is : uint8_t { source, destination };
  Is is = Is::source;
};

using OptionValue =
    std::variant<Content, Pcre, IsDataAt, ByteTest, ByteJump, ByteExtract, ByteMath, BufferSize, Absent,
                 Base64Decode, Dataset, Datarep, PayloadSize, HeaderNumber, VlanId, BitFlags, IpOption,
                 SameIp, Checksum, StreamSize, FlowNumber, TransactionNumber, Flow, FlowBits, FlowInt,
                 HostBits, Threshold, Tag, AppLayerProtocol, EngineEvent, FileHash, TlsVersions, TlsStates,
                 TlsCertificateTime, Bypass, NoAlert, AlertToo, DisableLogging, Prefilter, Target>;

}  // namespace weir::inspection::ast
