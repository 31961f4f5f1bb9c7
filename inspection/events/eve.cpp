#include "inspection/events/eve.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "dataplane/net/headers.h"
#include "inspection/app/app_events.h"
#include "inspection/app/dns/dns_transaction.h"
#include "inspection/events/eve_dns.h"
#include "inspection/events/eve_quic.h"
#include "inspection/events/eve_text.h"
#include "inspection/events/event_fields.h"

namespace weir::inspection {

namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr size_t kDnsPool = size_t{1} << 20;

bool has_ports(const FlowInfo& flow) {
  constexpr uint8_t kSctp = 132;  // the hub does not read its ports
  return flow.protocol == net::kProtoTcp || flow.protocol == net::kProtoUdp ||
         (flow.protocol == kSctp && flow.src_port != 0);
}

std::string hex_flags(uint8_t flags) { return to_hex({&flags, 1}); }

template <size_t N>
void add_text(Json& object, const char* name, const FixedText<N>& text) {
  if (text.size > 0) object[name] = eve_text(text.view());
}

/// Who sent to whom: of an alert the packet, of a flow the session.
void add_endpoints(Json& json, const FlowInfo& flow, bool turned) {
  const bool ports = has_ports(flow);
  json["src_ip"] = eve_address(turned ? flow.dst : flow.src);
  if (ports) json["src_port"] = turned ? flow.dst_port : flow.src_port;
  json["dest_ip"] = eve_address(turned ? flow.src : flow.dst);
  if (ports) json["dest_port"] = turned ? flow.src_port : flow.dst_port;
  json["proto"] = eve_protocol(flow.protocol);
  if (net::is_icmp(flow.protocol)) {
    json["icmp_type"] = flow.src_port;
    json["icmp_code"] = flow.dst_port;
  }
  json["ip_v"] = flow.src.is_v4() ? 4 : 6;
}

Json alert_object(const AlertBody& alert) {
  return {{"action", alert.blocked ? "blocked" : "allowed"},
          {"gid", alert.gid},
          {"signature_id", alert.sid},
          {"rev", alert.rev},
          {"signature", eve_text(alert.signature.view())},
          {"category", eve_text(alert.category.view())},
          {"severity", alert.priority}};
}

void add_protocols(Json& json, const AppProtocols& app) {
  if (app.own != AppProtocol::unknown) json["app_proto"] = std::string(name_of(app.own));
  for (const size_t way : {0u, 1u}) {
    const AppProtocol told = app.told[way];
    if (told != AppProtocol::unknown && told != app.own)
      json[way == 0 ? "app_proto_ts" : "app_proto_tc"] = std::string(name_of(told));
  }
  if (app.before != AppProtocol::unknown) json["app_proto_orig"] = std::string(name_of(app.before));
}

const char* end_reason(FlowEnd end) {
  switch (end) {
    case FlowEnd::timeout:
      return "timeout";
    case FlowEnd::closed:
      return "tcp_close";
    case FlowEnd::reset:
      return "tcp_reset";
    case FlowEnd::dropped:
      return "dropped";
    case FlowEnd::purged:
      return "forced";
    case FlowEnd::given_way:
      return "given_way";
    case FlowEnd::none:
      return "active";
    case FlowEnd::begun:
      return "begun";
  }
  return "unknown";
}

/// Suricata's states of a flow, from what is counted.
const char* flow_state(const FlowBody& stats) {
  const bool closed =
      stats.end == FlowEnd::closed || stats.end == FlowEnd::reset || stats.end == FlowEnd::dropped;
  if (closed) return "closed";
  return stats.end != FlowEnd::begun && stats.packets_to_server > 0 && stats.packets_to_client > 0
             ? "established"
             : "new";
}

void add_counts(Json& flow, const FlowBody& stats) {
  flow["pkts_toserver"] = stats.packets_to_server;
  flow["pkts_toclient"] = stats.packets_to_client;
  flow["bytes_toserver"] = stats.bytes_to_server;
  flow["bytes_toclient"] = stats.bytes_to_client;
}

void add_flow(Json& json, const Event& event, int64_t offset_ns) {
  const FlowBody& stats = event.flow_stats;
  Json& flow = json["flow"];
  add_counts(flow, stats);
  flow["start"] = eve_timestamp(event.flow.start_ns, offset_ns);
  flow["end"] = eve_timestamp(stats.end_ns, offset_ns);
  flow["age"] = (std::max(stats.end_ns, event.flow.start_ns) - event.flow.start_ns) /
                static_cast<uint64_t>(kNsPerSecond);
  flow["state"] = flow_state(stats);
  flow["reason"] = end_reason(stats.end);
  flow["alerted"] = stats.alerted;
  if (stats.end == FlowEnd::dropped) flow["action"] = "drop";
  if (event.flow.protocol != net::kProtoTcp) return;
  const auto both = static_cast<uint8_t>(stats.tcp_flags_to_server | stats.tcp_flags_to_client);
  Json& tcp = json["tcp"];
  tcp["tcp_flags"] = hex_flags(both);
  tcp["tcp_flags_ts"] = hex_flags(stats.tcp_flags_to_server);
  tcp["tcp_flags_tc"] = hex_flags(stats.tcp_flags_to_client);
  constexpr const char* kFlags[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};  // from bit 0 on
  for (size_t bit = 0; bit < std::size(kFlags); ++bit) {
    if ((both >> bit & 1) != 0) tcp[kFlags[bit]] = true;
  }
}

void add_session_so_far(Json& json, const Event& event, int64_t offset_ns) {
  const FlowInfo& info = event.flow;
  Json& flow = json["flow"];
  add_counts(flow, event.flow_stats);
  flow["start"] = eve_timestamp(info.start_ns, offset_ns);
  flow["src_ip"] = eve_address(info.src);
  flow["dest_ip"] = eve_address(info.dst);
  if (has_ports(info)) {
    flow["src_port"] = info.src_port;
    flow["dest_port"] = info.dst_port;
  }
}

const char* policy_word(PolicyWord word) {
  switch (word) {
    case PolicyWord::allow:
      return "allow";
    case PolicyWord::deny:
      return "deny";
    case PolicyWord::reject:
      return "reject";
    case PolicyWord::inspect:
      return "inspect";
  }
  return "unknown";
}

Json nat_object(const FlowInfo& flow) {
  const bool ports = has_ports(flow);
  Json nat;
  nat["src_ip"] = eve_address(flow.leaves.src);
  if (ports) nat["src_port"] = flow.leaves.src_port;
  nat["dest_ip"] = eve_address(flow.leaves.dst);
  if (ports) nat["dest_port"] = flow.leaves.dst_port;
  return nat;
}

void add_weir(Json& json, const Event& event) {
  const FlowInfo& flow = event.flow;
  Json weir = Json::object();
  add_text(weir, "from_domain", flow.from_domain);
  add_text(weir, "to_domain", flow.to_domain);
  add_text(weir, "attachment", flow.attachment);
  add_text(weir, "policy_rule", flow.policy_rule);
  if (event.kind == EventKind::watch) weir["action"] = policy_word(event.policy_action);
  if (event.suppressed != 0) weir["suppressed"] = event.suppressed;
  if (flow.translated) weir["nat"] = nat_object(flow);
  if (event.has_alert() && event.alert.would_block) weir["verdict"]["would_drop"] = true;
  if (!weir.empty()) json["weir"].update(weir);
}

const char* event_type(EventKind kind) {
  switch (kind) {
    case EventKind::alert:
      return "alert";
    case EventKind::drop:
      return "drop";
    case EventKind::flow:
      return "flow";
    case EventKind::watch:
      return "watch";
    case EventKind::overload:
      return "overload";
    case EventKind::fuse:
      return "fuse";
    case EventKind::http:
      return "http";
    case EventKind::tls:
      return "tls";
    case EventKind::dns:
      return "dns";
    case EventKind::ssh:
      return "ssh";
    case EventKind::quic:
      return "quic";
    case EventKind::smtp:
      return "smtp";
    case EventKind::ftp:
      return "ftp";
    case EventKind::ftp_data:
      return "ftp_data";
    case EventKind::fileinfo:
      return "fileinfo";
    case EventKind::anomaly:
      return "anomaly";
    case EventKind::count_:
      break;
  }
  return "unknown";
}

/// Where the field stands.
Json& object_of(Json& json, EveObject object, bool of_alert = false) {
  switch (object) {
    case EveObject::root:
      return json;
    case EveObject::http:
      return json["http"];
    case EveObject::http2:
      return json["http"]["http2"];
    case EveObject::http2_request:
      return json["http"]["http2"]["request"];
    case EveObject::http2_response:
      return json["http"]["http2"]["response"];
    case EveObject::fileinfo:
      return of_alert ? json["files"].back() : json["fileinfo"];
    case EveObject::tls:
      return json["tls"];
    case EveObject::tls_ja3:
      return json["tls"]["ja3"];
    case EveObject::tls_ja3s:
      return json["tls"]["ja3s"];
    case EveObject::tls_client:
      return json["tls"]["client"];
    case EveObject::dns:
      return json["dns"];
    case EveObject::ssh_client:
      return json["ssh"]["client"];
    case EveObject::ssh_client_hassh:
      return json["ssh"]["client"]["hassh"];
    case EveObject::ssh_server:
      return json["ssh"]["server"];
    case EveObject::ssh_server_hassh:
      return json["ssh"]["server"]["hassh"];
    case EveObject::quic:
      return json["quic"];
    case EveObject::quic_ja3:
      return json["quic"]["ja3"];
    case EveObject::quic_ja3s:
      return json["quic"]["ja3s"];
    case EveObject::smtp:
      return json["smtp"];
    case EveObject::email:
      return json["email"];
    case EveObject::ftp:
      return json["ftp"];
    case EveObject::ftp_data:
      return json["ftp_data"];
    case EveObject::anomaly:
      return json["anomaly"];
    case EveObject::alert:
      return json["alert"];
    case EveObject::drop:
      return json["drop"];
    case EveObject::weir:
      return json["weir"];
    case EveObject::weir_kuma:
      return json["weir"]["kuma"];
    case EveObject::weir_spiffe:
      return json["weir"]["spiffe"];
  }
  return json;
}

std::string tls_version_name(uint64_t version) {
  constexpr uint64_t kDraft12 = 0x7f12, kDraft28 = 0x7f1c;
  if (version >= kDraft12 && version <= kDraft28) return "TLS 1.3 draft-" + std::to_string(version & 0xff);
  switch (version) {
    case 0x0304:
      return "TLS 1.3";
    case 0x0303:
      return "TLS 1.2";
    case 0x0302:
      return "TLS 1.1";
    case 0x0301:
      return "TLSv1";
    case 0x0300:
      return "SSLv3";
    case 0x0002:
      return "SSLv2";
    default:
      return "UNDETERMINED";
  }
}

/// "2015-01-14T13:23:17".
std::string date_text(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc)};
}

