#include "inspection/events/eve.h"
#include "dataplane/net/headers.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace weir::inspection {

namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kNsPerSecond = 1'000'000'000;

std::string protocol_name(uint8_t protocol) {
  switch (protocol) {
    case net::kProtoIcmp:
      return "ICMP";
    case net::kProtoTcp:
      return "TCP";
    case net::kProtoUdp:
      return "UDP";
    case net::kProtoIcmpv6:
      return "IPv6-ICMP";
    default:
      return std::to_string(protocol);
  }
}

std::string hex_flags(uint8_t flags) {
  char text[3];
  std::snprintf(text, sizeof text, "%02x", flags);
  return text;
}

template <size_t N>
void add_text(Json& object, const char* name, const FixedText<N>& text) {
  if (text.size > 0) object[name] = std::string(text.view());
}

/// Who sent to whom: of an alert the packet, of a flow the session.
void add_endpoints(Json& json, const FlowInfo& flow, bool swapped) {
  const bool icmp = flow.protocol == net::kProtoIcmp || flow.protocol == net::kProtoIcmpv6;
  const bool ports = flow.protocol == net::kProtoTcp || flow.protocol == net::kProtoUdp;
  json["src_ip"] = net::to_string(swapped ? flow.dst : flow.src);
  if (ports) json["src_port"] = swapped ? flow.dst_port : flow.src_port;
  json["dest_ip"] = net::to_string(swapped ? flow.src : flow.dst);
  if (ports) json["dest_port"] = swapped ? flow.src_port : flow.dst_port;
  json["proto"] = protocol_name(flow.protocol);
  if (icmp) {
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
          {"signature", std::string(alert.signature.view())},
          {"category", std::string(alert.category.view())},
          {"severity", alert.priority}};
}

void add_http(Json& json, const AlertBody& alert) {
  if (alert.http_method.size == 0 && alert.http_url.size == 0) return;
  Json& http = json["http"];
  add_text(http, "hostname", alert.http_host);
  add_text(http, "url", alert.http_url);
  add_text(http, "http_method", alert.http_method);
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
  json["tcp"] = {{"tcp_flags", hex_flags(both)},
                 {"tcp_flags_ts", hex_flags(stats.tcp_flags_to_server)},
                 {"tcp_flags_tc", hex_flags(stats.tcp_flags_to_client)}};
}

void add_session_so_far(Json& json, const Event& event, int64_t offset_ns) {
  const FlowInfo& info = event.flow;
  Json& flow = json["flow"];
  add_counts(flow, event.flow_stats);
  flow["start"] = eve_timestamp(info.start_ns, offset_ns);
  flow["src_ip"] = net::to_string(info.src);
  flow["dest_ip"] = net::to_string(info.dst);
  if (info.protocol == net::kProtoTcp || info.protocol == net::kProtoUdp) {
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
  const bool ports = flow.protocol == net::kProtoTcp || flow.protocol == net::kProtoUdp;
  Json nat;
  nat["src_ip"] = net::to_string(flow.leaves.src);
  if (ports) nat["src_port"] = flow.leaves.src_port;
  nat["dest_ip"] = net::to_string(flow.leaves.dst);
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
  if (event.alert.would_block) weir["verdict"]["would_drop"] = true;
  if (event.suppressed != 0) weir["suppressed"] = event.suppressed;
  if (flow.translated) weir["nat"] = nat_object(flow);
  if (!weir.empty()) json["weir"] = std::move(weir);
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
  }
  return "unknown";
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

std::string to_eve_json(const Event& event, int64_t realtime_minus_monotonic_ns) {
  const bool of_packet = event.kind != EventKind::flow;
  Json json;
  json["timestamp"] = eve_timestamp(event.time_ns, realtime_minus_monotonic_ns);
  if (event.flow.flow_id != 0) json["flow_id"] = event.flow.flow_id;
  json["event_type"] = event_type(event.kind);
  if (event.kind == EventKind::overload) {
    json["overload"] = {{"worker", event.overload.worker},
                        {"state", event.overload.begins ? "begun" : "over"},
                        {"waiting", event.overload.waiting}};
    return json.dump();
  }
  add_endpoints(json, event.flow, of_packet && event.alert.to_client);
  if (of_packet) {
    json["pkt_src"] = "wire/pcap";
    json["direction"] = event.alert.to_client ? "to_client" : "to_server";
  }
  if (event.kind == EventKind::drop) {
    json["drop"] = {{"len", event.packet_length}, {"reason", std::string(event.drop_reason.view())}};
    if (event.alert.sid != 0) json["alert"] = alert_object(event.alert);
  } else if (event.kind == EventKind::alert) {
    json["alert"] = alert_object(event.alert);
  }
  if (of_packet) {
    add_http(json, event.alert);
    if (event.flow.flow_id != 0) add_session_so_far(json, event, realtime_minus_monotonic_ns);
  } else {
    add_flow(json, event, realtime_minus_monotonic_ns);
  }
  add_weir(json, event);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace weir::inspection
