// QUIC on hostile bytes: headers, Initials protected by whoever made the corpus or not at all, CRYPTO frames
// and Google's tags; every buffer can be asked for, every event written, and all memory goes back.
#include <cstdlib>
#include <span>

#include "inspection/app/quic/quic_frames.h"
#include "inspection/app/quic/quic_parser.h"
#include "inspection/app/recognise.h"
#include "inspection/events/app_fields.h"
#include "inspection/events/eve.h"

using namespace weir::inspection;

namespace {

void ask(QuicTransaction& quic) {
  for (const BufferInfo& info : buffer_infos()) {
    for (const Direction way : {Direction::to_server, Direction::to_client}) {
      for (uint32_t i = 0; i < 64 && quic.buffer(info.id, way, i); ++i) {
      }
    }
  }
  std::array<uint8_t, 2'048> room;
  FieldWriter fields(room);
  write_transaction(fields, quic);
  Event event;
  event.kind = EventKind::quic;
  (void)EveFormat().line(event, fields.written(), 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  static BytePool pool(4 << 20);
  static QuicDecryptor decryptor;
  std::span<const uint8_t> bytes(data + 3, size - 3);
  // What an Initial may hold once it is decrypted, which random bytes never are.
  for (const QuicFamily family : {QuicFamily::ietf, QuicFamily::google_long, QuicFamily::google_ietf}) {
    QuicFrames frames(family, bytes);
    while (frames.next()) {
    }
  }
  for (const uint32_t version : {1u, 0x51303436u}) {
    QuicTransaction quic(pool, Direction::to_server, version);
    if (!(version == 1 ? quic.read_tls(bytes) : quic.read_google(bytes))) std::abort();
    ask(quic);
  }
  AppParser* const parser = make_quic_parser(pool, decryptor, 0);
  if (parser == nullptr) std::abort();
  const size_t of_client = std::min<size_t>(bytes.size(), static_cast<size_t>(data[1]) << 8 | data[2]);
  const auto feed = [&](Direction way, std::span<const uint8_t> datagram) {
    (void)recognise_datagram(datagram, data[0], 443);
    for (;;) {
      const Advance step = parser->advance(way, datagram, 0);
      if (step.consumed > datagram.size()) std::abort();
      datagram = datagram.subspan(step.consumed);
      for (Transaction* const tx : parser->transactions()) ask(*static_cast<QuicTransaction*>(tx));
      parser->drop_over();
      if (step.next != Next::again) break;
    }
  };
  feed(Direction::to_server, bytes.first(of_client));
  feed(Direction::to_client, bytes.subspan(of_client));
  feed(Direction::to_server, bytes);
  parser->destroy();
  if (pool.used() != 0) std::abort();
  return 0;
}
