// The engine's way with TCP's bytes: taken from the tracker in order, kept for rules on the stream, and read
// by the parser, a piece at a time; what a budget of work leaves over is gone on with later.
#include <algorithm>

#include "inspection/engine/engine.h"

namespace weir::inspection {

/// The bytes that the packet brought, or made readable. `own_alone`: the other direction's are done.
void Engine::take_in(EngineSession& session, bool own_alone) {
  const Direction own = packet_->view.direction;
  if (!own_alone) {
    // What the other end sent and this packet acknowledges comes first: it was sent before.
    collect(session, opposite(own));
    if (verdict_.unfinished) return;
    const EngineSession::Side& other = session.side(opposite(own));
    if (session_settings_.at_once && other.judged < other.raw.size()) judge(session, opposite(own), false);
  }
  collect(session, own);
  if (!verdict_.unfinished) judge_segment(session);
}

void Engine::collect(EngineSession& session, Direction direction) {
  TcpChunk chunk;
  while (session.tcp->next_chunk(direction, chunk)) {
    if (chunk.gap != 0) {
      stream_gap(session, direction, chunk.gap);
    } else {
      stream_bytes(session, direction, chunk.bytes);
      if (verdict_.unfinished) return;
    }
  }
  session.facts.stream_bytes[static_cast<size_t>(direction)] = session.tcp->side(direction).offset;
  if (session.tcp->drained(direction)) stream_end(session, direction);
}

void Engine::stream_bytes(EngineSession& session, Direction direction, std::span<const uint8_t> bytes) {
  session.facts.stream_bytes[static_cast<size_t>(direction)] += bytes.size();
  pieces(session, direction, bytes);
}

void Engine::pieces(EngineSession& session, Direction direction, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    // A piece and what is carried over fit the largest block.
    const auto piece = bytes.first(std::min<size_t>(bytes.size(), BytePool::kLargest / 2));
    bytes = bytes.subspan(piece.size());
    if (!session.encrypted) keep_raw(session, direction, piece);
    app_bytes(session, direction, piece);
    if (verdict_.unfinished) {
      session.pause->chunk_rest = bytes;
      return;
    }
  }
}

void Engine::keep_raw(EngineSession& session, Direction direction, std::span<const uint8_t> bytes) {
  EngineSession::Side& side = session.side(direction);
  if (side.raw.size() + bytes.size() > BytePool::kLargest) {
    // It cannot wait for the next packet of its direction.
    if (side.judged < side.raw.size()) judge(session, direction, false);
    const size_t keep = std::min<size_t>(settings_.stream_window, BytePool::kLargest / 2);
    if (side.raw.size() > keep) drop_front(side, side.raw.size() - keep);
  }
  if (side.raw.append(bytes)) return;
  // Rules on the stream no longer see it whole; what is parsed of it they do.
  drop_all(side, bytes.size());
  except(session, Ceiling::reassembly_memory, DropReason::stream_memcap);
}

void Engine::stream_gap(EngineSession& session, Direction direction, uint64_t size) {
  ++counters_.gaps;
  counters_.gap_bytes += size;
  // At a session's end what is missing may only not have been captured.
  if (packet_->source != PacketSource::flow_end)
    packet_->view.events.raise(PacketEvent::stream_reassembly_seq_gap);
  EngineSession::Side& side = session.side(direction);
  if (side.judged < side.raw.size()) judge(session, direction, false);
  drop_all(side, size);
  if (session.resting) wake(session);
  if (session.parser != nullptr && !session.app_failed) {
    handle(session, direction, session.parser->gap(direction, size, packet_->view.time_ns));
    side.unjudged = true;
  } else if (session.parser == nullptr && !side.recognised) {
    side.recognised = true;
    side.waiting.reset();
    session.facts.app[static_cast<size_t>(direction)] = AppProtocol::failed;
    session.facts.app_decided[static_cast<size_t>(direction)] = true;
  }
}

void Engine::stream_end(EngineSession& session, Direction direction) {
  EngineSession::Side& side = session.side(direction);
  if (side.ended) return;
  side.ended = true;
  if (session.parser == nullptr || session.app_failed) return;
  const Advance step = session.parser->end_of_stream(direction, packet_->view.time_ns);
  handle(session, direction, step);
  side.unjudged = true;
  if (step.next != Next::again || session.app_failed) return;
  // What a decoder still held is more than one window: judged, then the rest.
  judge(session, direction, false);
  if (!session.dropped) run_parser(session, direction, {});
}

/// False: it has to be finished now.
bool Engine::pause(EngineSession& session, Direction direction, std::span<const uint8_t> rest) {
  const uint64_t budget = packet_->work_budget;
  // What is judged in place of the packet's own bytes lies in scratch memory.
  if (budget == 0 || work_ < budget || verdict_.rewritten) return false;
  session.pause = make_in<EnginePause>(pool_);
  if (session.pause == nullptr) return false;
  EnginePause& at = *session.pause;
  at.packet = packet_->view.payload.data();
  at.direction = direction;
  at.piece_rest = rest;
  at.stream_part = packet_->view.stream_part;
  at.judged = packet_judged_;
  at.no_inspection = no_inspection_;
  at.so_far = verdict_;
  verdict_.unfinished = true;
  return true;
}

void Engine::go_on(EngineSession& session) {
  const EnginePause at = *session.pause;
  forget_pause(session);
  verdict_ = at.so_far;
  packet_judged_ = at.judged;
  no_inspection_ = at.no_inspection;
  packet_->view.direction = direction_of(session, *packet_);
  packet_->view.stream_part = at.stream_part;
  run_parser(session, at.direction, at.piece_rest, true);
  if (verdict_.unfinished) {
    session.pause->chunk_rest = at.chunk_rest;
    return;
  }
  pieces(session, at.direction, at.chunk_rest);
  if (!verdict_.unfinished) take_in(session, at.direction == packet_->view.direction);
}

void Engine::forget_pause(EngineSession& session) {
  destroy_in(pool_, session.pause);
  session.pause = nullptr;
}

void Engine::drop_front(EngineSession::Side& side, size_t bytes) {
  side.raw.drop_front(bytes);
  side.raw_base += bytes;
  side.hidden -= static_cast<uint32_t>(std::min<size_t>(side.hidden, bytes));
  side.judged = static_cast<uint32_t>(side.raw.size());
}

/// Rules go on seeing `stream_window` bytes. What came before is hidden at once, and dropped when half as
/// many bytes have gathered, since each time the whole window moves; the block of memory has room for them.
void Engine::shorten(EngineSession::Side& side) {
  const size_t gone = side.raw.size() - settings_.stream_window;
  side.hidden = std::max(side.hidden, static_cast<uint32_t>(gone));
  if (gone > settings_.stream_window / 2) drop_front(side, gone);
}

/// And `gap` bytes that are not there.
void Engine::drop_all(EngineSession::Side& side, uint64_t gap) {
  side.raw_base += side.raw.size() + gap;
  side.raw.reset();
  side.judged = side.hidden = 0;
}

/// Between two exchanges rules need nothing of the streams, and what their receivers have acknowledged need
/// not be compared with what is sent again: they will not read that.
void Engine::forget_history(EngineSession& session) {
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    const TcpTrack::Side& stream = session.tcp->side(direction);
    const bool acknowledged = static_cast<int32_t>(stream.acked - stream.delivered) >= 0;
    if (acknowledged && stream.first == nullptr) drop_all(session.side(direction), 0);
  }
}

}  // namespace weir::inspection