/// "key value", as in a rule's metadata.
void add_metadata(Json& alert, std::string_view entry) {
  const size_t blank = entry.find(' ');
  Json& values = alert["metadata"][eve_text(entry.substr(0, blank))];
  values.push_back(blank == std::string_view::npos ? "" : eve_text(entry.substr(blank + 1)));
}

/// A length of two bytes, the name, the value.
Json http2_field(std::string_view bytes) {
  if (bytes.size() < 2) return Json::object();
  const size_t size =
      static_cast<size_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1]);
  bytes.remove_prefix(2);
  return {{"name", eve_text(bytes.substr(0, size))},
          {"value", eve_text(bytes.substr(std::min(size, bytes.size())))}};
}

/// As Suricata writes the names of RFC 9113 section 6.5.2 and of RFC 8441.
Json http2_setting(uint64_t setting) {
  static constexpr std::string_view kNames[] = {"",
                                                "HEADERTABLESIZE",
                                                "ENABLEPUSH",
                                                "MAXCONCURRENTSTREAMS",
                                                "INITIALWINDOWSIZE",
                                                "MAXFRAMESIZE",
                                                "MAXHEADERLISTSIZE",
                                                "",
                                                "ENABLECONNECTPROTOCOL",
                                                "NORFC7540PRIORITIES"};
  const uint64_t id = setting >> 32;
  if (id >= std::size(kNames) || kNames[id].empty()) return Json::object();
  return {{"settings_id", "SETTINGS" + std::string(kNames[id])}, {"settings_value", setting & UINT32_MAX}};
}

