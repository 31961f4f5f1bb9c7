// Keywords about the application protocol: what is spoken, numbers of DNS and TLS, files, data sets, events.
#include <algorithm>
#include <filesystem>

#include "inspection/rules/content_bytes.h"
#include "inspection/rules/keyword.h"
#include "inspection/rules/protocol_names.h"
#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

tl::unexpected<ParseError> wrong_at(Token at, const OptionText& option, std::string message) {
  return refuse(at.at, option.name.text, std::move(message));
}

// --- app-layer-protocol ---

Parsed<void> on_app_protocol(RuleContext& context, const OptionText& option, const Keyword&) {
  using Mode = AppLayerProtocol::Mode;
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  AppLayerProtocol protocol;
  Token name = pieces[0];
  protocol.negated = name.text.starts_with('!');
  if (protocol.negated) name = name.sub(1).trimmed();
  const AppName* known = find_app_name(name.text);
  if (known == nullptr && name.text != "failed" && name.text != "unknown") {
    return wrong_at(name, option, "'" + std::string(name.text) + "' is no application protocol.");
  }
  protocol.name = name.text;
  protocol.protocol = known != nullptr        ? known->protocol
                      : name.text == "failed" ? AppProtocol::failed
                                              : AppProtocol::unknown;
  if (pieces.size() > 2) return wrong(option, "The value is a protocol and perhaps a mode.");
  if (pieces.size() == 2) {
    static constexpr std::pair<std::string_view, Mode> kModes[] = {
        {"direction", Mode::direction}, {"final", Mode::final},        {"either", Mode::either},
        {"to_server", Mode::to_server}, {"toserver", Mode::to_server}, {"to_client", Mode::to_client},
        {"toclient", Mode::to_client},  {"original", Mode::original}};
    const auto mode = std::find_if(std::begin(kModes), std::end(kModes),
                                   [&](const auto& row) { return row.first == pieces[1].text; });
    if (mode == std::end(kModes)) return wrong_at(pieces[1], option, "This mode is unknown.");
    protocol.mode = mode->second;
  }
  if (context.rule.app != AppProtocol::unknown) {
    return wrong(option, "The rule's application protocol is known already.");
  }
  context.add(option, std::move(protocol));
  return {};
}

// --- events ---

Parsed<void> on_event(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  EngineEvent event;
  event.source = static_cast<EngineEvent::Source>(keyword.number);
  const std::string_view text = unquote_if_quoted(option.value).text;
  if (text.empty() || text.find_first_of(" \t,") != std::string_view::npos) {
    return wrong(option, "The value is the name of an event.");
  }
  event.name = text;
  if (event.source == EngineEvent::Source::app_layer) {
    const size_t dot = text.find('.');
    const AppName* app = find_app_name(text.substr(0, dot));
    if (app == nullptr) return wrong(option, "It begins with no application protocol.");
    if (dot == std::string_view::npos || dot + 1 == text.size())
      return wrong(option, "The event's name is missing.");
    event.protocol = app->name;
    event.name = text.substr(dot + 1);
    if (app->protocol == AppProtocol::unknown) {
      context.refuse_support(option, "The protocol " + std::string(app->name) + " is not parsed.");
    } else if (auto ok = context.need_protocol(option, app->protocol); !ok) {
      return ok;
    }
  }
  context.add(option, std::move(event));
  return {};
}

// --- numbers of transactions ---

std::optional<uint64_t> record_type(std::string_view text) {
  static constexpr std::pair<std::string_view, uint64_t> kTypes[] = {
      {"a", 1},      {"ns", 2},     {"cname", 5},   {"soa", 6},    {"null", 10},  {"ptr", 12},
      {"hinfo", 13}, {"mx", 15},    {"txt", 16},    {"aaaa", 28},  {"loc", 29},   {"srv", 33},
      {"naptr", 35}, {"kx", 36},    {"cert", 37},   {"opt", 41},   {"ds", 43},    {"sshfp", 44},
      {"rrsig", 46}, {"nsec", 47},  {"dnskey", 48}, {"nsec3", 50}, {"tlsa", 52},  {"cds", 59},
      {"svcb", 64},  {"https", 65}, {"spf", 99},    {"tkey", 249}, {"tsig", 250}, {"ixfr", 251},
      {"axfr", 252}, {"any", 255},  {"uri", 256},   {"caa", 257}};
  for (const auto& [name, number] : kTypes) {
    if (equal_nocase(text, name)) return number;
  }
  return std::nullopt;
}

