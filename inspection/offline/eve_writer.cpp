#include "inspection/offline/eve_writer.h"

#include <pcap/pcap.h>

#include <algorithm>

#include "dataplane/net/headers.h"
#include "inspection/app/http/file_hash.h"
#include "inspection/events/eve_text.h"
#include "inspection/events/event_fields.h"

namespace weir::inspection::offline {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kFieldRoom = size_t{4} << 20;  // payloads, and messages of 64 KiB, have to fit

const char* source_name(const EnginePacket& packet) {
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
      return "defrag";
    case PacketSource::flow_end:
      return "stream (flow timeout)";
    case PacketSource::stream_end:
      return "stream (detect/log)";
  }
  return "unknown";
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

void add_tunnel(Json& json, const EnginePacket& packet) {
  if (packet.outer == nullptr) return;
  const EnginePacket& outer = *packet.outer;
  Json& tunnel = json["tunnel"];
  tunnel["src_ip"] = eve_address(outer.view.src);
  tunnel["dest_ip"] = eve_address(outer.view.dst);
  if (outer.view.protocol == net::kProtoTcp || outer.view.protocol == net::kProtoUdp) {
    tunnel["src_port"] = outer.view.src_port;
    tunnel["dest_port"] = outer.view.dst_port;
  }
  tunnel["proto"] = eve_protocol(outer.view.protocol);
  tunnel["depth"] = packet.level;
  if (outer.view.number != 0) tunnel["pcap_cnt"] = outer.view.number;
  tunnel["pkt_src"] = source_name(outer);
}

void add_packet(Json& json, const EnginePacket& packet) {
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

void add_vlans(Json& json, const uint16_t* vlans, uint8_t count) {
  if (count > 0) json["vlan"] = std::vector<uint16_t>(vlans, vlans + count);
}

/// What the hub has not: a place in a capture, tags, pieces and packets that could not be read.
void add_place(Json& json, const EnginePacket& packet, bool of_packet) {
  const PacketView& view = packet.view;
  // The last packet of a capture is not what made an event that is written when the capture ends.
  if (view.number != 0 && packet.source != PacketSource::flow_end) json["pcap_cnt"] = view.number;
  add_vlans(json, view.vlans, view.vlan_count);
  json["pkt_src"] = source_name(packet);
  if (of_packet && packet.fragment) {
    json.erase("src_port");
    json.erase("dest_port");
  }
  if (of_packet && net::is_icmp(view.protocol)) {
    json["icmp_type"] = packet.icmp_type;
    json["icmp_code"] = packet.icmp_code;
  }
  if (!view.invalid) return;
  for (const char* const key :
       {"src_ip", "src_port", "dest_ip", "dest_port", "proto", "ip_v", "icmp_type", "icmp_code"})
    json.erase(key);
}

void add_subject_md5(Json& json, std::span<const uint8_t> fields) {
  FieldReader reader(fields);
  while (const auto value = reader.next()) {
    if (value->field != Field::email_subject) continue;
    http::FileHash hash(http::kHashMd5);
    hash.update(value->bytes);
    json["email"]["subject_md5"] = to_hex(hash.finish().md5);
  }
}

EventSettings events_of(const EveSettings& settings) {
  EventSettings events;
  events.kinds = EventKinds()
                     .set(EventKind::alert, settings.alert)
                     .set(EventKind::drop, settings.drop)
                     .set(EventKind::flow, settings.flow)
                     .set(EventKind::http, settings.http)
                     .set(EventKind::tls, settings.tls)
                     .set(EventKind::dns, settings.dns)
                     .set(EventKind::ssh, settings.ssh)
                     .set(EventKind::quic, settings.quic)
                     .set(EventKind::smtp, settings.smtp)
                     .set(EventKind::ftp, settings.ftp)
                     .set(EventKind::ftp_data, settings.ftp)
                     .set(EventKind::fileinfo, settings.fileinfo)
                     .set(EventKind::anomaly, settings.anomaly);
  events.payload = settings.payload;
  events.payload_printable = settings.payload_printable;
  events.app_layer = settings.app_layer;
  events.metadata = settings.metadata;
  events.rule_text = settings.rule_text;
  events.references = settings.references;
  events.drop_alerts = settings.drop_alerts;
  if (settings.xff != EveSettings::Xff::none) events.xff_header = settings.xff_header;
  events.xff_reverse = settings.xff_reverse;
  return events;
}

}  // namespace

EveWriter::EveWriter(std::FILE* file, const EveSettings& settings)
    : EventMaker(events_of(settings), kFieldRoom, FieldWriter::Limits::none),
      file_(file),
      settings_(settings),
      format_({settings.xff, settings.community_id, settings.community_seed}) {}

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
  const std::string line = eve_line(json) + '\n';
  failed_ = failed_ || std::fwrite(line.data(), 1, line.size(), file_) != line.size();
}

