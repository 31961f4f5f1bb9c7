// After create() and the ruleset's compilation, detection takes no memory but from its pool: neither by
// operator new nor by malloc, which PCRE2 and Hyperscan call by themselves.
#include <atomic>
#include <cstdlib>

#include "detection_support.h"

namespace {
std::atomic<size_t> allocations{0};
}

// The loader resolves every call of malloc in the process to this one, those of shared libraries too.
extern "C" void* __libc_malloc(size_t size);
extern "C" void* __libc_calloc(size_t count, size_t size);
extern "C" void* __libc_realloc(void* old, size_t size);
extern "C" void* malloc(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
extern "C" void* calloc(size_t count, size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, size);
}
extern "C" void* realloc(void* old, size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(old, size);
}

namespace weir::inspection::test {
namespace {

class CountingSink final : public AlertSink {
 public:
  void alert(const RuleAlert& alert) override { ++of_sid[alert.rule->sid % of_sid.size()]; }
  std::array<size_t, 16> of_sid{};
};

TEST(DetectionAllocation, CountingWorks) {
  const size_t before = allocations;
  void* const memory = std::malloc(100);
  EXPECT_GT(allocations, before);
  std::free(memory);
}

TEST(DetectionAllocation, NoneForPacketsStreamsTransactions) {
  const auto profile = make_profile(
      "alert tcp any any -> any any (content:\"evil\"; pcre:\"/evil(?:x|y)+z/\"; flowbits:set,a; sid:1;)\n"
      "alert tcp any any -> any any (content:\"ab\"; content:\"yz\"; distance:2; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"/bad\"; http.request_body; content:\"evil\"; "
      "sid:3;)\n"
      "alert http any any -> any any (http.uri; to_sha256; content:\"|aa bb|\"; sid:4;)\n"
      "alert http any any -> any any (http.uri; dotprefix; content:\"./b\"; threshold:type limit,track "
      "by_src,count "
      "1,seconds 9; sid:5;)\n"
      "alert udp any any -> any any (content:\"k=\"; base64_decode:relative; base64_data; content:\"x\"; "
      "sid:6;)\n"
      "alert udp any any -> any any (pcre:\"/(a+)+b/\"; sid:7;)\n"
      "alert ip any any -> any any (sid:8;)");
  ASSERT_TRUE(profile);
  DetectionBench bench(profile);
  FakeTransaction tx(AppProtocol::http1, HttpStep::complete);
  tx.set(BufferId::http_uri, Direction::to_server, "/bad");
  const std::string big = std::string(3'000, 'a') + "evilxyz k=YWJj ab-----yz";
  StreamView view;
  view.view.bytes = octets(big);
  Transaction* const list[] = {&tx};
  CountingSink sink;
  BytePool pool(size_t{1} << 20);
  auto detector = Detector::create(0, {}, pool, DetectionBench::few_marks());
  ASSERT_TRUE(detector);
  bench.facts.protocol = AppProtocol::http1;
  tx.grow(BufferId::http_request_body, Direction::to_server, "so evil", true);

  const size_t before = allocations;
  for (int i = 0; i < 50; ++i) {
    tx.judge_again(BufferId::http_request_body, Direction::to_server);
    SessionDetection session;
    bench.packet.protocol = 6;
    bench.packet.stream_part = true;
    bench.packet.payload = octets(big);
    tx.advance(Direction::to_server, HttpStep::line);
    (*detector)->inspect(*profile, session, {bench.packet, bench.facts, {&view, 1}, list}, sink);
    tx.advance(Direction::to_server, HttpStep::complete);
    (*detector)->inspect(*profile, session, {bench.packet, bench.facts, {}, list}, sink);
    bench.packet.protocol = 17;
    (*detector)->inspect(*profile, session, {bench.packet, bench.facts, {}, {}}, sink);
    (*detector)->forget(tx);
    (*detector)->forget(session);
  }
  const size_t after = allocations;
  EXPECT_EQ(after, before);
  // So that it is known what ran without memory.
  for (const size_t sid : {1, 2, 3, 8}) EXPECT_GE(sink.of_sid[sid], 50u) << "sid " << sid;
  EXPECT_EQ(sink.of_sid[5], 1u);
  EXPECT_EQ(pool.used(), 0u);
}

}  // namespace
}  // namespace weir::inspection::test
