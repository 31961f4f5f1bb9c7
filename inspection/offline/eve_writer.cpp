#include "inspection/offline/eve_writer.h"

#include <pcap/pcap.h>

#include <algorithm>

#include "dataplane/net/headers.h"
#include "inspection/app/app_events.h"
#include "inspection/app/http/transaction.h"
#include "inspection/events/eve_app.h"
#include "inspection/events/eve_http.h"
#include "inspection/events/eve_text.h"

namespace weir::inspection::offline {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint8_t kSctp = 132;

bool has_ports(uint8_t protocol) {
  return protocol == net::kProtoTcp || protocol == net::kProtoUdp || protocol == kSctp;
}

const char* source_name(const EnginePacket& packet) {
  const bool v4 = packet.view.src.is_v4();
  switch (packet.source) {
    case PacketSource::wire:
      return "wire/pcap";
    case PacketSource::gre:
      return "gre tunnel";
    case PacketSource::ipv4_in_ip:
      return "ipv4 tunnel";
    case PacketSource::ipv6_in_ip:
      return "ipv6 tunnel";
    case PacketSource::teredo:
      return "teredo tunnel";
    case PacketSource::vxlan:
      return "vxlan encapsulation";
    case PacketSource::geneve:
      return "geneve encapsulation";
    case PacketSource::erspan:
      return "erspan";
    case PacketSource::defrag:
      return v4 ? "defrag" : "defrag";
    case PacketSource::flow_end:
      return "stream (flow timeout)";
    case PacketSource::stream_end:
      return "stream (detect/log)";
  }
  return "unknown";
}

std::string hex2(unsigned value) {
  char text[8];
  std::snprintf(text, sizeof text, "%02x", value & 0xff);
  return text;
}

const char* flow_state(const EngineSession& session) {
  if (session.bypassed) return "bypassed";
  if (session.tcp == nullptr || !session.tcp->followed())
    return session.tcp == nullptr && session.answered ? "established" : "new";
  switch (session.tcp->state()) {
    case TcpState::none:
    case TcpState::syn_sent:
    case TcpState::syn_recv:
      return "new";
    case TcpState::last_ack:
    case TcpState::time_wait:
    case TcpState::closed:
      return "closed";
    default:
      return "established";
  }
}

/// What a session had so far.
void add_counts(Json& flow, const SessionFacts& facts) {
  flow["pkts_toserver"] = facts.packets[0];
  flow["pkts_toclient"] = facts.packets[1];
  flow["bytes_toserver"] = facts.bytes[0];
  flow["bytes_toclient"] = facts.bytes[1];
  flow["start"] = eve_time(facts.start_ns);
}

}  // namespace

Result<std::unique_ptr<EveWriter>> EveWriter::open(const std::string& file, const EveSettings& settings) {
  std::FILE* const out = file == "-" ? stdout : std::fopen(file.c_str(), "w");
  if (out == nullptr) return fail(ErrorCode::io, file + ": cannot be written");
  return std::unique_ptr<EveWriter>(new EveWriter(out, settings));
}

EveWriter::~EveWriter() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

Status EveWriter::finish() {
  if (std::fflush(file_) != 0 || std::ferror(file_) != 0 || failed_)
    return fail(ErrorCode::io, "the events could not be written");
  return {};
}

void EveWriter::write(const Json& json) {
  const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  failed_ = failed_ || std::fwrite(line.data(), 1, line.size(), file_) != line.size();
}

void EveWriter::add_ends(Json& json, const EngineSession* session, const EnginePacket* packet,
                         Ends ends) const {
  const bool of_flow = ends != Ends::packet && session != nullptr;
  const bool turned = ends == Ends::flow_reversed;
  const net::IpAddress src = of_flow ? (turned ? session->server : session->client) : packet->view.src;
  const net::IpAddress dst = of_flow ? (turned ? session->client : session->server) : packet->view.dst;
  const uint16_t src_port =
      of_flow ? (turned ? session->server_port : session->client_port) : packet->view.src_port;
  const uint16_t dst_port =
      of_flow ? (turned ? session->client_port : session->server_port) : packet->view.dst_port;
  const uint8_t protocol = of_flow ? session->protocol : packet->view.protocol;
  const bool ports = has_ports(protocol) && (of_flow || !packet->fragment);
  json["src_ip"] = eve_address(src);
  if (ports) json["src_port"] = src_port;
  json["dest_ip"] = eve_address(dst);
  if (ports) json["dest_port"] = dst_port;
  json["proto"] = eve_protocol(protocol);
  json["ip_v"] = src.is_v4() ? 4 : 6;
  if (net::is_icmp(protocol)) {
    json["icmp_type"] = of_flow ? session->icmp_type : packet->icmp_type;
    json["icmp_code"] = of_flow ? session->icmp_code : packet->icmp_code;
  }
}

