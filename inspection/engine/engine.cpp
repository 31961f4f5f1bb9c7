#include "inspection/engine/engine.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/headers.h"
#include "inspection/app/recognise.h"

namespace weir::inspection {

namespace {

constexpr size_t kMaxPayload = 65'535;
/// To hold one rule against bytes costs about as much as to scan so many.
constexpr uint64_t kWorkOfRule = 256;

/// What rules and anomalies call it.
void raise(TcpFate fate, PacketEvents& events) {
  switch (fate) {
    case TcpFate::retransmit:
      return events.raise(PacketEvent::stream_pkt_retransmission);
    case TcpFate::out_of_window:
      return events.raise(PacketEvent::stream_est_packet_out_of_window);
    case TcpFate::bad_timestamp:
      return events.raise(PacketEvent::stream_pkt_invalid_timestamp);
    case TcpFate::bad_ack:
      events.raise(PacketEvent::stream_est_invalid_ack);
      return events.raise(PacketEvent::stream_pkt_invalid_ack);
    case TcpFate::bad_reset:
      return events.raise(PacketEvent::stream_rst_invalid_ack);
    default:
      return;
  }
}

}  // namespace

const char* name_of(DropReason reason) {
  static constexpr const char* kNames[] = {"none",
                                           "rules",
                                           "threshold detection_filter",
                                           "flow drop",
                                           "stream error",
                                           "stream reassembly",
                                           "stream midstream",
                                           "applayer error",
                                           "flow memcap",
                                           "defrag error",
                                           "stream error",
                                           "ttl"};
  static_assert(std::size(kNames) == static_cast<size_t>(DropReason::count_));
  return kNames[static_cast<size_t>(reason)];
}

/// Alerts of the packet at hand, on their way to whoever writes them.
class Engine::Sink final : public AlertSink {
 public:
  Sink(Engine& engine, const EngineSession* session, const EnginePacket& packet)
      : engine_(engine), session_(session), packet_(packet) {}
  void alert(const RuleAlert& alert) override { engine_.events_->alert(session_, packet_, alert); }
  void explained(const RuleInfo&, const RuleStep& step) override {
    engine_.events_->explained(session_, packet_, step);
  }
  void fuse(const RuleInfo& rule, uint32_t sessions) override {
    engine_.events_->fuse(session_, packet_, rule, sessions);
  }

