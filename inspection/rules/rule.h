// One rule of the Suricata language as the parser understood it: values, nothing compiled.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/address.h"
#include "inspection/rules/interval_set.h"

namespace weir::inspection {

enum class RuleAction : uint8_t { drop, alert };  // in the order in which they are judged
enum class RuleProtocol : uint8_t { ip, tcp, udp, icmp, http };

/// The bytes that a content looks into. `payload` is the TCP stream or the datagram.
enum class Buffer : uint8_t {
  payload,
  http_uri,
  http_uri_raw,
  http_method,
  http_host,
  http_user_agent,
  http_header,
  http_cookie,
  http_referer,
  http_accept,
  http_accept_lang,
  http_accept_enc,
};
inline constexpr size_t kBufferCount = 12;

/// What is known of a buffer: its keywords, when it is complete, where it comes from.
struct BufferInfo {
  Buffer buffer;
  std::string_view sticky;    // "http.uri": the contents that follow look into it
  std::string_view modifier;  // "http_uri": the content before looks into it; empty if there is none
  bool in_headers;            // complete only when the request's headers are
  std::string_view header;    // the request header, lower case, whose value it is; else empty
};

/// One row for each buffer, in the order of the enum.
const std::array<BufferInfo, kBufferCount>& buffer_table();

using uint128 = unsigned __int128;
inline uint128 to_uint128(const net::Ipv6& a) { return static_cast<uint128>(a.hi) << 64 | a.lo; }

/// Addresses of both families.
struct AddressSet {
  IntervalSet<uint32_t> v4;
  IntervalSet<uint128> v6;

  static AddressSet all() { return {IntervalSet<uint32_t>::all(), IntervalSet<uint128>::all()}; }
  bool empty() const { return v4.empty() && v6.empty(); }
  bool contains(const net::IpAddress& a) const {
    return a.is_v4() ? v4.contains(a.v4().value) : v6.contains(to_uint128(a.v6()));
  }
  void append(const AddressSet& other) {
    v4.append(other.v4);
    v6.append(other.v6);
  }
  void normalise() {
    v4.normalise();
    v6.normalise();
  }
  void subtract(const AddressSet& other) {
    v4.subtract(other.v4);
    v6.subtract(other.v6);
  }
};
using PortSet = IntervalSet<uint16_t>;

/// One `content` with its modifiers.
struct Content {
  size_t at = 0;        // where its keyword stands in the logical line
  std::string pattern;  // the bytes, escapes and |hex| resolved
  Buffer buffer = Buffer::payload;
  bool negated = false;
  bool nocase = false;
  bool starts_with = false;
  bool ends_with = false;
  bool fast_pattern = false;
  uint32_t fast_offset = 0;  // the part of the pattern for the matcher
  uint32_t fast_length = 0;  // 0: all of it
  std::optional<uint32_t> offset, depth;
  std::optional<int32_t> distance;
  std::optional<uint32_t> within;

  bool is_relative() const { return distance.has_value() || within.has_value(); }
};

/// `bsize`: how long a buffer has to be, both ends included.
struct SizeCondition {
  size_t at = 0;
  Buffer buffer = Buffer::payload;
  uint32_t min = 0;
  uint32_t max = std::numeric_limits<uint32_t>::max();
};

/// The `flow` keyword; what is not asked for is false.
struct FlowCondition {
  bool established = false;
  bool not_established = false;
  bool to_server = false;
  bool to_client = false;
};

/// The highest generator id; the bit above it tells directions apart where alerts are remembered.
inline constexpr uint32_t kMaxGid = 0x7fff'ffff;

struct Rule {
  RuleAction action = RuleAction::alert;
  RuleProtocol protocol = RuleProtocol::ip;
  AddressSet source, destination;
  PortSet source_ports, destination_ports;
  bool both_ways = false;  // "<>"
  uint32_t gid = 1, sid = 0, rev = 0;
  uint32_t priority = 3;
  std::string message;
  std::string category;  // the text of its classtype
  FlowCondition flow;
  std::vector<Content> contents;  // in the order of the file
  std::vector<SizeCondition> sizes;
  std::string file;
  uint32_t line = 0;
};

}  // namespace weir::inspection