Json EveWriter::header(const char* type, uint64_t time_ns, const EngineSession* session,
                       const EnginePacket* packet, Ends ends) {
  Json json;
  json["timestamp"] = eve_time(time_ns);
  if (session != nullptr) json["flow_id"] = session->id;
  // The last packet of a capture is not what made an event that is written when the capture ends.
  if (packet != nullptr && packet->view.number != 0 && packet->source != PacketSource::flow_end)
    json["pcap_cnt"] = packet->view.number;
  json["event_type"] = type;
  const uint8_t tags = packet != nullptr    ? packet->view.vlan_count
                       : session != nullptr ? session->vlan_count
                                            : 0;
  if (tags > 0) {
    const uint16_t* const vlans = packet != nullptr ? packet->view.vlans : session->vlans;
    json["vlan"] = std::vector<uint16_t>(vlans, vlans + tags);
  }
  if (packet == nullptr || !packet->view.invalid) add_ends(json, session, packet, ends);
  if (packet != nullptr) json["pkt_src"] = source_name(*packet);
  if (settings_.community_id && session != nullptr) {
    const bool icmp = net::is_icmp(session->protocol);
    json["community_id"] = community_id(
        session->client, session->server, icmp ? session->icmp_type : session->client_port,
        icmp ? session->icmp_code : session->server_port, session->protocol, settings_.community_seed);
  }
  return json;
}

Json EveWriter::alert_object(const EngineSession* session, const EnginePacket& packet,
                             const RuleAlert& alert) const {
  (void)session;
  const RuleInfo& rule = *alert.rule;
  Json object;
  object["action"] = alert.blocked ? "blocked" : "allowed";
  object["gid"] = rule.gid;
  object["signature_id"] = rule.sid;
  object["rev"] = rule.rev;
  object["signature"] = eve_text(rule.signature);
  object["category"] = eve_text(rule.category);
  object["severity"] = rule.severity;
  if (settings_.metadata && !rule.metadata.empty()) {
    Json& metadata = object["metadata"];
    for (const std::string& entry : rule.metadata) {
      const size_t blank = entry.find(' ');
      const std::string key = entry.substr(0, blank);
      metadata[eve_text(key)].push_back(blank == std::string::npos ? "" : eve_text(entry.substr(blank + 1)));
    }
  }
  if (rule.target) {
    const PacketView& view = packet.view;
    Json src{{"ip", eve_address(view.src)}}, dst{{"ip", eve_address(view.dst)}};
    if (has_ports(view.protocol)) src["port"] = view.src_port, dst["port"] = view.dst_port;
    const bool source = *rule.target == ast::Target::Is::source;
    object["source"] = source ? dst : src;
    object["target"] = source ? src : dst;
  }
  for (const AlertContext& context : alert.contexts)
    object["context"][eve_text(context.key)] = Json::parse(context.json, nullptr, false);
  if (settings_.rule_text) object["rule"] = eve_text(rule.text);
  if (settings_.references && !rule.references.empty()) {
    for (const ast::Reference& reference : rule.references)
      object["references"].push_back(eve_text(reference.type + ":" + reference.id));
  }
  return object;
}

void EveWriter::add_protocols(Json& json, const EngineSession& session) const {
  const SessionFacts& facts = session.facts;
  if (facts.protocol != AppProtocol::unknown)
    json["app_proto"] = std::string(inspection::name_of(facts.protocol));
  for (const size_t way : {0u, 1u}) {
    const char* const key = way == 0 ? "app_proto_ts" : "app_proto_tc";
    const AppProtocol told = facts.app[way];
    if (told != AppProtocol::unknown && told != facts.protocol)
      json[key] = std::string(inspection::name_of(told));
  }
  if (session.previous != AppProtocol::unknown)
    json["app_proto_orig"] = std::string(inspection::name_of(session.previous));
}

