// One parser between two ends of which both are hostile: the input says who speaks and how much, in any
// portions, with gaps. As the engine would, what waits is judged and what is over goes.
#pragma once

#include <array>
#include <cstdlib>
#include <span>

#include "inspection/app/app_parser.h"
#include "inspection/events/app_fields.h"
#include "inspection/events/eve.h"

namespace weir::inspection::fuzz {

/// Every buffer and every field of the event.
inline void ask(Transaction& tx) {
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    for (const BufferInfo& info : buffer_infos()) {
      for (uint32_t i = 0; i < 64 && tx.buffer(info.id, way, i); ++i) {
      }
      tx.judged(info.id, way);
    }
    for (size_t i = 0; i < tx.file_count(way); ++i) (void)tx.file(way, i);
  }
  std::array<uint8_t, 4'096> room;
  FieldWriter fields(room);
  write_transaction(fields, tx);
  Event event;
  event.kind = EventKind::alert;
  (void)EveFormat().line(event, fields.written(), 0);
}

template <typename Make, typename After = void (*)(AppParser&)>
void two_ends(
    const uint8_t* data, size_t size, Make&& make, After&& after = [](AppParser&) {}) {
  if (size < 2) return;
  BytePool pool(8 << 20);
  AppParser* const parser = make(pool);
  if (parser == nullptr) std::abort();
  const size_t portion = 1u + data[0] % 64u * 32u;
  std::span<const uint8_t> input(data + 1, size - 1);
  const auto judge = [&] {
    for (Transaction* const tx : parser->transactions()) ask(*tx);
    release_over(*parser, [](Transaction& tx) { ask(tx); });
  };
  bool over = false;
  while (!input.empty() && !over) {
    // A head says whose the next bytes are and how many, or that some are missing.
    const uint8_t head = input[0];
    const Direction way = (head & 1) != 0 ? Direction::to_server : Direction::to_client;
    input = input.subspan(1);
    if (head % 16 == 14) {
      parser->gap(way, head, 0);
      judge();
      continue;
    }
    const size_t length = std::min<size_t>(input.size(), size_t{head} * head / 16 + 1);
    std::span<const uint8_t> said = input.first(length);
    input = input.subspan(length);
    while (!said.empty() && !over) {
      const auto piece = said.first(std::min(portion, said.size()));
      said = said.subspan(piece.size());
      std::span<const uint8_t> rest = piece;
      for (unsigned idle = 0; idle < 1'000;) {
        const Advance step = parser->advance(way, rest, 0);
        if (step.consumed > rest.size()) std::abort();
        rest = rest.subspan(step.consumed);
        idle = step.consumed == 0 && step.work == 0 ? idle + 1 : 0;
        if (idle == 16) std::abort();  // neither takes nor makes anything
        after(*parser);
        judge();
        over = step.next == Next::other;
        if (step.next != Next::again) break;
      }
    }
  }
  parser->end_of_stream(Direction::to_server, 0);
  parser->end_of_stream(Direction::to_client, 0);
  judge();
  parser->destroy();
  if (pool.used() != 0) std::abort();
}

}  // namespace weir::inspection::fuzz
