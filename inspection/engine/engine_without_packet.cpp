// What is done about a session without a packet of it: its end, and what libmagic has said of its files.
#include <algorithm>
#include <utility>

#include "inspection/engine/engine.h"

namespace weir::inspection {

namespace {
constexpr uint64_t kNanosPerSecond = 1'000'000'000;
}

/// Speaks for a session of which no packet is at hand.
static EnginePacket last_packet(const EngineSession& session, const EngineTime& now) {
  EnginePacket last;
  last.view.time_ns = now.ns;
  last.view.wall_seconds = now.wall_seconds;
  last.view.number = session.last_number;
  last.view.src = session.client;
  last.view.dst = session.server;
  last.view.src_port = session.client_port;
  last.view.dst_port = session.server_port;
  last.view.protocol = session.protocol;
  last.view.stream_part = true;
  last.source = PacketSource::flow_end;
  return last;
}

/// What follows is about the session as it is; `last` outlives it.
void Engine::begin_without_packet(EnginePacket& last, EngineEvents& events) {
  packet_ = &last;
  events_ = &events;
  verdict_ = {};
  packet_judged_ = true;
  no_inspection_ = false;
  work_ = 0;
}

void Engine::tell_open(EngineSession& session, uint64_t now_ns, EngineEvents& events) {
  if (session.parser == nullptr) return;
  events_ = &events;
  log_transactions(session, last_packet(session, {now_ns, 0}), true);
}

void Engine::settle(EngineSession& session, const EngineTime& now, const Ruleset& rules,
                    EngineEvents& events) {
  use(rules);
  EnginePacket last = last_packet(session, now);
  begin_without_packet(last, events);
  ask_magic_for(session);
  // Nobody is left who could wait for an answer.
  if (asks_magic_ && !magic_->at_once()) parsers_.http.magic = nullptr;
  // A packet that was left unfinished is not sent any more: what it began says nothing of the session's end.
  const bool cut_short = session.pause != nullptr;
  forget_pause(session);
  if (session.tcp != nullptr && !session.dropped && !session.bypassed && !cut_short) {
    constexpr Direction kBoth[] = {Direction::to_server, Direction::to_client};
    session.tcp->flush();
    for (const Direction direction : kBoth) collect(session, direction);
    for (const Direction direction : kBoth) stream_end(session, direction);
    for (const Direction direction : kBoth) {
      const EngineSession::Side& side = session.side(direction);
      if (side.unjudged || side.judged < side.raw.size()) judge(session, direction, false);
    }
  }
  if (session.parser != nullptr) log_transactions(session, last, true);
}

void Engine::end(EngineSession* session, uint64_t now_ns, const Ruleset& rules, EngineEvents& events) {
  const uint64_t last_ns = std::min(now_ns, session->last_ns);
  settle(*session, {last_ns, last_ns / kNanosPerSecond}, rules, events);
  events.ended(*session);
  abandon(session);
}

/// Which way the file goes that the answer was about; nothing: it is none of the session's.
static std::optional<Direction> deliver(EngineSession& session, const MagicDesk::Answer& answer) {
  if (session.parser == nullptr) return std::nullopt;
  for (Transaction* const transaction : session.parser->transactions()) {
    const uint32_t requests = transaction->files_awaited[0];
    if (transaction->take_magic(answer))
      return requests != transaction->files_awaited[0] ? Direction::to_server : Direction::to_client;
  }
  return std::nullopt;
}

EngineVerdict Engine::take_magic(EngineSession& session, const EngineTime& now, const Ruleset* rules,
                                 EngineEvents& events) {
  if (rules != nullptr) use(*rules);
  EnginePacket last = last_packet(session, now);
  last.source = PacketSource::stream_end;
  begin_without_packet(last, events);
  const auto direction = deliver(session, magic_->take());
  if (!direction) {
    magic_->note_late();
    return verdict_;
  }
  if (rules == nullptr) return verdict_;
  if (*direction == Direction::to_client) {
    last.view.direction = Direction::to_client;
    std::swap(last.view.src, last.view.dst);
    std::swap(last.view.src_port, last.view.dst_port);
  }
  const std::span<Transaction* const> transactions = session.parser->transactions();
  if (!session.dropped && !session.bypassed && !session.detection.passed()) {
    Inspected inspected{last.view, session.facts, {}, transactions};
    inspected.packet_judged = true;
    if (!detect(session, last, inspected)) return verdict_;  // with the session's next packet, then
    note_dropped(session);
  }
  events_->moved(session, last, transactions);
  log_transactions(session, last, false);
  release_transactions(session);
  return verdict_;
}

void Engine::abandon(EngineSession* session) {
  if (magic_ != nullptr) magic_->withdraw(session->magic);
  forget_pause(*session);
  if (session->parser != nullptr) parser_over(*session);
  detector_->forget(session->detection);
  destroy_in(pool_, session->tcp);
  destroy_in(pool_, session);
  --counters_.sessions_open;
}

}  // namespace weir::inspection