void EveWriter::add_session(Json& json, const EngineSession& session) const {
  const SessionFacts& facts = session.facts;
  Json& flow = json["flow"];
  add_counts(flow, facts);
  flow["src_ip"] = eve_address(session.client);
  flow["dest_ip"] = eve_address(session.server);
  if (has_ports(session.protocol)) {
    flow["src_port"] = session.client_port;
    flow["dest_port"] = session.server_port;
  }
}

void EveWriter::add_packet(Json& json, const EnginePacket& packet) const {
  const std::span<const uint8_t> bytes =
      packet.source == PacketSource::wire && packet.level == 0 ? packet.view.frame : packet.view.ip;
  if (bytes.empty()) return;
  json["packet"] = to_base64(bytes);
  // What came out of a tunnel, or was made here, begins with its IP header.
  const int type = packet.level > 0 || packet.view.frame.empty() ? DLT_RAW : packet.link_type;
  const char* const name = pcap_datalink_val_to_name(type);
  Json info{{"linktype", type}};
  if (type == DLT_IPV4) {
    info["linktype_name"] = "IPv4";
  } else if (name != nullptr) {
    info["linktype_name"] = name;
  }
  json["packet_info"] = std::move(info);
}

void EveWriter::add_payload(Json& json, const EngineSession* session, const EnginePacket& packet,
                            const RuleAlert& alert) const {
  std::span<const uint8_t> bytes = packet.view.payload;
  if (alert.from_stream && session != nullptr) bytes = session->side(alert.direction).raw.view();
  if (settings_.payload && !bytes.empty()) json["payload"] = to_base64(bytes);
  if (settings_.payload_printable && !bytes.empty()) json["payload_printable"] = eve_printable(bytes);
  if (settings_.payload || settings_.payload_printable) json["stream"] = alert.from_stream ? 1 : 0;
}

void EveWriter::alert(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert) {
  if (!settings_.alert) return;
  Json json = header("alert", packet.view.time_ns, session, &packet, Ends::packet);
  if (alert.transaction != nullptr) json["tx_id"] = alert.transaction->id;
  if (packet.outer != nullptr) {
    const EnginePacket& outer = *packet.outer;
    Json& tunnel = json["tunnel"];
    tunnel["src_ip"] = eve_address(outer.view.src);
    tunnel["dest_ip"] = eve_address(outer.view.dst);
    if (has_ports(outer.view.protocol)) {
      tunnel["src_port"] = outer.view.src_port;
      tunnel["dest_port"] = outer.view.dst_port;
    }
    tunnel["proto"] = eve_protocol(outer.view.protocol);
    tunnel["depth"] = packet.level;
    if (outer.view.number != 0) tunnel["pcap_cnt"] = outer.view.number;
    tunnel["pkt_src"] = source_name(outer);
  }
  json["alert"] = alert_object(session, packet, alert);
  if (alert.transaction != nullptr) add_forwarded_for(json, *alert.transaction, packet.view.direction);
  if (alert.transaction != nullptr && settings_.app_layer) add_app_object(json, *alert.transaction);
  if (session != nullptr) {
    add_protocols(json, *session);
    json["direction"] = alert.direction == Direction::to_client ? "to_client" : "to_server";
    add_session(json, *session);
  }
  add_payload(json, session, packet, alert);
  if (settings_.packet) add_packet(json, packet);
  if (alert.would_block) json["weir"]["verdict"]["would_drop"] = true;
  pending_.push_back(std::move(json));
}

void EveWriter::add_forwarded_for(Json& json, Transaction& transaction, Direction direction) const {
  if (settings_.xff == EveSettings::Xff::none || transaction.protocol() != AppProtocol::http1) return;
  const auto& http = static_cast<const HttpTransaction&>(transaction);
  std::string list(http.field(Direction::to_server, settings_.xff_header));
  if (list.empty()) return;
  // A reverse proxy has added the last one, a forward proxy stands behind the first.
  const size_t comma = settings_.xff_reverse ? list.rfind(',') : list.find(',');
  std::string one = settings_.xff_reverse ? (comma == std::string::npos ? list : list.substr(comma + 1))
                                          : list.substr(0, comma);
  one.erase(0, one.find_first_not_of(" \t"));
  one.erase(one.find_last_not_of(" \t") + 1);
  const auto address = net::parse_ip(one);
  if (!address) return;
  if (settings_.xff == EveSettings::Xff::extra_data) {
    json["alert"]["xff"] = eve_address(*address);
    return;
  }
  // The client's place in this event.
  json[direction == Direction::to_client ? "dest_ip" : "src_ip"] = eve_address(*address);
}

