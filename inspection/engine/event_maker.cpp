#include "inspection/engine/event_maker.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "dataplane/net/headers.h"
#include "inspection/app/app_events.h"
#include "inspection/app/http/transaction.h"
#include "inspection/events/app_fields.h"

namespace weir::inspection {

namespace {

/// The session that the engine knows; a packet without one is its own.
FlowInfo flow_of(const EngineSession* session, const EnginePacket* packet) {
  FlowInfo flow;
  if (session != nullptr) {
    flow.flow_id = session->id;
    flow.start_ns = session->facts.start_ns;
    flow.src = session->client;
    flow.dst = session->server;
    flow.src_port = session->client_port;
    flow.dst_port = session->server_port;
    flow.protocol = session->protocol;
  } else {
    flow.src = packet->view.src;
    flow.dst = packet->view.dst;
    flow.src_port = packet->view.src_port;
    flow.dst_port = packet->view.dst_port;
    flow.protocol = packet->view.protocol;
  }
  if (net::is_icmp(flow.protocol)) {
    flow.src_port = session != nullptr ? session->icmp_type : packet->icmp_type;
    flow.dst_port = session != nullptr ? session->icmp_code : packet->icmp_code;
  }
  return flow;
}

FlowBody counts_of(const SessionFacts& facts) {
  FlowBody body;
  body.packets_to_server = facts.packets[0];
  body.packets_to_client = facts.packets[1];
  body.bytes_to_server = facts.bytes[0];
  body.bytes_to_client = facts.bytes[1];
  return body;
}

EventKind kind_of(AppProtocol protocol) {
  switch (protocol) {
    case AppProtocol::http1:
    case AppProtocol::http2:
      return EventKind::http;
    case AppProtocol::tls:
      return EventKind::tls;
    case AppProtocol::dns:
      return EventKind::dns;
    case AppProtocol::ssh:
      return EventKind::ssh;
    case AppProtocol::quic:
      return EventKind::quic;
    case AppProtocol::smtp:
      return EventKind::smtp;
    case AppProtocol::ftp:
      return EventKind::ftp;
    case AppProtocol::ftp_data:
      return EventKind::ftp_data;
    default:
      return EventKind::count_;
  }
}

}  // namespace

AppProtocols protocols_of(const EngineSession& session) {
  const SessionFacts& facts = session.facts;
  return {facts.protocol, session.previous, {facts.app[0], facts.app[1]}};
}

Event& EventMaker::begin(EventKind kind, uint64_t time_ns, const EngineSession* session,
                         const EnginePacket* packet) {
  event_ = Event{};
  event_.kind = kind;
  event_.time_ns = time_ns;
  event_.flow = flow_of(session, packet);
  if (session != nullptr) event_.flow_stats = counts_of(session->facts);
  fields_.clear();
  ++begun_;
  return event_;
}

void EventMaker::finish(const EngineSession* session, const EnginePacket* packet) {
  event_.cut = fields_.cut() || (event_.has_alert() && event_.alert.cut);
  made(event_, fields_.written(), session, packet);
}

void EventMaker::name_rule(const RuleInfo& rule) {
  AlertBody& body = event_.alert;
  body.gid = rule.gid;
  body.sid = rule.sid;
  body.rev = rule.rev;
  body.priority = rule.severity;
  body.signature.assign(rule.signature);
  body.category.assign(rule.category);
  body.cut = body.signature.size < rule.signature.size() || body.category.size < rule.category.size();
  if (settings_.metadata) {
    for (const std::string& entry : rule.metadata) fields_.text(Field::alert_metadata, entry);
  }
  if (rule.target) fields_.flag(Field::alert_target, *rule.target == ast::Target::Is::source);
  if (settings_.rule_text) fields_.text(Field::alert_rule, rule.text);
  for (const ast::Reference& reference : rule.references) {
    std::array<char, 256> text;
    const bool known = !reference.prefix.empty();
    if (!known && !settings_.references) continue;
    const int size = std::snprintf(text.data(), text.size(), known ? "%s%s" : "%s:%s",
                                   (known ? reference.prefix : reference.type).c_str(), reference.id.c_str());
    fields_.text(Field::alert_reference, {text.data(), std::min(static_cast<size_t>(size), text.size() - 1)});
  }
}

void EventMaker::fuse(const EngineSession* session, const EnginePacket& packet, const RuleInfo& rule,
                      uint32_t sessions) {
  if (!settings_.kinds.has(EventKind::fuse)) return;
  Event& event = begin(EventKind::fuse, packet.view.time_ns, session, &packet);
  name_rule(rule);
  event.fuse_sessions = sessions;
  finish(session, &packet);
}

void EventMaker::write_payload(const EngineSession* session, const EnginePacket& packet,
                               const RuleAlert& alert) {
  if (!settings_.payload && !settings_.payload_printable) return;
  std::span<const uint8_t> bytes = packet.view.payload;
  if (alert.from_stream && session != nullptr) {
    const EngineSession::Side& side = session->side(alert.direction);
    bytes = side.raw.view().subspan(side.hidden);  // as the rule saw it
  }
  if (settings_.payload && !bytes.empty()) fields_.bytes(Field::payload, bytes);
  if (settings_.payload_printable && !bytes.empty()) fields_.bytes(Field::payload_printable, bytes);
  fields_.number(Field::payload_stream, alert.from_stream ? 1 : 0);
}

void EventMaker::alert(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert) {
  alerted();
  if (!settings_.kinds.has(EventKind::alert)) return;
  Event& event = begin(EventKind::alert, packet.view.time_ns, session, &packet);
  event.turned = session != nullptr && packet.view.direction == Direction::to_client;
  event.packet_length = static_cast<uint16_t>(std::min<size_t>(packet.view.payload.size(), UINT16_MAX));
  event.alert.blocked = alert.blocked;
  event.alert.would_block = alert.would_block;
  event.alert.to_client = alert.direction == Direction::to_client;
  if (session != nullptr) event.app = protocols_of(*session);
  if (alert.transaction != nullptr) {
    event.tx_id = alert.transaction->id;
    if (!settings_.xff_header.empty() && alert.transaction->protocol() == AppProtocol::http1) {
      const auto& http = static_cast<const HttpTransaction&>(*alert.transaction);
      fields_.text_if(Field::alert_xff, forwarded_for(http.field(Direction::to_server, settings_.xff_header),
                                                      settings_.xff_reverse));
    }
    if (settings_.app_layer) write_transaction(fields_, *alert.transaction);
    alert_files(*alert.transaction, alert.direction);
  }
  name_rule(*alert.rule);
  for (const AlertContext& context : alert.contexts) {
    fields_.text(Field::alert_context_key, context.key);
    fields_.text(Field::alert_context, context.json);
  }
  write_payload(session, packet, alert);
  finish(session, &packet);
}

void EventMaker::alert_files(const Transaction& transaction, Direction way) {
  const size_t count = std::min<size_t>(transaction.file_count(way), kAlertFiles);
  for (size_t i = 0; i < count; ++i) {
    fields_.flag(Field::file_begin, true);
    write_file(fields_, transaction, transaction.file(way, i));
  }
}

void EventMaker::judged(const EngineSession* session, const EnginePacket& packet,
                        const EngineVerdict& verdict) {
  const bool wanted = concluded(packet, verdict);
  if (verdict.forward || !wanted || !settings_.kinds.has(EventKind::drop)) return;
  Event& event = begin(EventKind::drop, packet.view.time_ns, session, &packet);
  event.turned = session != nullptr && packet.view.direction == Direction::to_client;
  event.packet_length = static_cast<uint16_t>(std::min<size_t>(packet.view.ip.size(), UINT16_MAX));
  event.drop_reason.assign(inspection::name_of(verdict.reason));
  event.alert.to_client = event.turned;
  event.alert.blocked = true;
  write_dropped(packet);
  if (verdict.rule != nullptr && settings_.drop_alerts) name_rule(*verdict.rule);
  finish(session, &packet);
}

void EventMaker::write_dropped(const EnginePacket& packet) {
  const PacketView& view = packet.view;
  if (view.src.is_v4() && view.ip_header.size() >= 20) {
    fields_.number(Field::drop_tos, view.ip_header[1]);
    fields_.number(Field::drop_ttl, packet.ttl);
    fields_.number(Field::drop_ip_id, static_cast<uint64_t>(view.ip_header[4] << 8 | view.ip_header[5]));
  } else if (!view.src.is_v4()) {
    fields_.number(Field::drop_hop_limit, packet.ttl);
  }
  if (view.protocol == net::kProtoTcp && !view.l4_header.empty()) {
    fields_.number(Field::drop_tcp_seq, view.seq);
    fields_.number(Field::drop_tcp_ack, view.ack);
    fields_.number(Field::drop_tcp_window, view.window);
    const auto flag = [&](Field field, uint8_t bit) { fields_.flag(field, (view.tcp_flags & bit) != 0); };
    flag(Field::drop_syn, kTcpSyn);
    flag(Field::drop_ack, kTcpAck);
    flag(Field::drop_psh, kTcpPsh);
    flag(Field::drop_rst, kTcpRst);
    flag(Field::drop_urg, kTcpUrg);
    flag(Field::drop_fin, kTcpFin);
    fields_.number(Field::drop_tcp_reserved, 0);
    fields_.number(Field::drop_tcp_urgent, packet.urgent);
  } else if (view.protocol == net::kProtoUdp && !view.l4_header.empty()) {
    fields_.number(Field::drop_udp_length, view.payload.size() + 8);
  }
}

void EventMaker::transaction(const EngineSession& session, const EnginePacket& packet,
                             Transaction& transaction) {
  anomalies(session, packet, transaction);
  files(session, packet, transaction, true);
  const EventKind kind = kind_of(transaction.protocol());
  if (!settings_.kinds.has(kind) || transaction.unlogged || !transaction.worth_telling()) return;
  Event& event = begin(kind, packet.view.time_ns, &session, &packet);
  event.app.own = transaction.protocol();
  // What one message says stands with who sent it.
  if (kind == EventKind::dns || kind == EventKind::quic)
    event.turned = transaction.last_step(Direction::to_client) > 0;
  if (kind != EventKind::tls && kind != EventKind::ssh) event.tx_id = transaction.id;
  write_transaction_of(session, transaction);
  finish(&session, &packet);
}

void EventMaker::moved(const EngineSession& session, const EnginePacket& packet,
                       std::span<Transaction* const> transactions) {
  for (Transaction* const transaction : transactions) {
    if (!transaction->logged) files(session, packet, *transaction, false);
  }
}

void EventMaker::files(const EngineSession& session, const EnginePacket& packet, Transaction& transaction,
                       bool last) {
  if (!settings_.kinds.has(EventKind::fileinfo)) return;
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    uint32_t& told = transaction.files_told[static_cast<size_t>(way)];
    for (const size_t count = transaction.file_count(way); told < count; ++told) {
      const AppFile file = transaction.file(way, told);
      if ((file.state == AppFile::State::open || file.awaits_magic) && !last) break;
      Event& event = begin(EventKind::fileinfo, packet.view.time_ns, &session, &packet);
      event.turned = way == Direction::to_client;
      event.app.own = transaction.protocol();
      write_file(fields_, transaction, file);
      write_transaction_of(session, transaction);
      finish(&session, &packet);
    }
  }
}

