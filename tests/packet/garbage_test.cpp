// Random and damaged packets, while control changes things: nothing crashes, every packet is accounted for,
// every buffer comes back. Meant for a build with sanitizers too.
#include <gtest/gtest.h>

#include <random>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

constexpr size_t kInnerIp = 50 + 14;  // where the inner IP header is in a frame without tags and options

class Garbage {
 public:
  explicit Garbage(unsigned seed) : random_(seed) {
    const Bytes quoted = inner_ip(kA, kB, udp());
    for (const Ip ip : {Ip::v4, Ip::v6}) {
      for (const Transport& transport :
           {udp(), tcp(kSyn), tcp(kAck, 101, 1, "some data"), tcp(kFin | kAck), echo(), echo(77, 1, true),
            Transport([&](PacketBuilder& b) { b.icmp_error(3, 1, quoted); })}) {
        corpus_.push_back(from_spoke(kA, kB, transport, ip));
        corpus_.push_back(from_spoke(kB, kA, transport, ip));
      }
    }
    const net::Mac all{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const auto link = [&] { return PacketBuilder().ether(all, kA.host_mac); };
    corpus_.push_back(tunnelled(kA, link().arp_request(kA.host_mac, kA.host4, kA.gateway4).build()));
    corpus_.push_back(
        tunnelled(kA, link().ipv6(kA.host6, "ff02::1:ff00:1").nd_solicit(kA.gateway6, kA.host_mac).build()));
    corpus_.push_back(
        tunnelled(kA, link().ipv6(kA.host6, kA.gateway6).nd_advertise(kA.host6, kA.host_mac).build()));
    corpus_.push_back(link().arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress).build());
    corpus_.push_back(from_spoke(
        kA, kB, [](PacketBuilder& b) { b.extension(0).extension(60).fragment6(0, false, 1).udp(1, 2); },
        Ip::v6));
    corpus_.push_back(from_spoke(kA, kB, [](PacketBuilder& b) { b.options(Bytes(40, 1)).udp(1, 2); }));
  }

  Bytes next() {
    if (below(20) == 0) return noise();
    Bytes frame = corpus_[below(corpus_.size())];
    const size_t hits = below(4);
    for (size_t i = 0; i < hits; ++i) frame[position(frame)] = static_cast<uint8_t>(random_());
    if (below(10) == 0) frame.resize(below(frame.size() + 1));
    if (below(10) == 0) frame.resize(frame.size() + below(1'000));
    if (below(2) == 0) repair(frame);
    return frame;
  }
  size_t below(size_t n) { return random_() % n; }

 private:
  static Bytes inner_ip(const Spoke& from, const Spoke& to, const Transport& transport) {
    const Bytes frame = inner(from, to, transport);
    return {frame.begin() + 14, frame.end()};
  }
  Bytes noise() {
    Bytes frame(below(200));
    for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random_());
    return frame;
  }
  /// Mostly behind the outer headers, so that most frames get as far as the inner ones.
  size_t position(const Bytes& frame) {
    return frame.size() > kInnerIp && below(8) != 0 ? 50 + below(frame.size() - 50) : below(frame.size());
  }
  /// A right inner IPv4 header checksum, so that the damage is found later, if at all.
  static void repair(Bytes& frame) {
    if (frame.size() < kInnerIp + 20 || frame[kInnerIp] >> 4 != 4) return;
    const size_t size = (frame[kInnerIp] & 15u) * 4;
    if (frame.size() < kInnerIp + size || size < 20) return;
    frame[kInnerIp + 10] = frame[kInnerIp + 11] = 0;
    const auto begin = frame.begin() + static_cast<long>(kInnerIp);
    const uint16_t sum = plain_checksum({begin, begin + static_cast<long>(size)});
    frame[kInnerIp + 10] = static_cast<uint8_t>(sum >> 8);
    frame[kInnerIp + 11] = static_cast<uint8_t>(sum);
  }

  std::mt19937 random_;
  std::vector<Bytes> corpus_;
};

/// As control does: some punted packets are resumed, the others discarded.
void work_on_punts(TestHub& hub, Garbage& garbage) {
  for (const Punt& punt : hub.plane().take_punts(256)) {
    if (punt.reason == PuntReason::resolve && garbage.below(2) == 0) {
      hub.plane().resume(punt);
    } else {
      hub.plane().discard(punt, DropReason::punt_unwanted);
    }
  }
}

TEST(Garbage, EveryPacketIsAccountedFor) {
  for (const unsigned workers : {1u, 3u}) {
    SnapshotBuilder b = network(true, static_cast<uint16_t>(workers));
    TestHub hub(b.build(), {.workers = workers, .sessions = 64, .flow_events = true});
    Garbage garbage(workers);
    bool b_is_there = true;
    int64_t injected = 0;
    for (int i = 0; i < 20'000; ++i) {
      hub.inject(garbage.next(), static_cast<uint16_t>(garbage.below(workers)));
      ++injected;
      if (garbage.below(50) != 0) continue;
      hub.turn(static_cast<WorkerIndex>(garbage.below(workers)));
      hub.expect_balance();
      hub.pass(garbage.below(5 * kNanosPerSecond));
      if (garbage.below(4) == 0) work_on_punts(hub, garbage);
      if (garbage.below(20) == 0) {
        SnapshotBuilder changed = b;
        if (b_is_there) changed.remove_attachment("b");
        b_is_there = !b_is_there;
        hub.publish(changed.build());
      }
      hub.events();
      hub.plane().take_notes(1'000);
      hub.port().collect();
    }
    hub.settle();
    work_on_punts(hub, garbage);
    hub.settle();
    work_on_punts(hub, garbage);
    for (const Punt& punt : hub.plane().take_punts(256)) hub.plane().discard(punt, DropReason::punt_unwanted);
    hub.port().collect();

    const Counts moved = hub.moved();
    EXPECT_EQ(moved.at("rx"), injected);
    EXPECT_GT(moved.at("forwarded"), 1'000) << "most of the damage hits what the hub does not look at";
    for (const char* reason : {"drop inner_bad_header", "drop inner_truncated", "drop outer_bad_header",
                               "drop outer_truncated", "drop tunnel_unknown", "drop fragment_bad"}) {
      EXPECT_TRUE(moved.contains(reason)) << reason << ": the garbage is too tame";
    }
  }
}

}  // namespace
}  // namespace weir::test