std::optional<uint64_t> answer_code(std::string_view text) {
  static constexpr std::string_view kCodes[] = {"noerror", "formerr", "servfail", "nxdomain",
                                                "notimp",  "refused", "yxdomain", "yxrrset",
                                                "nxrrset", "notauth", "notzone"};
  for (uint64_t i = 0; i < std::size(kCodes); ++i) {
    if (equal_nocase(text, kCodes[i])) return i;
  }
  return std::nullopt;
}

Parsed<void> on_number(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  TransactionNumber number;
  number.number = static_cast<NumberId>(keyword.number);
  const bool dns = number.number == NumberId::dns_opcode || number.number == NumberId::dns_rcode ||
                   number.number == NumberId::dns_rrtype;
  const uint64_t max = number.number == NumberId::dns_opcode           ? 255
                       : number.number == NumberId::file_size          ? std::numeric_limits<uint64_t>::max()
                       : number.number == NumberId::tls_cert_chain_len ? std::numeric_limits<uint32_t>::max()
                                                                       : 65'535;
  const auto read = [&](std::string_view text) -> std::optional<uint64_t> {
    text = trim(text);
    if (number.number == NumberId::dns_rrtype) {
      if (const auto named = record_type(text)) return named;
    }
    if (number.number == NumberId::dns_rcode) {
      if (const auto named = answer_code(text)) return named;
    }
    return read_size(text, max);
  };
  Token value = unquote_if_quoted(option.value);
  if (number.number == NumberId::file_size) {
    if (context.has_file_size) return wrong(option, "It stands twice.");
    context.has_file_size = true;
    if (const auto pieces = split(value, ','); pieces.size() == 2) {
      number.side = read_direction(pieces[0].text);
      if (!number.side || !context.rule.both_sides)
        return wrong(option, "Only a rule with => asks for a side: 'to_client, <100'.");
      value = pieces[1];
    }
  }
  const auto compare = read_compare(value.text, max, read);
  if (!compare) return wrong(option, "The comparison cannot be read, or never holds.");
  number.compare = *compare;
  const AppProtocol protocol = dns                                             ? AppProtocol::dns
                               : number.number == NumberId::tls_cert_chain_len ? AppProtocol::tls
                               : number.number == NumberId::ftp_dynamic_port   ? AppProtocol::ftp
                                                                               : AppProtocol::unknown;
  if (auto ok = context.need_protocol(option, protocol); !ok) return ok;
  context.add(option, number);
  return {};
}

// --- TLS ---

std::optional<uint16_t> tls_version(std::string_view text) {
  static constexpr std::pair<std::string_view, uint16_t> kVersions[] = {
      {"sslv2", 0x0200}, {"sslv3", 0x0300},  {"1.0", 0x0301},         {"tls1.0", 0x0301},
      {"1.1", 0x0302},   {"tls1.1", 0x0302}, {"1.2", 0x0303},         {"tls1.2", 0x0303},
      {"1.3", 0x0304},   {"tls1.3", 0x0304}, {"tls1.3-draft", 0x7f00}};
  for (const auto& [name, version] : kVersions) {
    if (equal_nocase(text, name)) return version;
  }
  const auto raw = text.starts_with("0x") ? read_number(text, 0xffff) : std::nullopt;
  return raw ? std::optional(static_cast<uint16_t>(*raw)) : std::nullopt;
}

Parsed<void> on_tls_versions(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  if (auto ok = context.need_protocol(option, AppProtocol::tls); !ok) return ok;
  TlsVersions versions;
  const bool one = keyword.number != 0;
  for (Token piece : split(unquote_if_quoted(option.value), ',')) {
    TlsVersion version;
    version.negated = piece.text.starts_with('!');
    if (version.negated) piece = piece.sub(1).trimmed();
    const auto number = tls_version(piece.text);
    if (!number) return wrong_at(piece, option, "'" + std::string(piece.text) + "' is no version.");
    version.version = *number;
    versions.versions.push_back(version);
  }
  if (one && versions.versions.size() != 1) return wrong(option, "It takes one version.");
  context.add(option, std::move(versions));
  return {};
}