void EveWriter::judged(const EngineSession* session, const EnginePacket& packet,
                       const EngineVerdict& verdict) {
  for (Json& json : pending_) {
    if (settings_.verdict) {
      json["verdict"]["action"] = !verdict.forward ? "drop" : verdict.passed ? "pass" : "alert";
      if (verdict.reject != RejectTo::nobody)
        json["verdict"]["reject-target"] = verdict.reject == RejectTo::source        ? "to_client"
                                           : verdict.reject == RejectTo::destination ? "to_server"
                                                                                     : "both";
    }
    write(json);
  }
  pending_.clear();
  if (!verdict.forward && settings_.drop) drop_event(session, packet, verdict);
}

void EveWriter::drop_event(const EngineSession* session, const EnginePacket& packet,
                           const EngineVerdict& verdict) {
  // One for a session, unless all are asked for: the first packet that was not sent says why.
  Json json = header("drop", packet.view.time_ns, session, &packet, Ends::packet);
  Json& drop = json["drop"];
  drop["len"] = packet.view.ip.size();
  if (packet.view.src.is_v4() && packet.view.ip.size() >= 20) {
    drop["tos"] = packet.view.ip[1];
    drop["ttl"] = packet.ttl;
    drop["ipid"] = packet.ip_id;
  } else if (!packet.view.src.is_v4()) {
    drop["hoplimit"] = packet.ttl;
  }
  if (packet.view.protocol == net::kProtoTcp && !packet.view.l4_header.empty()) {
    const uint8_t flags = packet.view.tcp_flags;
    drop["tcpseq"] = packet.view.seq;
    drop["tcpack"] = packet.view.ack;
    drop["tcpwin"] = packet.view.window;
    drop["syn"] = (flags & kTcpSyn) != 0;
    drop["ack"] = (flags & kTcpAck) != 0;
    drop["psh"] = (flags & kTcpPsh) != 0;
    drop["rst"] = (flags & kTcpRst) != 0;
    drop["urg"] = (flags & kTcpUrg) != 0;
    drop["fin"] = (flags & kTcpFin) != 0;
    drop["tcpres"] = 0;
    drop["tcpurgp"] = packet.urgent;
  } else if (packet.view.protocol == net::kProtoUdp && !packet.view.l4_header.empty()) {
    drop["udplen"] = packet.view.payload.size() + 8;
  }
  drop["reason"] = inspection::name_of(verdict.reason);
  if (verdict.rule != nullptr && settings_.drop_alerts) {
    RuleAlert alert;
    alert.rule = verdict.rule;
    alert.blocked = true;
    json["alert"] = alert_object(session, packet, alert);
  }
  if (session != nullptr) {
    json["direction"] = packet.view.direction == Direction::to_client ? "to_client" : "to_server";
    add_session(json, *session);
  }
  write(json);
}

void EveWriter::transaction(const EngineSession& session, const EnginePacket& packet,
                            Transaction& transaction) {
  app_events(session, packet, transaction);
  files(session, packet, transaction, true);
  files_told_.erase(&transaction);
  const AppProtocol protocol = transaction.protocol();
  const char* type = nullptr;
  if (protocol == AppProtocol::dns && settings_.dns) type = "dns";
  if (protocol == AppProtocol::tls && settings_.tls) type = "tls";
  if (protocol == AppProtocol::http1 && settings_.http) type = "http";
  if (type == nullptr) return;
  Json json = header(type, packet.view.time_ns, &session, &packet, Ends::flow);
  if (protocol != AppProtocol::tls) json["tx_id"] = transaction.id;
  add_app_object(json, transaction);
  if (!json.contains(type)) return;
  write(json);
}

void EveWriter::moved(const EngineSession& session, const EnginePacket& packet,
                      std::span<Transaction* const> transactions) {
  for (Transaction* const transaction : transactions) {
    if (!transaction->logged) files(session, packet, *transaction, false);
  }
}

