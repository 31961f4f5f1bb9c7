// DNS over UDP and TCP on hostile bytes: whatever comes, in any portions, every name, record and buffer can
// be asked for, and all memory goes back.
#include <cstdlib>
#include <span>

#include "inspection/app/dns/dns_parser.h"
#include "inspection/app/recognise.h"
#include "inspection/events/eve_dns.h"

using namespace weir::inspection;

namespace {

void ask_everything(DnsTransaction& dns) {
  for (const BufferInfo& info : buffer_infos()) {
    for (const Direction way : {Direction::to_server, Direction::to_client}) {
      for (uint32_t i = 0; i < 64 && dns.buffer(info.id, way, i); ++i) {
      }
    }
  }
  (void)dns_object(dns).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  BytePool pool(4 << 20);
  const bool tcp = (data[0] & 1) != 0;
  const size_t portion = 1u + data[1];
  std::span<const uint8_t> bytes(data + 2, size - 2);
  (void)recognise_datagram(bytes, 1, 2);
  (void)recognise_stream(Direction::to_server, bytes);
  (void)recognise_stream(Direction::to_client, bytes);
  AppParser* const parser = make_dns_parser(pool, tcp, 0);
  if (parser == nullptr) std::abort();
  const Direction way = (data[0] & 2) != 0 ? Direction::to_client : Direction::to_server;
  while (!bytes.empty()) {
    auto piece = bytes.first(tcp ? std::min(portion, bytes.size()) : bytes.size());
    bytes = bytes.subspan(piece.size());
    for (;;) {
      const Advance step = parser->advance(way, piece, 0);
      if (step.consumed > piece.size()) std::abort();
      piece = piece.subspan(step.consumed);
      for (Transaction* const tx : parser->transactions()) ask_everything(*static_cast<DnsTransaction*>(tx));
      release_over(*parser, [](Transaction&) {});
      if (step.next != Next::again) break;
    }
  }
  parser->destroy();
  if (pool.used() != 0) std::abort();
  return 0;
}