Parsed<void> on_tls_state(RuleContext& context, const OptionText& option, const Keyword&) {
  using State = TlsStates::State;
  static constexpr std::pair<std::string_view, State> kStates[] = {{"client_hello", State::client_hello},
                                                                   {"server_hello", State::server_hello},
                                                                   {"client_keyx", State::client_keyx},
                                                                   {"server_keyx", State::server_keyx},
                                                                   {"unknown", State::unknown}};
  if (auto ok = context.need_protocol(option, AppProtocol::tls); !ok) return ok;
  TlsStates states;
  Token value = unquote_if_quoted(option.value);
  states.negated = value.text.starts_with('!');
  if (states.negated) value = value.sub(1).trimmed();
  const bool bars = value.text.find('|') != std::string_view::npos;
  for (const Token& piece : split(value, bars ? '|' : ',')) {
    const auto found = std::find_if(std::begin(kStates), std::end(kStates),
                                    [&](const auto& row) { return row.first == piece.text; });
    if (found == std::end(kStates)) return wrong_at(piece, option, "This state is unknown.");
    states.states.push_back(found->second);
  }
  context.add(option, std::move(states));
  return {};
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto of_era = static_cast<unsigned>(year - era * 400);
  const unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
  return era * 146'097 + static_cast<int64_t>(days) - 719'468;
}

