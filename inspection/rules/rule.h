// One rule of the Suricata language as the parser understood it: values, nothing compiled.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/rules/address_set.h"

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
struct HttpBufferInfo {
  Buffer buffer;
  std::string_view sticky;    // "http.uri": the contents that follow look into it
  std::string_view modifier;  // "http_uri": the content before looks into it; empty if there is none
  bool in_headers;            // complete only when the request's headers are
  std::string_view header;    // the request header, lower case, whose value it is; else empty
};

/// One row for each buffer, in the order of the enum.
const std::array<HttpBufferInfo, kBufferCount>& buffer_table();

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