 private:
  Engine& engine_;
  const EngineSession* session_;
  const EnginePacket& packet_;
};

Engine::Engine(unsigned worker, const EngineSettings& settings)
    : settings_(settings),
      pool_(settings.memory),
      worker_(worker),
      scratch_(std::make_unique_for_overwrite<uint8_t[]>(kMaxPayload)) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(unsigned worker, const EngineSettings& settings,
                                               std::shared_ptr<RuleMemory> memory) {
  std::unique_ptr<Engine> engine(new Engine(worker, settings));
  engine->memory_ = memory;
  auto detector = Detector::create(worker, settings.detector, engine->pool_, std::move(memory));
  if (!detector) return tl::unexpected(std::move(detector.error()));
  engine->detector_ = std::move(*detector);
  return engine;
}

void Engine::use(const Ruleset& rules) {
  rules_ = &rules;
  if (serial_ == rules.serial()) return;
  serial_ = rules.serial();
  session_settings_ = rules.settings();
  if (settings_.session_records != 0) session_settings_.stream.session_records = settings_.session_records;
  parsers_.http = session_settings_.http;
  // The desk stays when the last rules go that ask: sessions may still wait for its answers.
  asks_magic_ = rules.magic() != nullptr;
  if (asks_magic_ && magic_ == nullptr) {
    magic_owner_ = rules.magic();
    magic_ = magic_owner_->desk(worker_);
  }
  asks_magic_ = asks_magic_ && magic_ != nullptr;
  parsers_.ssh_fingerprints =
      session_settings_.ssh_fingerprints || rules.profile().ruleset().asks_ssh_fingerprints();
  parsers_.mime = session_settings_.mime;
  parsers_.ftp = session_settings_.ftp;
  parsers_.mime.body_md5 = parsers_.mime.body_md5 || rules.profile().ruleset().asks_body_md5();
  parsers_.app = session_settings_.app;
  parsers_.http.file_hashes =
      static_cast<uint8_t>(parsers_.http.file_hashes | rules.profile().ruleset().file_digests());
}

void Engine::ask_magic_for(EngineSession& session) {
  if (!asks_magic_) [[likely]]
    return;
  magic_->ask_for(&session.magic);
  const bool asked = rules_->profile().ruleset().asks_magic(session.facts.protocol);
  parsers_.http.magic = asked ? magic_ : nullptr;
}

EngineSession* Engine::open(const EnginePacket& first, uint64_t id, const Ruleset& rules) {
  use(rules);
  auto* const session = make_in<EngineSession>(pool_, pool_);
  if (session == nullptr) {
    ++counters_.exceptions[static_cast<size_t>(memory_ceiling(Ceiling::session_memory))];
    return nullptr;
  }
  const PacketView& view = first.view;
  bool from_server = view.protocol == net::kProtoTcp &&
                     (view.tcp_flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck) &&
                     (session_settings_.stream.midstream || session_settings_.stream.async_oneside);
  if (view.protocol == net::kProtoTcp && session_settings_.stream.midstream &&
      (view.tcp_flags & kTcpSyn) == 0 && !view.payload.empty()) {
    // Picked up in the middle: who is the server only its bytes can tell.
    const auto tells = [&](Direction direction) {
      return recognise_stream(direction, view.payload).answer == Recognition::Answer::yes;
    };
    from_server = !tells(Direction::to_server) && tells(Direction::to_client);
  }
  if (view.protocol == net::kProtoUdp && !view.payload.empty()) {
    const Recognition told = recognise_datagram(view.payload, view.src_port, view.dst_port);
    from_server = told.answer == Recognition::Answer::yes && told.from_server;
  }
  session->client = from_server ? view.dst : view.src;
  session->server = from_server ? view.src : view.dst;
  session->client_port = from_server ? view.dst_port : view.src_port;
  session->server_port = from_server ? view.src_port : view.dst_port;
  session->protocol = view.protocol;
  session->vlan_count = view.vlan_count;
  std::copy_n(view.vlans, 3, session->vlans);
  session->icmp_type = first.icmp_type;
  session->icmp_code = first.icmp_code;
  session->id = id;
  session->facts.start_ns = view.time_ns;
  if (view.protocol == net::kProtoTcp) {
    session->tcp = make_in<TcpTrack>(pool_, pool_, session_settings_.stream);
    if (session->tcp == nullptr) {
      ++counters_.exceptions[static_cast<size_t>(memory_ceiling(Ceiling::session_memory))];
      destroy_in(pool_, session);
      return nullptr;
    }
  }
  ++counters_.sessions;
  ++counters_.sessions_open;
  return session;
}

Direction Engine::direction_of(const EngineSession& session, const EnginePacket& packet) {
  const PacketView& view = packet.view;
  if (view.src == session.client && view.src_port == session.client_port) {
    // A session with itself: the first packet's way, unless only the other fits.
    return Direction::to_server;
  }
  return Direction::to_client;
}

EngineVerdict Engine::inspect(EngineSession* session, EnginePacket& packet, const Ruleset& rules,
                              EngineEvents& events) {
  use(rules);
  packet_ = &packet;
  events_ = &events;
  verdict_ = {};
  packet_judged_ = no_inspection_ = false;
  work_ = 0;
  if (session != nullptr && session->pause != nullptr) {
    if (session->pause->packet == packet.view.payload.data()) {
      ask_magic_for(*session);
      go_on(*session);
      if (!verdict_.unfinished) conclude(session);
      return verdict_;
    }
    forget_pause(*session);
  }
  ++counters_.packets;
  counters_.bytes += packet.view.ip.size();
  if (session == nullptr) {
    judge_alone(packet);
    conclude(nullptr);
    return verdict_;
  }
  packet.view.direction = direction_of(*session, packet);
  ask_magic_for(*session);
  count(*session, packet);
  if (session->dropped) {
    block_session(*session, DropReason::flow_drop);
  } else if (session->bypassed) {
    ++counters_.bypassed_packets;
    verdict_.bypass = true;
  } else if (enforces() && packet.ttl < session_settings_.min_ttl) {
    ++counters_.low_ttl;
    block(DropReason::ttl);
  } else if (session->tcp != nullptr && !packet.l4_broken) {
    tcp_packet(*session, packet);
    if (verdict_.new_session || verdict_.unfinished) return verdict_;
  } else {
    datagram(*session, packet);
  }
  conclude(session);
  return verdict_;
}

void Engine::count(EngineSession& session, const EnginePacket& packet) {
  const auto way = static_cast<size_t>(packet.view.direction);
  SessionFacts& facts = session.facts;
  ++facts.packets[way];
  // As Suricata counts: a packet that came in a frame by its frame.
  const bool framed = packet.source == PacketSource::wire && !packet.view.frame.empty();
  facts.bytes[way] += framed ? packet.view.frame.size() : packet.view.ip.size();
  session.last_ns = std::max(session.last_ns, packet.view.time_ns);
  session.last_number = packet.view.number;
  if (facts.packets[0] != 0 && facts.packets[1] != 0) session.answered = true;
  if (session.tcp == nullptr) facts.established = session.answered;
}

bool Engine::mind_conflict(EngineSession& session, EnginePacket& packet) {
  const PoolBytes& raw = session.side(packet.view.direction).raw;
  if (!session.tcp->contradicts(packet, raw.view())) return true;
  if (session_settings_.mode == InspectMode::test) return true;  // it leaves as it came
  if (session_settings_.stream.on_conflict == OnConflict::drop_session) {
    ++counters_.conflicts;
    block_session(session, DropReason::stream_error);
    return false;
  }
  ++counters_.rewritten;
  verdict_.rewritten = true;
  const size_t size = std::min(packet.view.payload.size(), kMaxPayload);
  std::memcpy(scratch_.get(), packet.view.payload.data(), size);
  session.tcp->rewrite(packet.view.direction, packet.view.seq, {scratch_.get(), size}, raw.view());
  packet.view.payload = {scratch_.get(), size};
  return true;
}

void Engine::rewrite(const EngineSession& session, const EnginePacket& packet,
                     std::span<uint8_t> payload) const {
  session.tcp->rewrite(packet.view.direction, packet.view.seq, payload,
                       session.side(packet.view.direction).raw.view());
}

void Engine::tcp_packet(EngineSession& session, EnginePacket& packet) {
  TcpTrack& tcp = *session.tcp;
  const Direction own = packet.view.direction;
  const uint8_t flags = packet.view.tcp_flags;
  if ((flags & kTcpSyn) != 0) ++((flags & kTcpAck) != 0 ? counters_.tcp_synack : counters_.tcp_syn);
  if ((flags & kTcpRst) != 0) ++counters_.tcp_rst;
  if (packet.checksum_bad) {
    // Its receiver discards it.
    ++counters_.bad_checksum;
    if (enforces()) return block(DropReason::checksum);
    return judge(session, own, true);
  }
  if (enforces() && !mind_conflict(session, packet)) return;
  const bool was_followed = tcp.followed(), was_established = tcp.established();
  const bool had_depth = tcp.side(own).depth_reached;
  const TcpFate fate = tcp.track(packet);
  if (tcp.side(own).depth_reached && !had_depth)
    packet.view.events.raise(PacketEvent::stream_reassembly_depth_reached);
  if (fate == TcpFate::reuse) {
    verdict_.new_session = true;
    return;
  }
  if (!was_followed && tcp.followed()) {
    ++counters_.tcp_sessions;
    if (tcp.midstream()) {
      ++counters_.midstream_pickups;
      pick_up_policy(session);
    }
  }
  SessionFacts& facts = session.facts;
  // As Suricata: the handshake's last packet is not yet one of an established session, unless it has data.
  facts.established = was_established || (tcp.established() && !packet.view.payload.empty());
  facts.midstream = tcp.midstream();
  facts.closed = tcp.closed();
  tcp_fate(session, packet, fate);
  if (!verdict_.forward || session.bypassed) return;
  if (fate == TcpFate::tracked) return take_in(session, false);
  judge_segment(session);
}

void Engine::judge_segment(EngineSession& session) {
  judge(session, packet_->view.direction, true);
  if (session.parser != nullptr) rest(session);
  if (session.resting) forget_history(session);
}

void Engine::pick_up_policy(EngineSession& session) {
  // Where sessions may be picked up, nothing is dropped for it; where only one direction may be missing, the
  // policy for those without a handshake still holds.
  const ExceptionPolicy policy = session_settings_.policies[static_cast<size_t>(Ceiling::midstream)];
  const bool passes = policy == ExceptionPolicy::pass_flow || policy == ExceptionPolicy::bypass;
  if (passes || !session_settings_.stream.midstream)
    except(session, Ceiling::midstream, DropReason::stream_midstream);
}

/// It has bytes from before those that are kept, which can no longer be compared.
static bool is_older(const EngineSession& session, const EnginePacket& packet) {
  const PacketView& view = packet.view;
  const auto kept = static_cast<uint32_t>(session.side(view.direction).raw.size());
  return !view.payload.empty() &&
         static_cast<int32_t>(view.seq - (session.tcp->side(view.direction).delivered - kept)) < 0;
}

void Engine::tcp_fate(EngineSession& session, EnginePacket& packet, TcpFate fate) {
  raise(fate, packet.view.events);
  switch (fate) {
    case TcpFate::tracked:
    case TcpFate::retransmit:
      packet.view.stream_part =
          session.tcp->followed() && !(session_settings_.stream.strict && is_older(session, packet));
      return;
    case TcpFate::early:
      ++counters_.stream_errors;
      return block(DropReason::stream_error);
    case TcpFate::past_gap:
      ++counters_.stream_errors;
      return block_session(session, DropReason::stream_error);
    case TcpFate::untracked:
      if (session.tcp->state() == TcpState::none && !session.policy_applied)
        except(session, Ceiling::midstream, DropReason::stream_midstream);
      return;
    case TcpFate::no_memory:
      except(session, Ceiling::reassembly_memory, DropReason::stream_memcap);
      // Never sent unrecorded.
      if (enforces() && verdict_.forward) block(DropReason::stream_memcap);
      return;
    case TcpFate::out_of_window:
    case TcpFate::bad_timestamp:
    case TcpFate::bad_ack:
    case TcpFate::bad_reset:
    case TcpFate::bad_flags:
      if (!enforces()) return;
      ++counters_.stream_errors;
      return block(DropReason::stream_error);
    case TcpFate::reuse:
      return;
  }
}

void Engine::datagram(EngineSession& session, EnginePacket& packet) {
  if (session.protocol == net::kProtoUdp && !packet.l4_broken && !packet.view.payload.empty() &&
      !(packet.checksum_bad && enforces())) {
    app_bytes(session, packet.view.direction, packet.view.payload);
  }
  if (packet.checksum_bad && enforces()) {
    ++counters_.bad_checksum;
    return block(DropReason::checksum);
  }
  judge(session, packet.view.direction, true);
}

/// The other way is judged with a packet that holds nothing.
static EnginePacket speaks_for(const EnginePacket& packet, Direction direction) {
  EnginePacket made;
  made.view.time_ns = packet.view.time_ns;
  made.view.wall_seconds = packet.view.wall_seconds;
  made.view.number = packet.view.number;
  made.view.direction = direction;
  made.view.src = packet.view.dst;
  made.view.dst = packet.view.src;
  made.view.src_port = packet.view.dst_port;
  made.view.dst_port = packet.view.src_port;
  made.view.protocol = packet.view.protocol;
  made.view.stream_part = true;
  made.source = packet.source == PacketSource::flow_end ? PacketSource::flow_end : PacketSource::stream_end;
  made.link_type = packet.link_type;
  return made;
}

void Engine::judge(EngineSession& session, Direction direction, bool first_of_packet) {
  EngineSession::Side& side = session.side(direction);
  const std::span<Transaction* const> transactions =
      session.parser != nullptr ? session.parser->transactions() : std::span<Transaction* const>{};
  const bool skip = session.dropped || session.detection.passed() || no_inspection_;
  std::optional<EnginePacket> made;  // not even zeroed for most
  if (packet_->view.direction != direction) made = speaks_for(*packet_, direction);
  EnginePacket* const packet = made ? &*made : packet_;
  if (!skip) {
    StreamView stream{direction, {}};
    stream.view.bytes = side.raw.view().subspan(side.hidden);
    stream.view.old_size = side.judged - side.hidden;
    stream.view.base = side.raw_base + side.hidden;
    stream.view.complete = session.tcp != nullptr && session.tcp->drained(direction);
    const bool fresh = side.judged < side.raw.size();
    const std::span<const StreamView> streams(&stream, fresh ? 1 : 0);
    Inspected inspected{packet->view, session.facts, streams, transactions};
    inspected.packet_judged = packet_judged_ || made.has_value();
    const std::span<const uint8_t> payload = packet->view.payload;
    if (session.encrypted) packet->view.payload = {};
    const bool whole = detect(session, *packet, inspected);
    packet->view.payload = payload;
    packet->view.events = {};  // told once, however often the packet is judged
    // What was not judged to its end waits for the packet that brings it again, or for the next one.
    if (!whole) return;
  }
  if (packet == packet_) packet_judged_ = packet_judged_ || first_of_packet || !skip;
  side.judged = static_cast<uint32_t>(side.raw.size());
  if (side.raw.size() > settings_.stream_window) shorten(side);
  side.unjudged = false;
  note_dropped(session);
  if (session.parser != nullptr) {
    log_transactions(session, *packet, false);
    release_transactions(session);
  }
}

/// False: it was not judged to its end.
bool Engine::detect(EngineSession& session, const EnginePacket& packet, const Inspected& inspected) {
  Sink sink(*this, &session, packet);
  const DetectorCounters& counted = detector_->counters();
  const uint64_t scanned = counted.scanned_bytes + counted.match_work, verified = counted.verified;
  const DetectionVerdict found = detector_->inspect(rules_->profile(), session.detection, inspected, sink);
  work_ += counted.scanned_bytes + counted.match_work - scanned + kWorkOfRule * (counted.verified - verified);
  take(found);
  if (found.gave_up) except(session, Ceiling::rule_work, DropReason::app_layer_error);
  if (found.bypass_session && !found.failed) session.bypassed = verdict_.bypass = true;
  return !found.failed;
}

void Engine::note_dropped(EngineSession& session) {
  if (!session.detection.dropped() || !enforces()) return;
  session.dropped = true;
  if (session.dropped_for == DropReason::none) session.dropped_for = DropReason::rules;
}

void Engine::judge_alone(EnginePacket& packet) {
  SessionFacts facts;
  facts.start_ns = packet.view.time_ns;
  const Inspected inspected{packet.view, facts, {}, {}};
  Sink sink(*this, nullptr, packet);
  // What is decided once for a session is decided for each of these.
  SessionDetection nobody;
  take(detector_->inspect(rules_->profile(), nobody, inspected, sink));
  detector_->forget(nobody);
}

void Engine::take(const DetectionVerdict& verdict) {
  verdict_.would_drop = verdict_.would_drop || verdict.would_drop;
  verdict_.passed = verdict_.passed || verdict.pass_session;
  verdict_.failed = verdict_.failed || verdict.failed;
  if (verdict.reject != RejectTo::nobody) verdict_.reject = verdict.reject;
  if (verdict.forward) return;
  verdict_.drop_session = verdict_.drop_session || verdict.drop_session;
  if (!verdict_.forward) return;
  verdict_.forward = false;
  verdict_.rule = verdict.rule;
  verdict_.reason = verdict.by_rate_filter ? DropReason::rate_filter : DropReason::rules;
}

void Engine::block(DropReason reason) {
  if (session_settings_.mode == InspectMode::test) {
    verdict_.would_drop = true;
    return;
  }
  verdict_.forward = false;
  if (verdict_.reason == DropReason::none) verdict_.reason = reason;
}

void Engine::block_session(EngineSession& session, DropReason reason) {
  block(reason);
  if (verdict_.forward) return;
  verdict_.drop_session = true;
  session.dropped = true;
  if (session.dropped_for == DropReason::none) session.dropped_for = reason;
}

void Engine::except(EngineSession& session, Ceiling ceiling, DropReason reason) {
  if (ceiling == Ceiling::app_memory || ceiling == Ceiling::reassembly_memory)
    ceiling = memory_ceiling(ceiling);
  ++counters_.exceptions[static_cast<size_t>(ceiling)];
  const ExceptionPolicy policy = session_settings_.policies[static_cast<size_t>(ceiling)];
  if (policy == ExceptionPolicy::ignore) return;
  session.policy_applied = true;
  session.policy_ceiling = ceiling;
  session.policy = policy;
  switch (policy) {
    case ExceptionPolicy::ignore:
    case ExceptionPolicy::automatic:  // settled before
      return;
    case ExceptionPolicy::reject:
      block_session(session, reason);
      if (!verdict_.forward) verdict_.reject = RejectTo::both;
      return;
    case ExceptionPolicy::drop_flow:
      return block_session(session, reason);
    case ExceptionPolicy::drop_packet:
      return block(reason);
    case ExceptionPolicy::bypass:
      session.bypassed = true;
      verdict_.bypass = true;
      return;
    case ExceptionPolicy::pass_flow:
      session.detection.set_passed();
      return;
    case ExceptionPolicy::pass_packet:
      no_inspection_ = true;
      return;
  }
}

/// Nothing later of it can matter: a pass rule decided, or all that can be read was judged.
bool Engine::is_done(const EngineSession& session) const {
  if (session.detection.passed()) return true;
  if (session.magic.waiting != 0) return false;
  for (const EngineSession::Side& side : session.sides) {
    if (side.unjudged || side.judged < side.raw.size()) return false;
  }
  const auto past_depth = [&](Direction direction) {
    return session.tcp != nullptr && session.tcp->side(direction).depth_reached;
  };
  const bool secret =
      session_settings_.bypass_encrypted && session.parser != nullptr && session.parser->is_secret();
  return session.encrypted || secret ||
         (past_depth(Direction::to_server) && past_depth(Direction::to_client));
}

void Engine::conclude(EngineSession* session) {
  if (verdict_.would_drop) ++counters_.would_drop;
  if (verdict_.forward) {
    ++counters_.accepted;
    if (settings_.bypass_done && session != nullptr && !session->dropped && !verdict_.failed &&
        is_done(*session))
      verdict_.bypass = session->bypassed = true;
  } else {
    ++(verdict_.reject != RejectTo::nobody ? counters_.rejected : counters_.blocked);
    ++counters_.drops[static_cast<size_t>(verdict_.reason)];
    if (session != nullptr && verdict_.drop_session) session->dropped = true;
  }
  events_->judged(session, *packet_, verdict_);
}

}  // namespace weir::inspection