/// "2016", "2016-07", "2016-07-20", and with a time "2016-07-20T12:34:56" or a blank between: seconds of UTC.
std::optional<uint64_t> date_seconds(std::string_view text) {
  uint64_t fields[6] = {1970, 1, 1, 0, 0, 0};
  static constexpr std::string_view kEnds[6] = {"-", "-", "T ", ":", ":", ""};
  static constexpr uint64_t kMax[6] = {9'999, 12, 31, 23, 59, 60};
  text = trim(text);
  for (unsigned i = 0; i < 6; ++i) {
    const size_t end = kEnds[i].empty() ? std::string_view::npos : text.find_first_of(kEnds[i]);
    const auto number = read_number(text.substr(0, end), kMax[i]);
    if (!number || (i >= 1 && i <= 2 && *number == 0) || (i == 0 && *number < 1970)) return std::nullopt;
    fields[i] = *number;
    if (end == std::string_view::npos) {
      const int64_t days = days_from_civil(static_cast<int64_t>(fields[0]), static_cast<unsigned>(fields[1]),
                                           static_cast<unsigned>(fields[2]));
      return static_cast<uint64_t>(days) * 86'400 + fields[3] * 3'600 + fields[4] * 60 + fields[5];
    }
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

Parsed<void> on_tls_date(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  if (auto ok = context.need_protocol(option, AppProtocol::tls); !ok) return ok;
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  std::string_view text = unquote_if_quoted(option.value).text;
  TransactionNumber number;
  number.number = static_cast<NumberId>(keyword.number);
  const size_t range = text.find("<>");
  const bool before = range == std::string_view::npos && take_prefix(text, "<");
  const bool after = range == std::string_view::npos && !before && take_prefix(text, ">");
  const auto first = date_seconds(text.substr(0, range));
  const auto last = range == std::string_view::npos ? first : date_seconds(text.substr(range + 2));
  if (!first || !last || *last < *first || (before && *first == 0)) {
    return wrong(option,
                 "The value is a date as 2016-07-20, perhaps with < or > before it, or 'date<>date'.");
  }
  number.compare = {Compare::Op::inside,
                    before  ? 0
                    : after ? *first + 1
                            : *first,
                    before  ? *first - 1
                    : after ? kMax
                            : *last};
  context.add(option, number);
  return {};
}

Parsed<void> on_tls_validity(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  if (auto ok = context.need_protocol(option, AppProtocol::tls); !ok) return ok;
  context.add(option, TlsCertificateTime{static_cast<TlsCertificateTime::Kind>(keyword.number)});
  return {};
}

// --- HTTP/2 ---

constexpr std::string_view kFrameTypes[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                            "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                            "WINDOW_UPDATE", "CONTINUATION"};
constexpr std::string_view kErrorCodes[] = {"NO_ERROR",
                                            "PROTOCOL_ERROR",
                                            "INTERNAL_ERROR",
                                            "FLOW_CONTROL_ERROR",
                                            "SETTINGS_TIMEOUT",
                                            "STREAM_CLOSED",
                                            "FRAME_SIZE_ERROR",
                                            "REFUSED_STREAM",
                                            "CANCEL",
                                            "COMPRESSION_ERROR",
                                            "CONNECT_ERROR",
                                            "ENHANCE_YOUR_CALM",
                                            "INADEQUATE_SECURITY",
                                            "HTTP_1_1_REQUIRED"};

template <size_t N>
std::optional<uint64_t> place_of(const std::string_view (&names)[N], std::string_view text) {
  const auto found = std::find_if(std::begin(names), std::end(names),
                                  [&](std::string_view name) { return equal_nocase(name, text); });
  if (found == std::end(names)) return std::nullopt;
  return static_cast<uint64_t>(found - std::begin(names));
}

Parsed<void> on_http2_number(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  if (auto ok = context.need_protocol(option, AppProtocol::http2); !ok) return ok;
  TransactionNumber number;
  number.number = static_cast<NumberId>(keyword.number);
  const uint64_t max =
      number.number == NumberId::http2_priority || number.number == NumberId::http2_frame_type
          ? std::numeric_limits<uint8_t>::max()
          : std::numeric_limits<uint32_t>::max();
  const auto read = [&](std::string_view text) -> std::optional<uint64_t> {
    text = trim(text);
    if (number.number == NumberId::http2_frame_type) {
      if (const auto named = place_of(kFrameTypes, text)) return named;
    }
    if (number.number == NumberId::http2_error_code) {
      if (const auto named = place_of(kErrorCodes, text)) return named;
      if (equal_nocase(text, "HTTP11_REQUIRED")) return 13;
    }
    return read_size(text, max);
  };
  const auto compare = read_compare(unquote_if_quoted(option.value).text, max, read);
  if (!compare) return wrong(option, "The comparison cannot be read, or never holds.");
  number.compare = *compare;
  context.add(option, number);
  return {};
}

/// "SETTINGS_MAX_FRAME_SIZE>16384": the setting's name, and perhaps how its value compares.
Parsed<void> on_http2_settings(RuleContext& context, const OptionText& option, const Keyword&) {
  static constexpr std::pair<std::string_view, uint64_t> kSettings[] = {
      {"SETTINGS_HEADER_TABLE_SIZE", 1},      {"SETTINGS_ENABLE_PUSH", 2},
      {"SETTINGS_MAX_CONCURRENT_STREAMS", 3}, {"SETTINGS_INITIAL_WINDOW_SIZE", 4},
      {"SETTINGS_MAX_FRAME_SIZE", 5},         {"SETTINGS_MAX_HEADER_LIST_SIZE", 6},
      {"SETTINGS_ENABLE_CONNECT_PROTOCOL", 8}};
  if (auto ok = context.need_protocol(option, AppProtocol::http2); !ok) return ok;
  constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
  const std::string_view text = unquote_if_quoted(option.value).text;
  for (const auto& [name, id] : kSettings) {
    if (text.size() < name.size() || !equal_nocase(text.substr(0, name.size()), name)) continue;
    const std::string_view rest = trim(text.substr(name.size()));
    const auto compare =
        rest.empty() ? std::optional(Compare{Compare::Op::inside, 0, kMax}) : read_compare(rest, kMax);
    if (!compare || compare->op != Compare::Op::inside)
      return wrong(option, "Behind the name stands '=', '<', '>' or a range of a number.");
    TransactionNumber number;
    number.number = NumberId::http2_setting;
    number.compare = {Compare::Op::inside, id << 32 | compare->min, id << 32 | compare->max};
    context.add(option, number);
    return {};
  }
  return wrong(option, "It begins with the name of a setting, as SETTINGS_MAX_FRAME_SIZE.");
}

// --- FTP ---

/// `ftp.mode:passive` and its like: one of some words.
struct NumberWord {
  NumberId number;
  std::string_view word;
  uint64_t value;
};
constexpr NumberWord kNumberWords[] = {
    {NumberId::ftp_mode, "active", 1},        {NumberId::ftp_mode, "passive", 2},
    {NumberId::ftp_reply_received, "yes", 1}, {NumberId::ftp_reply_received, "true", 1},
    {NumberId::ftp_reply_received, "on", 1},  {NumberId::ftp_reply_received, "1", 1},
    {NumberId::ftp_reply_received, "no", 0},  {NumberId::ftp_reply_received, "false", 0},
    {NumberId::ftp_reply_received, "off", 0}, {NumberId::ftp_reply_received, "0", 0},
    {NumberId::ftpdata_command, "retr", 1},   {NumberId::ftpdata_command, "stor", 2}};

Parsed<void> on_number_word(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  const auto id = static_cast<NumberId>(keyword.number);
  const AppProtocol protocol = id == NumberId::ftpdata_command ? AppProtocol::ftp_data : AppProtocol::ftp;
  if (auto ok = context.need_protocol(option, protocol); !ok) return ok;
  const std::string_view text = unquote_if_quoted(option.value).text;
  for (const NumberWord& row : kNumberWords) {
    if (row.number != id || !equal_nocase(row.word, text)) continue;
    context.add(option, TransactionNumber{
                            id, {Compare::Op::inside, row.value, row.value}, TransactionNumber::kAny, {}});
    return {};
  }
  return wrong(option, "'" + std::string(text) + "' is none of its words.");
}

Parsed<void> on_ftp_bounce(RuleContext& context, const OptionText& option, const Keyword&) {
  if (auto ok = context.need_protocol(option, AppProtocol::ftp); !ok) return ok;
  context.add(option, TransactionNumber{
                          NumberId::ftp_bounce, {Compare::Op::inside, 1, 1}, TransactionNumber::kAny, {}});
  return {};
}

// --- older keywords that are a content in a buffer ---

enum ContentForm {
  kFileName,
  kFileExtension,
  kFileMagic,
  kTlsSubject,
  kTlsIssuer,
  kTlsFingerprint,
  kSshSoftware
};

Parsed<void> on_content_form(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  Content content;
  Token value = option.value;
  content.negated = value.text.starts_with('!');
  if (content.negated) value = value.sub(1).trimmed();
  auto inner = unquote(option, value);
  if (!inner) return tl::unexpected(inner.error());
  auto bytes = read_content_bytes(*inner, option.name.text);
  if (!bytes) return tl::unexpected(bytes.error());
  content.bytes = std::move(*bytes);
  BufferId buffer = BufferId::file_name;
  switch (keyword.number) {
    case kFileName:
      content.nocase = true;
      break;
    case kFileExtension:
      content.bytes.insert(0, ".");
      content.nocase = content.ends_with = true;
      break;
    case kFileMagic:
      buffer = BufferId::file_magic;
      content.nocase = true;
      break;
    case kTlsSubject:
      buffer = BufferId::tls_cert_subject;
      break;
    case kTlsIssuer:
      buffer = BufferId::tls_cert_issuer;
      break;
    case kSshSoftware:
      buffer = BufferId::ssh_software;
      break;
    default:
      buffer = BufferId::tls_cert_fingerprint;
      content.nocase = content.starts_with = content.ends_with = true;
  }
  if (auto ok = context.need_protocol(option, info_of(buffer).protocol); !ok) return ok;
  content.use = context.use_of(buffer);
  context.add(option, std::move(content));
  return {};
}

/// "1.99", or "2_compat": 2 and what is compatible with it.
Parsed<void> on_ssh_version(RuleContext& context, const OptionText& option, const Keyword&) {
  const std::string_view text = unquote_if_quoted(option.value).text;
  const bool plain =
      !text.empty() && text.find_first_not_of("0123456789._-abcdefghijklmnopqrstuvwxyz") == text.npos;
  if (!plain) return wrong(option, "The value is a version, or 2_compat.");
  if (auto ok = context.need_protocol(option, AppProtocol::ssh); !ok) return ok;
  Pcre version;
  version.use = context.use_of(BufferId::ssh_proto);
  if (text == "2_compat") {
    version.pattern = R"(^(?:2|1\.99))";
  } else {
    version.pattern = "^\\Q" + std::string(text) + "\\E$";
  }
  version.dollar_end_only = true;
  context.add(option, std::move(version));
  return {};
}

/// Where files are not stored it changes nothing, as in Suricata without its file-store.
Parsed<void> on_filestore(RuleContext&, const OptionText& option, const Keyword&) {
  if (!option.has_value) return {};
  static constexpr std::string_view kWords[] = {"request",   "response", "both",     "to_server",
                                                "to_client", "toserver", "toclient", "file",
                                                "tx",        "ssn",      "flow"};
  for (const Token& piece : split(unquote_if_quoted(option.value), ',')) {
    if (std::find(std::begin(kWords), std::end(kWords), piece.text) == std::end(kWords)) {
      return wrong_at(piece, option, "It is a direction and a scope.");
    }
  }
  return {};
}

Parsed<void> on_file_hash(RuleContext& context, const OptionText& option, const Keyword& keyword) {
  FileHash hash;
  hash.kind = static_cast<FileHash::Kind>(keyword.number);
  Token value = unquote_if_quoted(option.value);
  hash.negated = value.text.starts_with('!');
  if (hash.negated) value = value.sub(1).trimmed();
  if (value.text.empty()) return wrong(option, "The name of the list is missing.");
  hash.list = value.text;
  context.add(option, std::move(hash));
  return {};
}

// --- data sets ---

std::optional<DatasetType> dataset_type(std::string_view text) {
  if (text == "string") return DatasetType::string;
  if (text == "md5") return DatasetType::md5;
  if (text == "sha256") return DatasetType::sha256;
  if (text == "ip" || text == "ipv6") return DatasetType::ip;
  if (text == "ipv4") return DatasetType::ipv4;
  return std::nullopt;
}

Parsed<void> read_dataset_word(const OptionText& option, Token piece, Dataset& set) {
  const auto pair = words(piece);
  if (pair.size() == 1 && pair[0].text == "remove_key") {
    set.remove_key = true;
    return {};
  }
  if (pair.size() != 2) return wrong_at(piece, option, "Each part is a word and its value.");
  const std::string_view word = pair[0].text, value = pair[1].text;
  if (word == "type") {
    const auto type = dataset_type(value);
    if (!type) return wrong_at(piece, option, "type is string, md5, sha256, ip or ipv4.");
    set.type = *type;
  } else if (word == "load" || word == "state") {
    set.load = value;
    set.load_may_miss = word == "state";
    if (word == "state") set.save = value;
  } else if (word == "format") {
    if (value != "csv" && value != "json" && value != "ndjson" && value != "jsonline")
      return wrong_at(piece, option, "format is csv, json or ndjson.");
    set.format = value == "csv"    ? Dataset::Format::lines
                 : value == "json" ? Dataset::Format::json
                                   : Dataset::Format::json_lines;
  } else if (word == "context_key" || word == "value_key" || word == "array_key") {
    (word == "context_key" ? set.context_key : word == "value_key" ? set.value_key : set.array_key) = value;
  } else if (word == "save") {
    set.save = value;
  } else if ((word != "memcap" && word != "hashsize") ||
             !read_size(value, std::numeric_limits<uint64_t>::max())) {
    return wrong_at(piece, option, "'" + std::string(word) + "' is unknown here.");
  }
  return {};
}

Parsed<void> on_dataset(RuleContext& context, const OptionText& option, const Keyword&) {
  static constexpr std::pair<std::string_view, SetOperation> kOps[] = {{"set", SetOperation::set},
                                                                       {"unset", SetOperation::unset},
                                                                       {"isset", SetOperation::isset},
                                                                       {"isnotset", SetOperation::isnotset}};
  if (!context.sticky) return wrong(option, "It needs a sticky buffer before it.");
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  const auto op = std::find_if(std::begin(kOps), std::end(kOps),
                               [&](const auto& row) { return row.first == pieces[0].text; });
  if (op == std::end(kOps) || pieces.size() < 2 || pieces[1].text.empty()) {
    return wrong(option, "The value is 'set|unset|isset|isnotset, name, ...'.");
  }
  Dataset set;
  set.operation = op->second;
  set.name = pieces[1].text;
  for (size_t i = 2; i < pieces.size(); ++i) {
    if (auto ok = read_dataset_word(option, pieces[i], set); !ok) return ok;
  }
  // A rule that comes from elsewhere must not choose any file of the machine to be written over.
  const std::filesystem::path file(set.save);
  const bool outside = std::any_of(file.begin(), file.end(), [](const auto& part) { return part == ".."; });
  if (file.is_absolute() || outside)
    return wrong(option, "A file that is written has to lie in the folder of the rule's file, or below it.");
  const bool json = set.format != Dataset::Format::lines;
  if (json && (set.load.empty() || set.value_key.empty() || set.context_key.empty()))
    return wrong(option, "A set in JSON needs load, value_key and context_key.");
  if (json && (set.operation == SetOperation::set || set.operation == SetOperation::unset))
    return wrong(option, "A set in JSON is not changed by rules.");
  set.use = context.use;
  context.add_looking(option, std::move(set));
  return {};
}

Parsed<void> on_datarep(RuleContext& context, const OptionText& option, const Keyword&) {
  static constexpr std::pair<std::string_view, Datarep::Op> kOps[] = {
      {"<", Datarep::Op::less}, {">", Datarep::Op::greater}, {"=", Datarep::Op::equal}};
  if (!context.sticky) return wrong(option, "It needs a sticky buffer before it.");
  const auto pieces = split(unquote_if_quoted(option.value), ',');
  const auto op = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& row) {
    return pieces.size() > 2 && row.first == pieces[1].text;
  });
  const auto value = op == std::end(kOps) ? std::nullopt : read_number(pieces[2].text, 65'535);
  if (!value || pieces[0].text.empty())
    return wrong(option, "The value is 'name, <|>|=, number, load FILE, type T'.");
  // The words behind it are those of data sets.
  Dataset words_of;
  for (size_t i = 3; i < pieces.size(); ++i) {
    if (auto ok = read_dataset_word(option, pieces[i], words_of); !ok) return ok;
  }
  if (words_of.load.empty()) return wrong(option, "It needs a file to load.");
  Datarep rep;
  rep.name = pieces[0].text;
  rep.op = op->second;
  rep.value = static_cast<uint16_t>(*value);
  rep.type = words_of.type;
  rep.load = words_of.load;
  rep.use = context.use;
  context.add_looking(option, std::move(rep));
  return {};
}

constexpr Keyword event(std::string_view name, EngineEvent::Source source, Support support,
                        std::string_view note, std::string_view means) {
  return {name, KeywordGroup::app, Value::required, on_event, support, note, means, static_cast<int>(source)};
}

constexpr Keyword number(std::string_view name, KeywordGroup group, NumberId id, std::string_view means,
                         Support support = Support::yes, std::string_view note = {}) {
  return {name, group, Value::required, on_number, support, note, means, static_cast<int>(id)};
}

constexpr std::string_view kSomeEvents = "Those that are raised; a rule on another is refused.";
constexpr KeywordGroup kTls = KeywordGroup::tls, kFile = KeywordGroup::file;
constexpr Value kValue = Value::required;
constexpr Keyword kKeywords[] = {
    {"app-layer-protocol", KeywordGroup::app, kValue, on_app_protocol, Support::yes, "",
     "the session speaks that protocol"},
    event("app-layer-event", EngineEvent::Source::app_layer, Support::partly,
          "Events that the parsers raise; a rule on another one is refused.",
          "the parser found that anomaly"),
    event("decode-event", EngineEvent::Source::decode, Support::partly, kSomeEvents,
          "a packet's headers have that fault"),
    event("engine-event", EngineEvent::Source::decode, Support::partly, kSomeEvents,
          "older name of decode-event"),
    event("stream-event", EngineEvent::Source::stream, Support::partly, kSomeEvents,
          "the TCP session has that fault"),
    number("dns.opcode", KeywordGroup::dns, NumberId::dns_opcode, "the operation asked for"),
    number("dns.rcode", KeywordGroup::dns, NumberId::dns_rcode, "the answer's code, by number or name"),
    number("dns.rrtype", KeywordGroup::dns, NumberId::dns_rrtype, "the type asked for, by number or name"),
    number("tls.cert_chain_len", kTls, NumberId::tls_cert_chain_len, "how many certificates were sent"),
    {"tls.version", kTls, kValue, on_tls_versions, Support::yes, "", "the version agreed on", 1},
    {"ssl_version", kTls, kValue, on_tls_versions, Support::yes, "", "one of these versions, or none with !",
     0},
    {"ssl_state", kTls, kValue, on_tls_state, Support::refused,
     "The states of the handshake are not told apart.", "how far the handshake is"},
    {"tls_cert_notbefore", kTls, kValue, on_tls_date, Support::yes, "",
     "when the certificate begins to be valid", static_cast<int>(NumberId::tls_cert_not_before)},
    {"tls_cert_notafter", kTls, kValue, on_tls_date, Support::yes, "", "when it ends to be valid",
     static_cast<int>(NumberId::tls_cert_not_after)},
    {"tls_cert_expired", kTls, Value::none, on_tls_validity, Support::yes, "", "it is valid no more",
     static_cast<int>(TlsCertificateTime::Kind::expired)},
    {"tls_cert_valid", kTls, Value::none, on_tls_validity, Support::yes, "", "it is valid now",
     static_cast<int>(TlsCertificateTime::Kind::valid)},
    {"tls.subject", kTls, kValue, on_content_form, Support::yes, "", "a content in tls.cert_subject",
     kTlsSubject},
    {"tls.issuerdn", kTls, kValue, on_content_form, Support::yes, "", "a content in tls.cert_issuer",
     kTlsIssuer},
    {"tls.fingerprint", kTls, kValue, on_content_form, Support::yes, "", "all of tls.cert_fingerprint",
     kTlsFingerprint},
    {"ssh.protoversion", KeywordGroup::ssh, kValue, on_ssh_version, Support::yes, "",
     "the version in the banner; 2_compat is 2 or 1.99"},
    {"ssh.softwareversion", KeywordGroup::ssh, kValue, on_content_form, Support::yes, "",
     "a content in ssh.software", kSshSoftware},
    {"http2.frametype", KeywordGroup::http, kValue, on_http2_number, Support::yes, "",
     "a frame of that type came, by name or number", static_cast<int>(NumberId::http2_frame_type)},
    {"http2.errorcode", KeywordGroup::http, kValue, on_http2_number, Support::yes, "",
     "RST_STREAM or GOAWAY with that code, by name or number", static_cast<int>(NumberId::http2_error_code)},
    {"http2.priority", KeywordGroup::http, kValue, on_http2_number, Support::yes, "",
     "the weight of a priority", static_cast<int>(NumberId::http2_priority)},
    {"http2.window", KeywordGroup::http, kValue, on_http2_number, Support::yes, "",
     "the increment of WINDOW_UPDATE", static_cast<int>(NumberId::http2_window)},
    {"http2.size_update", KeywordGroup::http, kValue, on_http2_number, Support::yes, "",
     "the size to which a header block sets the table of fields",
     static_cast<int>(NumberId::http2_size_update)},
    {"http2.settings", KeywordGroup::http, kValue, on_http2_settings, Support::yes, "",
     "a setting was sent, and how its value compares"},
    number("ftp.dynamic_port", KeywordGroup::ftp, NumberId::ftp_dynamic_port,
           "the port of the data connection that was agreed on, once the command is answered"),
    {"ftp.mode", KeywordGroup::ftp, kValue, on_number_word, Support::yes, "",
     "`active` or `passive`, of the command that agrees on a data connection, once it is answered",
     static_cast<int>(NumberId::ftp_mode)},
    {"ftp.reply_received", KeywordGroup::ftp, kValue, on_number_word, Support::yes, "",
     "whether the command was answered, told with the answer or when the session ends",
     static_cast<int>(NumberId::ftp_reply_received)},
    {"ftpbounce", KeywordGroup::ftp, Value::none, on_ftp_bounce, Support::yes, "",
     "PORT or EPRT names another host than the client"},
    {"ftpdata_command", KeywordGroup::ftp, kValue, on_number_word, Support::yes, "",
     "the data connection was asked for by `retr` or `stor`", static_cast<int>(NumberId::ftpdata_command)},
    {"filename", kFile, kValue, on_content_form, Support::yes, "", "a content in file.name, without case",
     kFileName},
    {"fileext", kFile, kValue, on_content_form, Support::yes, "",
     "the end of file.name behind a dot, without case", kFileExtension},
    {"filemagic", kFile, kValue, on_content_form, Support::yes, "", "a content in file.magic, without case",
     kFileMagic},
    number("filesize", kFile, NumberId::file_size, "bytes of the file, once it is complete"),
    {"filestore", kFile, Value::optional, on_filestore, Support::partly,
     "Without effect: the rule matches, files are not stored.", "the file is stored"},
    {"filemd5", kFile, kValue, on_file_hash, Support::yes, "", "its MD5 is in a list",
     static_cast<int>(FileHash::Kind::md5)},
    {"filesha1", kFile, kValue, on_file_hash, Support::yes, "", "its SHA-1 is in a list",
     static_cast<int>(FileHash::Kind::sha1)},
    {"filesha256", kFile, kValue, on_file_hash, Support::yes, "", "its SHA-256 is in a list",
     static_cast<int>(FileHash::Kind::sha256)},
    {"dataset", KeywordGroup::payload, kValue, on_dataset, Support::partly,
     "A set in JSON is not changed by rules. Files are written when the hub stops.",
     "the buffer's value is in a set, or is added to it"},
    {"datarep", KeywordGroup::payload, kValue, on_datarep, Support::yes, "",
     "the reputation that a file gives to the buffer's value"},
};

}  // namespace

std::span<const Keyword> app_keywords() { return kKeywords; }

}  // namespace weir::inspection::ast