void EventMaker::write_transaction_of(const EngineSession& session, Transaction& transaction) {
  const size_t at = fields_.written().size();
  const bool is_over = transaction.is_complete();
  if (is_over && at == 0 && written_.event + 1 == begun_ && written_.session == session.id &&
      written_.transaction == transaction.id)
    return fields_.again(written_.fields);
  write_transaction(fields_, transaction);
  if (is_over && !fields_.cut())
    written_ = {begun_, session.id, transaction.id, fields_.written().subspan(at)};
}

void EventMaker::anomalies(const EngineSession& session, const EnginePacket& packet,
                           const Transaction& transaction) {
  if (!settings_.kinds.has(EventKind::anomaly)) return;
  for (uint64_t left = transaction.app_events; left != 0; left &= left - 1) {
    const auto bit = static_cast<unsigned>(std::countr_zero(left));
    if (app_event_name(transaction.protocol(), bit).empty()) continue;
    Event& event = begin(EventKind::anomaly, packet.view.time_ns, &session, &packet);
    event.turned = packet.view.direction == Direction::to_client;
    event.app.own = transaction.protocol();
    event.tx_id = transaction.id;
    fields_.number(Field::anomaly_event, bit);
    finish(&session, &packet);
  }
}

void EventMaker::ended(const EngineSession& session) {
  if (!settings_.kinds.has(EventKind::flow)) return;
  Event& event = begin(EventKind::flow, session.last_ns, &session, nullptr);
  event.app = protocols_of(session);
  event.flow_stats.end_ns = session.last_ns;
  event.flow_stats.alerted = session.detection.alerted();
  if (session.dropped) event.flow_stats.end = FlowEnd::dropped;
  if (session.tcp != nullptr) {
    event.flow_stats.tcp_flags_to_server = session.tcp->side(Direction::to_server).flags;
    event.flow_stats.tcp_flags_to_client = session.tcp->side(Direction::to_client).flags;
  }
  finish(&session, nullptr);
}

}  // namespace weir::inspection
