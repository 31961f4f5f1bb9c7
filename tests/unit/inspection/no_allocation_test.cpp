// After create(), an Inspector takes no memory by operator new, between open() and close().
#include <atomic>
#include <cstdlib>
#include <new>

#include "support.h"

namespace {
std::atomic<size_t> allocations{0};

void* counted(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t size) { return counted(size); }
void* operator new[](size_t size) { return counted(size); }
// Hyperscan takes memory this way too and gives it back by plain delete.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace weir::inspection::test {
namespace {

/// Takes events without memory of its own.
class CountingSink final : public EventSink {
 public:
  bool push(Event& event, std::span<const uint8_t> fields) override {
    ++(event.has_alert() ? events : transactions);
    bytes += fields.size();
    return true;
  }
  size_t events = 0, transactions = 0, bytes = 0;
};

Packet packet_of(Direction d, uint32_t seq, uint32_t ack, uint8_t flags, std::string_view payload) {
  static std::array<uint8_t, 65'535> memory;
  const auto ip = ip_header(flags != 0 ? 6 : 17);
  const auto header = tcp_header(flags);
  const size_t l4_size = flags != 0 ? 20 : 8;
  std::copy(ip.begin(), ip.end(), memory.begin());
  std::copy_n(header.begin(), l4_size, memory.begin() + 20);
  std::copy(payload.begin(), payload.end(), memory.begin() + 20 + static_cast<std::ptrdiff_t>(l4_size));
  Packet packet;
  packet.ip = std::span(memory).first(20 + l4_size + payload.size());
  packet.ip_header = packet.ip.first(20);
  packet.l4_header = packet.ip.subspan(20, l4_size);
  packet.direction = d;
  packet.seq = seq;
  packet.ack = ack;
  packet.tcp_flags = flags;
  packet.payload = packet.ip.subspan(20 + l4_size);
  return packet;
}

TEST(NoAllocation, CountingWorks) {
  const size_t before = allocations;
  const auto memory = std::make_unique<int>(1);
  EXPECT_GT(allocations, before);
}

TEST(NoAllocation, FromOpenToClose) {
  const auto ruleset = compile(
      "alert tcp any any -> any any (content:\"evil\"; content:\"more\"; distance:0; sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"/bad\"; http.host; content:\"h\"; sid:2;)\n"
      "alert udp any any -> any any (content:\"evil\"; sid:3;)\n"
      "alert ip any any -> any any (sid:4;)\n"
      "drop tcp any any -> any any (content:\"worst\"; sid:5;)");
  EventSettings all;
  all.payload = all.payload_printable = all.rule_text = all.references = true;
  all.xff_header = "x-forwarded-for";
  const auto inspector = make_inspector({.flows = 8}, 0, all);
  const std::string big(60'000, 'x');
  const std::string head = "GET /bad HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n";
  const FlowInfo tcp = flow_info(6), udp = flow_info(17);
  CountingSink sink;

  const size_t before = allocations;
  for (int round = 0; round < 3; ++round) {
    const FlowHandle t = inspector->open(tcp), u = inspector->open(udp);
    const auto send = [&](Direction d, uint32_t seq, uint8_t flags, std::string_view payload) {
      return inspector->inspect(t, *ruleset, packet_of(d, seq, 5001, flags, payload), sink);
    };
    send(Direction::to_server, 100, kSyn, "");
    inspector->inspect(t, *ruleset, packet_of(Direction::to_client, 5000, 101, kSyn | kAck, ""), sink);
    send(Direction::to_server, 101, kAck, head);
    const uint32_t at = 101 + static_cast<uint32_t>(head.size());
    send(Direction::to_server, at + 100, kAck, std::string_view(big).substr(0, 1));
    send(Direction::to_server, at, kAck, std::string_view(big).substr(0, 100));
    send(Direction::to_server, at + 101, kAck, big);
    send(Direction::to_server, at + 60'101, kAck, "evil and more");
    EXPECT_EQ(send(Direction::to_server, at + 60'114, kAck, "worst").action, Action::drop_session);
    inspector->inspect(u, *ruleset, packet_of(Direction::to_server, 0, 0, 0, "evil"), sink);
    inspector->finish(t, 1, sink);
    inspector->close(t);
    inspector->close(u);
  }
  const size_t after = allocations;
  EXPECT_EQ(after, before);
  // Each round: sid 4 each way, 2, 1, 5 with its drop; of the datagram 4 and 3.
  EXPECT_EQ(sink.events, 3U * 8);
  EXPECT_GE(sink.transactions, 3U) << "the request";
  EXPECT_GT(sink.bytes, 3U * 100);
}

}  // namespace
}  // namespace weir::inspection::test
