// SSH on hostile bytes: banners and records in any portions, both ways; every buffer can be asked for, and
// all memory goes back.
#include <cstdlib>
#include <span>

#include "inspection/app/ssh/ssh_parser.h"
#include "inspection/events/app_fields.h"
#include "inspection/events/eve.h"

using namespace weir::inspection;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  static BytePool pool(4 << 20);
  const size_t portion = 1u + data[0];
  // The first part is the client's, the rest the server's.
  std::span<const uint8_t> bytes(data + 3, size - 3);
  const size_t of_client = std::min<size_t>(bytes.size(), static_cast<size_t>(data[1]) << 8 | data[2]);
  AppParser* const parser = make_ssh_parser(pool, (data[0] & 1) != 0, 0);
  if (parser == nullptr) std::abort();
  const auto feed = [&](Direction way, std::span<const uint8_t> part) {
    while (!part.empty()) {
      const auto piece = part.first(std::min(portion, part.size()));
      part = part.subspan(piece.size());
      if (parser->advance(way, piece, 0).consumed != piece.size()) std::abort();
    }
  };
  feed(Direction::to_server, bytes.first(of_client));
  feed(Direction::to_client, bytes.subspan(of_client));
  for (Transaction* const tx : parser->transactions()) {
    for (const BufferInfo& info : buffer_infos()) {
      for (const Direction way : {Direction::to_server, Direction::to_client})
        (void)tx->buffer(info.id, way, 0);
    }
    std::array<uint8_t, 2'048> room;
    FieldWriter fields(room);
    write_transaction(fields, *tx);
    Event event;
    event.kind = EventKind::ssh;
    (void)EveFormat().line(event, fields.written(), 0);
  }
  parser->end_of_stream(Direction::to_server, 0);
  parser->end_of_stream(Direction::to_client, 0);
  parser->destroy();
  if (pool.used() != 0) std::abort();
  return 0;
}
