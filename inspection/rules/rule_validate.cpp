#include "inspection/rules/rule_validate.h"

#include <algorithm>

namespace weir::inspection::ast {

namespace {

Parsed<void> check_content(const Option& option, const Content& content, const Rule& rule) {
  const auto wrong = [&](const char* keyword, const char* message) {
    return refuse(option.at, keyword, message);
  };
  const bool placed = content.offset || content.depth || content.is_relative();
  if (content.fast_pattern && content.negated && (placed || content.starts_with)) {
    return wrong("fast_pattern", "A negated content with a position cannot be the fast pattern.");
  }
  if (content.fast_pattern_only && (placed || content.negated || content.starts_with || content.ends_with)) {
    return wrong("fast_pattern", "'only' cannot stand with a position or a negated content.");
  }
  if (content.depth && content.offset && !content.depth->is_slot() && !content.offset->is_slot() &&
      content.depth->value > 65'535 - content.offset->value) {
    return wrong("depth", "offset and depth reach beyond 65535 bytes.");
  }
  const BufferUse& use = rule.uses[content.use];
  if (use.buffer == BufferId::http_host && use.transforms.empty()) {
    if (content.nocase) return wrong("http.host", "http.host is in lower case; nocase has no meaning.");
    const bool upper =
        std::any_of(content.bytes.begin(), content.bytes.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (upper) return wrong("http.host", "http.host is in lower case; the content has upper case.");
  }
  if (use.buffer == BufferId::http_method && use.transforms.empty()) {
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    if (blank(content.bytes.front()) || blank(content.bytes.back())) {
      return wrong("http.method", "http.method has no blanks at its ends; the content has.");
    }
  }
  return {};
}

/// A buffer, or the packet, that is always shorter than what it has to hold never matches.
Parsed<void> check_sizes(const Rule& rule) {
  std::vector<size_t> longest(rule.uses.size(), 0);
  for (const Option& option : rule.options) {
    const auto* content = std::get_if<Content>(&option.value);
    if (content == nullptr || content->negated) continue;
    longest[content->use] = std::max(longest[content->use], content->bytes.size());
  }
  for (const Option& option : rule.options) {
    const auto* size = std::get_if<BufferSize>(&option.value);
    if (size != nullptr && size->size.op == Compare::Op::inside && size->size.max < longest[size->use]) {
      return refuse(option.at, "bsize",
                    "The buffer may not be as long as a content in it: it never matches.");
    }
    const auto* packet = std::get_if<PayloadSize>(&option.value);
    if (packet != nullptr && packet->size.op == Compare::Op::inside && packet->size.max < longest[0]) {
      return refuse(option.at, "dsize",
                    "The payload may not be as long as a content in it: it never matches.");
    }
  }
  return {};
}

/// Does anything look into that use?
bool is_used(const Rule& rule, uint16_t use) {
  return std::any_of(rule.options.begin(), rule.options.end(), [use](const Option& option) {
    return std::visit(
        [use](const auto& value) {
          if constexpr (requires { value.use; }) return value.use == use;
          return false;
        },
        option.value);
  });
}

/// Buffers of both directions never stand in one transaction's direction.
Parsed<void> check_directions(const Rule& rule, size_t at) {
  if (rule.both_sides) return {};
  const BufferInfo* to_server = nullptr;
  const BufferInfo* to_client = nullptr;
  for (size_t i = 0; i < rule.uses.size(); ++i) {
    const BufferInfo& info = info_of(rule.uses[i].buffer);
    if (info.direction == BufferDirection::either || !is_used(rule, static_cast<uint16_t>(i))) continue;
    (info.direction == BufferDirection::to_server ? to_server : to_client) = &info;
  }
  if (to_server != nullptr && to_client != nullptr) {
    return refuse(at, to_client->keyword,
                  "It belongs to answers, and '" + std::string(to_server->keyword) + "' to requests.");
  }
  for (const Option& option : rule.options) {
    const auto* flow = std::get_if<Flow>(&option.value);
    if (flow == nullptr) continue;
    const BufferInfo* other = flow->to_client ? to_server : flow->to_server ? to_client : nullptr;
    if (other != nullptr) {
      return refuse(option.at, "flow",
                    "The buffer '" + std::string(other->keyword) + "' belongs to the other direction.");
    }
  }
  return {};
}

}  // namespace

Parsed<void> validate_rule(const RuleContext& context, size_t at) {
  const Rule& rule = context.rule;
  if (!context.has_sid) return refuse(at, "sid", "The rule has no sid.");
  if (context.sticky && context.use_is_empty) {
    return refuse(context.sticky_token.at, context.sticky_token.text, "Nothing looks into this buffer.");
  }
  for (const Option& option : rule.options) {
    const auto* content = std::get_if<Content>(&option.value);
    if (content == nullptr) continue;
    if (auto ok = check_content(option, *content, rule); !ok) return ok;
  }
  if (auto ok = check_sizes(rule); !ok) return ok;
  return check_directions(rule, at);
}

}  // namespace weir::inspection::ast