/// RFC 9113 section 7.
std::string http2_error(uint64_t code) {
  static constexpr const char* kNames[] = {
      "NOERROR",      "PROTOCOLERROR",   "INTERNALERROR",      "FLOWCONTROLERROR", "SETTINGSTIMEOUT",
      "STREAMCLOSED", "FRAMESIZEERROR",  "REFUSEDSTREAM",      "CANCEL",           "COMPRESSIONERROR",
      "CONNECTERROR", "ENHANCEYOURCALM", "INADEQUATESECURITY", "HTTP11REQUIRED"};
  return code < std::size(kNames) ? kNames[code] : std::to_string(code);
}

/// Which end of the packet a rule means by its target; the other one is the source.
void add_target(Json& json, const Event& event, bool source) {
  const FlowInfo& flow = event.flow;
  Json src{{"ip", eve_address(event.turned ? flow.dst : flow.src)}};
  Json dst{{"ip", eve_address(event.turned ? flow.src : flow.dst)}};
  if (has_ports(flow)) {
    src["port"] = event.turned ? flow.dst_port : flow.src_port;
    dst["port"] = event.turned ? flow.src_port : flow.dst_port;
  }
  json["alert"]["source"] = source ? dst : src;
  json["alert"]["target"] = source ? src : dst;
}

