// Sticky buffers, the older modifiers of contents, transforms. The rows of buffers are those of
// app/buffers.def.
#include <algorithm>
#include <array>

#include "inspection/rules/keyword.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

// --- sticky buffers ---

/// Of a hello of TLS, over TCP or in QUIC.
bool is_of_hello(BufferId buffer) {
  switch (buffer) {
    case BufferId::ja3_hash:
    case BufferId::ja3_string:
    case BufferId::ja3s_hash:
    case BufferId::ja3s_string:
    case BufferId::ja4_hash:
      return true;
    default:
      return false;
  }
}

/// The words that change the content before them. The other older names ("http_request_line") are sticky.
constexpr std::array<std::string_view, 13> kModifiers = {
    "http_client_body", "http_cookie",   "http_header",    "http_host",        "http_method",
    "http_raw_header",  "http_raw_host", "http_raw_uri",   "http_server_body", "http_stat_code",
    "http_stat_msg",    "http_uri",      "http_user_agent"};

Parsed<void> leave_buffer(RuleContext& context, const OptionText& option) {
  if (context.sticky && context.use_is_empty) {
    return wrong(option,
                 "Nothing looks into the buffer '" + std::string(context.sticky_token.text) + "' before it.");
  }
  return {};
}

Parsed<void> on_sticky(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  const auto buffer = static_cast<BufferId>(keyword.number);
  const BufferInfo& info = info_of(buffer);
  if (auto ok = leave_buffer(context, option); !ok) return ok;
  std::optional<Direction> side;
  if (option.has_value) {
    side = read_direction(option.value.text);
    if (!side) return wrong(option, "The value is to_server or to_client.");
    if (!context.rule.both_sides) return wrong(option, "Only a rule with => asks for a side of the buffer.");
  }
  if (buffer == BufferId::payload) {
    context.sticky = false;
    context.use = 0;
    context.use_is_empty = context.transforms_are_open = false;
    return {};
  }
  if (auto ok = context.need_protocol(option, info.protocol); !ok) return ok;
  const AppProtocol app = context.rule.app;
  if (is_of_hello(buffer) && app != AppProtocol::unknown && app != AppProtocol::tls &&
      app != AppProtocol::quic)
    return wrong(option,
                 "It belongs to tls and quic, and the rule is one of " + std::string(name_of(app)) + ".");
  if (buffer == BufferId::base64_data) {
    const auto& options = context.rule.options;
    if (std::none_of(options.begin(), options.end(),
                     [](const Option& o) { return std::holds_alternative<Base64Decode>(o.value); })) {
      return wrong(option, "It needs base64_decode before it.");
    }
  }
  // Each naming of a list may mean another value of it, and file.data another file of a form.
  if (info.kind == BufferKind::list || buffer == BufferId::file_data) {
    context.rule.uses.push_back({buffer, side, {}});
    context.use = static_cast<uint16_t>(context.rule.uses.size() - 1);
  } else {
    context.use = context.use_of(buffer, side);
  }
  context.sticky = true;
  context.sticky_token = option.name;
  context.use_is_empty = context.transforms_are_open = true;
  return {};
}

/// Changes the buffer of the content before it.
Parsed<void> on_modifier(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  const auto buffer = static_cast<BufferId>(keyword.number);
  if (context.sticky) return wrong(option, "It cannot stand behind a sticky buffer.");
  Content* content = context.last_content();
  if (content == nullptr) return wrong(option, "No content stands before it.");
  if (content->use != 0) return wrong(option, "The content before it has a buffer already.");
  if (auto ok = context.need_protocol(option, info_of(buffer).protocol); !ok) return ok;
  content->use = context.use_of(buffer);
  return {};
}

