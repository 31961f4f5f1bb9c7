// Any sequence of segments against an Inspector. What was sent never lets the receiver read the whole attack.
//
// Input: records of {direction and flags, position, length, bytes}. The receiver takes what passes, first
// data winning.
#include <array>
#include <cstdlib>
#include <string>

#include "inspection/engine/ruleset_builder.h"
#include "inspection/rules/language.h"

using namespace weir::inspection;

namespace {

constexpr std::string_view kPattern = "EVIL";
constexpr uint8_t kSyn = 0x02, kAck = 0x10;
constexpr uint32_t kClientIsn = 0xffff'fff0, kServerIsn = 5000;

class NullSink final : public EventSink {
 public:
  bool push(Event&, std::span<const uint8_t>) override { return true; }
};

std::shared_ptr<const Ruleset> make_ruleset() {
  ast::ParsedRuleset parsed;
  ast::RuleReader().read(
      "fuzz.rules",
      "drop tcp any any -> any any (flow:to_server; content:\"EVIL\"; sid:1;)\n"
      "alert tcp any any -> any any (content:\"A\"; content:\"B\"; within:9; content:!\"C\"; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"/a\"; http.host; content:\"h\"; sid:3;)\n",
      parsed);
  auto build = compile_rules(parsed, 1);
  if (!build || !build->refused.empty()) std::abort();
  return build->ruleset;
}

/// What the server's application can read.
class Receiver {
 public:
  void take(uint32_t at, std::span<const uint8_t> payload) {
    for (size_t i = 0; i < payload.size() && at + i < bytes_.size(); ++i) {
      if (have_[at + i]) continue;
      bytes_[at + i] = static_cast<char>(payload[i]);
      have_[at + i] = true;
    }
    while (readable_ < bytes_.size() && have_[readable_]) ++readable_;
  }
  std::string_view readable() const { return {bytes_.data(), readable_}; }

 private:
  std::array<char, 1024> bytes_{};
  std::array<bool, 1024> have_{};
  size_t readable_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto ruleset = make_ruleset();
  static const auto inspector =
      *Inspector::create(0, {.flows = 2, .stream_window = 1024, .out_of_order_segments = 4},
                         RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value());
  NullSink sink;
  Receiver receiver;
  FlowInfo info;
  info.protocol = 6;
  const FlowHandle handle = inspector->open(info);
  const auto send = [&](Direction d, uint32_t seq, uint32_t ack, uint8_t flags,
                        std::span<const uint8_t> payload) {
    Packet packet;
    packet.direction = d;
    packet.seq = seq;
    packet.ack = ack;
    packet.tcp_flags = flags;
    std::array<uint8_t, 20> header{};
    header[12] = 5 << 4;
    header[13] = flags;
    header[14] = header[15] = 0xff;  // the largest window
    packet.l4_header = header;
    packet.payload = payload;
    return inspector->inspect(handle, *ruleset, packet, sink).action;
  };
  send(Direction::to_server, kClientIsn, 0, kSyn, {});
  send(Direction::to_client, kServerIsn, kClientIsn + 1, kSyn | kAck, {});
  send(Direction::to_server, kClientIsn + 1, kServerIsn + 1, kAck, {});
  std::span<const uint8_t> rest(data, size);
  while (rest.size() >= 3) {
    const bool to_client = (rest[0] & 0x80) != 0;
    // RST is left out: after one the receiver may read nothing at all.
    const auto flags = static_cast<uint8_t>((rest[0] & 0x01) | kAck);
    const uint32_t at = rest[1];
    const auto payload = rest.subspan(3, std::min<size_t>(rest[2] & 0x1f, rest.size() - 3));
    rest = rest.subspan(3 + payload.size());
    if (to_client) {
      // It acknowledges just what it can read, as a receiver does.
      const auto ack = kClientIsn + 1 + static_cast<uint32_t>(receiver.readable().size());
      send(Direction::to_client, kServerIsn + 1 + at, ack, flags, payload);
    } else if (send(Direction::to_server, kClientIsn + 1 + at, kServerIsn + 1, flags, payload) ==
               Action::pass) {
      receiver.take(at, payload);
    }
  }
  if (receiver.readable().find(kPattern) != std::string_view::npos) std::abort();
  inspector->close(handle);
  if (inspector->counters().flows_open != 0) std::abort();
  return 0;
}