void EveWriter::write_pending() {
  for (const Json& json : pending_) write(json);
  pending_.clear();
}

void EveWriter::made(Event& event, std::span<const uint8_t> fields, const EngineSession* session,
                     const EnginePacket* packet) {
  Json json = format_.object(event, fields, 0);
  const bool of_packet = event.has_alert() || event.kind == EventKind::anomaly;
  if (session == nullptr) json.erase("direction");
  if (packet != nullptr) {
    add_place(json, *packet, of_packet || session == nullptr);
  } else if (session != nullptr) {
    add_vlans(json, session->vlans, session->vlan_count);
  }
  if (event.kind == EventKind::flow && session != nullptr) add_flow(json, *session);
  if (event.kind == EventKind::dns && json.contains("dns")) return write_dns(std::move(json));
  if (settings_.subject_md5) add_subject_md5(json, fields);
  if (event.kind != EventKind::alert) return write(json);
  add_tunnel(json, *packet);
  if (settings_.packet) add_packet(json, *packet);
  pending_.push_back(std::move(json));
}

/// Of each message what the settings ask for.
void EveWriter::write_dns(Json json) {
  const Json& dns = json["dns"];
  const bool response = dns.value("type", "") == "response";
  if (!(response ? settings_.dns_responses : settings_.dns_requests)) return;
  const auto wanted = [&](const Json& query) {
    const auto& types = settings_.dns_types;
    return types.empty() || std::any_of(types.begin(), types.end(), [&](std::string type) {
             std::transform(type.begin(), type.end(), type.begin(),
                            [](unsigned char c) { return std::toupper(c); });
             return query.value("rrtype", "") == type;
           });
  };
  const Json queries = dns.value("queries", Json::array());
  if (!queries.empty() && std::none_of(queries.begin(), queries.end(), wanted)) return;
  if (settings_.dns_version != 2) return write(json);
  write_older_dns(std::move(json), queries, response);
}

/// An event for each question, an answer in place of a response, and the client first in both.
void EveWriter::write_older_dns(Json json, const Json& queries, bool response) {
  Json& dns = json["dns"];
  dns["version"] = 2;
  dns["type"] = response ? "answer" : "query";
  for (const char* const key : {"queries", "authorities", "additionals", "opcode"}) dns.erase(key);
  if (response) {
    std::swap(json["src_ip"], json["dest_ip"]);
    if (json.contains("src_port")) std::swap(json["src_port"], json["dest_port"]);
  } else {
    for (const char* const key : {"flags", "qr", "aa", "tc", "rd", "ra", "rcode"}) dns.erase(key);
  }
  for (const Json& query : queries) {
    dns["rrname"] = query["rrname"];
    dns["rrtype"] = query["rrtype"];
    write(json);
    if (response) return;
  }
  if (queries.empty()) write(json);
}

void EveWriter::ended(const EngineSession& session) {
  write_pending();  // of packets that the end of the session made
  EventMaker::ended(session);
}

bool EveWriter::concluded(const EnginePacket&, const EngineVerdict& verdict) {
  for (Json& json : pending_) {
    if (!settings_.verdict) break;
    json["verdict"]["action"] = !verdict.forward ? "drop" : verdict.passed ? "pass" : "alert";
    if (verdict.reject != RejectTo::nobody)
      json["verdict"]["reject-target"] = verdict.reject == RejectTo::source        ? "to_client"
                                         : verdict.reject == RejectTo::destination ? "to_server"
                                                                                   : "both";
  }
  write_pending();
  return true;
}

void EveWriter::add_flow(Json& json, const EngineSession& session) const {
  Json& flow = json["flow"];
  flow["state"] = flow_state(session);
  flow["reason"] = end_reason_;
  if (!session.dropped && session.detection.passed()) flow["action"] = "pass";
  if (session.policy_applied) {
    flow["exception_policy"].push_back({{"target", std::string(inspection::name_of(session.policy_ceiling))},
                                        {"policy", std::string(inspection::name_of(session.policy))}});
  }
  if (session.tcp == nullptr || !session.tcp->followed()) {
    json.erase("tcp");
    return;
  }
  const TcpTrack::Side& client = session.tcp->side(Direction::to_server);
  const TcpTrack::Side& server = session.tcp->side(Direction::to_client);
  Json& tcp = json["tcp"];
  tcp["state"] = inspection::name_of(session.tcp->state());
  tcp["ts_max_regions"] = std::max(1u, client.max_regions);
  tcp["tc_max_regions"] = std::max(1u, server.max_regions);
  if (client.gaps != 0) tcp["ts_gap"] = true;
  if (server.gaps != 0) tcp["tc_gap"] = true;
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