std::vector<Keyword> make_buffer_keywords() {
  std::vector<Keyword> rows;
  for (const BufferInfo& info : buffer_infos()) {
    const bool http = is_of(AppProtocol::http1, info.protocol);
    const KeywordGroup group =
        http                                                        ? KeywordGroup::http
        : info.protocol == AppProtocol::dns                         ? KeywordGroup::dns
        : info.keyword.starts_with("weir.")                         ? KeywordGroup::app
        : info.protocol == AppProtocol::tls || is_of_hello(info.id) ? KeywordGroup::tls
        : info.protocol == AppProtocol::ssh                         ? KeywordGroup::ssh
        : info.protocol == AppProtocol::quic                        ? KeywordGroup::quic
        : info.protocol == AppProtocol::smtp                        ? KeywordGroup::mail
        : info.protocol == AppProtocol::ftp                         ? KeywordGroup::ftp
        : info.keyword.starts_with("file")                          ? KeywordGroup::file
        : info.keyword.find("hdr") != info.keyword.npos || info.keyword.starts_with("ip.")
            ? KeywordGroup::packet
            : KeywordGroup::payload;
    const int number = static_cast<int>(info.id);
    rows.push_back(
        {info.keyword, group, Value::optional, on_sticky, Support::yes, "", "sticky buffer", number});
    if (info.modifier.empty()) continue;
    if (std::find(kModifiers.begin(), kModifiers.end(), info.modifier) != kModifiers.end()) {
      rows.push_back({info.modifier, group, Value::none, on_modifier, Support::yes, "",
                      "older form: the content before it looks into that buffer", number});
    } else {
      rows.push_back({info.modifier, group, Value::optional, on_sticky, Support::yes, "",
                      "another name of the sticky buffer", number});
    }
  }
  return rows;
}

// --- transforms ---

constexpr size_t kMaxTransforms = 16;

Parsed<void> read_xor(const OptionText& option, Transform& transform) {
  const std::string_view hex = unquote_if_quoted(option.value).text;
  if (hex.empty() || hex.size() % 2 != 0 || hex.size() > 512) {
    return wrong(option, "The key is 1 to 256 bytes in hexadecimal.");
  }
  for (size_t i = 0; i < hex.size(); i += 2) {
    const auto byte = read_number("0x" + std::string(hex.substr(i, 2)), 255);
    if (!byte) return wrong(option, "The key is 1 to 256 bytes in hexadecimal.");
    transform.argument.push_back(static_cast<char>(*byte));
  }
  return {};
}

Parsed<void> read_pcre_capture(const OptionText& option, Transform& transform) {
  auto inner = unquote(option, option.value);
  if (!inner) return tl::unexpected(inner.error());
  if (inner->text.empty()) return wrong(option, "The pattern is empty.");
  transform.argument = inner->text;
  return {};
}

