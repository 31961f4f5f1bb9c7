// The data path takes no memory from the allocator: neither by operator new nor by malloc. By itself, because
// it replaces both for the whole binary.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>

#include "tests/packet/nat_spokes.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace {

/// While set, an allocation ends the process, and the stack in the core says who it was. Atomic, since
/// compilers take it that malloc changes nobody's variables and keep them in registers across it.
std::atomic<bool> forbidden = false;
std::atomic<unsigned> allocations = 0;

void count() {
  ++allocations;
  if (forbidden) std::abort();
}

}  // namespace

// The linker lets every call of the hub's libraries go here (--wrap).
extern "C" {
void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* memory, size_t size);
void* __real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void** memory, size_t alignment, size_t size);
void* __wrap_malloc(size_t size) { return count(), __real_malloc(size); }
void* __wrap_calloc(size_t n, size_t size) { return count(), __real_calloc(n, size); }
void* __wrap_realloc(void* memory, size_t size) { return count(), __real_realloc(memory, size); }
void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  return count(), __real_aligned_alloc(alignment, size);
}
int __wrap_posix_memalign(void** memory, size_t alignment, size_t size) {
  return count(), __real_posix_memalign(memory, alignment, size);
}
}

void* operator new(size_t size) {
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, std::align_val_t alignment) {
  const size_t step = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(size == 0 ? 1 : size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace weir::test {
namespace {

/// Turns of all workers, during which nobody may allocate.
void turn_without_allocating(TestHub& hub, unsigned workers) {
  forbidden = true;
  for (int round = 0; round < 8; ++round) {
    for (unsigned w = 0; w < workers; ++w) hub.turn(static_cast<dataplane::WorkerIndex>(w));
  }
  forbidden = false;
}

/// A new-expression whose result is used: the compiler may leave out one that is not.
void allocate_one() {
  int* volatile one = new int(1);
  delete one;
}

TEST(NoAllocation, TheCounterCounts) {
  const unsigned before = allocations;
  allocate_one();
  void* volatile two = std::malloc(1);
  std::free(two);
  EXPECT_EQ(allocations.load(), before + 2);
  EXPECT_DEATH(
      {
        forbidden = true;
        allocate_one();
      },
      "");
}

std::shared_ptr<const inspection::Ruleset> ruleset(unsigned workers) {
  const std::string path = testing::TempDir() + "weir_packet_allocation_test.rules";
  std::ofstream(path)
      << "drop tcp any any -> any any (msg:\"an attack\"; content:\"attack\"; sid:1; rev:1;)\n"
         "alert http any any -> any any (msg:\"odd\"; http.uri; content:\"/odd\"; sid:2; rev:1;)\n";
  return inspection::build_ruleset({path}, workers).value().ruleset;
}

TEST(NoAllocation, TheDataPath) {
  constexpr unsigned kWorkers = 2;
  SnapshotBuilder b = network(true, kWorkers);
  b.profile({.name = "ips", .ruleset = ruleset(kWorkers)});
  b.rule({.id = "inspect",
          .action = dataplane::PolicyAction::inspect,
          .from = {"blue"},
          .to = {"red"},
          .protocol = 6});
  TestHub hub(b.build(), {.workers = kWorkers, .sessions = 64, .flow_events = true, .sample_one_in = 2});
  const net::Mac all{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  const Bytes quoted_frame = inner_forwarded(kA, kB, udp());
  const Bytes quoted(quoted_frame.begin() + 14, quoted_frame.end());
  const std::vector<Bytes> frames = {
      from_spoke(kA, kB, udp()),            // a new session
      from_spoke(kB, kA, udp(2000, 1000)),  // a hit
      from_spoke(kA, kB, udp(), Ip::v6),
      from_spoke(kA, kB, tcp(kSyn)),
      from_spoke(kA, kB, tcp(kRst)),
      from_spoke(kA, kB, tcp(kSyn)),      // ends the old, starts a new one
      from_spoke(kB, kA, tcp(kSyn, 10)),  // inspected: an alert, then a drop with its resets
      from_spoke(kA, kB, tcp(kSyn | kAck, 20, 11, "", 80, 1000)),
      from_spoke(kB, kA, tcp(kAck, 11, 21, "GET /odd HTTP/1.1\r\n\r\n")),
      from_spoke(kB, kA, tcp(kAck, 32, 21, "attack")),
      from_spoke(kA, kC, udp()),  // drops of each stage
      from_spoke(kB, kA, udp(9, 9)),
      tunnelled(kA, Bytes(5)),
      from_spoke(kA, kB, udp(), Ip::v4, 1),  // punts
      from_spoke(kA, kB, udp(1, 2, std::string(1'460, 'x'))),
      from_spoke(kB, kA, [&](PacketBuilder& p) { p.icmp_error(3, 1, quoted); }),
      tunnelled(kA, PacketBuilder()
                        .ether(all, kA.host_mac)
                        .arp_request({{2, 0, 0, 0, 9, 9}}, kA.host4, kA.gateway4)
                        .build()),
      tunnelled(kA, PacketBuilder()
                        .ether(all, kA.host_mac)
                        .ipv6(kA.host6, "ff02::1:ff00:1")
                        .nd_solicit(kA.gateway6, kA.host_mac)
                        .build()),
      PacketBuilder()
          .ether(all, kA.tunnel_mac)
          .arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress)
          .build(),
  };
  for (int round = 0; round < 3; ++round) {
    for (uint16_t queue = 0; queue < kWorkers; ++queue) {
      for (const Bytes& frame : frames) hub.inject(frame, queue);
      for (uint16_t port = 1; port < 100; ++port)
        hub.inject(from_spoke(kA, kB, udp(port)), queue);  // full table
    }
    turn_without_allocating(hub, kWorkers);
    hub.pass_seconds(100);  // expiry, flow events
    turn_without_allocating(hub, kWorkers);
    hub.plane().publish(b.build());  // sessions are decided again
    hub.plane().list_sessions(10, [](std::vector<dataplane::SessionRow>) {});
    hub.plane().housekeeping();
    for (const auto& punt : hub.plane().take_punts(64)) hub.plane().resume(punt);
    turn_without_allocating(hub, kWorkers);
    for (const auto& punt : hub.plane().take_punts(64)) {
      hub.plane().discard(punt, dataplane::DropReason::punt_unwanted);
    }
    hub.plane().take_notes(64);
    hub.port().collect();
    hub.events();
  }
  const Counts moved = hub.moved();
  for (const char* must :
       {"forwarded", "answered", "punted", "handed_over", "sessions_expired", "resets_sent",
        "drop inspect_drop", "drop no_connection", "drop session_table_full", "drop inner_truncated"}) {
    EXPECT_TRUE(moved.contains(must)) << must << " did not happen, so nothing is shown for it";
  }
}

/// Red reaches blue's hosts of IPv4 by NAT64, and is seen there with another prefix of IPv6 (NPTv6).
dataplane::NatRules both_families(const SnapshotBuilder& b, uint16_t workers) {
  dataplane::NatRules rules = pool_rules(b, workers, "10.2.0.100", "10.2.0.100");
  rules.pools[0].prefix64 = *net::parse_prefix("64:ff9b::/96");
  rules.pools[0].destinations = {*net::parse_prefix("10.2.0.0/24")};
  dataplane::StaticRule neutral;
  neutral.domain = b.domain_id("red");
  neutral.inside = *net::parse_prefix("2001:db8:1::/64");
  neutral.outside = *net::parse_prefix("2001:db8:a::/64");
  neutral.seen_by = {b.domain_id("blue")};
  neutral.nptv6 = true;
  rules.fixed.push_back(neutral);
  return rules;
}

Bytes without_ethernet(const Bytes& inner_frame) { return {inner_frame.begin() + 14, inner_frame.end()}; }

TEST(NoAllocation, TranslationOfIpv6) {
  constexpr unsigned kWorkers = 2;
  constexpr const char *kB6 = "64:ff9b::a02:5", *kPool = "10.2.0.100", *kSeen6 = "2001:db8:a:0:fff6::5";
  SnapshotBuilder b = open_network(kWorkers);
  b.nat(both_families(b, kWorkers));
  TestHub hub(b.build(), {.workers = kWorkers, .sessions = 64, .flow_events = true});
  // Also what their answers have to be like is known only once they have left.
  std::vector<Bytes> frames;
  const auto passes = [&](const Bytes& frame) {
    const std::vector<Bytes> got = hub.pass_through(frame, 0);
    EXPECT_EQ(got.size(), 1u) << "frame " << frames.size();
    frames.push_back(frame);
    return got.empty() ? Bytes(200) : got[0];
  };
  const Ends to_four = {kA.host6, kB6}, to_six = {kA.host6, kB.host6}, from_six = {kB.host6, kSeen6},
             from_four = {kB.host4, kPool};
  const auto error = [](uint8_t type, uint8_t code, const Bytes& got) {
    return
        [=, quoted = without_ethernet(inner_of(got))](PacketBuilder& p) { p.icmp_error(type, code, quoted); };
  };
  const Bytes asked = passes(sent_by(kA, to_four, udp(5'000, 53)));
  const Bytes answered = passes(sent_by(kB, from_four, udp(53, source_port(asked), "answer")));
  passes(sent_by(kB, from_four, error(3, 1, asked)));
  passes(sent_by(kA, to_four, error(1, 4, answered)));
  const Bytes syn = passes(sent_by(kA, to_four, tcp(kSyn, 7, 0, "", 5'001, 80)));
  passes(sent_by(kB, from_four, tcp(kSyn | kAck, 9, 8, "", 80, source_port(syn))));
  const Bytes ping = passes(sent_by(kA, to_four, echo()));
  passes(sent_by(kB, from_four, echo(identifier(ping), 1, true)));
  const Bytes neutral = passes(sent_by(kA, to_six, udp(5'000, 53)));
  passes(sent_by(kB, from_six, udp(53, 5'000, "answer")));
  passes(sent_by(kB, from_six, error(1, 4, neutral)));
  passes(sent_by(kA, to_six, echo(78)));
  passes(sent_by(kB, from_six, tcp(kSyn)));
  frames.push_back(sent_by(kA, {kA.host6, "64:ff9b::a09:5"}, udp()));  // outside of the rule
  frames.push_back(sent_by(kB, {kB.host6, "2001:db8:a::"}, udp()));    // an address without another
  frames.push_back(sent_by(kB, from_four, udp(53, 9, "nobody's port")));
  for (int round = 0; round < 3; ++round) {
    for (uint16_t queue = 0; queue < kWorkers; ++queue) {
      for (const Bytes& frame : frames) hub.inject(frame, queue);
      for (uint16_t port = 1; port < 60; ++port) {
        hub.inject(sent_by(kA, to_four, udp(port, 53)), queue);
        hub.inject(sent_by(kA, to_six, udp(port, 53)), queue);
      }
    }
    turn_without_allocating(hub, kWorkers);
    hub.plane().publish(b.build());  // sessions are decided again
    hub.plane().housekeeping();
    for (const Bytes& frame : frames) hub.inject(frame, 1);
    turn_without_allocating(hub, kWorkers);
    hub.pass_seconds(4'000);  // expiry: ports are given back
    turn_without_allocating(hub, kWorkers);
    hub.plane().take_notes(64);
    hub.port().collect();
    hub.events();
  }
  const Counts moved = hub.moved();
  for (const char* must : {"forwarded", "handed_over", "sessions_expired", "drop nat_unmapped",
                           "drop nat_closed", "drop session_table_full"}) {
    EXPECT_TRUE(moved.contains(must)) << must << " did not happen, so nothing is shown for it";
  }
}

}  // namespace
}  // namespace weir::test