void add_anomaly(Json& json, const Event& event, unsigned bit) {
  json["anomaly"] = {{"app_proto", std::string(name_of(event.app.own))},
                     {"type", "applayer"},
                     {"event", std::string(app_event_name(event.app.own, bit))},
                     {"layer", "proto_parser"}};
}

}  // namespace

std::string eve_timestamp(uint64_t monotonic_ns, int64_t offset_ns) {
  const int64_t ns = static_cast<int64_t>(monotonic_ns) + offset_ns;
  int64_t seconds = ns / kNsPerSecond, rest = ns % kNsPerSecond;
  if (rest < 0) {
    rest += kNsPerSecond;
    --seconds;
  }
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[96];
  const int size = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06d+0000",
                                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                                 utc.tm_sec, static_cast<int>(rest / 1000));
  return {text, static_cast<size_t>(size)};
}

std::string eve_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// The message is read again, by the parser that has read it first.
void EveFormat::add_dns(Json& json, const Event& event, std::span<const uint8_t> message, bool from_server) {
  if (pool_ == nullptr) pool_ = std::make_unique<BytePool>(kDnsPool);
  DnsTransaction dns(*pool_, from_server ? Direction::to_client : Direction::to_server);
  dns.id = event.tx_id;
  if (dns.read(message)) json["dns"] = dns_object(dns);
}