Parsed<void> read_from_base64(const OptionText& option, Transform& transform) {
  if (!option.has_value) return {};
  for (const Token& piece : split(unquote_if_quoted(option.value), ',')) {
    const auto pair = words(piece);
    const auto number = pair.size() == 2 ? read_number(pair[1].text, 65'535) : std::nullopt;
    if (pair.size() == 2 && pair[0].text == "offset" && number) {
      transform.offset = static_cast<uint32_t>(*number);
    } else if (pair.size() == 2 && pair[0].text == "bytes" && number && *number != 0) {
      transform.bytes = static_cast<uint32_t>(*number);
    } else if (pair.size() == 2 && pair[0].text == "mode") {
      using Mode = Transform::Base64Mode;
      const std::string mode = lower(pair[1].text);
      if (mode != "strict" && mode != "rfc2045" && mode != "rfc4648") {
        return refuse(pair[1].at, option.name.text, "The mode is strict, rfc2045 or rfc4648.");
      }
      transform.base64_mode = mode == "strict"    ? Mode::strict
                              : mode == "rfc2045" ? Mode::rfc2045
                                                  : Mode::rfc4648;
    } else {
      return refuse(piece.at, option.name.text, "The value is of 'bytes N', 'offset N' and 'mode M'.");
    }
  }
  return {};
}

Parsed<void> read_max_size(const OptionText& option, Transform& transform) {
  if (!option.has_value) return {};
  const auto pair = words(unquote_if_quoted(option.value));
  const auto size = pair.size() == 2 && pair[0].text == "max-size"
                        ? read_size(pair[1].text, std::numeric_limits<uint32_t>::max())
                        : std::nullopt;
  if (!size || *size == 0) return wrong(option, "The value is 'max-size N'.");
  transform.max_bytes = *size;
  return {};
}

Parsed<void> on_transform(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  using Kind = Transform::Kind;
  if (!context.sticky) return wrong(option, "It needs a sticky buffer before it.");
  // Behind a content the buffer begins anew, with this chain; a chain that is in use does not grow.
  if (!context.transforms_are_open && !context.rule.uses[context.use].transforms.empty()) {
    return wrong(option, "Transforms stand directly behind the sticky buffer.");
  }
  Transform transform;
  transform.kind = static_cast<Kind>(keyword.number);
  Parsed<void> ok;
  switch (transform.kind) {
    case Kind::xor_key:
      ok = read_xor(option, transform);
      break;
    case Kind::pcre_capture:
      ok = read_pcre_capture(option, transform);
      break;
    case Kind::from_base64:
      ok = read_from_base64(option, transform);
      break;
    case Kind::gunzip:
    case Kind::zlib_deflate:
      ok = read_max_size(option, transform);
      break;
    default:
      break;
  }
  if (!ok) return ok;
  // The buffer as it is may be in use already; the transformed one is another.
  const auto& options = context.rule.options;
  const bool used = std::any_of(options.begin(), options.end(), [&](const Option& o) {
    return std::visit(
        [&](const auto& value) {
          if constexpr (requires { value.use; }) return value.use == context.use;
          return false;
        },
        o.value);
  });
  if (used) {
    const BufferUse& plain = context.rule.uses[context.use];
    context.rule.uses.push_back({plain.buffer, plain.side, {}});
    context.use = static_cast<uint16_t>(context.rule.uses.size() - 1);
    context.use_is_empty = context.transforms_are_open = true;
  }
  auto& chain = context.rule.uses[context.use].transforms;
  if (chain.size() >= kMaxTransforms) return wrong(option, "The chain has more than 16 transforms.");
  chain.push_back(std::move(transform));
  return {};
}

constexpr Keyword transform(std::string_view name, Transform::Kind kind, Value value, std::string_view means,
                            Support support = Support::yes, std::string_view note = {}) {
  return {name, KeywordGroup::transform, value, on_transform, support, note, means, static_cast<int>(kind)};
}

using Kind = Transform::Kind;
constexpr Keyword kTransforms[] = {
    transform("dotprefix", Kind::dotprefix, Value::none, "a dot before the bytes"),
    transform("to_lowercase", Kind::to_lowercase, Value::none, "lower case"),
    transform("to_uppercase", Kind::to_uppercase, Value::none, "upper case"),
    transform("to_md5", Kind::to_md5, Value::none, "the MD5 of the bytes, 16 bytes"),
    transform("to_sha1", Kind::to_sha1, Value::none, "the SHA-1 of the bytes, 20 bytes"),
    transform("to_sha256", Kind::to_sha256, Value::none, "the SHA-256 of the bytes, 32 bytes"),
    transform("strip_whitespace", Kind::strip_whitespace, Value::none, "all white space away"),
    transform("compress_whitespace", Kind::compress_whitespace, Value::none,
              "runs of white space become one blank"),
    transform("url_decode", Kind::url_decode, Value::none, "%XX and + decoded"),
    transform("header_lowercase", Kind::header_lowercase, Value::none, "names of headers in lower case"),
    transform("strip_pseudo_headers", Kind::strip_pseudo_headers, Value::none,
              "lines that begin with a colon away"),
    transform("xor", Kind::xor_key, Value::required, "exclusive or with a key in hexadecimal"),
    transform("pcrexform", Kind::pcre_capture, Value::required, "the first group of a regular expression"),
    transform("from_base64", Kind::from_base64, Value::optional, "decoded base64"),
    transform("domain", Kind::domain, Value::none,
              "the registered domain of a host name, by the public suffixes"),
    transform("tld", Kind::top_level_domain, Value::none, "the public suffix of a host name"),
    transform("gunzip", Kind::gunzip, Value::optional,
              "decompressed gzip, up to max-size bytes, at most 128 KiB"),
    transform("zlib_deflate", Kind::zlib_deflate, Value::optional,
              "decompressed zlib, up to max-size bytes, at most 128 KiB"),
};

}  // namespace

std::span<const Keyword> buffer_keywords() {
  static const std::vector<Keyword> rows = make_buffer_keywords();
  return rows;
}

std::span<const Keyword> transform_keywords() { return kTransforms; }

}  // namespace weir::inspection::ast
