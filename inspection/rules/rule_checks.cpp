#include "inspection/rules/rule_checks.h"

namespace weir::inspection {

namespace {

Parsed<void> check_positions(const Content& content) {
  const size_t at = content.at;
  const size_t size = content.pattern.size();
  if (content.is_relative() && (content.offset || content.depth)) {
    return refuse(at, content.offset ? "offset" : "depth",
                  "A content with distance or within cannot have offset or depth.");
  }
  if (content.starts_with && (content.is_relative() || content.offset || content.depth)) {
    return refuse(at, "startswith", "A content with startswith cannot have another position.");
  }
  if (content.ends_with && content.offset) {
    return refuse(at, "endswith", "A content with endswith cannot have an offset.");
  }
  if (content.depth && *content.depth < size) {
    return refuse(at, "depth", "The depth is smaller than the content.");
  }
  if (content.within && *content.within < size) {
    return refuse(at, "within", "The range of within is smaller than the content.");
  }
  if (content.fast_pattern && content.negated) {
    return refuse(at, "fast_pattern", "A negated content cannot be the fast pattern.");
  }
  return {};
}

Parsed<void> check_buffer(size_t at, Buffer buffer, const Rule& rule) {
  const HttpBufferInfo& info = buffer_table()[static_cast<size_t>(buffer)];
  if (buffer == Buffer::payload) return {};
  if (rule.protocol != RuleProtocol::http && rule.protocol != RuleProtocol::tcp) {
    return refuse(at, info.sticky, "HTTP buffers need the protocol http or tcp.");
  }
  if (rule.flow.to_client) return refuse(at, info.sticky, "Responses are not parsed; only requests are.");
  // These exist in both directions; without to_server a rule would look as if it saw responses.
  const bool both_directions = buffer == Buffer::http_header || buffer == Buffer::http_cookie;
  if (both_directions && !rule.flow.to_server) {
    return refuse(at, info.sticky, "It needs flow:to_server, because responses are not parsed.");
  }
  return {};
}

}  // namespace

Parsed<void> check_rule(size_t at, const Rule& rule) {
  bool payload = false, http = false;
  for (const Content& content : rule.contents) {
    if (auto ok = check_positions(content); !ok) return ok;
    if (auto ok = check_buffer(content.at, content.buffer, rule); !ok) return ok;
    (content.buffer == Buffer::payload ? payload : http) = true;
  }
  for (const SizeCondition& size : rule.sizes) {
    if (auto ok = check_buffer(size.at, size.buffer, rule); !ok) return ok;
    http = true;
  }
  if (payload && http) {
    return refuse(at, "content", "Contents in the payload and in HTTP buffers cannot stand in one rule.");
  }
  return {};
}

}  // namespace weir::inspection
