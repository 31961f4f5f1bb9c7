// Frames of captures on hostile bytes: every link type, tunnels, fragments; no view reaches beyond its frame.
#include <pcap/dlt.h>

#include <cstdlib>
#include <span>

#include "inspection/offline/decode.h"

using namespace weir::inspection;
using namespace weir::inspection::offline;

namespace {

class Taker final : public PacketTaker {
 public:
  void take(EnginePacket& packet) override {
    uint32_t sum = 0;
    for (const auto part :
         {packet.view.ip, packet.view.ip_header, packet.view.l4_header, packet.view.payload}) {
      for (const uint8_t byte : part) sum += byte;
    }
    sum_ = sum;
  }

 private:
  volatile uint32_t sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr int kLinks[] = {DLT_EN10MB,     DLT_RAW, DLT_NULL,   DLT_LOOP,      DLT_LINUX_SLL,
                                   DLT_LINUX_SLL2, DLT_PPP, DLT_C_HDLC, DLT_PPP_SERIAL};
  if (size < 1) return 0;
  const DecodeSettings settings{.erspan_type1 = true};
  Defragmenter defragmenter(static_cast<OverlapPolicy>(data[0] % 5), 64);
  Taker taker;
  Decoder decoder(settings, defragmenter, taker);
  const int link = kLinks[data[0] / 5 % std::size(kLinks)];
  std::span<const uint8_t> bytes(data + 1, size - 1);
  uint64_t number = 0;
  // Frames stand one after the other, each behind its length.
  while (bytes.size() >= 2) {
    const size_t wanted = static_cast<size_t>(bytes[0]) << 8 | bytes[1];
    bytes = bytes.subspan(2);
    Frame frame;
    frame.bytes = bytes.first(std::min(wanted, bytes.size()));
    frame.number = ++number;
    frame.time_ns = number * 1'000'000;
    decoder.decode(frame, link);
    bytes = bytes.subspan(frame.bytes.size());
  }
  return 0;
}