void EveFormat::add_special(Json& json, const Event& event, Field field, std::string_view text,
                            uint64_t number) {
  switch (field) {
    case Field::tls_version:
      json["tls"]["version"] = tls_version_name(number);
      return;
    case Field::quic_version:
    case Field::quic_cyu_hash:
    case Field::quic_cyu:
    case Field::quic_extensions:
    case Field::quic_extension_name:
    case Field::quic_extension_alpn:
      return add_quic(json["quic"], field, text, number);
    case Field::http2_request_size:
    case Field::http2_response_size:
      return object_of(json, EveObject::http, false)[std::string(info_of(field).key)].push_back(
          {{"table_size_update", number}});
    case Field::http2_request_header:
    case Field::http2_response_header:
      return object_of(json, EveObject::http, false)[std::string(info_of(field).key)].push_back(
          http2_field(text));
    case Field::http2_request_setting:
    case Field::http2_response_setting:
      if (Json setting = http2_setting(number); !setting.empty())
        object_of(json, info_of(field).object, false)["settings"].push_back(std::move(setting));
      return;
    case Field::http2_request_error:
    case Field::http2_response_error:
      object_of(json, info_of(field).object, false)["error_code"] = http2_error(number);
      return;
    case Field::file_begin:
      json["files"].push_back(Json::object());
      return;
    case Field::anomaly_event:
      return add_anomaly(json, event, static_cast<unsigned>(number));
    case Field::alert_metadata:
      return add_metadata(json["alert"], text);
    case Field::alert_target:
      return add_target(json, event, number != 0);
    case Field::alert_context_key:
      context_key_ = eve_text(text);
      return;
    case Field::alert_context: {
      Json value = Json::parse(text, nullptr, false);  // what was cut is none
      if (!value.is_discarded()) json["alert"]["context"][context_key_] = std::move(value);
      return;
    }
    case Field::payload:
      json["payload"] = to_base64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      return;
    case Field::payload_printable:
      json["payload_printable"] = eve_printable({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      return;
    case Field::alert_xff: {
      const auto address = net::parse_ip(std::string(text));
      if (!address) return;
      if (options_.xff == EveOptions::Xff::extra_data) json["alert"]["xff"] = eve_address(*address);
      // The client's place in this event.
      if (options_.xff == EveOptions::Xff::overwrite)
        json[event.turned ? "dest_ip" : "src_ip"] = eve_address(*address);
      return;
    }
    default:
      return;
  }
}

void EveFormat::add_fields(Json& json, const Event& event, std::span<const uint8_t> fields) {
  FieldReader reader(fields);
  bool dns_from_server = false;
  while (const auto value = reader.next()) {
    const FieldInfo& info = info_of(value->field);
    const std::string key(info.key);
    if (value->cut) json["weir"]["truncated"].push_back(key);
    if (value->field == Field::dns_from_server) {
      dns_from_server = value->number() != 0;
    } else if (value->field == Field::dns_message) {
      add_dns(json, event, value->bytes, dns_from_server);
    } else if (info.kind == FieldKind::special) {
      add_special(json, event, value->field, value->text(), value->number());
    } else {
      Json& object = object_of(json, info.object, event.kind == EventKind::alert && json.contains("files"));
      if (info.kind == FieldKind::text) object[key] = eve_text(value->bytes);
      if (info.kind == FieldKind::list) object[key].push_back(eve_text(value->bytes));
      if (info.kind == FieldKind::number) object[key] = value->number();
      if (info.kind == FieldKind::flag) object[key] = value->number() != 0;
      if (info.kind == FieldKind::hex) object[key] = to_hex(value->bytes);
      if (info.kind == FieldKind::date) object[key] = date_text(static_cast<int64_t>(value->number()));
    }
  }
  if (event.cut && !json.contains("weir"))
    json["weir"]["truncated"] = Json::array();  // there was no room at all
}

Json EveFormat::object(const Event& event, std::span<const uint8_t> fields, int64_t offset_ns) {
  const bool of_flow = event.kind == EventKind::flow, of_packet = event.has_alert();
  const FlowInfo& flow = event.flow;
  Json json;
  json["timestamp"] = eve_timestamp(event.time_ns, offset_ns);
  if (flow.flow_id != 0) json["flow_id"] = flow.flow_id;
  json["event_type"] = event_type(event.kind);
  if (event.kind == EventKind::overload) {
    json["overload"] = {{"worker", event.overload.worker},
                        {"state", event.overload.begins ? "begun" : "over"},
                        {"waiting", event.overload.waiting}};
    return json;
  }
  if (event.kind == EventKind::fuse) {
    json["fuse"] = {{"gid", event.alert.gid},
                    {"signature_id", event.alert.sid},
                    {"rev", event.alert.rev},
                    {"signature", eve_text(event.alert.signature.view())},
                    {"sessions_per_minute", event.fuse_sessions}};
    add_weir(json, event);
    return json;
  }
  add_endpoints(json, flow, event.turned);
  if (!of_flow) json["pkt_src"] = "wire/pcap";
  if (options_.community_id && flow.flow_id != 0) {
    json["community_id"] = community_id(flow.src, flow.dst, flow.src_port, flow.dst_port, flow.protocol,
                                        options_.community_seed);
  }
  if (event.tx_id != Event::kNoTransaction) json["tx_id"] = event.tx_id;
  if (event.kind == EventKind::alert) json["alert"] = alert_object(event.alert);
  if (event.kind == EventKind::drop) {
    json["drop"] = {{"len", event.packet_length}, {"reason", std::string(event.drop_reason.view())}};
    if (event.alert.sid != 0) json["alert"] = alert_object(event.alert);
  }
  add_fields(json, event, fields);
  if (event.kind == EventKind::fileinfo) json["app_proto"] = std::string(name_of(event.app.own));
  if (of_flow || event.kind == EventKind::alert) add_protocols(json, event.app);
  if (of_packet) {
    json["direction"] = event.alert.to_client ? "to_client" : "to_server";
    if (flow.flow_id != 0) add_session_so_far(json, event, offset_ns);
  } else if (of_flow) {
    add_flow(json, event, offset_ns);
  }
  add_weir(json, event);
  return json;
}

}  // namespace weir::inspection