void EveWriter::files(const EngineSession& session, const EnginePacket& packet, Transaction& transaction,
                      bool last) {
  if (!settings_.fileinfo || transaction.protocol() != AppProtocol::http1) return;
  auto& http = static_cast<HttpTransaction&>(transaction);
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    for (size_t i = 0; i < http.file_count(way); ++i) {
      const HttpFile file = http.file(way, i);
      size_t& told = files_told_[&transaction][static_cast<size_t>(way)];
      if (i < told || (file.state == HttpFile::State::open && !last)) continue;
      told = i + 1;
      Json json = header("fileinfo", packet.view.time_ns, &session, &packet,
                         way == Direction::to_client ? Ends::flow_reversed : Ends::flow);
      json["http"] = http_object(http);
      json["app_proto"] = "http";
      json["fileinfo"] = fileinfo_object(http, file);
      write(json);
    }
  }
}

void EveWriter::app_events(const EngineSession& session, const EnginePacket& packet,
                           const Transaction& transaction) {
  if (!settings_.anomaly) return;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((transaction.app_events >> bit & 1) == 0) continue;
    const std::string_view name = app_event_name(transaction.protocol(), bit);
    if (name.empty()) continue;
    Json json = header("anomaly", packet.view.time_ns, &session, &packet, Ends::packet);
    json["tx_id"] = transaction.id;
    json["anomaly"] = {{"app_proto", std::string(inspection::name_of(transaction.protocol()))},
                       {"type", "applayer"},
                       {"event", std::string(name)},
                       {"layer", "proto_parser"}};
    write(json);
  }
}

void EveWriter::ended(const EngineSession& session) {
  for (Json& json : pending_) write(json);  // of packets that the end of the session made
  pending_.clear();
  if (!settings_.flow) return;
  Json json = header("flow", session.last_ns, &session, nullptr, Ends::flow);
  add_protocols(json, session);
  const SessionFacts& facts = session.facts;
  Json& flow = json["flow"];
  add_counts(flow, facts);
  flow["end"] = eve_time(session.last_ns);
  flow["age"] = (session.last_ns - std::min(session.last_ns, facts.start_ns)) / 1'000'000'000;
  flow["state"] = flow_state(session);
  flow["reason"] = end_reason_;
  flow["alerted"] = session.detection.alerted();
  if (session.dropped) {
    flow["action"] = "drop";
  } else if (session.detection.passed()) {
    flow["action"] = "pass";
  }
  if (session.policy_applied) {
    flow["exception_policy"].push_back({{"target", std::string(inspection::name_of(session.policy_ceiling))},
                                        {"policy", std::string(inspection::name_of(session.policy))}});
  }
  if (session.tcp != nullptr && session.tcp->followed()) {
    const TcpTrack::Side& client = session.tcp->side(Direction::to_server);
    const TcpTrack::Side& server = session.tcp->side(Direction::to_client);
    const unsigned both = client.flags | server.flags;
    Json& tcp = json["tcp"];
    tcp["tcp_flags"] = hex2(both);
    tcp["tcp_flags_ts"] = hex2(client.flags);
    tcp["tcp_flags_tc"] = hex2(server.flags);
    constexpr std::pair<uint8_t, const char*> kFlags[] = {
        {kTcpSyn, "syn"}, {kTcpFin, "fin"}, {kTcpRst, "rst"}, {kTcpPsh, "psh"},
        {kTcpAck, "ack"}, {kTcpUrg, "urg"}, {kTcpEce, "ecn"}, {kTcpCwr, "cwr"}};
    for (const auto& [bit, name] : kFlags) {
      if ((both & bit) != 0) tcp[name] = true;
    }
    tcp["state"] = inspection::name_of(session.tcp->state());
    tcp["ts_max_regions"] = std::max(1u, client.max_regions);
    tcp["tc_max_regions"] = std::max(1u, server.max_regions);
    if (client.gaps != 0) tcp["ts_gap"] = true;
    if (server.gaps != 0) tcp["tc_gap"] = true;
  }
  write(json);
}

void EveWriter::stats(Json tree, uint64_t time_ns) {
  if (!settings_.stats) return;
  Json json;
  json["timestamp"] = eve_time(time_ns);
  json["event_type"] = "stats";
  json["stats"] = std::move(tree);
  write(json);
}

}  // namespace weir::inspection::offline
